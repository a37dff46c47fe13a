"""A miner: keeps a pool's work on an engine and the engine's shares on their way to the pool.

Decides what is searched (the newest job), which finds are still worth sending (those of jobs that
no clean_jobs has ended), and when to come back after a lost connection: after a second, then
twice as long each time, never exactly as long as every other miner of the pool. Without a
connection it does not hash, since work that nobody takes costs power all the same.

It knows no socket: `connect` is handed in. What happens goes to `watch`; how things stand is
`status`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from stratum.bitcoin.target import difficulty_of_target, hash_to_int, target_from_nbits
from stratum.errors import UpstreamError
from stratum.protocol.upstream import ConfigureRefused, Upstream, UpstreamSettings
from stratum.protocol.upstream_events import (
    Authorized,
    AuthorizeRefused,
    MessageShown,
    NotifyReceived,
    ReconnectAsked,
    SubmitAnswered,
    SubmitLost,
    Subscribed,
    UpstreamEvent,
    UpstreamJob,
)
from stratum.rigs.engine import Engine, Progress, Work
from stratum.rigs.hashrate import HashrateMeter
from stratum.rigs.search import Found

logger = logging.getLogger(__name__)

#: Seconds before the first new attempt, and at most. ESP-Miner and cgminer retry every 5 to 30 s.
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0

#: Jobs whose shares are still taken; pools keep about as many.
_MAX_LIVE_JOBS = 16

#: Shares remembered so that none is sent twice; the search repeats itself only on a job that
#: was handed out again, and that within minutes.
_MAX_REMEMBERED = 8192


class MinerConnection(Protocol):
    """An open connection to a pool: iterate for events, flush after a submit."""

    def __aiter__(self) -> AsyncIterator[UpstreamEvent]: ...

    def flush(self) -> None: ...

    async def close(self) -> None: ...


#: Opens a connection for this conversation; given what the pool asked for, where it asked.
Connect = Callable[[Upstream, ReconnectAsked | None], Awaitable[MinerConnection]]


@dataclass(frozen=True, slots=True)
class ConnectionUp:
    """The pool took us: shares count from now on."""

    resumed: bool


@dataclass(frozen=True, slots=True)
class ConnectionDown:
    """Why, and how long until the next attempt."""

    reason: str
    wait_s: float


@dataclass(frozen=True, slots=True)
class ShareAnswered:
    """`difficulty` is the share's own; `is_block` tells that it met the network target too."""

    accepted: bool
    code: int
    text: str
    difficulty: float
    is_block: bool


@dataclass(frozen=True, slots=True)
class PoolSaid:
    text: str


MinerNews = ConnectionUp | ConnectionDown | ShareAnswered | PoolSaid
Watch = Callable[[MinerNews], None]


@dataclass(frozen=True, slots=True)
class MinerStatus:
    """How things stand, for a live view. `rejected` counts by wire code."""

    connected: bool
    hashrate: float
    hashes: int
    difficulty: Fraction | None
    job_id: str | None
    accepted: int
    blocks: int
    rejected: dict[int, int]
    lost: int
    stale: int
    waiting: int
    best_difficulty: float
    last_reject: str
    last_fault: str


