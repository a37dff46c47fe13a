"""A segment: the two files that hold one run of the log's records.

    <data_dir>/log/<first index, 20 digits>.slots   a header page, then a slot for each record
    <data_dir>/log/<first index, 20 digits>.body    what the records that are no share say

The header page has 4096 bytes, little-endian; what is not named is zero:

      0  8 bytes  b"BASELOG" and a newline
      8  u32      version of this layout: 1
     12  u32      crc32c of bytes 16 to 39
     16  u64      first_index, the log index of slot 0
     24  u64      room: how many slots the segment has
     32  u64      when it was made: microseconds, UTC
    512  u64      synced: every record of the log below this index outlives a power cut
    520  u32      crc32c of bytes 512 to 519

The synced index has a disk sector of its own: written ten times a second, it can't tear what is
written once. Slot n is at 4096 + 96 n (csrc/slots.c) and all zeros until its record is there. In
.body each record is its slot once more, then the body that the leaf names: a start looks up every
account that ever was, and should read a day's jobs for it and not a day's shares.

A segment is filled before the next begins, so that a file's name and room tell all its indexes.
Its place on the disk is taken beforehand, by posix_fallocate: the slots are written through a
mapping, and where a sparse file meets a full disk a mapping dies of SIGBUS.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import hashing
from hashing.values import SLOT_SIZE

#: 24 MiB of slots: two minutes of a 100 MW site's shares, seconds at the most one process takes.
ROOM = 1 << 18

#: In data_dir.
LOG_DIRECTORY = "log"

HEADER_PAGE = 4096

#: In a slot, behind checksum and index.
LEAF_AT = 16

SLOTS = ".slots"
BODY = ".body"
#: Slots that the archive holds in less room.
ARCHIVED = ".slots.z"
_UNFINISHED = ".new"

_MAGIC = b"BASELOG\n"
_VERSION = 1
_FRONT = struct.Struct("<8sII")
_FACTS = struct.Struct("<QQQ")
_SYNCED = struct.Struct("<QI")
_SYNCED_AT = 512

_NAME = re.compile(rf"(\d{{20}})({SLOTS}|{ARCHIVED})".replace(".", r"\."))
_NOT_SHARE = re.compile(rb"[^\x01]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Header:
    """What is written once into the header page."""

    first_index: int
    room: int
    created_us: int

    @property
    def end(self) -> int:
        """The index behind the last slot; the next segment's first."""
        return self.first_index + self.room

    @property
    def size(self) -> int:
        """Of the file, in bytes."""
        return HEADER_PAGE + self.room * SLOT_SIZE

    def pack(self) -> bytes:
        """The header page; nothing is synced yet."""
        facts = _FACTS.pack(self.first_index, self.room, self.created_us)
        front = _FRONT.pack(_MAGIC, _VERSION, hashing.crc32c(facts)) + facts
        return (front.ljust(_SYNCED_AT, b"\0") + pack_synced(self.first_index)).ljust(
            HEADER_PAGE, b"\0"
        )

    @classmethod
    def unpack(cls, page: bytes) -> Self:
        """Raises ValueError for what is no header of this version."""
        if len(page) < HEADER_PAGE:
            raise ValueError(f"header page has {len(page)} bytes, expected {HEADER_PAGE}")
        magic, version, checksum = _FRONT.unpack_from(page)
        facts = page[_FRONT.size : _FRONT.size + _FACTS.size]
        if magic != _MAGIC or checksum != hashing.crc32c(facts):
            raise ValueError("header page is no segment's, or damaged")
        if version != _VERSION:
            raise ValueError(f"segment has version {version}, this program knows {_VERSION}")
        return cls(*_FACTS.unpack(facts))


def pack_synced(index: int) -> bytes:
    number = index.to_bytes(8, "little")
    return number + hashing.crc32c(number).to_bytes(4, "little")


def synced_in(page: bytes | bytearray | memoryview) -> int | None:
    """The synced index in a header page; None while it is being written, or damaged."""
    field = bytes(page[_SYNCED_AT : _SYNCED_AT + _SYNCED.size])
    index, checksum = _SYNCED.unpack(field)
    return index if hashing.crc32c(field[:8]) == checksum else None


