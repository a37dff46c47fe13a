"""A few bytes that two equal states share, cheap enough for each second of ten thousand rigs.

A tick's digest is made from the one before and from what the tick changed: hashing three megabytes
each second to say that two thousand readings came would cost more than deciding upon them. What
counts is values alone: a new object with the old value changes nothing, so that a state that was
decoded and one that has been running digest alike. Each field of the state has eight bytes of its
own, hence a replay that differs can say in which field.

Arrays go in as their little-endian bytes, dicts in their own order, the rest as CBOR. SHA-256 is
twice as fast as BLAKE2b where the processor knows it, and that is every one since 2019.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from enum import Enum
from hashlib import sha256
from typing import Any, Protocol

import cbor2
import numpy as np
from numpy.typing import NDArray

#: Bytes a field. They tell a bug, not a forgery: that is the chain's part.
FIELD_SIZE = 8


class Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def whole(value: Any) -> bytes:
    """A hash over all of a value, 32 bytes: of an inventory, say."""
    hashed = sha256()
    _feed(hashed, value)
    return hashed.digest()


def begun(state: Any) -> bytes:
    """The digest of a state that nothing precedes: FIELD_SIZE bytes for each of its fields."""
    return b"".join(whole(value)[:FIELD_SIZE] for _, value in parts(state))


def advanced(digest: bytes, before: Any, after: Any) -> bytes:
    """The digest after a tick that made `after` out of `before`, whose own digest is given."""
    digests = []
    for row, ((_, old), (_, new)) in enumerate(zip(parts(before), parts(after), strict=True)):
        last = digest[row * FIELD_SIZE : (row + 1) * FIELD_SIZE]
        changes = _Changes(last)
        _compare(changes, old, new, "")
        digests.append(changes.digest())
    return b"".join(digests)


def parts(state: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a state, in order; a state without fields is its own only one."""
    if not dataclasses.is_dataclass(state):
        yield "", state
        return
    for field in dataclasses.fields(state):
        yield field.name, getattr(state, field.name)


class _Changes:
    """Hashes only where something changed: no change, the same digest."""

    def __init__(self, last: bytes) -> None:
        self._last = last
        self._hashed = sha256(last)
        self._is_same = True

    def update(self, data: bytes) -> None:
        self._is_same = False
        self._hashed.update(data)

    def digest(self) -> bytes:
        return self._last if self._is_same else self._hashed.digest()[:FIELD_SIZE]


def _compare(changes: Hash, before: Any, after: Any, path: str) -> None:
    """Feed every change under its path, in the order of fields and items."""
    if before is after:
        return
    if type(before) is type(after):
        if isinstance(after, np.ndarray) and _alike(before, after):
            _compare_arrays(changes, before, after, path)
            return
        if _is_record(after) or (isinstance(after, tuple) and len(before) == len(after)):
            for (name, old), (_, new) in zip(_items(before), _items(after), strict=True):
                _compare(changes, old, new, f"{path}.{name}")
            return
        if isinstance(after, dict) and list(before) == list(after):
            for row, (old, new) in enumerate(zip(before.values(), after.values(), strict=True)):
                _compare(changes, old, new, f"{path}.{row}")
            return
        if not isinstance(after, np.ndarray | dict | tuple) and before == after:
            return
    changes.update(path.encode())
    _feed(changes, after)


def _compare_arrays(changes: Hash, before: NDArray[Any], after: NDArray[Any], path: str) -> None:
    old, new = before.reshape(-1), after.reshape(-1)
    differs = old != new
    rows = np.flatnonzero(differs)
    if len(rows):
        # Which, as a bit each, and what they are now.
        changes.update(f"{path}[{len(rows)}]".encode())
        changes.update(np.packbits(differs).tobytes())
        changes.update(new[rows].tobytes())


def _feed(hashed: Hash, value: Any) -> None:
    """All of a value. Lengths go before what they count, so that no two values feed alike."""
    if isinstance(value, np.ndarray):
        hashed.update(f"{value.dtype.str}{value.shape}".encode())
        hashed.update(np.ascontiguousarray(value).tobytes())
    elif _is_record(value) or isinstance(value, tuple):
        items = list(_items(value))
        hashed.update(f"({len(items)}".encode())
        for _, item in items:
            _feed(hashed, item)
    elif isinstance(value, dict):
        hashed.update(f"{{{len(value)}".encode())
        for key, item in value.items():
            _feed(hashed, key)
            _feed(hashed, item)
    elif isinstance(value, set | frozenset):
        hashed.update(f"<{len(value)}".encode())
        for item in sorted(value):
            _feed(hashed, item)
    else:
        plain = value.value if isinstance(value, Enum) else value
        if isinstance(plain, np.generic):
            plain = plain.item()
        hashed.update(cbor2.dumps(plain, canonical=True))


def _alike(before: NDArray[Any], after: NDArray[Any]) -> bool:
    return before.shape == after.shape and before.dtype == after.dtype


def _is_record(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, tuple):
        yield from ((str(row), item) for row, item in enumerate(value))
    else:
        yield from ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
