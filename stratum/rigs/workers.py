"""One search process per core, talking with the miner by pipe.

Processes and not threads, because a core that hashes beside the event loop costs it its latency
(DESIGN §8.1). A worker searches in chunks short enough that new work is looked for every 75 ms.
It ends when its pipe does, so it cannot outlive its parent however that one dies, and it never
sees Ctrl-C: only the parent decides when to stop.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import hashing
from stratum.errors import OutsideError
from stratum.rigs.engine import Fail, Progress, Report, Work
from stratum.rigs.search import Search

logger = logging.getLogger(__name__)

CHUNK_S = 0.075
_FIRST_CHUNK = 1 << 16
_MIN_CHUNK = 1 << 10
_MAX_CHUNK = 1 << 28

#: A worker looks at its pipe every chunk; one that takes this long is stuck.
_JOIN_S = 5.0


def run_worker(pipe: Connection, backend: str, part: int, parts: int) -> None:
    """A worker process, from start to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hashing.use(backend)
    with pipe, suppress(EOFError, OSError):  # the parent closed its end, or is gone
        _serve(pipe, part, parts)


def _serve(pipe: Connection, part: int, parts: int) -> None:
    serial, search = 0, None
    count = _FIRST_CHUNK
    while True:
        # Without work wait for some; with work only look whether there is other.
        while search is None or search.is_exhausted or pipe.poll():
            work: Work | None = pipe.recv()
            if work is None:
                search = None
            else:
                serial, search = work.serial, Search(work.job, part, parts)

        started = time.perf_counter()
        step = search.step(count)
        pipe.send(Progress(serial, step.hashes, step.shares))
        count = next_chunk(step.hashes, time.perf_counter() - started)


def next_chunk(hashes: int, seconds: float) -> int:
    """As many hashes as take CHUNK_S at the speed just seen."""
    if seconds <= 0:
        return _MAX_CHUNK
    return max(_MIN_CHUNK, min(int(hashes / seconds * CHUNK_S), _MAX_CHUNK))


class ProcessEngine:
    """Searches on `processes` cores. Work is split by extranonce2, so they never meet."""

    def __init__(self, processes: int) -> None:
        if processes < 1:
            raise ValueError(f"processes is {processes}, expected at least 1")
        self._count = processes
        self._workers: list[tuple[SpawnProcess, Connection]] = []
        self._work: Work | None = None

    def start(self, report: Report, fail: Fail) -> None:
        self._report = report
        self._fail = fail
        for part in range(self._count):
            process, pipe = _spawn(part, self._count)
            self._workers.append((process, pipe))
            asyncio.get_running_loop().add_reader(pipe.fileno(), self._read, part)

    def assign(self, work: Work | None) -> None:
        if work is None and self._work is None:
            return  # already idle
        self._work = work
        for part, (_, pipe) in enumerate(self._workers):
            try:
                pipe.send(work)
            except OSError as exc:
                self._lost(part, exc)

    def _read(self, part: int) -> None:
        """Everything that one worker has to say."""
        pipe = self._workers[part][1]
        try:
            while pipe.poll():
                self._report(pipe.recv())
        except (EOFError, OSError) as exc:
            self._lost(part, exc)

    def _lost(self, part: int, cause: Exception) -> None:
        """A core less would go unnoticed for weeks: better end and let the operator see."""
        process, pipe = self._workers[part]
        asyncio.get_running_loop().remove_reader(pipe.fileno())
        error = OutsideError(f"search process {part} (pid {process.pid}) ended by itself")
        error.__cause__ = cause
        self._fail(error)

    async def close(self) -> None:
        """Closing the pipes ends the workers; one that does not is killed."""
        workers, self._workers = self._workers, []
        for _, pipe in workers:
            asyncio.get_running_loop().remove_reader(pipe.fileno())
            pipe.close()
        for process, _ in workers:
            await asyncio.to_thread(process.join, _JOIN_S)
            if process.is_alive():
                logger.warning("search process %s does not end: killed", process.pid)
                process.kill()
                await asyncio.to_thread(process.join)
            process.close()


def _spawn(part: int, parts: int) -> tuple[SpawnProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=run_worker,
        args=(theirs, hashing.backend(), part, parts),
        name=f"search-{part}",
        daemon=True,
    )
    with theirs, _no_interrupt():
        process.start()
    return process, ours


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Children inherit the blocked SIGINT: Ctrl-C can't hit them while they still import."""
    # Starting the tracker would unblock the signal again, so that comes first.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
