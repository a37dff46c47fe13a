"""Logs in a fresh directory, and shares to put into them."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stratum.ledger.log import Log
from stratum.ledger.records import ShareRecord


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


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], Log]]:
    """Opens tmp_path's log as often as a test asks, and closes what it left open."""
    logs: list[Log] = []

    def open_log() -> Log:
        logs.append(Log(tmp_path, on_failure=no_failure, now_us=lambda: 7))
        return logs[-1]

    yield open_log
    for log in logs:
        log.close()


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
