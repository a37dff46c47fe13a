from __future__ import annotations

import errno
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stratum.errors import ConfigError
from stratum.ledger.errors import DataDirLocked, LogDamaged, LogFailed, StorageFull
from stratum.ledger.log import Log
from stratum.ledger.reading import BodyRecord, read
from stratum.ledger.records import RecordType, ShareRecord
from tests.ledger.conftest import file_size_limit, no_failure, share

ROOT = Path(__file__).parents[2]

Opener = Callable[[], Log]

#: Appends, and says each index once it has it; a job before every tenth share. Far more than the
#: test asks for, and yet an end: a bug here must not fill a disk.
WRITER = """
import os, sys
from pathlib import Path
from stratum.ledger.log import Log
from stratum.ledger.records import RecordType
from tests.ledger.conftest import file_size_limit, no_failure, share

log = Log(Path(sys.argv[1]), on_failure=no_failure)
for number in range(log.next_index, log.next_index + 100_000):
    if number % 10:
        index = log.append_share(share(number))
    else:
        index = log.append(RecordType.JOB, {"number": number, "coinb1": bytes(number % 1000)})
    os.write(1, b"%d\\n" % index)
"""


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


def test_reader_sees_a_record_as_soon_as_it_is_acknowledged(opened: Opener, tmp_path: Path) -> None:
    log = opened()
    for number in range(5):
        index = log.append_share(share(number))
        assert list(read(tmp_path))[index] == (index, share(number))


def test_records_across_many_chunks_are_found_by_their_type(opened: Opener, tmp_path: Path) -> None:
    log = opened()
    jobs = []
    for number in range(9_000):
        if number in (0, 4095, 4096, 8192, 8999):
            jobs.append(log.append(RecordType.JOB, {"number": number}))
        else:
            log.append_share(share(number))
    assert jobs == [0, 4095, 4096, 8192, 8999]
    assert [index for index, _ in log.bodies()] == jobs
    assert sum(isinstance(record, ShareRecord) for _, record in read(tmp_path)) == 8_995


def test_shares_are_counted_without_a_gap_across_restarts(opened: Opener, tmp_path: Path) -> None:
    for _ in range(3):
        log = opened()
        log.append(RecordType.JOB, {})
        for _ in range(2):
            log.append_share(share(edge_seq=log.next_edge_seq))
        with file_size_limit(80), pytest.raises(StorageFull):
            log.append_share(share(edge_seq=log.next_edge_seq))
        log.close()
    counts = [record.edge_seq for _, record in read(tmp_path) if isinstance(record, ShareRecord)]
    assert counts == list(range(6))


def test_bodies_of_other_types_are_not_read(opened: Opener, tmp_path: Path) -> None:
    log = opened()
    log.append(RecordType.JOB, {"height": 7})
    log.append(RecordType.WORKER, {"name": "a"})
    log.append(RecordType.ACCOUNT, {"name": "b"})
    bodies = tmp_path / "log" / "bodies"
    bodies.write_bytes(bytes(9) + bodies.read_bytes()[9:])  # the job's is damaged
    wanted = log.bodies(RecordType.WORKER, RecordType.ACCOUNT)
    assert [(index, record.body["name"]) for index, record in wanted] == [(1, "a"), (2, "b")]
    with pytest.raises(LogDamaged, match="body of the JOB record"):
        list(log.bodies())


def test_body_that_takes_the_place_of_a_synced_one_of_its_length_is_synced_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Log(tmp_path, on_failure=no_failure, sync_interval=3600) as log:

        def full(leaf: bytes) -> int:
            log._sync()  # in its thread: between the body and its leaf
            raise StorageFull("no room")

        with monkeypatch.context() as disk, pytest.raises(StorageFull):
            disk.setattr(log, "_append_leaf", full)
            log.append(RecordType.JOB, {"height": 1})
        log.append(RecordType.JOB, {"height": 2})

        synced: list[int] = []
        monkeypatch.setattr(os, "fdatasync", synced.append)
        log._sync()
        assert synced == [log._files.bodies_fd, log._files.leaves_fd]


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


