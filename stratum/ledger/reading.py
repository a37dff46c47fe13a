"""Walk a log's files, oldest record first.

    <data_dir>/log/leaves   80-byte leaves, record n at 80 n
    <data_dir>/log/bodies   bodies of the records that have one, one after the other
    <data_dir>/log/synced   how many records the disk had confirmed: 20 digits and a newline

A leaf is written after its body, so whoever sees the leaf finds the body: reading needs no lock
and may go on beside the writer. Nearly every record is a share, so the others are found by
looking at the column of type bytes alone, which costs the reader little more than the disk does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from stratum.ledger.errors import LogDamaged
from stratum.ledger.records import (
    LEAF_SIZE,
    BodyLeaf,
    RecordType,
    ShareRecord,
    decode_body,
)

_DIRECTORY = "log"

#: 320 KiB at a time: large enough for the disk, small enough for the cache.
_CHUNK = 4096

_NOT_SHARE = re.compile(rb"[^\x01]", re.DOTALL)

_SYNCED = re.compile(rb"\d{20}\n")


@dataclass(frozen=True, slots=True)
class BodyRecord:
    """A record of any type but SHARE, its body decoded."""

    leaf: BodyLeaf
    body: dict[str, Any]


Record = ShareRecord | BodyRecord


def read(directory: Path) -> Iterator[tuple[int, Record]]:
    """Every record of a data_dir's log with its index; a torn leaf at the end is left out.

    Raises LogDamaged at the first record that is not what its writer wrote, OSError where there
    is no log.
    """
    with LogFiles.open(directory) as files:
        for index, leaf in files.leaves(0, files.leaf_count()):
            try:
                if leaf[0] == RecordType.SHARE:
                    yield index, ShareRecord.unpack(leaf)
                else:
                    yield index, files.body_record(BodyLeaf.unpack(leaf))
            except ValueError as exc:
                raise LogDamaged(f"record {index} of {directory}: {exc}") from exc


class LogFiles:
    """The three files of a log by descriptor; the writer's and the readers' common ground."""

    def __init__(self, leaves: int, bodies: int, synced: int) -> None:
        self.leaves_fd = leaves
        self.bodies_fd = bodies
        self.synced_fd = synced

    @classmethod
    def open(cls, directory: Path) -> Self:
        """For reading. Raises OSError where the files are missing."""
        return cls._open(directory / _DIRECTORY, os.O_RDONLY)

    @classmethod
    def create(cls, directory: Path) -> Self:
        """For writing; what is missing is made, and survives a power cut under its name."""
        log = directory / _DIRECTORY
        log.mkdir(exist_ok=True)
        files = cls._open(log, os.O_RDWR | os.O_CREAT)
        try:
            # Its place is taken now: a full disk must not turn a good sync into a failure.
            if not files.synced_count():
                files.write_synced(0)
            for path in (log, directory):
                _sync_directory(path)
        except OSError:
            files.close()
            raise
        return files

    @classmethod
    def _open(cls, log: Path, flags: int) -> Self:
        with ExitStack() as undo:

            def opened(name: str) -> int:
                descriptor = os.open(log / name, flags | os.O_CLOEXEC, 0o640)
                undo.callback(os.close, descriptor)
                return descriptor

            files = cls(opened("leaves"), opened("bodies"), opened("synced"))
            undo.pop_all()
            return files

    def close(self) -> None:
        for descriptor in (self.leaves_fd, self.bodies_fd, self.synced_fd):
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def leaf_count(self) -> int:
        """Whole leaves; a torn one at the end does not count."""
        return os.fstat(self.leaves_fd).st_size // LEAF_SIZE

    def synced_count(self) -> int:
        """Records that the disk confirmed; 0 where nothing says so."""
        text = os.pread(self.synced_fd, 64, 0)
        return int(text) if _SYNCED.fullmatch(text) else 0

    def write_synced(self, count: int) -> None:
        os.pwrite(self.synced_fd, b"%020d\n" % count, 0)

    def leaf(self, index: int) -> bytes:
        """The bytes of one leaf; fewer or none where the file ends before."""
        return os.pread(self.leaves_fd, LEAF_SIZE, index * LEAF_SIZE)

    def leaves(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of the leaves in [start, end)."""
        for first, chunk in self._chunks(start, end):
            for place in range(0, len(chunk), LEAF_SIZE):
                yield first + place // LEAF_SIZE, chunk[place : place + LEAF_SIZE]

    def body_leaves(self, start: int, end: int) -> Iterator[tuple[int, BodyLeaf]]:
        """Index and leaf of every record in [start, end) that is no share."""
        for first, chunk in self._chunks(start, end):
            for match in _NOT_SHARE.finditer(chunk[::LEAF_SIZE]):
                index = first + match.start()
                place = match.start() * LEAF_SIZE
                try:
                    leaf = BodyLeaf.unpack(chunk[place : place + LEAF_SIZE])
                except ValueError as exc:
                    raise LogDamaged(f"record {index} of the log: {exc}") from exc
                yield index, leaf

    def body_bytes(self, leaf: BodyLeaf) -> bytes:
        """The bytes where the body should be; not yet compared with the leaf."""
        return os.pread(self.bodies_fd, leaf.body_length, leaf.body_offset)

    def body_record(self, leaf: BodyLeaf) -> BodyRecord:
        """Raises ValueError where the body is not the one that the leaf names."""
        data = self.body_bytes(leaf)
        if not leaf.matches(data):
            raise ValueError(f"body of the {leaf.type.name} record does not match its hash")
        return BodyRecord(leaf, decode_body(data))

    def _chunks(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        for first in range(start, end, _CHUNK):
            wanted = min(_CHUNK, end - first) * LEAF_SIZE
            chunk = os.pread(self.leaves_fd, wanted, first * LEAF_SIZE)
            if len(chunk) != wanted:
                raise LogDamaged(f"the log ends inside records {first} to {end - 1}")
            yield first, chunk


def _sync_directory(path: Path) -> None:
    """A new file's name is on disk only when its directory is (fsync(2))."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
