"""Search processes: real ones, two at most, ended by their pipe."""

from __future__ import annotations

import asyncio
import os
import signal
from fractions import Fraction

import pytest

from stratum.errors import OutsideError
from stratum.protocol.upstream_events import UpstreamJob
from stratum.rigs.engine import Progress, Work
from stratum.rigs.workers import CHUNK_S, ProcessEngine, next_chunk

JOB = UpstreamJob(
    job_id="1",
    prevhash=bytes(32),
    coinb1=b"\x01",
    coinb2=b"\x02",
    branch=(),
    version=0x20000000,
    nbits=0x1D00FFFF,
    ntime=1_700_000_000,
    clean_jobs=True,
    difficulty=Fraction(1),
    target=(1 << 256) // 100_000,
    extranonce1=b"\x03",
    extranonce2_size=4,
    version_mask=0x1FFFE000,
)


async def test_processes_search_their_own_parts_and_end_with_the_engine() -> None:
    reports: asyncio.Queue[Progress] = asyncio.Queue()
    failures: list[Exception] = []
    engine = ProcessEngine(2)
    engine.start(reports.put_nowait, failures.append)
    pids = [process.pid for process, _ in engine._workers]
    try:
        engine.assign(Work(1, JOB))
        parts: set[int] = set()
        async with asyncio.timeout(30):
            while len(parts) < 2:
                progress = await reports.get()
                assert progress.serial == 1
                parts |= {share.extranonce2[0] % 2 for share in progress.shares}
        # Ctrl-C in a terminal hits the whole group; only the parent may act on it.
        for pid in pids:
            assert pid is not None
            os.kill(pid, signal.SIGINT)
        engine.assign(Work(2, JOB))
        async with asyncio.timeout(30):
            while (await reports.get()).serial != 2:
                pass
    finally:
        await engine.close()
    assert failures == []
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_worker_that_dies_is_told() -> None:
    failed: asyncio.Queue[Exception] = asyncio.Queue()
    engine = ProcessEngine(1)
    engine.start(lambda progress: None, failed.put_nowait)
    try:
        engine._workers[0][0].kill()
        async with asyncio.timeout(10):
            error = await failed.get()
    finally:
        await engine.close()
    assert isinstance(error, OutsideError)
    assert "search process 0" in str(error)


def test_chunks_follow_the_speed() -> None:
    assert next_chunk(1_000_000, 1.0) == int(1_000_000 * CHUNK_S)
    assert next_chunk(10, 10.0) == 1 << 10
    assert next_chunk(1, 0.0) == 1 << 28


def test_engine_without_processes_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 1"):
        ProcessEngine(0)
