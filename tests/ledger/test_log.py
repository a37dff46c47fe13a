"""The writer: numbering, segments, the group sync, one writer, and a disk that has no room."""

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

import hashing
from stratum.errors import ConfigError
from stratum.ledger import log as log_module
from stratum.ledger.errors import DataDirLocked, LogDamaged, LogFailed, StorageFull
from stratum.ledger.log import Log
from stratum.ledger.reading import read
from stratum.ledger.records import BodyRecord, RecordType, ShareRecord
from stratum.ledger.segment import Header, body_path, first_indexes, slots_path, synced_in
from tests.ledger.conftest import (
    PATIENCE_S,
    ROOT,
    WRITER,
    Opener,
    file_size_limit,
    fill,
    is_filled,
    no_failure,
    share,
    until,
    until_room,
)


def synced_on_disk(directory: Path, first_index: int = 0) -> int | None:
    return synced_in(slots_path(directory / "log", first_index).read_bytes())


# -- records -------------------------------------------------------------------------------


def test_records_are_numbered_without_a_gap_and_read_back(opened: Opener, tmp_path: Path) -> None:
    log = opened()
    assert log.next_index == 0
    assert log.append(RecordType.JOB, {"height": 7}) == 0
    assert log.append_share(share(1)) == 1
    assert log.append(RecordType.ACCOUNT, {"name": "a"}) == 2
    assert log.next_index == 3

    records = dict(read(tmp_path))
    assert records[1] == share(1)
    job, account = records[0], records[2]
    assert isinstance(job, BodyRecord) and isinstance(account, BodyRecord)
    assert (job.leaf.type, job.body, job.leaf.time_us) == (RecordType.JOB, {"height": 7}, 7)
    assert account.body == {"name": "a"}


def test_log_goes_on_where_it_ended(opened: Opener, tmp_path: Path) -> None:
    log = opened()
    log.append(RecordType.JOB, {"height": 7})
    log.append_share(share(1))
    log.close()

    log = opened()
    assert (log.next_index, log.synced_count) == (2, 2)
    log.append(RecordType.JOB, {"height": 8})
    assert [index for index, _ in log.bodies()] == [0, 2]
    assert [record.body["height"] for _, record in log.bodies()] == [7, 8]
    assert log.append_share(share(3)) == 3
    assert len(list(read(tmp_path))) == 4


def test_files_are_what_the_description_says(opened: Opener, tmp_path: Path) -> None:
    """Read here byte by byte, by nothing of the code that wrote them."""
    log = opened(room=100)
    log.append(RecordType.JOB, {"a": 1})
    log.append_share(share(5))
    log.close()
    slots = (tmp_path / "log" / "00000000000000000000.slots").read_bytes()
    body = (tmp_path / "log" / "00000000000000000000.body").read_bytes()

    def number(at: int, size: int) -> int:
        return int.from_bytes(slots[at : at + size], "little")

    assert len(slots) == 4096 + 96 * 100
    assert slots[:8] == b"BASELOG\n"
    assert (number(8, 4), number(16, 8), number(24, 8), number(32, 8)) == (1, 0, 100, 7)
    assert number(12, 4) == hashing.crc32c(slots[16:40])
    assert (number(512, 8), number(520, 4)) == (2, hashing.crc32c(slots[512:520]))
    assert not any(slots[40:512]) and not any(slots[524:4096])

    job, kept = slots[4096 : 4096 + 96], slots[4192 : 4192 + 96]
    assert (number(4096 + 4, 4), number(4096 + 8, 8), number(4192 + 8, 8)) == (0, 0, 1)
    assert number(4096, 4) == hashing.crc32c(job[4:])
    assert kept[16:] == share(5).pack()
    assert not any(slots[4288:])
    assert body == job + b"\xa1aa\x01"
    assert number(4096 + 16 + 4, 4) == 4 and number(4096 + 16 + 8, 8) == 96  # length, offset


def test_reader_sees_a_record_as_soon_as_it_is_acknowledged(opened: Opener, tmp_path: Path) -> None:
    log = opened()
    for number in range(5):
        index = log.append_share(share(number))
        assert list(read(tmp_path))[index] == (index, share(number))


def test_shares_are_counted_without_a_gap_across_restarts(opened: Opener, tmp_path: Path) -> None:
    for _ in range(4):
        log = opened(room=3)
        fill(log, 4)
        log.close()
    shares = [record for _, record in read(tmp_path) if isinstance(record, ShareRecord)]
    assert [one.edge_seq for one in shares] == list(range(12))


def test_shares_are_counted_on_over_segments_that_hold_none(opened: Opener) -> None:
    log = opened(room=3)
    fill(log, 3)
    for _ in range(7):
        until_room(log)
        log.append(RecordType.POLICY, {})
    log.close()
    assert opened().next_edge_seq == 2


def test_bodies_of_other_types_are_not_read(opened: Opener, tmp_path: Path) -> None:
    log = opened()
    log.append(RecordType.JOB, {"height": 7})
    log.append(RecordType.WORKER, {"name": "a"})
    log.append(RecordType.ACCOUNT, {"name": "b"})
    bodies = body_path(tmp_path / "log", 0)
    data = bodies.read_bytes()
    bodies.write_bytes(data[:96] + bytes(9) + data[105:])  # the job's is damaged
    wanted = log.bodies(RecordType.WORKER, RecordType.ACCOUNT)
    assert [(index, record.body["name"]) for index, record in wanted] == [(1, "a"), (2, "b")]
    with pytest.raises(LogDamaged, match="body of the JOB record"):
        list(log.bodies())


