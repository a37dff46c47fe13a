from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from hashing.values import ShareSum
from stratum.ledger.database import recall
from stratum.ledger.database.recall import BlockFact, KnownWorker, Scope
from stratum.ledger.database.store import Database
from stratum.ledger.effects import AccountAdded, BlockKept, Effect, FateKept, WorkerAdded
from stratum.ledger.rollups import SPANS, Batch, Cursor, Sum
from stratum.ledger.statistics import KeptWork
from tests.ledger.worksums import NAMES, NOON, rejects, row

TEN, HOUR, DAY = SPANS


@pytest.fixture
async def books(database: Database) -> AsyncIterator[AsyncConnection]:
    works = [
        row(NOON, 1, 5, best=9),
        row(NOON + 700, 1, 7, 7 << 50, listen=1, best=8),
        row(NOON + 3700, 2, 2),
        row(NOON + 3700, 3, 1, account_id=2),
    ]
    others: list[Effect] = [
        *NAMES,
        rejects(NOON, 1, stale=3, duplicate=2),
        rejects(NOON, 0, 0, unauthorized=4),
        BlockKept(NOON * 10**6, b"a" * 32, 7, "farm.rig1", 50),
        BlockKept(NOON * 10**6 + 1, b"b" * 32, 8, "farm.rig1", 50),
        FateKept(NOON * 10**6 + 2, b"a" * 32, "rejected", "high-hash"),
        FateKept(NOON * 10**6 + 2, b"?" * 32, "accepted", ""),
    ]
    await keep(database, works, others)
    async with database.transaction() as connection:
        yield connection


async def keep(database: Database, works: list[ShareSum], others: list[Effect]) -> None:
    start = await database.cursor()
    batch = Batch(start, start)
    batch.add(works, others, Cursor(start.next_index + len(works) + len(others)))
    await database.commit(batch)


async def all_of(parts: AsyncIterator[list[Any]]) -> list[Any]:
    return [each async for part in parts for each in part]


async def test_recent_workers_come_with_the_totals_of_all_their_tiers(
    books: AsyncConnection,
) -> None:
    recent = await all_of(recall.recent_workers(books, (NOON - 1) * 10**6))
    assert [worker.worker_id for worker in recent] == [1, 2, 3]
    expected = Sum(12, 5 + (7 << 50), 9, NOON, (NOON + 700) * 10**6)
    expected.rejected = rejects(0, stale=3, duplicate=2).counts
    assert recent[0] == KnownWorker(1, 1, "rig1", NOON * 10**6, expected)


async def test_workers_silent_since_then_are_left_where_they_are(books: AsyncConnection) -> None:
    recent = await all_of(recall.recent_workers(books, (NOON + 3000) * 10**6))
    assert [worker.worker_id for worker in recent] == [2, 3]
    assert [each.worker_id for each in await recall.known_workers(books, {1, 3, 99})] == [1, 3]


async def test_worker_that_never_had_a_share_counted_is_known(database: Database) -> None:
    await keep(database, [], [AccountAdded(5, 1, "a", b""), WorkerAdded(6, 1, 1, "b")])
    async with database.transaction() as connection:
        assert await recall.known_workers(connection, {1}) == [KnownWorker(1, 1, "b", 6, Sum())]


async def test_accounts_and_tiers_add_up_their_workers(books: AsyncConnection) -> None:
    accounts = {each.name: each.totals for each in await recall.known_accounts(books, {1, 2, 9})}
    assert {name: totals.shares for name, totals in accounts.items()} == {"farm": 14, "other": 1}
    assert accounts["farm"].since == NOON
    assert [each.name for each in await recall.known_accounts(books, {2})] == ["other"]

    tiers = await recall.tier_totals(books)
    assert {listen: totals.shares for listen, totals in tiers.items()} == {0: 8, 1: 7}
    assert sum(tiers[0].rejected) == 9  # nobody's among them


async def test_worker_is_found_by_name_the_newest_first(
    books: AsyncConnection, database: Database
) -> None:
    await books.rollback()
    renewed: list[Effect] = [AccountAdded(9, 3, "farm", b"new payee"), WorkerAdded(9, 4, 3, "rig1")]
    await keep(database, [], renewed)
    async with database.transaction() as connection:
        found = await recall.workers_named(connection, "farm", "rig1")
        assert [worker.worker_id for worker in found] == [4, 1]
        assert await recall.workers_named(connection, "farm", "rig2") == []


async def test_kept_work_is_the_ten_minute_rows_with_what_was_lost(books: AsyncConnection) -> None:
    kept = await all_of(recall.kept_work(books, NOON - 600))
    assert KeptWork(NOON, 1, 1, 0, 5, 5, 3) in kept  # three stale; the duplicates prove nothing
    assert KeptWork(NOON + 600, 1, 1, 1, 7, 7 << 50, 0) in kept
    assert KeptWork(NOON, 0, 0, 0, 0, 0, 0) in kept
    assert await all_of(recall.kept_work(books, NOON + 7200)) == []


async def test_blocks_come_newest_first_with_their_fate(books: AsyncConnection) -> None:
    first, second = await recall.newest_blocks(books, 10)
    assert (first.height, first.fate) == (8, "found")
    assert second == BlockFact(b"a" * 32, 7, "farm.rig1", 50, NOON * 10**6, "rejected", "high-hash")
    assert len(await recall.newest_blocks(books, 1)) == 1


@pytest.mark.parametrize(
    ("scope", "shares"),
    [
        (Scope(), [5, 7, 3]),
        (Scope(account_id=1), [5, 7, 2]),
        (Scope(worker_id=1), [5, 7]),
        (Scope(worker_id=1, listen=1), [7]),
        (Scope(listen=0), [5, 3]),
        (Scope(account_id=9), []),
    ],
)
async def test_history_is_that_of_its_scope(
    books: AsyncConnection, scope: Scope, shares: list[int]
) -> None:
    periods = await recall.history(books, TEN, NOON, NOON + 7200, scope)
    assert [period.sum.shares for period in periods] == shares
    assert [period.begins for period in periods] == sorted(period.begins for period in periods)


async def test_history_ends_where_it_is_told_and_rounds_its_beginning_down(
    books: AsyncConnection,
) -> None:
    async def begins(span: Any, begin: int, end: int) -> list[int]:
        found = await recall.history(books, span, begin, end, Scope(worker_id=1))
        return [period.begins - NOON for period in found]

    assert await begins(TEN, NOON + 599, NOON + 600) == [0]
    assert await begins(TEN, NOON + 600, NOON + 601) == [600]
    assert await begins(HOUR, NOON, NOON + 1) == [0]
    assert await begins(DAY, NOON, NOON + 1) == [-12 * 3600]


Query = Callable[[AsyncConnection], Any]


async def test_history_of_one_worker_seeks_and_does_not_scan(books: AsyncConnection) -> None:
    """A year of hours among twenty thousand workers must not be a walk through all of them."""
    plans: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT rollups"):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row.detail for row in plan)

    engine = books.sync_connection
    assert engine is not None
    sa.event.listen(engine, "before_cursor_execute", explain)
    await recall.history(books, HOUR, NOON, NOON + 86400, Scope(worker_id=1))
    assert any("bucket=? AND worker_id=?" in plan for plan in plans), plans
