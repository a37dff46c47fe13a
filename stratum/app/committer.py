"""Commit what was read, beside the reading, about once a second.

While a batch is on its way the next one collects. A database that fails is tried again with
growing pauses, and nothing is lost by waiting: the log has it. A commit that takes long makes the
next one wait longer, so that a large site's database never costs more than a tenth of a core.
"""

from __future__ import annotations

import asyncio
import logging

from stratum.ledger.database.store import CursorMoved, Database
from stratum.ledger.errors import DatabaseDamaged, DatabaseFailed
from stratum.ledger.rollups import Batch, Cursor

logger = logging.getLogger(__name__)

#: From one commit to the next.
INTERVAL = 1.0

#: A pause lasts so many times as long as the commit before it did.
_IDLE_PART = 9

_FIRST_RETRY = 0.5
_LONGEST_RETRY = 30.0

#: Rows that may wait: 100 MB at most. Then the reading stops until the database takes some.
_MOST_WAITING = 200_000


class Committer:
    """`batch` is for the caller to add to, between two calls of commit_if_due()."""

    def __init__(self, database: Database, start: Cursor, interval: float = INTERVAL) -> None:
        self._database = database
        self._interval = interval
        self._loop = asyncio.get_running_loop()
        self._writing: asyncio.Task[None] | None = None
        self._next_at = self._loop.time()
        self.batch = Batch(start, start)
        self.committed = start
        #: Why nothing is committed just now, in words.
        self.fault = ""

    @property
    def is_full(self) -> bool:
        return self.batch.size >= _MOST_WAITING

    def commit_if_due(self) -> None:
        """Raises what only a new beginning helps against: DatabaseDamaged, CursorMoved,
        LogDamaged."""
        if self._writing is not None:
            if not self._writing.done():
                return
            writing, self._writing = self._writing, None
            writing.result()
        if self._loop.time() >= self._next_at and not self.batch.is_empty:
            batch, self.batch = self.batch, Batch(self.batch.end, self.batch.end)
            self._writing = self._loop.create_task(self._write(batch))

    async def finish(self) -> None:
        """Commit all there is; raises what commit_if_due() raises, and DatabaseFailed."""
        writing, self._writing = self._writing, None
        if writing is not None:
            if self.fault:
                writing.cancel()
                raise DatabaseFailed(self.fault)
            await writing
        if not self.batch.is_empty:
            await self._database.commit(self.batch)
            self.committed = self.batch.end

    async def stop(self) -> None:
        """Give up what is under way."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _write(self, batch: Batch) -> None:
        began = self._loop.time()
        pause = _FIRST_RETRY
        while not await self._try(batch):
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_RETRY)
            began = self._loop.time()
        self.committed = batch.end
        took = self._loop.time() - began
        self._next_at = began + took + max(self._interval - took, _IDLE_PART * took)

    async def _try(self, batch: Batch) -> bool:
        try:
            await self._database.commit(batch)
        except (DatabaseDamaged, CursorMoved):
            raise
        except DatabaseFailed as exc:
            logger.error("%s; what was read waits and is tried again", exc)
            self.fault = str(exc)
            return False
        if self.fault:
            logger.warning("the books' database works again")
            self.fault = ""
        return True
