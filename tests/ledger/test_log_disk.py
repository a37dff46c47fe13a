"""The writer and its disk: the group sync, no room, and kill -9."""

from __future__ import annotations

import errno
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stratum.ledger import log as log_module
from stratum.ledger.errors import LogFailed, StorageFull
from stratum.ledger.reading import read
from stratum.ledger.records import RecordType, ShareRecord
from stratum.ledger.segment import body_path, slots_path, synced_in
from tests.ledger.conftest import (
    PATIENCE_S,
    ROOT,
    WRITER,
    Opener,
    file_size_limit,
    fill,
    is_filled,
    share,
    until,
    until_room,
)


def synced_on_disk(directory: Path, first_index: int = 0) -> int | None:
    return synced_in(slots_path(directory / "log", first_index).read_bytes())


# -- sync ----------------------------------------------------------------------------------


def test_group_sync_reports_how_far_it_got(opened: Opener, tmp_path: Path) -> None:
    synced: queue.Queue[int] = queue.Queue()
    log = opened(on_synced=synced.put, sync_interval=0.001)
    fill(log, 2)
    while synced.get(timeout=PATIENCE_S) < 2:
        pass
    assert log.synced_count == 2
    assert synced_on_disk(tmp_path) == 2


def test_close_syncs_what_is_left_and_may_be_repeated(opened: Opener) -> None:
    log = opened(sync_interval=3600)
    fill(log, 1)
    log.close()
    log.close()
    assert (log.synced_count, log.next_index) == (1, 1)


def test_quiet_log_is_not_synced(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened(sync_interval=0.001)
    fill(log, 3)
    until(lambda: log.synced_count == 3, log)
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    looks = threading.Semaphore(0)
    look = log._group._sync

    def counted() -> bool:
        looks.release()
        return look()

    monkeypatch.setattr(log._group, "_sync", counted)
    for _ in range(3):
        log.hurry()
        assert looks.acquire(timeout=PATIENCE_S)
    assert synced == []


def test_bodies_are_synced_before_the_slots_that_name_them(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(sync_interval=3600)
    segment = log._segments[-1]
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    log.append(RecordType.JOB, {"height": 2})
    log._sync()
    log.append_share(share())
    log._sync()
    assert synced == [segment.body_fd, segment.slots_fd, segment.slots_fd]


def test_failed_sync_is_reported_once_and_is_final(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: queue.Queue[OSError] = queue.Queue()
    log = opened(on_failure=failures.put, sync_interval=0.001, room=8)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "disk gone")

    monkeypatch.setattr(os, "fdatasync", fail)
    log.append_share(share())
    assert failures.get(timeout=PATIENCE_S).errno == errno.EIO

    for _ in range(2):
        with pytest.raises(LogFailed, match="failed before"):
            log.append_share(share())
    with pytest.raises(LogFailed, match="failed before"):
        log.append(RecordType.JOB, {})
    assert not log.tail.append(share().pack()), "the gate must not go on either"
    assert not log.make_room()
    log.close()
    assert failures.empty()
    assert log.synced_count == 0


def test_write_that_fails_for_another_reason_ends_the_log(opened: Opener, tmp_path: Path) -> None:
    failures: queue.Queue[OSError] = queue.Queue()
    log = opened(on_failure=failures.put)
    readonly = os.open(body_path(tmp_path / "log", 0), os.O_RDONLY)
    os.dup2(readonly, log._segments[-1].body_fd)
    with pytest.raises(LogFailed):
        log.append(RecordType.JOB, {})
    assert failures.get_nowait() is not None
    log.close()
    os.close(readonly)


# -- no room -------------------------------------------------------------------------------


def test_full_disk_fills_the_segment_then_refuses_and_goes_on_by_itself_later(
    opened: Opener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(log_module, "RETRY_INTERVAL", 0.0)
    log = opened(room=50, sync_interval=0.001)
    fill(log, 1)
    with file_size_limit(4096):
        for number in range(1, 50):
            assert log.append_share(share(number)) == number
        until(lambda: "no room for another segment" in caplog.text, log)
        assert "File too large" in caplog.text
        for _ in range(3):
            with pytest.raises(StorageFull, match="none for another segment"):
                log.append_share(share(1))
            assert not log.tail.append(share(1).pack())
            assert not log.make_room()
        assert log.room_left == 0
        with pytest.raises(StorageFull):
            log.append(RecordType.JOB, {})
    assert list(tmp_path.glob("log/*.new")) == []

    until_room(log)
    assert log.append_share(share(50)) == 50
    assert len(list(read(tmp_path))) == 51
    messages = [one.message for one in caplog.records if one.levelno >= logging.WARNING]
    assert len([one for one in messages if "no room" in one]) == 1, "one alarm, not one a second"
    assert "there is room for another segment again" in messages[-1]


def test_full_disk_is_asked_again_once_a_second(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def full(descriptor: int, offset: int, size: int) -> None:
        asked.append(time.monotonic())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    log = opened(room=8, sync_interval=0.001)
    until(lambda: len(asked) >= 3, log)
    assert asked[2] - asked[0] >= 2 * 0.99


def test_log_opens_on_a_full_disk_and_takes_records_when_there_is_room(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "RETRY_INTERVAL", 0.0)
    with file_size_limit(0):
        log = opened(room=8, sync_interval=0.001)
        assert (log.next_index, log.room_left) == (0, 0)
        with pytest.raises(StorageFull):
            log.append_share(share())
    assert fill(log, 3) == [0, 1, 2]


def test_body_without_room_leaves_the_log_as_it_was(opened: Opener, tmp_path: Path) -> None:
    log = opened(room=8)
    fill(log, 2)
    before = body_path(tmp_path / "log", 0).read_bytes()
    with file_size_limit(len(before) + 30):
        with pytest.raises(StorageFull, match="no room for 100 bytes"):
            log.append(RecordType.JOB, {"a": 2})
        assert log.append_share(share(2)) == 2, "a share needs no more than its slot"
    assert body_path(tmp_path / "log", 0).read_bytes() == before
    assert log.append(RecordType.JOB, {"a": 3}) == 3
    log.close()
    log = opened()
    assert [(index, record.body) for index, record in log.bodies()][1:] == [(3, {"a": 3})]


# -- kill -9 -------------------------------------------------------------------------------


def test_kill_9_loses_nothing_that_was_acknowledged(opened: Opener, tmp_path: Path) -> None:
    acknowledged = -1
    for wanted in (300, 1, 500, 42):
        acknowledged = killed_writer(tmp_path, acknowledged + wanted)
        log = opened()
        assert log.next_index > acknowledged
        assert log.recovered.cut_slots <= 1
        log.close()
        records = dict(read(tmp_path))
        assert set(records) >= set(range(acknowledged + 1))
        assert all(is_filled(index, record) for index, record in records.items())
        shares = [one for one in records.values() if isinstance(one, ShareRecord)]
        assert [one.edge_seq for one in shares] == list(range(len(shares)))


def killed_writer(directory: Path, wanted: int) -> int:
    """Run WRITER until it has said `wanted`, kill it; the last index that it said in full."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, directory], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        said = -1
        for line in process.stdout:
            if line.endswith(b"\n"):
                said = int(line)
            # Not `==`: it begins behind what an earlier one wrote and had no time to say.
            if said >= wanted:
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert said >= wanted
    return said
