"""A virtual rig: a miner that really hashes, at the speed it is told.

For the demo, for load and for tests. Many of them share one process and cost no more CPU than the
sum of their rates: each searches a tenth of a second's worth of hashes, then rests until that
tenth is over. The C core lets other threads run meanwhile, so long searches go to a thread;
short ones are done in place, where a thread would cost more than the hashing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from stratum.protocol.upstream import UpstreamSettings
from stratum.rigs.engine import Fail, Progress, Report, Work
from stratum.rigs.miner import Connect, Miner, MinerStatus, Watch
from stratum.rigs.search import Search, Step

TICK_S = 0.1

#: About a millisecond in C: what an event loop may be held up without anyone noticing.
_IN_PLACE = 4096

#: A rate that this machine can't reach must still look at new work several times a second.
_MAX_CHUNK = 1 << 20


class Pace:
    """How many hashes to do next, and how long to rest after them. No clock, no sleep.

    Whatever is not done in time is not made up for: a suspended rig does not sprint.
    """

    __slots__ = ("_due", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._due = now

    def chunk(self) -> int:
        return max(1, min(int(self.rate * TICK_S), _MAX_CHUNK))

    def spend(self, hashes: int, now: float) -> None:
        """Account for hashes that are done."""
        self._due = max(self._due, now - TICK_S) + hashes / self.rate

    def rest(self, now: float) -> float:
        """Seconds until the next chunk may start."""
        return max(self._due - now, 0.0)

    def set_rate(self, rate: float, now: float) -> None:
        """What is still to be rested for is owed at the new rate."""
        if rate > 0 and self.rate > 0:
            self._due = now + self.rest(now) * self.rate / rate
        self.rate = rate


class ThrottledEngine:
    """Searches inside this process at `rate` H/s; 0 rests until the rate is set again."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        _check_rate(rate)
        self._clock = clock
        self._pace = Pace(rate, clock())
        self._serial = 0
        self._search: Search | None = None
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def rate(self) -> float:
        return self._pace.rate

    def set_rate(self, rate: float) -> None:
        """Takes effect at once, also on a rig that rests."""
        _check_rate(rate)
        self._pace.set_rate(rate, self._clock())
        self._changed.set()

    def start(self, report: Report, fail: Fail) -> None:
        self._task = asyncio.create_task(self._run(report))
        self._task.add_done_callback(lambda task: _tell_failure(task, fail))

    def assign(self, work: Work | None) -> None:
        self._search = Search(work.job) if work else None
        self._serial = work.serial if work else 0
        self._changed.set()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, report: Report) -> None:
        while True:
            search = await self._next_search()
            serial = self._serial
            step = await _step(search, self._pace.chunk())
            if self._pace.rate > 0:  # it may have been set to 0 meanwhile
                self._pace.spend(step.hashes, self._clock())
            report(Progress(serial, step.hashes, step.shares))

    async def _next_search(self) -> Search:
        """Wait until there is work, a rate, and time for the next chunk."""
        await asyncio.sleep(0)
        while True:
            self._changed.clear()
            search = self._search
            if search is None or search.is_exhausted or not self._pace.rate:
                await self._changed.wait()
            elif rest := self._pace.rest(self._clock()):
                await self._rest(rest)
            else:
                return search

    async def _rest(self, seconds: float) -> None:
        """Until the time is over or something changed."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return


async def _step(search: Search, count: int) -> Step:
    if count <= _IN_PLACE:
        return search.step(count)
    return await asyncio.to_thread(search.step, count)


def _check_rate(rate: float) -> None:
    if not 0 <= rate < float("inf"):
        raise ValueError(f"rate is {rate} H/s, expected a number from 0 up")


def _tell_failure(task: asyncio.Task[None], fail: Fail) -> None:
    error = None if task.cancelled() else task.exception()
    if isinstance(error, Exception):
        fail(error)


class VirtualRig:
    """A rig with a name, a rate and a pool: a Miner around a ThrottledEngine."""

    def __init__(
        self,
        name: str,
        rate: float,
        settings: UpstreamSettings,
        connect: Connect,
        watch: Watch | None = None,
    ) -> None:
        self.name = name
        self._engine = ThrottledEngine(rate)
        self._miner = Miner(settings, connect, self._engine, watch=watch)

    @property
    def rate(self) -> float:
        """What it is told to do, in H/s; `status.hashrate` is what it does."""
        return self._engine.rate

    def set_rate(self, rate: float) -> None:
        """Change the speed while running; 0 parks the rig, which stays connected."""
        self._engine.set_rate(rate)

    @property
    def status(self) -> MinerStatus:
        return self._miner.status

    async def run(self) -> None:
        """Mine until `stop` or cancelled."""
        await self._miner.run()

    def stop(self) -> None:
        self._miner.stop()
