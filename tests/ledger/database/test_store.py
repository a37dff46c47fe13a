from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from hashing.values import ShareSum
from stratum.ledger.database import schema
from stratum.ledger.database.schema import join_work, split_work
from stratum.ledger.database.store import CursorMoved, Database
from stratum.ledger.effects import Effect, WorkerAdded
from stratum.ledger.errors import DatabaseFailed, LogDamaged
from stratum.ledger.rollups import SPANS, Batch, Cursor
from tests.ledger.database.conftest import content
from tests.ledger.worksums import NAMES, NOON, effects, rejects, row, rows

Part = ShareSum | Effect


def cursor_at(index: int) -> Cursor:
    return Cursor(index, b"leaf%d" % index, b"edge%d" % index) if index else Cursor()


def batch_of(parts: list[Part], start: int) -> Batch:
    batch = Batch(cursor_at(start), cursor_at(start))
    works = [part for part in parts if isinstance(part, ShareSum)]
    others = [part for part in parts if not isinstance(part, ShareSum)]
    batch.add(works, others, cursor_at(start + len(parts)))
    return batch


@given(st.integers(0, 2**103 - 1), st.integers(0, 2**103 - 1))
def test_work_in_two_columns_adds_up_exactly(one: int, other: int) -> None:
    (high1, low1), (high2, low2) = split_work(one), split_work(other)
    assert join_work(high1 + high2, low1 + low2) == one + other
    assert max(high1, high2) < 2**63


def test_work_beyond_the_columns_is_refused() -> None:
    for work in (2**103, -1):
        with pytest.raises(ValueError, match="the books hold"):
            split_work(work)


async def test_second_batch_is_added_to_the_first(database: Database) -> None:
    near_full = 2**40 - 1  # work_low carries into work_high
    first = [*NAMES, row(NOON, work=near_full, best=7), rejects(NOON, stale=1)]
    second: list[Part] = [row(NOON + 60, work=near_full, best=5), rejects(NOON, stale=2)]
    await database.commit(batch_of(list(first), 0))
    await database.commit(batch_of(second, len(first)))
    async with database.transaction() as connection:
        (found,) = (await connection.execute(sa.select(*schema.totals.c))).mappings()
    assert join_work(found["work_high"], found["work_low"]) == 2 * near_full
    assert found["work_low"] < 2**40
    assert (found["shares"], found["best"], found["rejected_stale"]) == (2, 7, 3)
    assert (found["since"], found["last_us"]) == (NOON, (NOON + 60) * 10**6)
    assert await database.cursor() == cursor_at(len(first) + 2)


async def test_batch_that_is_tried_again_counts_once(database: Database) -> None:
    batch = batch_of([*NAMES, row(NOON)], 0)
    await database.commit(batch)
    before = await content(database)
    await database.commit(batch)  # the answer to the first was lost, say
    assert await content(database) == before


async def test_batch_from_another_place_is_refused(database: Database) -> None:
    await database.commit(batch_of([*NAMES], 0))
    before = await content(database)
    with pytest.raises(CursorMoved, match="stand at record 5, expected 3"):
        await database.commit(batch_of([row(NOON)], 3))
    assert await content(database) == before


async def test_batch_is_added_whole_or_not_at_all(database: Database) -> None:
    before = await content(database)
    with pytest.raises(LogDamaged, match=r"records 0 to 6 .* contradict"):
        await database.commit(batch_of([*NAMES, row(NOON), row(NOON, worker_id=99)], 0))
    assert await content(database) == before


async def test_worker_of_no_account_is_damage(database: Database) -> None:
    with pytest.raises(LogDamaged):
        await database.commit(batch_of([WorkerAdded(0, 1, 1, "rig")], 0))


async def test_rows_are_dropped_when_their_span_is_over(database: Database) -> None:
    await database.commit(batch_of([*NAMES, row(NOON)], 0))
    for days, left in ((13, {600, 3600, 86400}), (15, {3600, 86400}), (402, {86400})):
        await database.purge(NOON + days * 86400)
        async with database.transaction() as connection:
            spans = await connection.execute(sa.select(schema.rollups.c.span))
        assert set(spans.scalars()) == left
    assert {span.seconds for span in SPANS} == {600, 3600, 86400}


async def test_locked_file_is_a_failure_and_changes_nothing(
    database: Database, tmp_path: Path
) -> None:
    other = await Database.open(tmp_path)
    async with database.transaction() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout = 10")
    async with other.transaction() as holding:
        await holding.execute(sa.update(schema.cursor).values(next_index=77))
        with pytest.raises(DatabaseFailed, match="locked"):
            await database.commit(batch_of([*NAMES], 0))
        await holding.rollback()
    await other.close()
    assert await database.cursor() == Cursor()
    await database.commit(batch_of([*NAMES], 0))


@given(
    parts=st.lists(rows | effects, max_size=30),
    cuts=st.lists(st.tuples(st.integers(1, 8), st.sampled_from(["good", "lost", "unheard"]))),
)
def test_books_equal_one_straight_fold_wherever_they_crashed(
    parts: list[Part], cuts: list[tuple[int, str]]
) -> None:
    """I15: the database is a fold of the log, at any crash point and however it was cut."""
    log: list[Part] = [*NAMES, *parts]

    async def run() -> None:
        with tempfile.TemporaryDirectory() as place:
            straight = await Database.open(Path(place))
            await straight.commit(batch_of(log, 0))
            expected = await content(straight)

            await straight.reset()
            await keep_in_pieces(straight, log, cuts)
            assert await content(straight) == expected
            await straight.close()

    asyncio.run(run())


async def keep_in_pieces(database: Database, log: list[Part], cuts: list[tuple[int, str]]) -> None:
    """Commit by commit; each try may be lost before its commit, or only its answer may be."""
    tries = [*cuts, (len(log), "good")]
    for size, fortune in tries:
        start = (await database.cursor()).next_index
        batch = batch_of(log[start : start + size], start)
        try:
            await commit_with(database, batch, fortune)
        except _Crash:
            continue
        if fortune == "unheard":
            await database.commit(batch)


class _Crash(Exception):
    pass


async def commit_with(database: Database, batch: Batch, fortune: str) -> None:
    if fortune != "lost":
        await database.commit(batch)
        return
    async with database.transaction() as connection:
        await connection.execute(sa.update(schema.cursor).values(next_index=10**6))
        raise _Crash


async def test_reset_leaves_what_a_new_file_has(database: Database, tmp_path: Path) -> None:
    fresh: dict[str, Any] = await content(database)
    await database.commit(batch_of([*NAMES, row(NOON), rejects(NOON, 0, 0, stale=1)], 0))
    assert await content(database) != fresh
    await database.reset()
    assert await content(database) == fresh
