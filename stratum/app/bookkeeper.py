"""Keep the books: follow the log, count, commit; and recover from whatever happens to them.

    log ──fold──▶ statistics          in memory, what viewers look at
             └──▶ batch ──▶ database  with the cursor, in one transaction

A round reads what the log has got, giving the loop back every few milliseconds. Nothing that
fails here is final, because the log has it all: a database that can't be used is made anew from
it, and so are books whose log is not the one that they were made from. Until that works, the
fault stands in the log and on the page, and what is known is shown.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from stratum.app.committer import INTERVAL, Committer
from stratum.ledger.archive import archive_below
from stratum.ledger.database import recall
from stratum.ledger.database.recall import KnownWorker, Period, Scope
from stratum.ledger.database.store import Database
from stratum.ledger.effects import (
    NOBODY,
    AccountAdded,
    BlockKept,
    FateKept,
    Rejects,
    WorkerAdded,
)
from stratum.ledger.errors import DatabaseDamaged, DatabaseFailed, LogDamaged, LogRewound
from stratum.ledger.following import Follower, News
from stratum.ledger.notary import Notary
from stratum.ledger.recent import RecentBlocks
from stratum.ledger.recollection import recollect, reintroduce
from stratum.ledger.rollups import Cursor, Span
from stratum.ledger.statistics import Statistics
from stratum.units import DifficultyScale

logger = logging.getLogger(__name__)

#: Records read before the loop gets its turn: a millisecond of shares, 50 ms of rejects.
_STEP = 2_000

#: Rows counted before the loop gets its turn.
_ROWS_AT_ONCE = 1_000

#: A long log is folded for so long before what came of it is counted.
_ROUND = 0.5

#: What is done now and then: forgetting, purging, archiving.
_CHORES_EVERY = 60.0
_PURGE_EVERY = 3600.0

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0


class Bookkeeper:
    """run() it; the rest answers what the books know at any moment."""

    def __init__(
        self,
        directory: Path,
        scale: DifficultyScale,
        *,
        clock: Callable[[], float] = time.time,
        interval: float = INTERVAL,
    ) -> None:
        """`interval`: seconds from one look at the log to the next, and between commits.

        Raises ConfigError where the log's key can't be used.
        """
        self._directory = directory
        self._scale = scale
        self._clock = clock
        self._interval = interval
        self._notary = Notary(directory)
        self._database: Database | None = None
        self._committer: Committer | None = None
        self._trouble = ""
        self._chores_at = self._purge_at = 0.0
        self.statistics = Statistics(scale)
        self.blocks = RecentBlocks()

    @property
    def fault(self) -> str:
        """Why the books are not up to date, in words; empty when they are."""
        return self._trouble or (self._committer.fault if self._committer else "")

    @property
    def committed(self) -> Cursor | None:
        """How far the database has come; None while there is none."""
        return self._committer.committed if self._committer else None

    async def run(self, stop: asyncio.Event) -> None:
        """Keep them until `stop`."""
        logger.info("the log's checkpoints are signed by %s", self._notary.verifier)
        pause = _FIRST_PAUSE
        while not stop.is_set():
            began = time.monotonic()
            try:
                async with self._opened() as database:
                    await self._keep(database, stop)
            except DatabaseDamaged as exc:
                self._fail(exc)
                self._discard(exc)
            except LogRewound as exc:
                logger.warning("%s: the books are made anew", exc)
            except (DatabaseFailed, LogDamaged, OSError) as exc:
                self._fail(exc)
            pause = _FIRST_PAUSE if time.monotonic() - began > _LONGEST_PAUSE else pause
            await wait_for(stop, pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    # -- questions -------------------------------------------------------------------------

    async def find_worker(self, account: str, worker: str) -> KnownWorker | None:
        """The newest of this name. Raises DatabaseFailed, as the next two do."""
        async with self._asked().transaction() as connection:
            found = await recall.workers_named(connection, account, worker)
        return found[0] if found else None

    async def find_account(self, name: str) -> int | None:
        async with self._asked().transaction() as connection:
            return await recall.account_named(connection, name)

    async def history(self, span: Span, begins: int, ends: int, scope: Scope) -> list[Period]:
        async with self._asked().transaction() as connection:
            return await recall.history(connection, span, begins, ends, scope)

    def _asked(self) -> Database:
        if self._database is None:
            raise DatabaseFailed("the books' database is not open")
        return self._database

    # -- a life of the books ---------------------------------------------------------------

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Database]:
        self._database = await Database.open(self._directory)
        try:
            yield self._database
        finally:
            database, self._database = self._database, None
            await database.close()

    async def _keep(self, database: Database, stop: asyncio.Event) -> None:
        """Until `stop`, or until something fails that needs a new beginning."""
        follower = await self._follower(database)
        committer = Committer(database, await database.cursor(), self._interval)
        try:
            await self._recollect(database)
            self._committer = committer
            self._trouble = ""
            while True:
                is_last = stop.is_set()
                can_wait = await self._round(database, follower, committer)
                if is_last:
                    break
                committer.commit_if_due()
                if can_wait:
                    await wait_for(stop, self._interval)
            await committer.finish()
        finally:
            self._committer = None
            follower.close()
            await committer.stop()

    async def _follower(self, database: Database) -> Follower:
        """From where the books stand, or from the beginning where the log is another one."""
        try:
            return Follower(self._directory, await database.cursor(), self._notary)
        except LogRewound as exc:
            logger.warning("%s: the books are made anew from the log", exc)
        await database.reset()
        return Follower(self._directory, Cursor(), self._notary)

    async def _recollect(self, database: Database) -> None:
        statistics = Statistics(self._scale)
        await recollect(database, statistics)
        self.statistics = statistics
        async with database.transaction() as connection:
            self.blocks = RecentBlocks(await recall.newest_blocks(connection, RecentBlocks.KEPT))

    async def _round(self, database: Database, follower: Follower, committer: Committer) -> bool:
        """Read on, count, look after things. True where there is nothing to hurry for."""
        now = self._clock()
        at_end = await self._read(follower, committer)
        await self._count(database, follower.take(), committer)
        if at_end:
            self.statistics.advance(now)
        await self._do_chores(database, committer, now)
        return at_end or committer.is_full

    async def _read(self, follower: Follower, committer: Committer) -> bool:
        """True at the end of the log."""
        deadline = time.monotonic() + _ROUND
        while not (committer.is_full or follower.is_full or time.monotonic() >= deadline):
            if not follower.step(_STEP):
                return True
            await asyncio.sleep(0)
        return False

    async def _count(self, database: Database, news: News, committer: Committer) -> None:
        """The same news to the statistics and to the batch that is being collected."""
        await self._introduce(database, news)
        for start in range(0, len(news.works), _ROWS_AT_ONCE):
            some = news.works[start : start + _ROWS_AT_ONCE]
            self.statistics.apply(some)
            committer.batch.add_works(some)
            await asyncio.sleep(0)
        for effect in news.effects:
            committer.batch.add_effect(effect)
            if isinstance(effect, Rejects):
                self.statistics.reject(effect)
            elif isinstance(effect, BlockKept | FateKept):
                self.blocks.add(effect)
        committer.batch.end = news.cursor

    async def _introduce(self, database: Database, news: News) -> None:
        """Everybody that the news is about: new ones from it, old ones from the database."""
        statistics = self.statistics
        for effect in news.effects:
            if isinstance(effect, AccountAdded):
                statistics.add_account(effect.account_id, effect.name, effect.time_us)
        added = [effect for effect in news.effects if isinstance(effect, WorkerAdded)]
        accounts = statistics.missing_accounts(effect.account_id for effect in added)
        if accounts:
            await reintroduce(database, statistics, [], accounts)
        for effect in added:
            statistics.add_worker(effect.worker_id, effect.account_id, effect.name, effect.time_us)
        workers = statistics.missing_workers(_workers_of(news))
        if workers:
            await reintroduce(database, statistics, workers, [])

    async def _do_chores(self, database: Database, committer: Committer, now: float) -> None:
        if time.monotonic() < self._chores_at:
            return
        self._chores_at = time.monotonic() + _CHORES_EVERY
        self.statistics.forget_idle()
        await asyncio.to_thread(self._archive, committer.committed.next_index)
        if time.monotonic() >= self._purge_at:
            self._purge_at = time.monotonic() + _PURGE_EVERY
            await database.purge(now)

    def _archive(self, index: int) -> None:
        """One segment in a minute keeps up with more than any one process can take."""
        try:
            for first_index in archive_below(self._directory, index):
                logger.info("segment %s of the log is archived", first_index)
                return
        except OSError as exc:
            logger.warning("the log's segments cannot be archived: %s", exc)

    # -- trouble ---------------------------------------------------------------------------

    def _fail(self, exc: Exception) -> None:
        self._trouble = str(exc)
        logger.error("the books wait: %s", exc)

    def _discard(self, why: Exception) -> None:
        try:
            Database.discard(self._directory, why)
        except DatabaseFailed as exc:
            self._fail(exc)


async def wait_for(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not through a stop."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


def _workers_of(news: News) -> Iterator[int]:
    yield from (work.worker_id for work in news.works)
    for effect in news.effects:
        if isinstance(effect, Rejects) and effect.worker_id != NOBODY:
            yield effect.worker_id
