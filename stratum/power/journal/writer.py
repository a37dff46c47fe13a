"""The thread that writes and syncs; whoever decides never waits for a disk.

Records are handed over encoded and in groups, get their numbers and hashes here, and leave the
queue when fdatasync has said yes: until then they are kept, and written again at the same place
where anything failed. (Linux marks pages clean whose sync failed; a second fdatasync alone would
report success for data that is gone.) So a disk that was full for ten minutes costs nothing. A
queue of BACKLOG bytes full as well, a group is refused, and it is the caller who counts it.

OK means that everything is on the disk, SLOW that something is not yet, FULL that the disk refuses
or the queue does. Sheds never ask; `decide` stops restores at FULL.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stratum.errors import ConfigError, Problem
from stratum.power.brain.values import JournalHealth
from stratum.power.journal.chain import MAGIC, Link, framed
from stratum.power.journal.files import (
    FileEnd,
    day_of,
    day_of_file,
    end_of,
    journal_files,
    next_path,
    sync_directory,
)
from stratum.power.journal.records import (
    Checkpoint,
    Header,
    RecordKind,
    checkpoint_text,
    encode_payload,
)

logger = logging.getLogger(__name__)

#: Three quarters of an hour of 10,000 rigs.
BACKLOG = 32 << 20

#: A disk that refused is asked again this often, in seconds.
RETRY_INTERVAL = 1.0

#: reference/power.md §7.8.
CHECKPOINT_MS = 3_600_000

#: Written and synced at once, so that a disk with little room takes what it can.
_BATCH = 4 << 20


class JournalLocked(ConfigError):
    """Two writers would number their records alike; the second one must not start."""

    def __init__(self, directory: Path) -> None:
        fault = f"{directory} is in use by another baseload process"
        super().__init__([Problem("data_dir", fault, "stop that one, or choose another directory")])


@dataclass(frozen=True, slots=True)
class Pending:
    """A record without its number; `opens` begins the file of its day with it."""

    kind: RecordKind
    t_utc_ms: int
    t_mono_ms: int
    boot_id: bytes
    payload: bytes
    opens: bool = False


class Disk:
    """The two calls that can fail for want of room; tests bring a disk of their own."""

    def write(self, descriptor: int, data: bytes | memoryview, offset: int) -> int:
        """How many of the bytes were written."""
        return os.pwrite(descriptor, data, offset)

    def sync(self, descriptor: int) -> None:
        os.fdatasync(descriptor)


@dataclass(slots=True)
class _File:
    """The file that is written, and where its next record belongs."""

    path: Path
    descriptor: int
    size: int


class Writer:
    """The journal of one directory, locked against a second writer until close().

    Opening cuts what a crash tore and goes on behind it; `last` says how the last file ended, None
    for a new journal. Raises JournalLocked; OSError where the directory cannot be used.
    """

    def __init__(
        self,
        directory: Path,
        *,
        key: Ed25519PrivateKey | None = None,
        disk: Disk | None = None,
        backlog: int = BACKLOG,
        retry: float = RETRY_INTERVAL,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lock_file = _locked(directory)
        self._key = key
        self._disk = disk or Disk()
        self._backlog = backlog
        self._retry = retry

        self.last = _last_end(directory)
        self._link = self.last.link if self.last else Link()
        self._file = _continued(self.last) if self.last else None
        self._day = day_of_file(self.last.path) if self.last else ""
        self._signed_ms: int | None = None

        self._queue: deque[Pending] = deque()
        self._queued = 0
        self._refusing = False
        self._failure: OSError | None = None
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def day(self) -> str | None:
        """The day of the file that a record now goes to; None: the next one must open one."""
        return self._day if self._file else None

    def put(self, group: Sequence[Pending]) -> bool:
        """Hand over records that belong together; False: none of them was taken. Never waits."""
        size = sum(len(record.payload) for record in group)
        with self._changed:
            self._refusing = self._queued + size > self._limit and bool(self._queue)
            if self._refusing:
                return False
            self._queue.extend(group)
            self._queued += size
            self._changed.notify()
        return True

    def has_room(self) -> bool:
        """Whether it is worth encoding what comes behind a refusal."""
        with self._changed:
            return self._queued <= self._limit

    @property
    def _limit(self) -> int:
        """Half the queue must be free again: each refusal costs a snapshot afterwards."""
        return self._backlog // 2 if self._refusing else self._backlog

    def health(self) -> JournalHealth:
        """What the next tick is to know of the records of the ticks before it."""
        with self._changed:
            if self._failure is not None or self._refusing:
                return JournalHealth.FULL
            return JournalHealth.SLOW if self._queue else JournalHealth.OK

    def drained(self, timeout: float) -> bool:
        """Wait until everything handed over is on the disk; False where that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue, timeout)

    def close(self) -> None:
        """Try once more to write what is left, and end. Blocks until both are done."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()
        if self._queue:
            logger.error("journal: %s records could not be written", len(self._queue))
        if self._file:
            os.close(self._file.descriptor)
        os.close(self._lock_file)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._failure is None:
                    self._changed.wait_for(lambda: self._queue or self._stopped)
                else:
                    self._changed.wait_for(lambda: self._stopped, self._retry)
                stopped = self._stopped
                batch = self._batch()
            if batch:
                self._tried(batch)
            if stopped and (self._failure is not None or not self._queue):
                return

    def _batch(self) -> list[Pending]:
        """The next records that go to one file."""
        batch: list[Pending] = []
        size = 0
        for record in self._queue:
            if batch and (record.opens or size > _BATCH):
                break
            batch.append(record)
            size += len(record.payload)
        return batch

    def _tried(self, batch: list[Pending]) -> None:
        """Write a batch; it leaves the queue where that worked, and stays where not."""
        try:
            self._write(batch)
        except OSError as exc:
            if self._failure is None:
                logger.error("journal: %s; no restores until it can be written again", exc)
            failure: OSError | None = exc
        else:
            if self._failure is not None:
                logger.warning("journal: can be written again")
            failure = None

        with self._changed:
            self._failure = failure
            if failure is None:
                for record in batch:
                    self._queued -= len(record.payload)
                    self._queue.popleft()
                self._changed.notify_all()

    def _write(self, batch: list[Pending]) -> None:
        file = self._file
        if file is None or batch[0].opens:
            file = self._begun(batch[0].t_utc_ms)
        data, link, signed_ms = self._framed(batch)
        if not file.size:
            data = MAGIC + data

        view = memoryview(data)
        offset = file.size
        while view:
            written = self._disk.write(file.descriptor, view, offset)
            view, offset = view[written:], offset + written
        self._disk.sync(file.descriptor)

        # Only now it counts: whatever failed above is done again from here.
        file.size = offset
        self._link, self._signed_ms = link, signed_ms

    def _begun(self, t_utc_ms: int) -> _File:
        """The file that a record opens: a new one, or one that an attempt before has made."""
        if self._file is not None and not self._file.size:
            return self._file
        # A clock set back over midnight must not put a file before those that it continues.
        self._day = max(self._day, day_of(t_utc_ms))
        path = next_path(self._directory, self._day)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        if self._file is not None:
            os.close(self._file.descriptor)
        self._file = _File(path, descriptor, 0)
        sync_directory(self._directory)
        return self._file

    def _framed(self, batch: Iterable[Pending]) -> tuple[bytes, Link, int | None]:
        """The batch's bytes, with a checkpoint where one is due or the chain pauses."""
        frames = []
        link, signed_ms = self._link, self._signed_ms
        for record in batch:
            frame, link = framed(_header(record, record.kind, link), record.payload)
            frames.append(frame)
            if self._key is not None and _is_due(record, signed_ms):
                header = _header(record, RecordKind.CHECKPOINT, link)
                frame, link = framed(header, _signed(self._key, link))
                frames.append(frame)
                signed_ms = record.t_mono_ms
        return b"".join(frames), link, signed_ms