def slots_path(log: Path, first_index: int) -> Path:
    return log / f"{first_index:020}{SLOTS}"


def body_path(log: Path, first_index: int) -> Path:
    return log / f"{first_index:020}{BODY}"


def archived_path(log: Path, first_index: int) -> Path:
    return log / f"{first_index:020}{ARCHIVED}"


def first_indexes(log: Path) -> list[int]:
    """The first index of every segment in a log's directory, in order; none where it is missing."""
    try:
        names = os.listdir(log)
    except FileNotFoundError:
        return []
    return sorted({int(match[1]) for match in map(_NAME.fullmatch, names) if match})


def not_shares(slots: bytes | memoryview) -> Iterator[int]:
    """Which of these slots hold another record than a share; found without looking at each."""
    types = bytes(memoryview(slots)[LEAF_AT::SLOT_SIZE])
    return (match.start() for match in _NOT_SHARE.finditer(types))


def leaf_in(slots: bytes | memoryview, place: int) -> bytes:
    """The leaf in one of these slots."""
    return bytes(slots[place * SLOT_SIZE + LEAF_AT : (place + 1) * SLOT_SIZE])


def prepare(log: Path, header: Header) -> None:
    """Make a segment's files, with every byte of room on the disk, whole or not at all.

    Blocks. Raises OSError, on a full disk above all.
    """
    path = slots_path(log, header.first_index)
    unfinished = path.with_suffix(_UNFINISHED)
    os.close(_created(body_path(log, header.first_index)))
    descriptor = _created(unfinished)
    try:
        os.posix_fallocate(descriptor, 0, header.size)
        os.pwrite(descriptor, header.pack(), 0)
        os.fsync(descriptor)
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)  # half a segment would only fill the disk
        raise
    finally:
        os.close(descriptor)
    sync_directory(log)


def remove_unfinished(log: Path) -> None:
    """Delete what an interrupted prepare() left."""
    for path in log.glob(f"*{_UNFINISHED}"):
        path.unlink(missing_ok=True)


def _created(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)


def sync_directory(path: Path) -> None:
    """A new file's name is on disk only when its directory is (fsync(2))."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Segment:
    """One segment open for its writer: the mapped slots, and the bodies by descriptor."""

    def __init__(self, log: Path, header: Header) -> None:
        """Raises OSError; ValueError where the file is shorter than its header says."""
        self.header = header
        self.slots_fd = os.open(slots_path(log, header.first_index), os.O_RDWR | os.O_CLOEXEC)
        try:
            self.body_fd = os.open(body_path(log, header.first_index), os.O_RDWR | os.O_CLOEXEC)
            try:
                self._map = mmap.mmap(self.slots_fd, header.size)
            except BaseException:
                os.close(self.body_fd)
                raise
        except BaseException:
            os.close(self.slots_fd)
            raise
        self._page = memoryview(self._map)
        self.slots = self._page[HEADER_PAGE:]
        #: Where the next body goes. Bodies are never written over, so it also tells of news.
        self.body_end = 0
        self._body_synced = 0

    @property
    def synced(self) -> int:
        """The synced index of the header page; the first index where it can't be read."""
        index = synced_in(self._page)
        return self.header.first_index if index is None else index

    def flush(self) -> None:
        """Wait until the disk has what was written before the call.

        Bodies first, so that no synced leaf misses its body. Raises OSError, and that is final.
        """
        body_end = self.body_end
        if body_end != self._body_synced:
            os.fdatasync(self.body_fd)
            self._body_synced = body_end
        os.fdatasync(self.slots_fd)

    def promise(self, index: int) -> None:
        """Write down that every record of the log below `index` is on the disk.

        Not waited for: it may come there late, and so can't promise too much.
        """
        self._page[_SYNCED_AT : _SYNCED_AT + _SYNCED.size] = pack_synced(index)

    def close(self) -> None:
        """Let go of the files; nobody may hold a view of the slots any more."""
        self.slots.release()
        self._page.release()
        self._map.close()
        os.close(self.slots_fd)
        os.close(self.body_fd)