def test_group_sync_reports_how_far_it_got(tmp_path: Path) -> None:
    synced: queue.Queue[int] = queue.Queue()
    with Log(tmp_path, on_failure=no_failure, on_synced=synced.put, sync_interval=0.001) as log:
        log.append(RecordType.JOB, {})
        log.append_share(share())
        while synced.get(timeout=10) < 2:
            pass
        assert log.synced_count == 2
        assert (tmp_path / "log" / "synced").read_bytes() == b"%020d\n" % 2


def test_close_syncs_what_is_left_and_may_be_repeated(tmp_path: Path) -> None:
    log = Log(tmp_path, on_failure=no_failure, sync_interval=0.001)
    log.append_share(share())
    log.close()
    log.close()
    assert log.synced_count == 1


def test_full_disk_refuses_the_share_leaves_no_torn_record_and_goes_on_later(
    opened: Opener, tmp_path: Path
) -> None:
    log = opened()
    log.append_share(share(0))
    with file_size_limit(80 + 30):
        for _ in range(2):
            with pytest.raises(StorageFull, match="no room for 80 bytes"):
                log.append_share(share(1))
        assert (tmp_path / "log" / "leaves").stat().st_size == 80

    assert log.append_share(share(2)) == 1
    assert [record for _, record in read(tmp_path)] == [share(0), share(2)]


@pytest.mark.parametrize("room", [10, 90])
def test_full_disk_takes_back_body_and_leaf_together(
    opened: Opener, tmp_path: Path, room: int
) -> None:
    """At 10 bytes the body of 27 has no room, at 90 the leaf behind it has none."""
    log = opened()
    log.append_share(share(0))
    with file_size_limit(room), pytest.raises(StorageFull):
        log.append(RecordType.JOB, {"coinb1": bytes(18)})

    assert log.append(RecordType.JOB, {"a": 1}) == 1
    log.close()
    log = opened()
    assert [record.body for _, record in log.bodies()] == [{"a": 1}]
    assert log.next_index == 2


def test_failed_sync_is_reported_once_and_is_final(tmp_path: Path) -> None:
    failures: queue.Queue[OSError] = queue.Queue()
    log = Log(tmp_path, on_failure=failures.put, sync_interval=0.001)
    # A pipe in the place of the leaves: it cannot be synced, and says so with a real error.
    reading, writing = os.pipe()
    os.dup2(writing, log._files.leaves_fd)
    log._count += 1
    log._group.dirty()
    assert failures.get(timeout=10).errno == errno.EINVAL

    for _ in range(2):
        with pytest.raises(LogFailed, match="failed before"):
            log.append_share(share())
    with pytest.raises(LogFailed, match="failed before"):
        log.append(RecordType.JOB, {})
    log.close()
    assert failures.empty()
    os.close(reading)
    os.close(writing)


def test_write_that_fails_for_another_reason_ends_the_log(tmp_path: Path) -> None:
    failures: queue.Queue[OSError] = queue.Queue()
    log = Log(tmp_path, on_failure=failures.put)
    readonly = os.open(tmp_path / "log" / "leaves", os.O_RDONLY)
    os.dup2(readonly, log._files.leaves_fd)
    with pytest.raises(LogFailed):
        log.append_share(share())
    assert failures.get_nowait() is not None
    log.close()
    os.close(readonly)


def test_kill_9_loses_nothing_that_was_acknowledged(opened: Opener, tmp_path: Path) -> None:
    acknowledged = -1
    for wanted in (300, 1, 500):
        acknowledged = killed_writer(tmp_path, acknowledged + wanted)
        log = opened()
        assert log.next_index > acknowledged
        log.close()
        expect_written(tmp_path, acknowledged)


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


def expect_written(directory: Path, acknowledged: int) -> None:
    records = dict(read(directory))
    for index in range(acknowledged + 1):
        record = records[index]
        if isinstance(record, ShareRecord):
            assert record == share(index)
        else:
            assert record.body == {"number": index, "coinb1": bytes(index % 1000)}


def test_reader_stops_at_a_record_that_its_writer_did_not_write(
    opened: Opener, tmp_path: Path
) -> None:
    log = opened()
    log.append_share(share(0))
    log.append(RecordType.JOB, {"height": 7})
    log.close()
    (tmp_path / "log" / "bodies").write_bytes(b"\xa1fheight\x08")
    records = read(tmp_path)
    assert next(records) == (0, share(0))
    with pytest.raises(LogDamaged, match="record 1 .* body of the JOB record"):
        next(records)
