"""One run of a swarm: ramp up, load, measure, drain, report.

    CONNECTING ─ all up or failed ─► WARMING ─ warm_s ─► MEASURING ─ seconds ─► DRAINING

Shares go out from WARMING on. DRAINING waits for answers, so that what is missing at the end was
kept by the pool and not cut off by us.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random

import hashing
from hashing.tallies import SwarmTally
from stratum.rigs.swarm.conversation import Conversation
from stratum.rigs.swarm.links import Links
from stratum.rigs.swarm.pace import Pace
from stratum.rigs.swarm.report import (
    Report,
    answered,
    count_verdicts,
    count_wrong,
    read_reject,
    show_latencies,
    spread_tips,
)
from stratum.rigs.swarm.settings import SwarmSettings

#: Handshakes at a time: more would only wait in the pool's backlog and be tried again by TCP.
_MAX_CONNECTING = 512

#: A rig without work after so long counts as failed.
_CONNECT_S = 30.0

_DRAIN_S = 5.0
_RECONNECT_S = 1.0
_STEP_S = 0.01

#: Shares per wake-up of the pace, then sockets have their turn.
_BATCH = 256

#: The clock wakes up by the millisecond, whatever is due in between.
_TICK_S = 0.001

#: Rigs that never read don't wait for answers, so a window does not drive them. Shares per second.
_NEVER_READ_RATE = 100.0

#: Answers a rig may wait for in an open loop: a minute's worth, within reason.
_MIN_IN_FLIGHT, _MAX_IN_FLIGHT = 16, 4096


class Phase(StrEnum):
    """What a run does."""

    CONNECTING = "connecting"
    WARMING = "warming up"
    MEASURING = "measuring"
    DRAINING = "waiting for answers"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is."""

    phase: Phase
    rigs: int
    up: int
    failed: int
    disconnected: int
    elapsed_s: float  # of the phase
    tally: SwarmTally