def test_bodies_of_all_segments_are_found_without_their_shares(
    opened: Opener, tmp_path: Path
) -> None:
    log = opened(room=10)
    fill(log, 95, every=20)
    for first_index in first_indexes(tmp_path / "log")[:-2]:
        slots_path(tmp_path / "log", first_index).write_bytes(b"")
    assert [index for index, _ in log.bodies()] == [0, 20, 40, 60, 80]
    assert all(is_filled(index, record) for index, record in log.bodies())


def test_bodies_whose_slot_is_damaged_are_not_taken_for_good(
    opened: Opener, tmp_path: Path
) -> None:
    log = opened()
    fill(log, 5)
    bodies = body_path(tmp_path / "log", 0)
    data = bytearray(bodies.read_bytes())
    data[20] ^= 1
    bodies.write_bytes(data)
    with pytest.raises(LogDamaged, match="body at 0 .*slot is not whole"):
        list(log.bodies())


# -- one writer ----------------------------------------------------------------------------


def test_second_writer_is_the_operators_problem(opened: Opener, tmp_path: Path) -> None:
    first = opened()
    with pytest.raises(DataDirLocked, match="in use by another") as caught:
        Log(tmp_path, on_failure=no_failure)
    assert isinstance(caught.value, ConfigError)
    assert caught.value.problems[0].key == "data_dir"

    first.close()
    opened()


def test_lock_holds_against_another_process(opened: Opener, tmp_path: Path) -> None:
    opened()
    done = subprocess.run(
        [sys.executable, "-c", WRITER, tmp_path], cwd=ROOT, capture_output=True, timeout=60
    )
    assert done.returncode == 1
    assert b"DataDirLocked" in done.stderr


def test_directory_that_cannot_be_used_is_a_config_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="data_dir: .*cannot be used"):
        Log(tmp_path / "file", on_failure=no_failure)


def test_start_that_fails_lets_the_next_one_in(opened: Opener, tmp_path: Path) -> None:
    log = opened()
    log.append_share(share())
    log.close()
    path = slots_path(tmp_path / "log", 0)
    whole = path.read_bytes()
    path.write_bytes(b"no log" + whole[6:])
    with pytest.raises(LogDamaged, match="segment 0: header page is no segment's"):
        opened()
    path.write_bytes(whole)
    assert opened().next_index == 1


# -- segments ------------------------------------------------------------------------------


def test_next_segment_has_its_room_on_the_disk_before_this_one_is_half_full(
    opened: Opener, tmp_path: Path
) -> None:
    log = opened(room=1000, sync_interval=0.001)
    fill(log, 249)
    log.hurry()
    assert first_indexes(tmp_path / "log") == [0]
    fill(log, 1)
    until(lambda: log.room_left == 1750, log)
    prepared = slots_path(tmp_path / "log", 1000)
    assert prepared.stat().st_blocks * 512 >= prepared.stat().st_size == 4096 + 96_000
    assert Header.unpack(prepared.read_bytes()) == Header(1000, 1000, 7)


def test_log_turns_from_segment_to_segment_and_leaves_none_behind_unsynced(
    opened: Opener, tmp_path: Path
) -> None:
    log = opened(room=8, sync_interval=0.001)
    assert fill(log, 100) == list(range(100))
    log.close()
    assert first_indexes(tmp_path / "log")[:13] == list(range(0, 104, 8))
    for first_index in range(0, 96, 8):
        assert synced_on_disk(tmp_path, first_index) == first_index + 8
    assert synced_on_disk(tmp_path, 96) == 100
    assert all(is_filled(index, record) for index, record in read(tmp_path))


def test_full_segments_are_closed_once_they_are_synced(opened: Opener) -> None:
    log = opened(room=8, sync_interval=0.001)
    fill(log, 80)
    until(lambda: len(log._segments) == 1, log)
    descriptors = len(os.listdir("/proc/self/fd"))
    fill(log, 80)
    until(lambda: len(log._segments) == 1 and log._next is not None, log)
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 2


def test_what_the_gate_appends_is_synced_and_turned_without_python(
    opened: Opener, tmp_path: Path
) -> None:
    synced: queue.Queue[int] = queue.Queue()
    log = opened(room=8, sync_interval=0.001, on_synced=synced.put)
    for number in range(20):
        until_room(log)
        assert log.tail.append(share(number).pack())
    while synced.get(timeout=PATIENCE_S) < 20:
        pass
    assert [record for _, record in read(tmp_path)] == [share(number) for number in range(20)]


def test_segments_of_another_room_go_on_in_the_same_log(opened: Opener, tmp_path: Path) -> None:
    for room in (5, 9, 2):
        log = opened(room=room)
        fill(log, 13)
        log.close()
    assert len(list(read(tmp_path))) == 39
    assert all(is_filled(index, record) for index, record in read(tmp_path))


def test_empty_segment_that_was_prepared_is_used_after_a_restart(
    opened: Opener, tmp_path: Path
) -> None:
    log = opened(room=8)
    fill(log, 8)
    until(lambda: log.room_left == 8, log)
    log.close()
    prepared = slots_path(tmp_path / "log", 8).stat().st_ino
    log = opened(room=8)
    assert log.room_left == 8
    fill(log, 1)
    assert slots_path(tmp_path / "log", 8).stat().st_ino == prepared


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


def test_reader_stops_at_a_record_that_its_writer_did_not_write(
    opened: Opener, tmp_path: Path
) -> None:
    log = opened()
    log.append_share(share(0))
    log.append(RecordType.JOB, {"height": 7})
    log.close()
    bodies = body_path(tmp_path / "log", 0)
    bodies.write_bytes(bodies.read_bytes()[:96] + b"\xa1fheight\x08")
    records = read(tmp_path)
    assert next(records) == (0, share(0))
    with pytest.raises(LogDamaged, match="record 1 .* body of the JOB record"):
        next(records)
