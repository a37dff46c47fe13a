"""Read a log beside its writer, from another process, with a cursor of one's own.

A slot is whole or it is not (its checksum is written last), so that reading needs neither a lock
nor a word from the writer: a reader takes the whole slots there are and comes back for more. What
is not whole is the end, unless the writer says that it was synced: then it is damage.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

import hashing
from hashing.values import SLOT_SIZE
from stratum.ledger.bodies import body_bytes
from stratum.ledger.errors import LogDamaged, LogRewound
from stratum.ledger.records import BodyLeaf, BodyRecord, Record, RecordType, ShareRecord
from stratum.ledger.segment import LOG_DIRECTORY, body_path, first_indexes, leaf_in
from stratum.ledger.sources import Source, open_source

#: 400 KB at a time: large enough for the disk, small enough for the cache.
CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Run:
    """Whole slots, one behind the other, all of one segment."""

    first_index: int
    slots: bytes
    #: The first index of the segment that this run is the end of; None where it is not.
    seals: int | None = None

    @property
    def count(self) -> int:
        return len(self.slots) // SLOT_SIZE

    @property
    def end(self) -> int:
        """The index behind the last."""
        return self.first_index + self.count


class LogReader:
    """Reads the log of a data_dir from `cursor` on; the writer may run, or come later.

    `synced_only`: nothing that a power cut could still take back. Books that outlive it must not
    run ahead of the log; a page that shows the last share may.
    """

    def __init__(self, directory: Path, cursor: int = 0, *, synced_only: bool = False) -> None:
        self._log = directory / LOG_DIRECTORY
        self._cursor = cursor
        self._synced_only = synced_only
        self._source: Source | None = None
        self._bodies: tuple[int, int] | None = None  # first index and descriptor

    @property
    def cursor(self) -> int:
        """The index of the record that is read next."""
        return self._cursor

    def read(self, limit: int = CHUNK) -> Run:
        """The next whole slots, up to `limit`; an empty run at the end of the log, for now.

        A run ends with its segment. Raises LogDamaged for a synced slot that is not whole,
        LogRewound where the log ends before the cursor.
        """
        source = self._at_cursor()
        if source is None:
            return Run(self._cursor, b"")
        header = source.header
        synced = source.synced  # first: what it says has been there before
        place = self._cursor - header.first_index
        end = min(place + limit, header.room)
        if self._synced_only:
            end = max(place, min(end, synced - header.first_index))
        with source.slots[place * SLOT_SIZE : end * SLOT_SIZE] as slots:
            whole = hashing.whole_slots(slots, self._cursor)
            seals = header.first_index if self._cursor + whole == header.end else None
            run = Run(self._cursor, bytes(slots[: whole * SLOT_SIZE]), seals)
        if whole < end - place and run.end < synced:
            self._damaged(run.end, "its slot is not whole, and had been synced")
        self._cursor = run.end
        return run

    def records(self) -> Iterator[tuple[int, Record]]:
        """Every record from the cursor to the end there is now, with its index.

        Raises as read() does, and LogDamaged for a record that its writer did not write.
        """
        while (run := self.read()).slots:
            for place in range(run.count):
                index = run.first_index + place
                yield index, self._record(index, leaf_in(run.slots, place))

    def body(self, index: int, leaf: BodyLeaf) -> BodyRecord:
        """The record at `index`, whose leaf this is. Raises LogDamaged."""
        try:
            return BodyRecord.unpack(leaf, body_bytes(self._body_descriptor(index), leaf))
        except (ValueError, FileNotFoundError) as exc:
            self._damaged(index, exc)

    def close(self) -> None:
        """May be repeated; a later read opens what it needs again."""
        self._leave_source()
        self._leave_bodies()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _record(self, index: int, leaf: bytes) -> Record:
        try:
            if leaf[0] == RecordType.SHARE:
                return ShareRecord.unpack(leaf)
            return self.body(index, BodyLeaf.unpack(leaf))
        except ValueError as exc:
            self._damaged(index, exc)

    def _at_cursor(self) -> Source | None:
        """The segment that the cursor is in; None where the log has not come there yet."""
        if self._source is None:
            self._source = self._resumed()
        if self._source is None or self._cursor < self._source.header.end:
            return self._source
        try:
            following = self._opened(self._cursor)
        except FileNotFoundError:
            return None
        self._leave_source()
        self._source = following
        return following

    def _resumed(self) -> Source | None:
        """The segment with the record before the cursor, which must still be there.

        None where there is no log yet, and none is expected.
        """
        firsts = first_indexes(self._log)
        if not firsts and not self._cursor:
            return None
        if not firsts:
            raise LogRewound(f"record {self._cursor} is wanted, there is no log in {self._log}")
        if self._cursor < firsts[0]:
            self._damaged(self._cursor, f"is gone, the log begins at {firsts[0]}")
        if self._cursor == firsts[0]:
            return self._opened(self._cursor)
        last_read = self._cursor - 1
        source = self._opened(firsts[bisect_right(firsts, last_read) - 1])
        place = last_read - source.header.first_index
        with source.slots[place * SLOT_SIZE : (place + 1) * SLOT_SIZE] as slot:
            is_there = hashing.whole_slots(slot, last_read) == 1
        if not is_there:
            source.close()
            raise LogRewound(
                f"the log in {self._log} ends before record {last_read}, which had been read"
            )
        return source

    def _opened(self, first_index: int) -> Source:
        try:
            return open_source(self._log, first_index)
        except ValueError as exc:
            raise LogDamaged(f"segment {first_index} of {self._log}: {exc}") from exc

    def _body_descriptor(self, index: int) -> int:
        """Of the segment that `index` is in; the last one asked for is kept open."""
        first_index = self._first_index_before(index)
        if self._bodies is None or self._bodies[0] != first_index:
            self._leave_bodies()
            path = body_path(self._log, first_index)
            self._bodies = first_index, os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return self._bodies[1]

    def _first_index_before(self, index: int) -> int:
        source = self._source
        if source is not None and source.header.first_index <= index < source.header.end:
            return source.header.first_index
        firsts = first_indexes(self._log)
        return firsts[bisect_right(firsts, index) - 1]

    def _leave_source(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def _leave_bodies(self) -> None:
        if self._bodies is not None:
            os.close(self._bodies[1])
            self._bodies = None

    def _damaged(self, index: int, fault: object) -> NoReturn:
        raise LogDamaged(f"record {index} of {self._log}: {fault}")
