"""The log's slots in C; see csrc/slots.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hashing._native import ffi, lib
from hashing.values import LEAF_SIZE, SLOT_SIZE, expect_multiple, expect_size

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_SLOT = ffi.typeof("uint8_t[96]")
_SLOTS = ffi.typeof("uint8_t[]")
_TAIL = ffi.typeof("struct log_tail *")


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of data, 0xE3069283 for b"123456789"."""
    crc: int = lib.crc32c(data, len(data))
    return crc


def pack_slot(index: int, leaf: bytes) -> bytes:
    """Return the 96 bytes that hold a leaf at a place of the log."""
    expect_size("leaf", leaf, LEAF_SIZE)
    out = ffi.new(_SLOT)
    lib.slot_write(out, index, leaf)
    return bytes(ffi.buffer(out))


def pack_slots(first_index: int, leaves: bytes) -> bytes:
    """Return the slots of leaves that follow each other, 80 bytes each."""
    count = expect_multiple("leaves", leaves, LEAF_SIZE)
    out = ffi.new(_SLOTS, count * SLOT_SIZE)
    lib.slots_write(out, first_index, leaves, count)
    return bytes(ffi.buffer(out))


def whole_slots(slots: ReadableBuffer, first_index: int) -> int:
    """Return how many slots at the start are whole: right checksum, right index."""
    given = ffi.from_buffer(slots)
    return int(lib.slots_whole(given, len(given) // SLOT_SIZE, first_index))


class LogTail:
    """The segment that is being written, shared with the gate: where the next record goes.

    `slots` is the mapped memory of the segment's slots, zeros where nothing was written. It stays
    exported until release().
    """

    __slots__ = ("_memory", "_struct")

    def __init__(
        self, slots: WriteableBuffer, used: int, first_index: int, next_edge_seq: int, edge_id: int
    ) -> None:
        self._memory = ffi.from_buffer(slots, require_writable=True)
        tail = self._struct = ffi.new(_TAIL)
        tail.slots = ffi.cast("uint8_t *", self._memory)
        tail.room = len(self._memory) // SLOT_SIZE
        tail.used = used
        tail.first_index = first_index
        tail.next_edge_seq = next_edge_seq
        tail.edge_id = edge_id

    def append(self, leaf: bytes) -> bool:
        """Write one record; False when the segment is full."""
        expect_size("leaf", leaf, LEAF_SIZE)
        return bool(lib.log_append(self._struct, leaf))

    def count_share(self) -> None:
        """The record just written was a share: the next one has the next edge_seq."""
        self._struct.next_edge_seq += 1

    @property
    def used(self) -> int:
        """Slots written."""
        return int(self._struct.used)

    @property
    def room(self) -> int:
        """Slots that the segment has; 0 once sealed."""
        return int(self._struct.room)

    @property
    def next_index(self) -> int:
        """The log index of the next record."""
        return int(self._struct.first_index + self._struct.used)

    @property
    def next_edge_seq(self) -> int:
        """The edge_seq of the next share."""
        return int(self._struct.next_edge_seq)

    def turn(self, slots: WriteableBuffer, first_index: int) -> None:
        """Go on in the next segment; the gate that holds this tail goes with it."""
        memory = ffi.from_buffer(slots, require_writable=True)
        tail = self._struct
        tail.slots = ffi.cast("uint8_t *", memory)
        tail.room = len(memory) // SLOT_SIZE
        tail.used = 0
        tail.first_index = first_index
        ffi.release(self._memory)
        self._memory = memory

    def seal(self) -> None:
        """Take no more records, from Python or from the gate. Any thread may call it."""
        self._struct.room = 0

    def release(self) -> None:
        """Seal it and let go of the memory, so that it can be unmapped."""
        self.seal()
        self._struct.slots = ffi.NULL
        ffi.release(self._memory)
