"""Folds of the log in C; see csrc/fold.c."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hashing._native import ffi, lib
from hashing.values import (
    HASH_SIZE,
    SUMS_ROOM,
    ShareSum,
    edge_levels,
    expect_next,
    expect_room,
    expect_slots,
)

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_HASH = ffi.typeof("uint8_t[32]")
_EDGE = ffi.typeof("struct merkle_edge *")
_SUM_ARRAY = ffi.typeof("struct share_sum[]")
_PLACES = ffi.typeof("uint32_t[]")
_SUMS = ffi.typeof("struct share_sums *")
#: struct share_sum, as the ABI lays it out: no holes.
_SUM = struct.Struct("<QIIQQQQII")
assert _SUM.size == ffi.sizeof("struct share_sum")


class MerkleEdge:
    """The right edge of the log's tree: enough to add leaves and to tell the root (RFC 6962)."""

    __slots__ = ("_struct",)

    def __init__(self) -> None:
        self._struct = ffi.new(_EDGE)

    @classmethod
    def from_bytes(cls, data: bytes) -> MerkleEdge:
        """What to_bytes() gave. Raises ValueError for another length."""
        edge = cls()
        edge._struct.size, levels = edge_levels(data)
        for place, level in enumerate(levels):
            node = data[8 + place * HASH_SIZE : 8 + (place + 1) * HASH_SIZE]
            ffi.memmove(edge._struct.nodes + level * HASH_SIZE, node, HASH_SIZE)
        return edge

    def to_bytes(self) -> bytes:
        """The size, 8 bytes little-endian; then a node for each bit of it, the lowest first."""
        size = self.size
        nodes = bytes(ffi.buffer(self._struct.nodes))
        levels = (level for level in range(size.bit_length()) if size >> level & 1)
        kept = (nodes[level * HASH_SIZE : (level + 1) * HASH_SIZE] for level in levels)
        return size.to_bytes(8, "little") + b"".join(kept)

    @property
    def size(self) -> int:
        """Leaves, which is also the index of the next record."""
        return int(self._struct.size)

    def append(self, leaf: bytes) -> None:
        """Add a leaf."""
        hashed = ffi.new(_HASH)
        lib.sha256(hashed, b"\0" + leaf, 1 + len(leaf))
        lib.merkle_edge_push(self._struct, hashed)

    def root(self) -> bytes:
        """The root of all leaves."""
        out = ffi.new(_HASH)
        lib.merkle_edge_root(out, self._struct)
        return bytes(ffi.buffer(out))


class ShareSums:
    """Sums of shares, by minute, account, worker and port; `room` of them at a time."""

    __slots__ = ("_places", "_struct", "_sums")

    def __init__(self, room: int = SUMS_ROOM) -> None:
        expect_room(room)
        places_size = 1 << (2 * room - 1).bit_length()
        self._sums = ffi.new(_SUM_ARRAY, room)
        self._places = ffi.new(_PLACES, places_size)
        self._struct = ffi.new(
            _SUMS,
            {
                "sums": self._sums,
                "room": room,
                "used": 0,
                "places": self._places,
                "places_size": places_size,
            },
        )

    def __len__(self) -> int:
        return int(self._struct.used)

    def take(self) -> list[ShareSum]:
        """All sums, by minute, account, worker and port; none are left."""
        used = len(self)
        taken = sorted(
            ShareSum(minute, account_id, worker_id, listen, shares, low | high << 64, best, last_us)
            for minute, account_id, worker_id, shares, low, high, last_us, listen, best in (
                _SUM.iter_unpack(ffi.buffer(self._sums)[: used * _SUM.size])
            )
        )
        self._struct.used = 0
        ffi.memmove(self._places, bytes(ffi.sizeof(self._places)), ffi.sizeof(self._places))
        return taken


def fold(slots: ReadableBuffer, edge: MerkleEdge | None, sums: ShareSums) -> int:
    """Add the shares at the start of a run of whole slots to the tree and to the sums.

    Returns how many slots that were: it stops at a record that is no share, which is the
    caller's, and at one for which there is no more room in `sums`. Without an edge there are
    only sums. Raises ValueError for slots that do not follow the edge's last leaf.
    """
    given = ffi.from_buffer(slots)
    count = expect_slots(len(given)) if edge is None else expect_next(memoryview(slots), edge.size)
    struct_or_null = ffi.NULL if edge is None else edge._struct
    return int(lib.fold_slots(struct_or_null, sums._struct, given, count))