class Swarm:
    """A run. `stop` ends it early; `progress` may be asked for at any time while it runs."""

    def __init__(
        self, settings: SwarmSettings, on_phase: Callable[[Phase], None] | None = None
    ) -> None:
        if settings.rate and settings.window:
            raise ValueError("rate and window exclude each other")
        self._settings = settings
        self._on_phase = on_phase
        self._core = hashing.SwarmCore(settings.rigs, _in_flight(settings), blind=settings.blind)
        self._conversations = [self._rig(index) for index in range(settings.rigs)]
        self._to_connect = deque(range(settings.rigs))
        self._connecting: dict[int, float] = {}  # since when
        self._workless: dict[int, float] = {}  # up, but without a job so far; since when
        self._settled: set[int] = set()  # had work or failed, once
        self._up: set[int] = set()
        self._ever_up: set[int] = set()
        self._failed = self._disconnected = 0
        self._reasons: Counter[str] = Counter()
        self._paces: list[Pace] = []
        self._pacing: asyncio.TimerHandle | None = None
        self._stopped = asyncio.Event()
        self._turn(Phase.CONNECTING)

    def _rig(self, index: int) -> Conversation:
        settings = self._settings
        dialect = settings.dialects[index % len(settings.dialects)]
        user = settings.name(index + 1)
        is_mute = index < settings.never_read
        self._core.set_rig(
            index,
            dialect.submit_line(user),
            first_id=dialect.first_id,
            same_id=dialect.same_id,
            ntime_roll=dialect.ntime_roll,
            window=0 if is_mute else settings.window,
            is_tracked=not is_mute,
        )
        return Conversation(self._core, index, dialect, user)

    def stop(self) -> None:
        """End the phase that runs and those before the drain."""
        self._stopped.set()

    def progress(self) -> Progress:
        return Progress(
            self._phase,
            self._settings.rigs,
            len(self._up),
            self._failed,
            self._disconnected,
            time.monotonic() - self._since,
            self._core.tally(),
        )

    # -- the phases ------------------------------------------------------------------------

    async def run(self) -> Report:
        settings = self._settings
        self._links = Links(
            self._core, settings, self._conversations, self._came_up, self._went_down
        )
        ramp = asyncio.create_task(self._ramp())
        try:
            await self._until(self._is_settled, None)
            if not self._ever_up and not settings.reconnect:
                self.stop()
            self._begin_load()
            self._turn(Phase.WARMING)
            await self._until(lambda: False, settings.warm_s)

            self._turn(Phase.MEASURING)
            self._core.time(True)
            start_ns, cpu_s, before = time.monotonic_ns(), time.process_time(), self._core.tally()
            await self._until(lambda: False, settings.seconds)
            end_ns = time.monotonic_ns()
            cpu_s = time.process_time() - cpu_s
            answers = answered(self._core.tally()) - answered(before)

            self._turn(Phase.DRAINING)
            self._end_load()
            await self._drain()
        finally:
            ramp.cancel()
            await asyncio.wait([ramp])
            self._end_load()
            self._links.close()
        self._turn(Phase.OVER)
        return self._report(start_ns, end_ns, answers, cpu_s)

    def _turn(self, phase: Phase) -> None:
        self._phase = phase
        self._since = time.monotonic()
        if self._on_phase is not None:
            self._on_phase(phase)

    async def _until(self, is_over: Callable[[], bool], seconds: float | None) -> None:
        """Until that is so, the time has come, or somebody stops the run."""
        end = time.monotonic() + seconds if seconds is not None else float("inf")
        while not self._stopped.is_set() and not is_over() and time.monotonic() < end:
            pause = min(end - time.monotonic(), 0.05 if seconds is None else 1.0)
            try:
                async with asyncio.timeout(max(pause, 0)):
                    await self._stopped.wait()
            except TimeoutError:
                continue

    def _is_settled(self) -> bool:
        """Every rig has had work, or has failed."""
        return len(self._settled) == self._settings.rigs

    async def _drain(self) -> None:
        end = time.monotonic() + _DRAIN_S
        while time.monotonic() < end:
            tally = self._core.tally()
            if tally.submitted == answered(tally) + tally.lost:
                return
            await asyncio.sleep(_STEP_S)

    # -- connections -----------------------------------------------------------------------

    async def _ramp(self) -> None:
        """Connect at the pace asked for, and look after rigs that wait."""
        budget, before = 1.0, time.monotonic()
        while True:
            now = time.monotonic()
            budget = min(budget + (now - before) * self._settings.ramp, _MAX_CONNECTING)
            before = now
            while self._to_connect and budget >= 1 and len(self._connecting) < _MAX_CONNECTING:
                budget -= 1
                index = self._to_connect.popleft()
                self._connecting[index] = now
                self._links.connect(index)
            self._look_after_rigs(now)
            await asyncio.sleep(_STEP_S)

    def _look_after_rigs(self, now: float) -> None:
        for index in [index for index in self._workless if self._core.has_job(index)]:
            self._got_work(index)
        for waiting, what in ((self._connecting, "handshake"), (self._workless, "work")):
            late = [index for index, since in waiting.items() if now - since > _CONNECT_S]
            for index in late:
                self._links.drop(index, f"no {what} in {_CONNECT_S:.0f} s")

    def _came_up(self, index: int) -> None:
        del self._connecting[index]
        self._up.add(index)
        self._ever_up.add(index)
        self._workless[index] = time.monotonic()

    def _got_work(self, index: int) -> None:
        del self._workless[index]
        self._settled.add(index)
        if index < self._settings.never_read:
            self._links.mute(index)

    def _went_down(self, index: int, reason: str) -> None:
        self._reasons[reason] += 1
        self._connecting.pop(index, None)
        self._workless.pop(index, None)
        self._settled.add(index)
        if index in self._up:
            self._up.remove(index)
            self._disconnected += 1
        else:
            self._failed += 1
        if self._settings.reconnect and self._phase is not Phase.OVER:
            loop = asyncio.get_running_loop()
            loop.call_later(_RECONNECT_S, self._to_connect.append, index)

    # -- load ------------------------------------------------------------------------------

    def _begin_load(self) -> None:
        settings, now_ns = self._settings, time.monotonic_ns()
        self._core.open(True)
        if settings.window:
            for index in range(settings.never_read, settings.rigs):
                self._links.fill(index)
        if settings.rate and settings.never_read < settings.rigs:
            rigs = range(settings.never_read, settings.rigs)
            chance = None if settings.is_even else Random(settings.seed)
            self._paces.append(Pace(rigs, settings.rate, now_ns, chance))
        if settings.never_read:
            rigs = range(settings.never_read)
            self._paces.append(Pace(rigs, _NEVER_READ_RATE, now_ns, None))
        if self._paces:
            self._keep_pace()

    def _keep_pace(self) -> None:
        """Send what is due, then sleep until something is."""
        links, loop = self._links, asyncio.get_running_loop()
        left = _BATCH
        for pace in self._paces:
            now_ns = time.monotonic_ns()
            while pace.due_ns <= now_ns and left:
                due_ns = int(pace.due_ns)
                links.submit(pace.take(), due_ns, time.monotonic_ns())
                left -= 1
        pause = (min(pace.due_ns for pace in self._paces) - time.monotonic_ns()) / 1e9
        self._pacing = loop.call_later(max(pause, _TICK_S) if left else 0, self._keep_pace)

    def _end_load(self) -> None:
        self._core.open(False)
        if self._pacing is not None:
            self._pacing.cancel()
            self._pacing = None

    # -- the end ---------------------------------------------------------------------------

    def _report(self, start_ns: int, end_ns: int, answers: int, cpu_s: float) -> Report:
        settings, tally = self._settings, self._core.tally()
        seconds = (end_ns - start_ns) / 1e9
        rejects = tuple(read_reject(refusal) for refusal in tally.refusals)
        return Report(
            rigs=settings.rigs,
            connected=len(self._ever_up),
            failed=self._failed,
            disconnected=self._disconnected,
            reasons=dict(self._reasons.most_common(10)),
            seconds=round(seconds, 6),
            submitted=tally.submitted,
            shares=count_verdicts(tally.accepted, rejects),
            shares_per_second=round(answers / max(seconds, 1e-9), 3),
            rejects=rejects,
            wrong_rejects=count_wrong(rejects, blind=settings.blind),
            unanswered=tally.submitted - answered(tally),
            unsent=tally.unsent + self._links.unsent,
            unfound=tally.unfound,
            never_read_submitted=tally.untracked,
            latency_ms=show_latencies(tally.calm),
            tip_latency_ms=show_latencies(tally.tip),
            lag_ms=show_latencies(tally.lag),
            tips=spread_tips(tally, start_ns, end_ns, time.time_ns() - time.monotonic_ns()),
            cpu_seconds=round(cpu_s, 6),
        )


def _in_flight(settings: SwarmSettings) -> int:
    """A power of two: the window, or in an open loop a minute of the rate."""
    wanted = settings.window or int(settings.rate * 60)
    wanted = wanted if settings.window else max(wanted, _MIN_IN_FLIGHT)
    return min(1 << (wanted - 1).bit_length(), _MAX_IN_FLIGHT)
