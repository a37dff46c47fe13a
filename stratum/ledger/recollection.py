"""Fill the statistics from the database: at a start, and when a worker comes back.

A start that read the whole log again would take hours after a year; this takes seconds. The rates
over 1 and 24 hours go on where they were, those over minutes begin anew and say so by their
confidence.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from stratum.ledger.database import recall
from stratum.ledger.database.recall import KnownWorker
from stratum.ledger.database.store import Database
from stratum.ledger.errors import LogDamaged
from stratum.ledger.rates import WINDOWS
from stratum.ledger.rollups import Sum
from stratum.ledger.statistics import FORGET_SECONDS, Statistics


async def recollect(database: Database, statistics: Statistics) -> None:
    """What the books knew when their cursor was committed. `statistics` are new."""
    async with database.transaction() as connection:
        tiers = await recall.tier_totals(connection)
        site = Sum()
        for listen, totals in tiers.items():
            statistics.restore(statistics.tier(listen), totals)
            site.add(totals)
        statistics.restore(statistics.site, site)

        as_of = site.last_us / 1e6
        statistics.begin_at(as_of)
        since_us = site.last_us - int(FORGET_SECONDS * 1e6)
        async for workers in recall.recent_workers(connection, since_us):
            await _introduce(connection, statistics, workers)
        async for kept in recall.kept_work(connection, int(as_of) - WINDOWS[-1]):
            statistics.restore_work(kept)
        statistics.advance(as_of)


async def reintroduce(
    database: Database, statistics: Statistics, workers: Iterable[int], accounts: Iterable[int]
) -> None:
    """Bring back who left memory. Raises LogDamaged for one that was never written down."""
    wanted, of_accounts = set(workers), set(accounts)
    async with database.transaction() as connection:
        await _add_accounts(connection, statistics, of_accounts)
        known = await recall.known_workers(connection, wanted)
        await _introduce(connection, statistics, known)
    unknown = statistics.missing_workers(wanted) | statistics.missing_accounts(of_accounts)
    if unknown:
        raise LogDamaged(f"the log has no record of worker or account {min(unknown)}")


async def _introduce(
    connection: AsyncConnection, statistics: Statistics, workers: list[KnownWorker]
) -> None:
    await _add_accounts(connection, statistics, {each.account_id for each in workers})
    for each in workers:
        seen_us = max(each.added_us, each.totals.last_us)
        tally = statistics.add_worker(each.worker_id, each.account_id, each.name, seen_us)
        statistics.restore(tally, each.totals)


async def _add_accounts(
    connection: AsyncConnection, statistics: Statistics, accounts: set[int]
) -> None:
    for each in await recall.known_accounts(connection, statistics.missing_accounts(accounts)):
        seen_us = max(each.added_us, each.totals.last_us)
        tally = statistics.add_account(each.account_id, each.name, seen_us)
        statistics.restore(tally, each.totals)
