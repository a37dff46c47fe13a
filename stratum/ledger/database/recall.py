"""What a start and a look need back from the database.

A start recalls the workers of the last days with their totals, and the last day in ten-minute
rows; that is all that the statistics hold in memory. A look asks for history, or for a worker
that left memory long ago.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from stratum.ledger.database import schema
from stratum.ledger.database.schema import accounts, blocks, rollups, totals, workers
from stratum.ledger.effects import CAUSES, NOBODY
from stratum.ledger.rollups import SPANS, Span, Sum
from stratum.ledger.statistics import LOST_WORK, KeptWork

#: Rows of one answer at most: enough for a year of days or a fortnight of hours.
HISTORY_ROWS = 2000

#: Rows taken from the database's thread at once.
_ROWS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class KnownAccount:
    account_id: int
    name: str
    added_us: int
    totals: Sum


@dataclass(frozen=True, slots=True)
class KnownWorker:
    worker_id: int
    account_id: int
    name: str  # its own, behind the dot
    added_us: int
    totals: Sum  # of all tiers


@dataclass(frozen=True, slots=True)
class BlockFact:
    """A block that a rig found, and what became of it."""

    block_hash: bytes  # internal order
    height: int
    worker: str
    sats: int
    found_us: int
    fate: str
    reason: str


@dataclass(frozen=True, slots=True)
class Period:
    """One bucket of history."""

    begins: int  # Unix seconds
    sum: Sum


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose history; what is None is not asked about."""

    account_id: int | None = None
    worker_id: int | None = None
    listen: int | None = None


async def recent_workers(
    connection: AsyncConnection, since_us: int
) -> AsyncIterator[list[KnownWorker]]:
    """Those heard of since then, some at a time."""
    having = sa.func.max(sa.func.coalesce(totals.c.last_us, 0), workers.c.added_us) >= since_us
    async for rows in _partitions(connection, _workers_query().having(having)):
        yield [_known_worker(row) for row in rows]


async def known_workers(
    connection: AsyncConnection, worker_ids: Collection[int]
) -> list[KnownWorker]:
    found: list[KnownWorker] = []
    for some in _some_at_a_time(worker_ids):
        rows = await connection.execute(_workers_query().where(workers.c.id.in_(some)))
        found += map(_known_worker, rows)
    return found


async def workers_named(
    connection: AsyncConnection, account: str, worker: str
) -> list[KnownWorker]:
    """Newest first: an account whose payee changed is a new one of the same name."""
    query = _workers_query().join(accounts, accounts.c.id == workers.c.account_id)
    query = query.where(accounts.c.name == account, workers.c.name == worker)
    rows = await connection.execute(query.order_by(workers.c.id.desc()))
    return [_known_worker(row) for row in rows]


async def account_named(connection: AsyncConnection, name: str) -> int | None:
    """The newest of this name."""
    newest = sa.select(sa.func.max(accounts.c.id)).where(
        accounts.c.name == name, accounts.c.id != NOBODY
    )
    found: int | None = (await connection.execute(newest)).scalar()
    return found


async def known_accounts(
    connection: AsyncConnection, account_ids: Collection[int]
) -> list[KnownAccount]:
    query = (
        sa.select(accounts.c.id, accounts.c.name, accounts.c.added_us, *_summed(totals), *_TIMES)
        .outerjoin(totals, totals.c.account_id == accounts.c.id)
        .group_by(accounts.c.id)
    )
    found: list[KnownAccount] = []
    for some in _some_at_a_time(account_ids):
        rows = await connection.execute(query.where(accounts.c.id.in_(some)))
        found += (KnownAccount(row[0], row[1], row[2], _sum_of(row[3:])) for row in rows)
    return found


async def tier_totals(connection: AsyncConnection) -> dict[int, Sum]:
    """By tier; their sum is the site's."""
    query = sa.select(totals.c.listen, *_summed(totals), *_TIMES).group_by(totals.c.listen)
    rows = await connection.execute(query)
    return {row[0]: _sum_of(row[1:]) for row in rows}