class Miner:
    """One pool, one engine. Run it in a task; `stop` or cancel the task to end it."""

    def __init__(
        self,
        settings: UpstreamSettings,
        connect: Connect,
        engine: Engine,
        *,
        watch: Watch | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self._upstream = Upstream(settings)
        self._connect = connect
        self._engine = engine
        self._watch = watch or _nobody
        self._clock = clock
        self._rng = rng or random.Random()
        self._meter = HashrateMeter(clock())

        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False
        self._failure: Exception | None = None
        self._connection: MinerConnection | None = None
        self._asked: ReconnectAsked | None = None
        self._attempts = 0
        self._resumed = False

        self._serial = 0
        self._jobs: dict[int, UpstreamJob] = {}  # live ones by serial, oldest first
        self._sent: dict[bytes, None] = {}  # block hashes, oldest first
        self._found: dict[int, tuple[float, bool]] = {}  # by submit id: difficulty, is it a block

        self._accepted = self._blocks = self._lost = self._stale = 0
        self._rejected: Counter[int] = Counter()
        self._best = 0.0
        self._is_up = False
        self._last_reject = self._last_fault = ""

    # ---- life ----

    async def run(self) -> None:
        """Mine until stopped. Raises what ended the engine, if that is what ended it."""
        if self._is_stopped:
            return
        self._engine.start(self._progress, self._engine_failed)
        self._task = asyncio.create_task(self._keep_mining())
        try:
            await self._task
        except asyncio.CancelledError:
            if not self._is_stopped:
                raise
        finally:
            await self._engine.close()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End `run`, cleanly and soon."""
        self._is_stopped = True
        if self._task is not None:
            self._task.cancel()

    def _engine_failed(self, error: Exception) -> None:
        self._failure = error
        self.stop()

    async def _keep_mining(self) -> None:
        while True:
            wait_s = 0.0
            try:
                await self._mine_once()
            except ConfigureRefused as exc:
                self._down(str(exc), 0.0)
            except UpstreamError as exc:
                wait_s = self._next_wait()
                self._down(str(exc), wait_s)
            else:
                asked_s = self._asked.wait_s if self._asked else 0
                wait_s = max(min(asked_s, _LONGEST_WAIT_S), self._next_wait())
                self._down("the pool asked us to reconnect", wait_s)
            await asyncio.sleep(wait_s)

    def _next_wait(self) -> float:
        """Back off with jitter: after a pool's restart its miners must not come all at once."""
        longest = min(_FIRST_WAIT_S * 2**self._attempts, _LONGEST_WAIT_S)
        self._attempts = min(self._attempts + 1, 16)
        return self._rng.uniform(longest / 2, longest)

    async def _mine_once(self) -> None:
        """One connection, until the pool asks to reconnect or UpstreamError ends it."""
        asked, self._asked = self._asked, None
        connection = await self._connect(self._upstream, asked)
        self._connection = connection
        try:
            async for event in connection:
                self._on_event(event)
                if self._asked is not None:
                    return
        finally:
            self._connection = None
            self._is_up = False
            self._engine.assign(None)
            await connection.close()

    def _down(self, reason: str, wait_s: float) -> None:
        self._last_fault = reason
        logger.info("pool lost: %s; next attempt in %.1f s", reason, wait_s)
        self._watch(ConnectionDown(reason, wait_s))

    # ---- what the pool says ----

    def _on_event(self, event: UpstreamEvent) -> None:
        match event:
            case Subscribed(resumed=resumed):
                self._resumed = resumed
                if not resumed:
                    self._jobs.clear()
            case Authorized():
                self._is_up = True
                self._watch(ConnectionUp(self._resumed))
            case AuthorizeRefused(user=user, text=text):
                raise UpstreamError(f"the pool refuses {user}: {text}")
            case NotifyReceived(job=job):
                self._on_job(job)
            case SubmitAnswered():
                self._on_answer(event)
            case SubmitLost(submit=submit, reason=reason):
                self._lost += 1
                self._found.pop(submit.id, None)
                logger.debug("share lost: %s", reason)
            case ReconnectAsked():
                self._asked = event
            case MessageShown(text=text):
                self._watch(PoolSaid(text))

    def _on_job(self, job: UpstreamJob) -> None:
        self._attempts = 0  # work has come: this pool is alive
        if job.clean_jobs:
            self._jobs.clear()
        self._serial += 1
        self._jobs[self._serial] = job
        if len(self._jobs) > _MAX_LIVE_JOBS:
            del self._jobs[next(iter(self._jobs))]
        self._engine.assign(Work(self._serial, job))

    def _on_answer(self, answer: SubmitAnswered) -> None:
        difficulty, is_block = self._found.pop(answer.id, (0.0, False))
        if answer.accepted:
            self._accepted += 1
            self._blocks += is_block
        else:
            self._rejected[answer.code] += 1
            self._last_reject = f"{answer.code} {answer.text}"
        news = ShareAnswered(answer.accepted, answer.code, answer.text, difficulty, is_block)
        self._watch(news)

    # ---- what the engine finds ----

    def _progress(self, progress: Progress) -> None:
        self._meter.add(self._clock(), progress.hashes)
        job = self._jobs.get(progress.serial)
        for share in progress.shares:
            if job is None:
                self._stale += 1  # clean_jobs came while it was on its way
            elif self._is_new(share):
                self._submit(job, share)
        if progress.shares and self._connection is not None:
            self._connection.flush()

    def _is_new(self, share: Found) -> bool:
        """The hash tells shares apart, whatever the pool calls their jobs."""
        if share.block_hash in self._sent:
            return False
        self._sent[share.block_hash] = None
        if len(self._sent) > _MAX_REMEMBERED:
            del self._sent[next(iter(self._sent))]
        return True

    def _submit(self, job: UpstreamJob, share: Found) -> None:
        number = hash_to_int(share.block_hash)
        difficulty = difficulty_of_target(max(number, 1))
        self._best = max(self._best, difficulty)
        try:
            submit_id = self._upstream.submit(
                job,
                share.extranonce2,
                share.ntime,
                share.nonce,
                share.version_bits,
                self._clock(),
            )
        except UpstreamError as exc:
            self._lost += 1
            logger.debug("share lost: %s", exc)
            return
        self._found[submit_id] = difficulty, number <= _network_target(job)

    # ---- how things stand ----

    @property
    def status(self) -> MinerStatus:
        newest = self._jobs.get(self._serial)
        return MinerStatus(
            connected=self._is_up,
            hashrate=self._meter.rate(self._clock()),
            hashes=self._meter.total,
            difficulty=newest.difficulty if newest else None,
            job_id=newest.job_id if newest else None,
            accepted=self._accepted,
            blocks=self._blocks,
            rejected=dict(self._rejected),
            lost=self._lost,
            stale=self._stale,
            waiting=self._upstream.pending,
            best_difficulty=self._best,
            last_reject=self._last_reject,
            last_fault=self._last_fault,
        )


def _network_target(job: UpstreamJob) -> int:
    """0, which no hash meets, for nbits that no chain would take."""
    try:
        return target_from_nbits(job.nbits)
    except ValueError:
        return 0


def _nobody(news: MinerNews) -> None:
    """Nobody watches."""
