"""The log's slots in Python: u32 crc32c, u32 0, u64 index, 80-byte leaf; little-endian."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hashing.values import LEAF_SIZE, SLOT_SIZE, expect_multiple, expect_size

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

#: RFC 3720: polynomial 0x1edc6f41, bits reflected.
_POLYNOMIAL = 0x82F63B78


def _byte_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _byte_table()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of data, 0xE3069283 for b"123456789"."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def pack_slot(index: int, leaf: bytes) -> bytes:
    """Return the 96 bytes that hold a leaf at a place of the log."""
    expect_size("leaf", leaf, LEAF_SIZE)
    covered = bytes(4) + index.to_bytes(8, "little") + leaf
    return crc32c(covered).to_bytes(4, "little") + covered


def pack_slots(first_index: int, leaves: bytes) -> bytes:
    """Return the slots of leaves that follow each other, 80 bytes each."""
    count = expect_multiple("leaves", leaves, LEAF_SIZE)
    return b"".join(
        pack_slot(first_index + place, leaves[place * LEAF_SIZE : (place + 1) * LEAF_SIZE])
        for place in range(count)
    )


def whole_slots(slots: ReadableBuffer, first_index: int) -> int:
    """Return how many slots at the start are whole: right checksum, right index."""
    view = memoryview(slots).cast("B")
    for place in range(len(view) // SLOT_SIZE):
        slot = bytes(view[place * SLOT_SIZE : (place + 1) * SLOT_SIZE])
        if slot != pack_slot(first_index + place, slot[16:]):
            return place
    return len(view) // SLOT_SIZE


class LogTail:
    """The segment that is being written, shared with the gate: where the next record goes.

    `slots` is the mapped memory of the segment's slots, zeros where nothing was written. It stays
    exported until release().
    """

    __slots__ = ("_first_index", "_memory", "next_edge_seq", "edge_id", "room", "used")

    def __init__(
        self, slots: WriteableBuffer, used: int, first_index: int, next_edge_seq: int, edge_id: int
    ) -> None:
        self._memory = memoryview(slots).cast("B")
        self.room = len(self._memory) // SLOT_SIZE
        self.used = used
        self._first_index = first_index
        self.next_edge_seq = next_edge_seq
        self.edge_id = edge_id

    def append(self, leaf: bytes) -> bool:
        """Write one record; False when the segment is full."""
        expect_size("leaf", leaf, LEAF_SIZE)
        if self.used >= self.room:
            return False
        place = self.used * SLOT_SIZE
        self._memory[place : place + SLOT_SIZE] = pack_slot(self.next_index, leaf)
        self.used += 1
        return True

    def count_share(self) -> None:
        """The record just written was a share: the next one has the next edge_seq."""
        self.next_edge_seq += 1

    @property
    def next_index(self) -> int:
        """The log index of the next record."""
        return self._first_index + self.used

    def turn(self, slots: WriteableBuffer, first_index: int) -> None:
        """Go on in the next segment; the gate that holds this tail goes with it."""
        memory = memoryview(slots).cast("B")
        self._memory.release()
        self._memory = memory
        self.room = len(memory) // SLOT_SIZE
        self.used = 0
        self._first_index = first_index

    def seal(self) -> None:
        """Take no more records, from Python or from the gate. Any thread may call it."""
        self.room = 0

    def release(self) -> None:
        """Seal it and let go of the memory, so that it can be unmapped."""
        self.seal()
        self._memory.release()
