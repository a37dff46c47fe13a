"""Hold a data_dir against what its rigs were told: every difference is a fault, in words.

The log is read as a stranger would, from its first record to its last. The database is a cache of
it: its rows are counted again from the log, by code that shares nothing with that which wrote
them but the names of the columns.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench.witness import TRUE_AGAIN, Memory, Share
from stratum.ledger.reading import read
from stratum.ledger.records import RecordType, ShareRecord

#: The lengths of time that the database keeps as rows: ten minutes, an hour, a day.
SPANS = (600, 3600, 86400)

_WORK_LOW_BITS = 40

#: span, beginning of the bucket, account, worker, tier
Bucket = tuple[int, ...]


def log_faults(data_dir: Path, memory: Memory) -> Iterator[str]:
    """What the log says that rigs were not told, and the other way round."""
    logged: Counter[Share] = Counter()
    works: set[int] = set()
    expected_index = expected_seq = 0
    for index, record in read(data_dir):
        if index != expected_index:
            yield f"record {index} follows {expected_index - 1}"
        expected_index = index + 1
        if not isinstance(record, ShareRecord):
            if record.leaf.type is RecordType.JOB:
                works.add(index)
            continue
        if record.edge_seq != expected_seq:
            yield f"share {record.edge_seq} follows {expected_seq - 1}, in record {index}"
        expected_seq = record.edge_seq + 1
        if record.job_index not in works:
            yield f"record {index} is a share on job {record.job_index}, which is not before it"
        logged[_share(record)] += 1

    yield from _unequal(logged, memory)


def _unequal(logged: Counter[Share], memory: Memory) -> Iterator[str]:
    lost = memory.accepted - logged.keys()
    # What was said again for want of an answer is a duplicate where it had come to the log.
    refused = (memory.refused - memory.unanswered) & logged.keys()
    unknown = logged.keys() - memory.accepted - memory.refused - memory.unanswered
    twice = [share for share, count in logged.items() if count > 1]
    for what, found in (
        ("shares were answered true and are not in the log", lost),
        ("shares were refused and are in the log", refused),
        ("shares are in the log and were never sent", unknown),
        ("shares are in the log more than once", twice),
    ):
        if found:
            yield f"{len(found)} {what}, e.g. {next(iter(found))}"
    if memory.repeated[TRUE_AGAIN]:
        yield f"{memory.repeated[TRUE_AGAIN]} shares were answered {TRUE_AGAIN}"


def _share(record: ShareRecord) -> Share:
    return Share(record.extranonce1, record.extranonce2, record.ntime, record.nonce, record.version)


def records_booked(data_dir: Path) -> int:
    """How many records of the log the database has read."""
    with closing(_database(data_dir)) as database:
        (booked,) = database.execute("SELECT next_index FROM cursor").fetchone() or (0,)
    return int(booked)


def book_faults(data_dir: Path) -> Iterator[str]:
    """Whether the rollups equal a recount of the log, as far as the books have read it."""
    read_up_to = records_booked(data_dir)
    with closing(_database(data_dir)) as database:
        kept = {row[:5]: row[5:] for row in _rows(database)}
    counted = _recount(data_dir, read_up_to)
    if not counted:
        yield f"the books have read {read_up_to} records, none of them a share"
    for bucket in kept.keys() | counted.keys():
        if kept.get(bucket) != counted.get(bucket):
            yield (
                f"bucket {bucket}: the books say {kept.get(bucket)}, the log {counted.get(bucket)}"
            )


def _database(data_dir: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{data_dir / 'books.sqlite'}?mode=ro", uri=True)


def _rows(database: sqlite3.Connection) -> Iterator[tuple[int, ...]]:
    columns = "span, bucket, account_id, worker_id, listen, shares, work_high, work_low, best"
    for *fields, high, low, best in database.execute(f"SELECT {columns} FROM rollups"):
        if fields[-1]:  # the others are made of rejects alone
            yield (*fields, (high << _WORK_LOW_BITS) + low, best)


def _recount(data_dir: Path, end: int) -> dict[Bucket, tuple[int, int, int]]:
    """Shares, work and best of each bucket, from the records before `end`."""
    counted: dict[Bucket, tuple[int, int, int]] = {}
    for index, record in read(data_dir):
        if index >= end:
            break
        if not isinstance(record, ShareRecord):
            continue
        seconds, listen = record.recv_time_us // 1_000_000, record.flags >> 8 & 0xFF
        for span in SPANS:
            begins = seconds // span * span
            bucket = (span, begins, record.account_id, record.worker_id, listen)
            shares, work, best = counted.get(bucket, (0, 0, 0))
            counted[bucket] = (shares + 1, work + record.weight, max(best, record.best))
    return counted