def _header(record: Pending, kind: RecordKind, link: Link) -> Header:
    return Header(link.seq, record.t_utc_ms, record.t_mono_ms, record.boot_id, kind, link.head)


def _is_due(record: Pending, signed_ms: int | None) -> bool:
    """A START signs what a crash left unsigned, an END is not waited behind."""
    if signed_ms is None or record.kind in (RecordKind.START, RecordKind.END):
        return True
    return record.t_mono_ms - signed_ms >= CHECKPOINT_MS


def _signed(key: Ed25519PrivateKey, link: Link) -> bytes:
    signature = key.sign(checkpoint_text(link.seq - 1, link.head))
    return encode_payload(Checkpoint(key.public_key().public_bytes_raw(), signature))


def _locked(directory: Path) -> int:
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(descriptor)
        raise JournalLocked(directory) from exc
    return descriptor


def _last_end(directory: Path) -> FileEnd | None:
    """How the last file with a whole record ends; younger ones without any are of no use."""
    for path in reversed(journal_files(directory)):
        end = end_of(path)
        if end is not None:
            return end
        logger.warning("journal: %s holds no whole record and is removed", path)
        path.unlink()
    return None


def _continued(end: FileEnd) -> _File | None:
    """The file to append to, its torn end cut; None where it has to stay as it is."""
    if end.damaged_at is not None:
        logger.error(
            "journal: %s is damaged at byte %s; it stays as it is and a new file begins",
            end.path,
            end.damaged_at,
        )
        return None
    descriptor = os.open(end.path, os.O_WRONLY | os.O_CLOEXEC)
    if end.cut_bytes:
        logger.warning("journal: cut a torn record of %s bytes off %s", end.cut_bytes, end.path)
        os.ftruncate(descriptor, end.size)
        os.fsync(descriptor)
    return _File(end.path, descriptor, end.size)
