"""Logs in a fresh directory, and shares to put into them."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from stratum.ledger.log import Log
from stratum.ledger.records import Record, RecordType, ShareRecord

#: Bounds a hang; no measurement.
PATIENCE_S = 30.0

ROOT = Path(__file__).parents[2]

#: Appends as the gate does, through the tail alone, and says each index once it has it; a job
#: before every tenth share. Far more than the test asks for, and yet an end: a bug here must not
#: fill a disk.
WRITER = """
import os, sys
from pathlib import Path
from stratum.ledger.log import Log
from stratum.ledger.records import RecordType
from tests.ledger.conftest import no_failure, share, until_room

log = Log(Path(sys.argv[1]), on_failure=no_failure, room=100, sync_interval=0.001)
for number in range(log.next_index, log.next_index + 100_000):
    until_room(log)
    if number % 10:
        kept = log.tail.append(share(number, edge_seq=log.next_edge_seq).pack())
        assert kept
        log.tail.count_share()
    else:
        log.append(RecordType.JOB, {"number": number, "coinb1": bytes(number % 100 * 5)})
    os.write(1, b"%d\\n" % number)
"""


def share(number: int = 0, **changed: Any) -> ShareRecord:
    """A plausible share that carries `number` as its nonce."""
    fields: dict[str, Any] = {
        "edge_id": 0,
        "flags": 0,
        "edge_seq": number,
        "recv_time_us": 1_769_860_800_000_000 + number,
        "job_index": 0,
        "account_id": 1,
        "worker_id": 1,
        "weight": 1024,
        "version": 0x20000000,
        "ntime": 1_769_860_800,
        "nonce": number,
        "extranonce1": bytes.fromhex("00000001"),
        "extranonce2": number.to_bytes(8, "little"),
        "best": 0x2BCE,
    }
    return ShareRecord(**{**fields, **changed})


def no_failure(exc: OSError) -> None:
    raise AssertionError("the log reported a failed disk") from exc


class Opener(Protocol):
    def __call__(self, **settings: Any) -> Log: ...


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opener]:
    """Opens tmp_path's log as often as a test asks, and closes what it left open."""
    logs: list[Log] = []

    def open_log(**settings: Any) -> Log:
        given = {"on_failure": no_failure, "now_us": lambda: 7, **settings}
        logs.append(Log(tmp_path, **given))
        return logs[-1]

    yield open_log
    for log in logs:
        log.close()


def until_room(log: Log) -> None:
    """Wait for the sync thread to make the next segment, where the current one is full."""
    give_up = time.monotonic() + PATIENCE_S
    while not log.make_room():
        assert time.monotonic() < give_up, "the next segment was not made"
        time.sleep(0.001)


def until(condition: Callable[[], bool], log: Log) -> None:
    """Wait for the sync thread to bring something about."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, "the sync thread did not do it"
        log.hurry()
        time.sleep(0.001)


def fill(log: Log, count: int, every: int = 4) -> list[int]:
    """Append so many records, a job first and then one before every few shares; their indexes.

    Each carries its index, so that expect_filled() knows it again.
    """
    indexes = []
    for _ in range(count):
        until_room(log)
        number = log.next_index
        if number % every:
            indexes.append(log.append_share(share(number, edge_seq=log.next_edge_seq)))
        else:
            body = {"number": number, "coinb1": bytes(number % 100 * 5)}
            indexes.append(log.append(RecordType.JOB, body))
    return indexes


def is_filled(index: int, record: Record) -> bool:
    """Whether this is what fill() wrote there."""
    if isinstance(record, ShareRecord):
        return record.nonce == index
    return record.body == {"number": index, "coinb1": bytes(index % 100 * 5)}


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size`.

    The kernel treats it like a full disk: a write across it comes back short, the next one fails.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
