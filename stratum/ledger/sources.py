"""Open a segment for reading, whichever form it has: as it was written, or archived.

The archive is made beside a reader and takes the written form's place (`archive`), so whoever
finds the one gone finds the other.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Protocol

from stratum.ledger.archive import unpack_slots
from stratum.ledger.segment import (
    HEADER_PAGE,
    Header,
    archived_path,
    first_indexes,
    slots_path,
    synced_in,
)


class Source(Protocol):
    """The slots of one segment."""

    @property
    def header(self) -> Header: ...

    @property
    def slots(self) -> memoryview:
        """All of the room; slots that nothing was written to are zeros."""

    @property
    def synced(self) -> int:
        """The synced index that the segment tells; its first index where it tells none."""

    def close(self) -> None: ...


class WrittenSource:
    """The file as the writer has it, mapped: what is appended shows here."""

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            self.header = Header.unpack(file.read(HEADER_PAGE))
            self._map = mmap.mmap(file.fileno(), self.header.size, access=mmap.ACCESS_READ)
        self._page = memoryview(self._map)
        self.slots = self._page[HEADER_PAGE:]
        self._synced = self.header.first_index

    @property
    def synced(self) -> int:
        # Unreadable in the instant in which it is written: what was true is true.
        self._synced = synced_in(self._page) or self._synced
        return self._synced

    def close(self) -> None:
        self.slots.release()
        self._page.release()
        self._map.close()


class ArchivedSource:
    """Unpacked into memory; complete, or it would not have been archived."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        self.header = Header.unpack(data[:HEADER_PAGE])
        self.slots = memoryview(unpack_slots(data[HEADER_PAGE:], self.header))
        self.synced = self.header.end

    def close(self) -> None:
        self.slots.release()


def open_source(log: Path, first_index: int) -> Source:
    """Raises OSError where neither form is there, ValueError where it is not what it should be."""
    try:
        source: Source = WrittenSource(slots_path(log, first_index))
    except FileNotFoundError:
        source = ArchivedSource(archived_path(log, first_index))
    if source.header.first_index != first_index:
        source.close()
        raise ValueError(f"segment {first_index} says that it begins at another record")
    return source


def all_headers(log: Path) -> tuple[list[Header], int]:
    """The header of every segment, and the highest synced index that any of them tells.

    Raises ValueError for a damaged one, OSError.
    """
    headers = []
    synced = 0
    for first_index in first_indexes(log):
        page = _header_page(log, first_index)
        try:
            header = Header.unpack(page)
        except ValueError as exc:
            raise ValueError(f"segment {first_index}: {exc}") from exc
        headers.append(header)
        # A segment that has none synced yet says its own first index, and that is no promise.
        told = synced_in(page) or 0
        if told > header.first_index:
            synced = max(synced, told)
    return headers, synced


def _header_page(log: Path, first_index: int) -> bytes:
    try:
        descriptor = os.open(slots_path(log, first_index), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        descriptor = os.open(archived_path(log, first_index), os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, HEADER_PAGE)
    finally:
        os.close(descriptor)
