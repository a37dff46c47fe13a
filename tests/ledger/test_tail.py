"""Reading beside the writer: from any cursor, in another process, through every form of segment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing import whole_slots
from stratum.ledger.archive import archive_below
from stratum.ledger.errors import LogDamaged, LogRewound
from stratum.ledger.log import Log
from stratum.ledger.records import BodyLeaf, BodyRecord, RecordType, ShareRecord
from stratum.ledger.segment import body_path, first_indexes, leaf_in, slots_path
from stratum.ledger.tail import LogReader
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
)


def test_reader_follows_its_writer_through_the_segments(opened: Opener, tmp_path: Path) -> None:
    with LogReader(tmp_path) as reader:
        assert reader.read().slots == b"", "there is no log yet"
        log = opened(room=8)
        assert reader.read().slots == b""
        for count in (1, 7, 1, 30, 3):
            fill(log, count)
            seen: list[int] = []
            while (run := reader.read(limit=5)).slots:
                assert run.count <= 5 and run.end == reader.cursor
                assert whole_slots(run.slots, run.first_index) == run.count
                seen += range(run.first_index, run.end)
            assert seen == list(range(log.next_index - count, log.next_index))


def test_reader_goes_on_from_any_cursor(opened: Opener, tmp_path: Path) -> None:
    log = opened(room=8)
    fill(log, 24)
    for cursor in range(25):
        with LogReader(tmp_path, cursor) as reader:
            records = list(reader.records())
            assert [index for index, _ in records] == list(range(cursor, 24))
            assert all(is_filled(index, record) for index, record in records)
            assert reader.cursor == 24


def test_run_says_which_segment_it_is_the_end_of(opened: Opener, tmp_path: Path) -> None:
    fill(opened(room=8), 20)
    with LogReader(tmp_path) as reader:
        runs = [reader.read(limit) for limit in (5, 3, 8, 4, 1)]
    assert [run.seals for run in runs] == [None, 0, 8, None, None]


def test_bodies_are_found_for_any_record(opened: Opener, tmp_path: Path) -> None:
    log = opened(room=8)
    fill(log, 24)
    leaves = {}
    with LogReader(tmp_path) as reader:
        while (run := reader.read()).slots:
            for place in range(run.count):
                leaf = leaf_in(run.slots, place)
                if leaf[0] != RecordType.SHARE:
                    leaves[run.first_index + place] = BodyLeaf.unpack(leaf)
        assert set(leaves) == set(range(0, 24, 4))
        for index, named in reversed(leaves.items()):
            assert is_filled(index, reader.body(index, named))
        with pytest.raises(LogDamaged, match="record 8 .* does not match its hash"):
            reader.body(8, leaves[0])


def test_slot_that_is_not_whole_yet_is_not_returned(opened: Opener, tmp_path: Path) -> None:
    log = opened(room=8, sync_interval=3600)
    fill(log, 2)
    slots = log._segments[-1].slots
    with LogReader(tmp_path) as reader:
        assert reader.read().count == 2
        # What the C core does, halted before its last step: the checksum.
        slots[2 * 96 + 4 : 3 * 96] = (
            bytes(4) + (2).to_bytes(8, "little") + share(2, edge_seq=1).pack()
        )
        assert reader.read().count == 0
        fill(log, 1)
        assert reader.read().count == 1


def test_synced_slot_that_is_not_whole_is_damage(opened: Opener, tmp_path: Path) -> None:
    log = opened(room=8, sync_interval=0.001)
    fill(log, 6)
    until(lambda: log.synced_count == 6, log)
    log._segments[-1].slots[4 * 96 + 50] ^= 1
    with LogReader(tmp_path) as reader:
        assert reader.read(limit=4).count == 4
        with pytest.raises(LogDamaged, match="record 4 .* is not whole, and had been synced"):
            reader.read()
    assert LogReader(tmp_path).read(limit=3).count == 3


def test_reader_of_what_is_synced_never_runs_ahead_of_the_disk(
    opened: Opener, tmp_path: Path
) -> None:
    log = opened(room=8, sync_interval=3600)
    until(lambda: log._group._thread.is_alive(), log)
    with LogReader(tmp_path, synced_only=True) as reader, LogReader(tmp_path) as bold:
        fill(log, 3)
        assert (reader.read().count, bold.read().count) == (0, 3)
        log._sync()
        assert reader.read().count == 3
        fill(log, 2)
        assert (reader.read().count, bold.read().count) == (0, 2)


def test_cursor_ahead_of_the_log_is_an_error(opened: Opener, tmp_path: Path) -> None:
    with pytest.raises(LogRewound, match="record 1 is wanted"):
        LogReader(tmp_path, 1).read()
    log = opened(room=8)
    fill(log, 12)
    log.close()
    for cursor in (13, 16, 17, 24, 25, 1000):
        with pytest.raises(LogRewound, match="ends before record"):
            LogReader(tmp_path, cursor).read()
    assert LogReader(tmp_path, 12).read().count == 0


def test_log_whose_beginning_is_gone_is_read_from_there_on_only(
    opened: Opener, tmp_path: Path
) -> None:
    log = opened(room=8)
    fill(log, 20)
    log.close()
    slots_path(tmp_path / "log", 0).unlink()
    assert LogReader(tmp_path, 8).read().first_index == 8
    for cursor in (0, 7):
        with pytest.raises(LogDamaged, match=f"record {cursor} .* is gone, the log begins at 8"):
            LogReader(tmp_path, cursor).read()


def test_reader_in_the_midst_of_a_segment_survives_its_archive(
    opened: Opener, tmp_path: Path
) -> None:
    log = opened(room=8, sync_interval=0.001)
    fill(log, 40)
    until(lambda: log.synced_count == 40, log)
    with LogReader(tmp_path) as reader:
        first = reader.read(limit=3)
        assert list(archive_below(tmp_path, 32)) == [0, 8, 16, 24]
        rest = list(reader.records())
        assert [index for index, _ in rest] == list(range(first.end, 40))
        assert all(is_filled(index, record) for index, record in rest)


@given(st.lists(st.integers(1, 9), max_size=8), st.integers(1, 12))
def test_any_limits_give_every_record_once(limits: list[int], room: int) -> None:
    seen: list[int] = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with Log(directory, on_failure=no_failure, room=room, sync_interval=0.001) as log:
            fill(log, 20)
        with LogReader(directory) as reader:
            for limit in limits:
                run = reader.read(limit)
                seen += range(run.first_index, run.end)
            while (run := reader.read()).slots:
                seen += range(run.first_index, run.end)
    assert seen == list(range(20))


def test_record_of_a_version_to_come_is_damage_by_its_number(
    opened: Opener, tmp_path: Path
) -> None:
    log = opened()
    fill(log, 2)
    assert log.tail.append(b"\x01\x02" + bytes(78))
    with LogReader(tmp_path) as reader, pytest.raises(LogDamaged, match="record 2 .* version 2"):
        list(reader.records())


def test_reader_beside_a_writer_that_is_killed_sees_every_record_once(tmp_path: Path) -> None:
    """In two processes, at full speed: nothing torn, nothing twice, nothing missing."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        said = [-1]

        def listen() -> None:
            for line in process.stdout or ():
                if line.endswith(b"\n"):
                    said[0] = int(line)

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            with LogReader(tmp_path) as reader:
                expected = 0
                while expected < 2000:
                    for index, record in reader.records():
                        assert index == expected and is_filled(index, record)
                        expected += 1
                process.send_signal(signal.SIGKILL)
                listener.join(timeout=PATIENCE_S)
                for index, record in reader.records():
                    assert index == expected and is_filled(index, record)
                    expected += 1
        finally:
            process.kill()
        assert expected > said[0]


def test_reader_leaves_nothing_open(opened: Opener, tmp_path: Path) -> None:
    log = opened(room=8, sync_interval=0.001)
    fill(log, 30)
    until(lambda: len(log._segments) == 1 and log._next is not None, log)
    before = len(os.listdir("/proc/self/fd"))
    with LogReader(tmp_path) as reader:
        list(reader.records())
        reader.close()
        assert [index for index, _ in reader.records()] == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_share_and_body_records_come_as_what_they_are(opened: Opener, tmp_path: Path) -> None:
    fill(opened(), 2)
    with LogReader(tmp_path) as reader:
        kinds = [type(record) for _, record in reader.records()]
    assert kinds == [BodyRecord, ShareRecord]
    assert body_path(tmp_path / "log", 0).exists() and first_indexes(tmp_path / "log") == [0]
