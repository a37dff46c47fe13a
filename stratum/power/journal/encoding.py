"""Values as deterministic CBOR (RFC 8949 §4.2.1), and back by their type hints.

Nothing is registered and no class knows that it is written: a Codec is built from a hint and walks
the hints of the fields. Dataclasses become maps by field name, so a journal explains itself to
whoever finds it, and a field that an older journal lacks takes its default. Enums become their
values, tuples and sets lists, arrays columns. A dict becomes a list of pairs in its own order,
since what a dict is walked by is part of what was decided upon.

Equal values give equal bytes with one exception: zlib may deflate a column otherwise elsewhere. So
hashes are taken over what was written, and values are compared as values (`digest`).
"""

from __future__ import annotations

import dataclasses
import operator
import types
import typing
from collections.abc import Callable
from enum import Enum
from typing import Any, Generic, TypeVar, cast

import cbor2
import numpy as np

from stratum.power.journal.columns import pack_array, unpack_array

T = TypeVar("T")

Step = Callable[[Any], Any]

_PLAIN = (str, bytes)


@dataclasses.dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """How one type is written and read; `pack` and `unpack` stop short of the bytes."""

    pack: Step
    unpack: Step

    def encode(self, value: T) -> bytes:
        """Raises TypeError for a value that does not match its hint."""
        return cbor2.dumps(self.pack(value), canonical=True)

    def decode(self, data: bytes) -> T:
        """Raises ValueError for what encode() does not write."""
        try:
            return cast(T, self.unpack(cbor2.loads(data)))
        except (cbor2.CBORDecodeError, TypeError, KeyError, AttributeError) as exc:
            raise ValueError(f"not what was written: {exc!r}") from exc


_codecs: dict[Any, Codec[Any]] = {}


def codec_of(hint: Any) -> Codec[Any]:
    """The codec of a class or of any other hint. Raises TypeError for one that says too little."""
    found = _codecs.get(hint)
    if found is None:
        found = _codecs[hint] = _built(hint)
    return found


def _built(hint: Any) -> Codec[Any]:
    hint = getattr(hint, "__supertype__", hint)  # NewType
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _union(arguments)
    if origin is tuple:
        return _tuple(arguments)
    if origin in (frozenset, set):
        return _set(origin, arguments[0])
    if origin is dict or (origin is not None and issubclass(origin, typing.Mapping)):
        return _dict(*arguments)
    if origin is np.ndarray or hint is np.ndarray:
        return Codec(pack_array, unpack_array)
    if isinstance(hint, type):
        return _class(hint)
    raise TypeError(f"{hint} is no hint that says what to read")


def encode(value: Any) -> bytes:
    """A dataclass, by its own class."""
    return codec_of(type(value)).encode(value)


def _class(kind: type) -> Codec[Any]:
    if kind is type(None):
        return Codec(_none, _none)
    if kind is bool:
        return Codec(bool, bool)
    if kind is int:
        return Codec(_whole, _whole)  # numpy's own integers become ours
    if kind is float:
        return Codec(float, float)
    if kind in _PLAIN:
        return Codec(_checked(kind), _checked(kind))
    if issubclass(kind, Enum):
        return Codec(lambda member: kind(member).value, kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _named_tuple(kind)
    raise TypeError(f"{kind.__name__} has no place in a journal")


def _none(value: object) -> None:
    if value is not None:
        raise TypeError(f"{value!r} where None was expected")


def _whole(value: Any) -> int:
    return int(operator.index(value))


def _checked(kind: type) -> Step:
    def same(value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError(f"{value!r} where {kind.__name__} was expected")
        return value

    return same


def _dataclass(kind: type) -> Codec[Any]:
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind) if field.init]
    # Looked up at first use: a class may hold values of its own kind.
    codecs: dict[str, Codec[Any]] = {}

    def steps() -> dict[str, Codec[Any]]:
        if not codecs:
            codecs.update((name, codec_of(hints[name])) for name in names)
        return codecs

    def pack(value: Any) -> dict[str, Any]:
        if type(value) is not kind:
            raise TypeError(f"{value!r} where {kind.__name__} was expected")
        return {name: step.pack(getattr(value, name)) for name, step in steps().items()}

    def unpack(packed: dict[str, Any]) -> Any:
        return kind(
            **{name: step.unpack(packed[name]) for name, step in steps().items() if name in packed}
        )

    return Codec(pack, unpack)


def _named_tuple(kind: Any) -> Codec[Any]:
    hints = typing.get_type_hints(kind)
    inner = _tuple(tuple(hints[name] for name in kind._fields))
    return Codec(inner.pack, lambda packed: kind(*inner.unpack(packed)))


def _tuple(arguments: tuple[Any, ...]) -> Codec[Any]:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        each = codec_of(arguments[0])
        return Codec(
            lambda values: [each.pack(value) for value in _expect(values, tuple)],
            lambda packed: tuple([each.unpack(value) for value in packed]),
        )
    codecs = [codec_of(argument) for argument in arguments]

    def each_its_own(of: str) -> Step:
        steps = [getattr(codec, of) for codec in codecs]
        return lambda values: [step(value) for step, value in zip(steps, values, strict=True)]

    unpack = each_its_own("unpack")
    return Codec(each_its_own("pack"), lambda packed: tuple(unpack(packed)))


def _set(kind: Any, argument: Any) -> Codec[Any]:
    each = codec_of(argument)
    return Codec(
        lambda values: sorted(each.pack(value) for value in values),
        lambda packed: kind([each.unpack(value) for value in packed]),
    )


def _dict(key_hint: Any, value_hint: Any) -> Codec[Any]:
    key, value = codec_of(key_hint), codec_of(value_hint)
    return Codec(
        lambda pairs: [[key.pack(k), value.pack(v)] for k, v in _expect(pairs, dict).items()],
        lambda packed: {key.unpack(k): value.unpack(v) for k, v in packed},
    )


def _union(arguments: tuple[Any, ...]) -> Codec[Any]:
    """None is itself; of several other arms the value says by its number which it is."""
    arms = [argument for argument in arguments if argument is not type(None)]
    if len(arms) == 1:
        only = codec_of(arms[0])
        if len(arguments) == 1:
            return only
        return Codec(
            lambda value: None if value is None else only.pack(value),
            lambda packed: None if packed is None else only.unpack(packed),
        )
    codecs = [codec_of(arm) for arm in arms]
    kinds = [typing.get_origin(arm) or arm for arm in arms]
    has_none = len(arms) < len(arguments)

    def pack(value: Any) -> Any:
        if value is None and has_none:
            return None
        if type(value) in kinds:
            number = kinds.index(type(value))
            return [number, codecs[number].pack(value)]
        raise TypeError(f"{value!r} is of none of {[kind.__name__ for kind in kinds]}")

    def unpack(packed: Any) -> Any:
        if packed is None and has_none:
            return None
        number, value = packed
        return codecs[number].unpack(value)

    return Codec(pack, unpack)


def _expect(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} where {kind.__name__} was expected")
    return value
