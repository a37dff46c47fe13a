"""Folds of the log in Python: the tree of RFC 6962, and sums of shares."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from hashing.values import (
    HASH_SIZE,
    LEAF_SIZE,
    SLOT_SIZE,
    SUMS_ROOM,
    ShareSum,
    edge_levels,
    expect_next,
    expect_room,
    expect_slots,
)

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: First two bytes of the leaf of a share: its type and the version of its layout.
_SHARE = b"\x01\x01"

_MINUTE_US = 60_000_000


class MerkleEdge:
    """The right edge of the log's tree: enough to add leaves and to tell the root (RFC 6962)."""

    __slots__ = ("_nodes", "_size")

    def __init__(self) -> None:
        self._size = 0
        #: The root of 2^n leaves, by n, where bit n of size is set.
        self._nodes: dict[int, bytes] = {}

    @classmethod
    def from_bytes(cls, data: bytes) -> MerkleEdge:
        """What to_bytes() gave. Raises ValueError for another length."""
        edge = cls()
        edge._size, levels = edge_levels(data)
        for place, level in enumerate(levels):
            edge._nodes[level] = data[8 + place * HASH_SIZE : 8 + (place + 1) * HASH_SIZE]
        return edge

    def to_bytes(self) -> bytes:
        """The size, 8 bytes little-endian; then a node for each bit of it, the lowest first."""
        nodes = (self._nodes[level] for level in sorted(self._nodes))
        return self._size.to_bytes(8, "little") + b"".join(nodes)

    @property
    def size(self) -> int:
        """Leaves, which is also the index of the next record."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add a leaf."""
        carried, level = sha256(b"\0" + leaf).digest(), 0
        while level in self._nodes:
            carried = _node(self._nodes.pop(level), carried)
            level += 1
        self._nodes[level] = carried
        self._size += 1

    def root(self) -> bytes:
        """The root of all leaves."""
        if not self._nodes:
            return sha256(b"").digest()
        lowest, *higher = sorted(self._nodes)
        root = self._nodes[lowest]
        for level in higher:
            root = _node(self._nodes[level], root)
        return root


class ShareSums:
    """Sums of shares, by minute, account, worker and port; `room` of them at a time."""

    __slots__ = ("_room", "_sums")

    def __init__(self, room: int = SUMS_ROOM) -> None:
        expect_room(room)
        self._room = room
        self._sums: dict[tuple[int, int, int, int], ShareSum] = {}

    def __len__(self) -> int:
        return len(self._sums)

    def take(self) -> list[ShareSum]:
        """All sums, by minute, account, worker and port; none are left."""
        taken = sorted(self._sums.values())
        self._sums = {}
        return taken

    def _add(self, leaf: bytes) -> bool:
        """False where it needs one more sum than there is room for."""
        time_us, account_id, worker_id, weight = (
            int.from_bytes(leaf[start:end], "little")
            for start, end in ((16, 24), (32, 36), (36, 40), (40, 48))
        )
        key = (time_us // _MINUTE_US, account_id, worker_id, leaf[5])
        if key not in self._sums and len(self._sums) >= self._room:
            return False
        sum_ = self._sums.get(key, ShareSum(*key, 0, 0, 0, 0))
        self._sums[key] = ShareSum(
            *key,
            sum_.shares + 1,
            sum_.work + weight,
            max(sum_.best, int.from_bytes(leaf[62:64], "little")),
            max(sum_.last_us, time_us),
        )
        return True


def fold(slots: ReadableBuffer, edge: MerkleEdge | None, sums: ShareSums) -> int:
    """Add the shares at the start of a run of whole slots to the tree and to the sums.

    Returns how many slots that were: it stops at a record that is no share, which is the
    caller's, and at one for which there is no more room in `sums`. Without an edge there are
    only sums. Raises ValueError for slots that do not follow the edge's last leaf.
    """
    view = memoryview(slots).cast("B")
    count = expect_slots(len(view)) if edge is None else expect_next(view, edge.size)
    for place in range(count):
        end = (place + 1) * SLOT_SIZE
        leaf = bytes(view[end - LEAF_SIZE : end])
        if leaf[:2] != _SHARE or not sums._add(leaf):
            return place
        if edge is not None:
            edge.append(leaf)
    return count


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()
