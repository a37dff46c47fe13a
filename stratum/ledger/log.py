"""The one writer of the books: append a record, get its index.

A record is in the page cache when append() returns, so that `kill -9` loses nothing that a rig
was told; the group sync makes it outlive a power cut within 100 ms. Records are numbered without
a gap, a job's before every share on it, and the log is cut only at its end: no share outlives its
job. One thread appends, through `tail`, which the gate shares; everything that may wait for a disk
is done beside it, in the sync thread, making the next segment too. So no append ever waits: where
the disk is full, the current segment is filled, and then shares are refused until there is room.

What lies where: `segment`; what a start does with it: `recovery`; readers: `tail`.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from hashing import LogTail
from stratum.errors import ConfigError, Problem
from stratum.ledger.bodies import body_offset, pack_entry, read_bodies
from stratum.ledger.errors import DataDirLocked, LogFailed, StorageFull
from stratum.ledger.records import (
    BodyLeaf,
    BodyRecord,
    RecordType,
    ShareRecord,
    encode_body,
    sha256,
)
from stratum.ledger.recovery import recover
from stratum.ledger.segment import LOG_DIRECTORY, ROOM, Header, Segment, prepare, sync_directory
from stratum.ledger.syncing import GroupSync

logger = logging.getLogger(__name__)

#: DESIGN §3.1: at most this much is lost when the power goes.
SYNC_INTERVAL = 0.1

#: Between two groups where a share is answered after its sync (`log.durability = "strict"`).
STRICT_INTERVAL = 0.01

#: A disk without room is asked again this often.
RETRY_INTERVAL = 1.0

#: The next segment is made when this part of the current one is used: long before it is needed.
_PREPARE_AT = 1 / 4

#: Full disk, spent quota, file-size limit: room may come back, the log goes on then.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def _now_us() -> int:
    return time.time_ns() // 1000


class Log:
    """The log of one data_dir, locked against a second writer until close().

    Opening creates what is missing and recovers what a crash left (`recovered` tells). Raises
    DataDirLocked, ConfigError where the directory cannot be used, LogDamaged where synced
    records are not whole. A full disk is no reason not to open: blocks can still be found.

    `on_failure` is called once when the disk refuses to keep what was promised: stop accepting,
    exit 1. `on_synced` is called after each good sync with the number of records that now
    outlive a power cut. Both come from the sync thread: hand them to the loop with
    call_soon_threadsafe. (A failed write calls `on_failure` from the appending thread.)
    """

    def __init__(
        self,
        directory: Path,
        *,
        on_failure: Callable[[OSError], None],
        on_synced: Callable[[int], None] | None = None,
        sync_interval: float = SYNC_INTERVAL,
        edge_id: int = 0,
        room: int = ROOM,
        now_us: Callable[[], int] = _now_us,
    ) -> None:
        """`room` is how many slots a new segment has."""
        self._directory = directory / LOG_DIRECTORY
        self._on_failure = on_failure
        self._on_synced = on_synced
        self._edge_id = edge_id
        self._room = room
        self._now_us = now_us
        self._failure: OSError | None = None
        self._closed = False

        self._lock_fd = _lock(directory)
        try:
            self._open()
        except BaseException:
            os.close(self._lock_fd)
            raise
        self._group = GroupSync(self._sync, sync_interval, self._fail)

    def _open(self) -> None:
        try:
            self._directory.mkdir(exist_ok=True)
            sync_directory(self._directory.parent)
            self.recovered, segments = recover(self._directory)
        except OSError as exc:
            raise _unusable(self._directory, exc) from exc

        #: Those with records that the sync thread has not seen to yet; the last is written to.
        self._segments = segments[:1]
        self._next = segments[1] if len(segments) > 1 else None
        self._synced_count = self.recovered.next_index
        self._is_short_of_room = False
        self._retry_at = 0.0
        #: Held for moments, while `_segments` and `tail` move on together.
        self._turning = threading.Lock()
        self.tail = self._tail_at(self.recovered.next_index, self.recovered.next_edge_seq)
        if not self._segments:
            self._prepare_if_due()
            self._turn()

    def _tail_at(self, index: int, edge_seq: int) -> LogTail:
        if not self._segments:
            return LogTail(bytearray(), 0, index, edge_seq, self._edge_id)
        segment = self._segments[0]
        used = index - segment.header.first_index
        return LogTail(segment.slots, used, segment.header.first_index, edge_seq, self._edge_id)

    @property
    def next_index(self) -> int:
        """The index that the next record gets, which is also how many there are."""
        return self.tail.next_index

    @property
    def next_edge_seq(self) -> int:
        """The edge_seq of the next share: how many shares the log has, of all its runs."""
        return self.tail.next_edge_seq

    @property
    def synced_count(self) -> int:
        """How many records outlive a power cut."""
        return self._synced_count

    @property
    def room_left(self) -> int:
        """How many records there is room for on the disk, whatever happens to the disk."""
        ahead = self._next
        return self.tail.room - self.tail.used + (ahead.header.room if ahead else 0)

    def append_share(self, record: ShareRecord) -> int:
        """Keep one accepted share; its log index. The gate does the same by itself.

        Raises StorageFull, after which the log is as before, and LogFailed.
        """
        self._expect_room()
        index = self.tail.next_index
        kept = self.tail.append(record.pack())
        assert kept, "there was room"
        self.tail.count_share()
        return index

    def append(self, type: RecordType, body: Mapping[str, Any]) -> int:
        """Keep a record of any type but SHARE; its log index. Raises as append_share() does.

        Raises ValueError for a body that `records.encode_body` refuses.
        """
        assert type is not RecordType.SHARE, "a share has no body: append_share()"
        self._expect_room()
        data = encode_body(body)
        segment = self._segments[-1]
        offset = segment.body_end
        index = self.tail.next_index
        leaf = BodyLeaf(
            type, self._edge_id, len(data), body_offset(offset), self._now_us(), sha256(data)
        ).pack()

        # The body first, and counted first: whoever finds the leaf, on disk or in the sync
        # thread, finds the body. The leaf has its room already.
        entry = pack_entry(index, leaf, data)
        self._write(segment.body_fd, entry, offset)
        segment.body_end = offset + len(entry)
        kept = self.tail.append(leaf)
        assert kept, "there was room"
        return index

    def bodies(self, *types: RecordType) -> Iterator[tuple[int, BodyRecord]]:
        """Index and content of the records of these types, oldest first; of all but shares
        where none is named. The bodies of others are not even read. Raises LogDamaged."""
        return read_bodies(self._directory, self.tail.next_index, types)

    def make_room(self) -> bool:
        """Turn to the next segment where the current one is full; whether there is room now.

        False: the disk had none for another segment, or the log failed. Never waits.
        """
        with self._turning:
            if self._failure is not None or self._closed:
                return False
            if self.tail.used < self.tail.room or self._turn():
                return True
        self._group.hurry()
        return False

    def hurry(self) -> None:
        """Somebody waits for a sync: do the next one as soon as the interval allows."""
        self._group.hurry()

    def close(self) -> None:
        """Sync, and let the next writer in. A second call does nothing."""
        if self._closed:
            return
        self._group.stop()
        self._closed = True
        self.tail.release()
        for segment in [*self._segments, *([self._next] if self._next else [])]:
            segment.close()
        os.close(self._lock_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _expect_room(self) -> None:
        if self._failure is not None:
            raise LogFailed(f"the log failed before: {self._failure}") from self._failure
        assert not self._closed, "the log is closed"
        if not self.make_room():
            raise StorageFull("the log has no room, and the disk none for another segment")

    def _turn(self) -> bool:
        """Go on in the next segment, if it is there."""
        if self._next is None:
            return False
        self._segments.append(self._next)
        self.tail.turn(self._next.slots, self._next.header.first_index)
        self._next = None
        return True

    def _write(self, descriptor: int, data: bytes, offset: int) -> None:
        """All of `data` or nothing of it. Raises StorageFull, or LogFailed for good."""
        try:
            written = os.pwrite(descriptor, data, offset)
            # A short write means that there was no room; the next call says so by its error.
            while written < len(data):
                written += os.pwrite(descriptor, data[written:], offset + written)
        except OSError as exc:
            self._undo(descriptor, offset)
            if exc.errno in _FULL:
                raise StorageFull(f"no room for {len(data)} bytes in the log: {exc}") from exc
            self._fail(exc)
            raise LogFailed(f"the log cannot be written: {exc}") from exc

    def _undo(self, descriptor: int, offset: int) -> None:
        try:
            os.ftruncate(descriptor, offset)
        except OSError as exc:
            self._fail(exc)
            raise LogFailed(f"a torn record cannot be taken back: {exc}") from exc

    # -- in the sync thread --------------------------------------------------------------------

    def _sync(self) -> bool:
        """Bring to the disk what is new, and make the next segment in time; whether there was
        anything new. Raises OSError for a sync that failed."""
        with self._turning:
            count = self.tail.next_index
            segments = self._segments[:]
        is_new = count > self._synced_count
        if is_new:
            for segment in segments:
                segment.flush()
                segment.promise(min(count, segment.header.end))
            self._leave(segments[:-1])
            self._synced_count = count
            if self._on_synced is not None:
                self._on_synced(count)
        self._prepare_if_due()
        return is_new

    def _leave(self, sealed: list[Segment]) -> None:
        """These are full and synced: nobody writes to them again."""
        with self._turning:
            del self._segments[: len(sealed)]
        for segment in sealed:
            segment.close()

    def _prepare_if_due(self) -> None:
        """Make the segment after the current one; where the disk has no room, try again later."""
        tail = self.tail
        is_due = self._next is None and tail.used >= tail.room * _PREPARE_AT
        if not is_due or time.monotonic() < self._retry_at:
            return
        end = self._segments[-1].header.end if self._segments else tail.next_index
        header = Header(end, self._room, self._now_us())
        try:
            prepare(self._directory, header)
            self._next = Segment(self._directory, header)
        except OSError as exc:
            self._retry_at = time.monotonic() + RETRY_INTERVAL
            self._no_room(exc)
            return
        if self._is_short_of_room:
            self._is_short_of_room = False
            logger.warning("log: there is room for another segment again")

    def _no_room(self, exc: OSError) -> None:
        if not self._is_short_of_room:
            self._is_short_of_room = True
            logger.error(
                "log: no room for another segment; shares are refused after %s more records: %s",
                self.tail.room - self.tail.used,
                exc,
            )

    def _fail(self, exc: OSError) -> None:
        with self._turning:
            if self._failure is not None:
                return
            self._failure = exc
            self.tail.seal()
        logger.error("log: the disk failed, no more shares are taken: %s", exc)
        self._on_failure(exc)


def _lock(directory: Path) -> int:
    """A descriptor that holds the directory's lock until it is closed, by exit at the latest."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise _unusable(directory, exc) from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        if isinstance(exc, BlockingIOError):
            raise DataDirLocked(directory) from exc
        raise _unusable(directory, exc) from exc
    return descriptor


def _unusable(directory: Path, exc: OSError) -> ConfigError:
    fault = f"{directory} cannot be used: {exc.strerror}"
    return ConfigError([Problem("data_dir", fault, "it must be a directory we may write to")])
