"""Blocks add up to the curve, and pay less and less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain.fleet import RigModel
from stratum.power.economics.blocks import Ladder, blocks_of, model_blocks
from tests.power.farm import S9, S21, fleet_of, rig

Curve = list[tuple[int, int]]


@st.composite
def curves(draw: st.DrawFn) -> tuple[Curve, int]:
    """A rising curve, concave or not, and idle watts below it."""
    idle_w = draw(st.integers(0, 100))
    watts, ghs = idle_w, 0
    curve = []
    for _ in range(draw(st.integers(1, 20))):
        watts += draw(st.integers(1, 1000))
        ghs += draw(st.integers(1, 50_000))
        curve.append((watts, ghs))
    return curve, idle_w


def test_a_concave_curve_is_one_block_a_level() -> None:
    blocks = blocks_of(S21.curve, 25)
    assert [(block.from_w, block.to_w, block.ghs) for block in blocks] == [
        (25, 1800, 115_000),
        (1800, 2500, 42_000),
        (2500, 3500, 43_000),
    ]


def test_a_poor_floor_is_merged_with_the_level_above_it() -> None:
    """At 1,000 W this rig does 30 J/TH, at 2,000 W 20: nobody stops at the first."""
    blocks = blocks_of([(1000, 33_000), (2000, 100_000), (3000, 130_000)], 25)
    assert [(block.from_w, block.to_w) for block in blocks] == [(25, 2000), (2000, 3000)]


def test_the_first_block_carries_what_burns_before_a_hash_is_found() -> None:
    (block,) = blocks_of([(3500, 200_000)], 300)
    assert block.delta_w == 3200
    # 16 J/TH: what sleeping really saves is less than the label.
    assert block.ph_per_mwh == 3600 * 200_000 // 3200


@given(curves())
def test_blocks_add_up_to_the_curve_and_keep_its_ends(drawn: tuple[Curve, int]) -> None:
    curve, idle_w = drawn
    blocks = blocks_of(curve, idle_w)
    assert blocks[0].from_w == idle_w
    assert blocks[-1].to_w == curve[-1][0]
    assert sum(block.delta_w for block in blocks) == curve[-1][0] - idle_w
    assert sum(block.ghs for block in blocks) == curve[-1][1]
    assert all(a.to_w == b.from_w for a, b in zip(blocks, blocks[1:], strict=False))


@given(curves())
def test_each_block_pays_less_than_the_one_before(drawn: tuple[Curve, int]) -> None:
    blocks = blocks_of(*drawn)
    for first, second in zip(blocks, blocks[1:], strict=False):
        assert first.ghs * second.delta_w > second.ghs * first.delta_w


@given(curves())
def test_no_level_of_the_curve_lies_above_the_blocks(drawn: tuple[Curve, int]) -> None:
    curve, idle_w = drawn
    blocks = blocks_of(curve, idle_w)
    for watts, ghs in curve:
        under = [block for block in blocks if block.to_w <= watts]
        done = sum(block.ghs for block in under)
        rest = [block for block in blocks if block.from_w < watts < block.to_w]
        part = sum(block.ghs * (watts - block.from_w) / block.delta_w for block in rest)
        assert ghs <= done + part + 1e-6


@pytest.mark.parametrize(
    "curve", [[(25, 10)], [(20, 10)], [(100, 10), (90, 20)], [(100, 10), (200, 10)]]
)
def test_a_curve_that_does_not_rise_is_refused(curve: Curve) -> None:
    with pytest.raises(ValueError, match="curve goes from"):
        blocks_of(curve, 25)


def test_firmware_that_only_switches_has_one_block() -> None:
    assert len(model_blocks(S21, continuous=False)) == 1
    assert len(model_blocks(S21, continuous=True)) == 3


def test_a_rig_that_takes_less_than_the_idle_watts_assumed_of_it_has_a_block() -> None:
    (block,) = model_blocks(RigModel("Bitaxe", ((18, 1_200),), idle_w=25), continuous=False)
    assert block.to_w == 18


def test_the_ladder_of_a_fleet_has_a_row_a_block_and_a_column_a_rig() -> None:
    ladder = Ladder.of(fleet_of(rig("a", S9), rig("b", S21)))
    assert ladder.to_w.tolist() == [[1323, 1800], [0, 2500], [0, 3500]]
    assert ladder.ph_per_mwh[0, 0] == 3600 * 13_500 // (1323 - 25)
    assert ladder.ph_per_mwh[1, 0] == 0