async def kept_work(connection: AsyncConnection, since: int) -> AsyncIterator[list[KeptWork]]:
    """The ten-minute rows from then on, some at a time."""
    table = rollups.c
    lost = sum((table[schema.rejected_column(cause)] for cause in LOST_WORK), sa.literal(0))
    query = sa.select(
        table.bucket,
        table.account_id,
        table.worker_id,
        table.listen,
        table.shares,
        table.work_high,
        table.work_low,
        lost,
    ).where(table.span == SPANS[0].seconds, table.bucket >= since)
    async for rows in _partitions(connection, query):
        for_each = ((*row[:5], schema.join_work(row[5], row[6]), row[7]) for row in rows)
        yield [KeptWork(*fields) for fields in for_each]


async def newest_blocks(connection: AsyncConnection, limit: int) -> list[BlockFact]:
    newest = sa.select(*blocks.c).order_by(blocks.c.found_us.desc()).limit(limit)
    return [BlockFact(*row) for row in await connection.execute(newest)]


async def history(
    connection: AsyncConnection, span: Span, begins: int, ends: int, scope: Scope
) -> list[Period]:
    """The buckets in [begins, ends) that hold anything, oldest first, at most HISTORY_ROWS."""
    table = rollups.c
    query = (
        sa.select(table.bucket, *_summed(rollups))
        .where(table.span == span.seconds, *_within(span, begins, ends, scope))
        .group_by(table.bucket)
        .order_by(table.bucket)
        .limit(HISTORY_ROWS)
    )
    for column, wanted in (
        (table.account_id, scope.account_id),
        (table.worker_id, scope.worker_id),
        (table.listen, scope.listen),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    rows = await connection.execute(query)
    return [Period(row[0], _sum_of(row[1:])) for row in rows]


def _within(span: Span, begins: int, ends: int, scope: Scope) -> list[sa.ColumnElement[bool]]:
    """For one worker each bucket by name: a seek a bucket, and not a walk through all workers."""
    first = begins // span.seconds * span.seconds
    last = min(ends, first + HISTORY_ROWS * span.seconds)
    if scope.worker_id is not None:
        return [rollups.c.bucket.in_(range(first, last, span.seconds))]
    return [rollups.c.bucket >= first, rollups.c.bucket < last]


#: The times of summed totals, in the order of _sum_of().
_TIMES = (sa.func.min(totals.c.since), sa.func.max(totals.c.last_us))


def _summed(table: sa.Table) -> list[sa.ColumnElement[Any]]:
    """The sums over a group, 0 where it is empty, in the order of _sum_of()."""
    added = [table.c[name] for name in ("shares", "work_high", "work_low", *schema.REJECTED)]
    sums = [sa.func.coalesce(sa.func.sum(column), 0) for column in added]
    return [sa.func.coalesce(sa.func.max(table.c.best), 0), *sums]


def _sum_of(row: Any) -> Sum:
    best, shares, high, low, *rest = row
    rejected, times = tuple(rest[: len(CAUSES)]), rest[len(CAUSES) :]
    since, last_us = times or (None, 0)
    return Sum(shares, schema.join_work(high, low), best, since, last_us or 0, rejected)


def _workers_query() -> sa.Select[Any]:
    return (
        sa.select(
            workers.c.id,
            workers.c.account_id,
            workers.c.name,
            workers.c.added_us,
            *_summed(totals),
            *_TIMES,
        )
        .outerjoin(totals, totals.c.worker_id == workers.c.id)
        .where(workers.c.id != NOBODY)
        .group_by(workers.c.id)
    )


def _known_worker(row: Any) -> KnownWorker:
    return KnownWorker(row[0], row[1], row[2], row[3], _sum_of(row[4:]))


def _some_at_a_time(ids: Collection[int]) -> Iterator[list[int]]:
    """SQLite takes 32,766 parameters a statement."""
    wanted = sorted(ids)
    for start in range(0, len(wanted), _ROWS_AT_ONCE):
        yield wanted[start : start + _ROWS_AT_ONCE]


async def _partitions(
    connection: AsyncConnection, query: sa.Select[Any]
) -> AsyncIterator[list[Any]]:
    result = await connection.stream(query)
    async for rows in result.partitions(_ROWS_AT_ONCE):
        yield list(rows)
