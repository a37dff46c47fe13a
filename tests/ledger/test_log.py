"""The writer: numbering, segments, one writer. What its disk does to it: test_log_disk."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
from pathlib import Path

import pytest

import hashing
from stratum.errors import ConfigError
from stratum.ledger.bodies import read_bodies
from stratum.ledger.errors import DataDirLocked, LogDamaged
from stratum.ledger.log import Log
from stratum.ledger.reading import read
from stratum.ledger.records import BodyRecord, RecordType, ShareRecord
from stratum.ledger.segment import Header, body_path, first_indexes, slots_path, synced_in
from tests.ledger.conftest import (
    PATIENCE_S,
    ROOT,
    WRITER,
    Opener,
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
    log.close()
    for first_index in first_indexes(tmp_path / "log"):
        slots_path(tmp_path / "log", first_index).write_bytes(b"")
    found = list(read_bodies(tmp_path / "log", 81, ()))
    assert [index for index, _ in found] == [0, 20, 40, 60, 80]
    assert all(is_filled(index, record) for index, record in found)
    assert len(list(read_bodies(tmp_path / "log", 80, ()))) == 4


def test_body_at_another_records_place_is_damage(opened: Opener, tmp_path: Path) -> None:
    log = opened()
    fill(log, 1)
    bodies = body_path(tmp_path / "log", 0)
    bodies.write_bytes(bodies.read_bytes() * 2)
    with pytest.raises(LogDamaged, match="body at 1.. of segment 0: it is another record's"):
        list(log.bodies())
    bodies.unlink()
    with pytest.raises(LogDamaged, match="segment 0 of the log has lost its bodies"):
        list(log.bodies())


def test_bodies_whose_slot_is_damaged_are_not_taken_for_good(
    opened: Opener, tmp_path: Path
) -> None:
    log = opened()
    fill(log, 5)
    bodies = body_path(tmp_path / "log", 0)
    data = bytearray(bodies.read_bytes())
    data[20] ^= 1
    bodies.write_bytes(data)
    with pytest.raises(LogDamaged, match="body at 0 of segment 0: .*slot is not whole"):
        list(log.bodies())


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
