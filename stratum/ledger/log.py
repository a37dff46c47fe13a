"""The one writer of the books: append a record, get its index.

append_share() returns when the leaf is in the page cache, so that `kill -9` loses nothing that a
rig was told; the group sync makes it outlive a power cut within 100 ms. Records are numbered
without a gap, a job's before every share on it, and the log is cut only at its end: no share
outlives its job. One thread appends; only the sync runs beside it.

`log.durability = "strict"`, the answer after the sync, is not served yet: `synced_count` and
`on_synced` are what it will wait for. Files: `reading`; what a start does with them: `recovery`.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from stratum.errors import ConfigError, Problem
from stratum.ledger.errors import DataDirLocked, LogDamaged, LogFailed, StorageFull
from stratum.ledger.reading import BodyRecord, LogFiles
from stratum.ledger.records import (
    LEAF_SIZE,
    BodyLeaf,
    RecordType,
    ShareRecord,
    encode_body,
    sha256,
)
from stratum.ledger.recovery import Recovered, recover
from stratum.ledger.syncing import GroupSync

logger = logging.getLogger(__name__)

#: DESIGN §3.1: at most this much is lost when the power goes.
SYNC_INTERVAL = 0.1

#: Full disk, spent quota, file-size limit: room may come back, the log goes on then.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def _now_us() -> int:
    return time.time_ns() // 1000


class Log:
    """The log of one data_dir, locked against a second writer until close().

    Opening creates what is missing and recovers what a crash left (`recovered` tells). Raises
    DataDirLocked, ConfigError where the directory cannot be used, LogDamaged where synced
    records are not whole.

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
        now_us: Callable[[], int] = _now_us,
    ) -> None:
        self._on_failure = on_failure
        self._on_synced = on_synced
        self._edge_id = edge_id
        self._now_us = now_us
        self._failure: OSError | None = None

        self._lock_fd = _lock(directory)
        try:
            self._files, self.recovered = _open_files(directory)
        except BaseException:
            os.close(self._lock_fd)
            raise
        self._count = self.recovered.count
        self._shares = self.recovered.shares
        self._body_end = self.recovered.body_end
        self._bodies_written = 0
        self._synced_count = self._files.synced_count()
        # Behind from the start: bodies that recovery kept may be in the page cache alone.
        self._bodies_synced = -1
        self._closed = False
        self._group = GroupSync(self._sync, sync_interval, self._fail)

        # What recovery kept above the synced count may have been in the page cache alone.
        if self._count > self._synced_count:
            self._group.dirty()

    @property
    def next_index(self) -> int:
        """The index that the next record gets, which is also how many there are."""
        return self._count

    @property
    def next_edge_seq(self) -> int:
        """The edge_seq of the next share: how many shares the log has, of all its runs."""
        return self._shares

    @property
    def synced_count(self) -> int:
        """How many records outlive a power cut."""
        return self._synced_count

    def append_share(self, record: ShareRecord) -> int:
        """Keep one accepted share; its log index. The one function that does.

        Raises StorageFull, after which the log is as before, and LogFailed.
        """
        index = self._append_leaf(record.pack())
        self._shares += 1
        return index

    def append(self, type: RecordType, body: Mapping[str, Any]) -> int:
        """Keep a record of any type but SHARE; its log index. Raises as append_share() does.

        Raises ValueError for a body that `records.encode_body` refuses.
        """
        assert type is not RecordType.SHARE, "a share has no body: append_share()"
        self._expect_usable()
        data = encode_body(body)
        leaf = BodyLeaf(
            type, self._edge_id, len(data), self._body_end, self._now_us(), sha256(data)
        )

        # The body first, and counted first: whoever finds the leaf, on disk or in the sync
        # thread, finds the body.
        self._write(self._files.bodies_fd, data, leaf.body_offset)
        self._bodies_written += 1
        self._body_end += len(data)
        try:
            return self._append_leaf(leaf.pack())
        except StorageFull:
            # The body stays behind unnamed; the next one is written over it.
            self._body_end = leaf.body_offset
            raise

    def bodies(self, *types: RecordType) -> Iterator[tuple[int, BodyRecord]]:
        """Index and content of the records of these types, oldest first; of all but shares
        where none is named. The bodies of others are not even read. Raises LogDamaged."""
        for index, leaf in self._files.body_leaves(0, self._count):
            if types and leaf.type not in types:
                continue
            try:
                yield index, self._files.body_record(leaf)
            except ValueError as exc:
                raise LogDamaged(f"record {index} of the log: {exc}") from exc

    def close(self) -> None:
        """Sync, and let the next writer in. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._group.stop()
        self._files.close()
        os.close(self._lock_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append_leaf(self, leaf: bytes) -> int:
        self._expect_usable()
        index = self._count
        self._write(self._files.leaves_fd, leaf, index * LEAF_SIZE)
        self._count = index + 1
        self._group.dirty()
        return index

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

    def _expect_usable(self) -> None:
        if self._failure is not None:
            raise LogFailed(f"the log failed before: {self._failure}") from self._failure
        assert not self._closed, "the log is closed"

    def _sync(self) -> None:
        """In the sync thread. Bodies first, so that no synced leaf misses its body."""
        # In this order: append() counts a body before its leaf. Counted, not measured: a body
        # whose leaf found no room is overwritten, maybe by one of the same length.
        count = self._count
        written = self._bodies_written
        if written != self._bodies_synced:
            os.fdatasync(self._files.bodies_fd)
            self._bodies_synced = written
        if count == self._synced_count:
            return

        os.fdatasync(self._files.leaves_fd)
        # Written after the sync and never synced itself: it may lag, it can't promise too much.
        self._files.write_synced(count)
        self._synced_count = count
        if self._on_synced is not None:
            self._on_synced(count)

    def _fail(self, exc: OSError) -> None:
        if self._failure is None:
            self._failure = exc
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


def _open_files(directory: Path) -> tuple[LogFiles, Recovered]:
    try:
        files = LogFiles.create(directory)
    except OSError as exc:
        raise _unusable(directory, exc) from exc
    try:
        return files, recover(files)
    except BaseException:
        files.close()
        raise


def _unusable(directory: Path, exc: OSError) -> ConfigError:
    fault = f"{directory} cannot be used: {exc.strerror}"
    return ConfigError([Problem("data_dir", fault, "it must be a directory we may write to")])
