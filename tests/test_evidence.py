"""`make crash` sees what went wrong: a log that keeps its promises, and each promise broken."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bench.evidence import SPANS, book_faults, log_faults
from bench.witness import TRUE_AGAIN, Memory, Share
from stratum.ledger.log import Log
from stratum.ledger.reading import read
from stratum.ledger.records import RecordType, ShareRecord

#: 2027-01-15 08:00 UTC: a bucket of every span begins at it or before it.
TIME_US = 1_800_000_000_000_000

SHARES = [Share(b"\1\2\3\4", bytes([n]) * 8, 1_800_000_000, n, 0x20000000) for n in range(3)]
STRANGER = SHARES[0]._replace(nonce=99)


def _failed(error: OSError) -> None:
    raise AssertionError(error)


def _keep(log: Log, share: Share, job_index: int = 0) -> None:
    log.append_share(
        ShareRecord(
            edge_id=0,
            flags=0,
            edge_seq=log.next_edge_seq,
            recv_time_us=TIME_US,
            job_index=job_index,
            account_id=1,
            worker_id=1,
            weight=5,
            version=share.version,
            ntime=share.ntime,
            nonce=share.nonce,
            extranonce1=share.extranonce1,
            extranonce2=share.extranonce2,
            best=share.nonce,
        )
    )


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A log of one job and three shares on it."""
    with Log(tmp_path, on_failure=_failed) as log:
        log.append(RecordType.JOB, {})
        for share in SHARES:
            _keep(log, share)
    return tmp_path


def _again(data_dir: Path, share: Share, job_index: int = 0) -> None:
    with Log(data_dir, on_failure=_failed) as log:
        _keep(log, share, job_index)


def test_a_log_that_says_what_rigs_were_told_has_no_fault(data_dir: Path) -> None:
    memory = Memory(accepted=set(SHARES[:2]), refused={STRANGER}, unanswered={SHARES[2]})
    assert [*log_faults(data_dir, memory)] == []


@pytest.mark.parametrize(
    ("fault", "memory"),
    [
        ("answered true and are not in the log", Memory(accepted={*SHARES, STRANGER})),
        ("refused and are in the log", Memory(set(SHARES[:2]), refused={SHARES[2]})),
        ("never sent", Memory(accepted=set(SHARES[:2]))),
    ],
)
def test_a_share_that_is_not_where_it_was_said_to_be_is_a_fault(
    data_dir: Path, fault: str, memory: Memory
) -> None:
    (found,) = log_faults(data_dir, memory)
    assert fault in found and found.startswith("1 share")


def test_a_share_said_again_for_want_of_an_answer_may_be_refused_as_a_duplicate(
    data_dir: Path,
) -> None:
    memory = Memory(set(SHARES[:2]), refused={SHARES[2]}, unanswered={SHARES[2]})
    assert [*log_faults(data_dir, memory)] == []


def test_a_share_in_the_log_twice_is_a_fault(data_dir: Path) -> None:
    _again(data_dir, SHARES[0])
    (found,) = log_faults(data_dir, Memory(accepted=set(SHARES)))
    assert "more than once" in found


def test_a_share_before_its_job_is_a_fault(data_dir: Path) -> None:
    _again(data_dir, STRANGER, job_index=3)
    (found,) = log_faults(data_dir, Memory(accepted={*SHARES, STRANGER}))
    assert "on job 3, which is not before it" in found


def test_a_share_accepted_twice_is_a_fault_whatever_the_log_says(data_dir: Path) -> None:
    memory = Memory(accepted=set(SHARES))
    memory.repeated[TRUE_AGAIN] += 1
    (found,) = log_faults(data_dir, memory)
    assert found == "1 shares were answered true, a second time"


# -- the database --------------------------------------------------------------------------


Change = Callable[[sqlite3.Connection], object]


def _books(data_dir: Path, change: Change = lambda database: None) -> list[str]:
    """Faults of a database that holds what the log does, after a change."""
    rows = [(span, TIME_US // 10**6 // span * span, 1, 1, 0, 3, 0, 15, 2) for span in SPANS]
    with closing(sqlite3.connect(data_dir / "books.sqlite")) as database:
        database.execute("CREATE TABLE cursor (id, next_index)")
        database.execute("INSERT INTO cursor VALUES (1, ?)", (len([*read(data_dir)]),))
        columns = "span, bucket, account_id, worker_id, listen, shares, work_high, work_low, best"
        database.execute(f"CREATE TABLE rollups ({columns})")
        database.executemany("INSERT INTO rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        change(database)
        database.commit()
    return [*book_faults(data_dir)]


def test_books_that_equal_a_recount_have_no_fault(data_dir: Path) -> None:
    assert _books(data_dir) == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rollups SET shares = 4 WHERE span = 600",
        "UPDATE rollups SET work_low = 16 WHERE span = 3600",
        "UPDATE rollups SET work_high = 1 WHERE span = 3600",
        "UPDATE rollups SET best = 1 WHERE span = 86400",
        "DELETE FROM rollups WHERE span = 600",
        "INSERT INTO rollups SELECT 600, 0, 1, 1, 0, shares, 0, 15, 2 FROM rollups LIMIT 1",
    ],
)
def test_a_row_that_differs_from_the_recount_is_a_fault(data_dir: Path, change: str) -> None:
    (found,) = _books(data_dir, lambda database: database.execute(change))
    assert found.startswith("bucket (")


def test_books_are_held_against_what_they_have_read(data_dir: Path) -> None:
    """They may be behind; what they say of that part must be true of it."""

    def behind(database: sqlite3.Connection) -> None:
        database.execute("UPDATE cursor SET next_index = 3")
        database.execute("UPDATE rollups SET shares = 2, work_low = 10, best = 1")

    assert _books(data_dir, behind) == []
