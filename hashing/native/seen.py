"""Shares already seen, in C's memory; see csrc/seen.c."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from typing import Any

from hashing._native import ffi, lib
from hashing.values import HASH_SIZE, expect_multiple, expect_size

_KEY_SIZE = 8

_PARTS: int = lib.SEEN_PARTS
_PART_ROOM = 16  # at first: 128 KiB for all; a power of two
_AHEAD = 16  # parts that grow before they are full: a millisecond where they are large

_KEYS = ffi.typeof("uint64_t[]")
_SEEN = ffi.typeof("struct seen_shares *")


class SeenShares:
    """The shares of one block, by the first eight bytes of their hash; none is ever forgotten."""

    __slots__ = ("_first", "_grown", "_struct")

    def __init__(self) -> None:
        self._first = ffi.new(_KEYS, _PARTS * _PART_ROOM)
        self._grown: dict[int, Any] = {}  # what parts have in its stead
        self._struct = ffi.new(_SEEN)
        lib.seen_begin(self._struct, self._first, _PART_ROOM)

    def holds(self, hash32: bytes) -> bool:
        expect_size("hash32", hash32, HASH_SIZE)
        return bool(lib.seen_holds(self._struct, hash32))

    def add(self, hash32: bytes) -> None:
        """Remember a share."""
        expect_size("hash32", hash32, HASH_SIZE)
        if not lib.seen_add(self._struct, hash32):
            self.make_room()
            lib.seen_add(self._struct, hash32)

    def __len__(self) -> int:
        return sum(part.count for part in self._struct.parts)

    def make_room(self) -> None:
        """Make sure that the gate can add one more, whichever it is."""
        part = 0
        while (part := lib.seen_full_part(self._struct, part, 0)) < _PARTS:
            self._grow(part)
        # They fill alike: the next ones to be full save the gate a stop each.
        part = 0
        for _ in range(_AHEAD):
            part = lib.seen_full_part(self._struct, part, 1)
            if part == _PARTS:
                return
            self._grow(part)

    def _grow(self, part: int) -> None:
        room = 2 * self._struct.parts[part].room
        keys = ffi.new(_KEYS, room)
        lib.seen_grow(self._struct, part, keys, room)
        self._grown[part] = keys

    def keys(self) -> Iterator[bytes]:
        """All keys, eight bytes each, in pieces and in no order."""
        for part in self._struct.parts:
            if part.count:
                table = array("Q", bytes(ffi.buffer(part.keys, part.room * _KEY_SIZE)))
                yield _little(array("Q", filter(None, table))).tobytes()

    def revive(self, keys: bytes) -> None:
        """Remember all `keys` that another table told."""
        count = expect_multiple("keys", keys, _KEY_SIZE)
        told = ffi.from_buffer(_KEYS, _little(array("Q", keys)))
        added = 0
        while added < count:
            self.make_room()
            added += lib.seen_add_keys(self._struct, told + added, count - added)


def _little(numbers: array[int]) -> array[int]:
    """From the machine's byte order to little-endian, or back."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
