"""Encoding: whatever a journal may hold comes back equal, by nothing but its type hints."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

import cbor2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stratum.power.brain.commands import Commands, Picture, Reason
from stratum.power.brain.settings import Settings
from stratum.power.brain.state import RigState
from stratum.power.brain.values import Flags, Inputs, Ints
from stratum.power.journal.encoding import codec_of, encode
from stratum.power.journal.replay import first_difference
from tests.power.journals import fleet_of

INT64 = st.integers(-(2**63), 2**63 - 1)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Number(IntEnum):
    ONE = 1
    TWO = 2


class Point(NamedTuple):
    x: int
    name: str


@dataclass(frozen=True, slots=True)
class Leaf:
    value: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Twig:
    flag: bool
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """A kind of state: everything that one may be made of."""

    colour: Colour
    number: Number
    raw: bytes
    ratio: float
    point: Point
    pair: tuple[int, str | None]
    either: Leaf | Twig | None
    by_name: dict[str, tuple[int, ...]]
    by_pair: dict[tuple[str, int], Leaf]
    names: frozenset[str]
    watts: Ints
    grid: Ints
    flags: Flags
    child: Tree | None = None


LEAVES = st.builds(Leaf, st.none() | st.integers(), st.text())
TWIGS = st.builds(Twig, st.booleans(), st.lists(LEAVES, max_size=3).map(tuple))
FLAT = dict(
    colour=st.sampled_from(Colour),
    number=st.sampled_from(Number),
    raw=st.binary(),
    ratio=st.floats(allow_nan=False),
    point=st.builds(Point, st.integers(), st.text()),
    pair=st.tuples(st.integers(), st.none() | st.text()),
    either=st.none() | LEAVES | TWIGS,
    by_name=st.dictionaries(st.text(), st.lists(st.integers()).map(tuple), max_size=3),
    by_pair=st.dictionaries(st.tuples(st.text(), st.integers()), LEAVES, max_size=3),
    names=st.frozensets(st.text(), max_size=4),
    watts=arrays.arrays(np.int64, st.integers(0, 30)),
    grid=arrays.arrays(np.int64, (3, 4), elements=INT64),
    flags=arrays.arrays(np.bool_, st.integers(0, 30)),
)
TREES = st.recursive(
    st.builds(Tree, **FLAT),
    lambda inner: st.builds(Tree, **FLAT, child=st.none() | inner),
    max_leaves=3,
)


@given(tree=TREES)
def test_a_value_comes_back_equal(tree: Tree) -> None:
    back = codec_of(Tree).decode(encode(tree))
    assert first_difference(tree, back, "tree") is None
    assert list(back.by_name) == list(tree.by_name)  # walked in the same order
    assert type(back.colour) is Colour and type(back.number) is Number


@given(tree=TREES)
def test_the_same_value_is_the_same_bytes(tree: Tree) -> None:
    back = codec_of(Tree).decode(encode(tree))
    assert encode(back) == encode(tree)


@given(data=st.data())
def test_everything_that_comes_in_comes_back(data: st.DataObject) -> None:
    ints = arrays.arrays(np.int64, st.integers(0, 8))
    st.register_type_strategy(np.ndarray, ints)
    inputs = data.draw(st.from_type(Inputs))
    assert first_difference(inputs, codec_of(Inputs).decode(encode(inputs)), "inputs") is None


@given(data=st.data())
def test_everything_that_goes_out_comes_back(data: st.DataObject) -> None:
    ints = arrays.arrays(np.int64, st.integers(0, 8))
    st.register_type_strategy(np.ndarray, ints)
    for kind in (Commands, Picture, Reason):
        value = data.draw(st.from_type(kind))
        assert first_difference(value, codec_of(kind).decode(encode(value)), "") is None


def test_settings_fleet_and_rig_state_come_back() -> None:
    fleet = fleet_of(30)
    for value in (Settings(tariffs={"a": -3}), fleet, RigState.fresh(fleet)):
        assert first_difference(value, codec_of(type(value)).decode(encode(value)), "") is None


def test_numpy_integers_in_a_field_become_plain_ones() -> None:
    back = codec_of(Leaf).decode(encode(Leaf(typing.cast(int, np.int64(7)))))
    assert back == Leaf(7) and type(back.value) is int


def test_a_field_that_an_older_journal_lacks_takes_its_default() -> None:
    assert codec_of(Leaf).decode(cbor2.dumps({"value": 3})) == Leaf(3, "")


def test_a_field_that_a_newer_journal_adds_is_passed_over() -> None:
    assert codec_of(Leaf).decode(cbor2.dumps({"value": 3, "colour": "red"})) == Leaf(3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        cbor2.dumps(3),
        cbor2.dumps({"flag": True}),  # has no default for leaves
        cbor2.dumps({"flag": True, "leaves": 3}),
        cbor2.dumps({"flag": True, "leaves": [{"value": "three"}]}),
    ],
)
def test_what_was_not_written_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not what was written"):
        codec_of(Twig).decode(data)


def test_a_value_that_is_not_what_its_hint_says_is_refused() -> None:
    with pytest.raises(TypeError, match="where str was expected"):
        encode(Leaf(3, typing.cast(str, 7)))
    with pytest.raises(TypeError, match="where tuple was expected"):
        encode(Twig(True, typing.cast(Any, [])))


def test_a_hint_that_says_too_little_is_refused() -> None:
    @dataclass
    class Vague:
        thing: Any = field(default=None)

    with pytest.raises(TypeError, match="Any"):
        encode(dataclasses.replace(Vague()))
