from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from hashing.values import ShareSum
from stratum.ledger.database import schema
from stratum.ledger.database.schema import join_work
from stratum.ledger.database.store import Database
from stratum.ledger.rollups import SPANS, Batch, Cursor
from tests.ledger.worksums import NAMES, rows


@given(st.lists(st.lists(rows, max_size=10), min_size=1, max_size=4))
def test_every_span_and_the_totals_are_a_recount_of_the_shares(
    batches: list[list[ShareSum]],
) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as place:
            database = await Database.open(Path(place))
            cursor = Cursor()
            for number, works in enumerate(batches, 1):
                batch = Batch(cursor, cursor)
                cursor = Cursor(number)
                batch.add(works, NAMES if number == 1 else (), cursor)
                await database.commit(batch)
            works = [work for batch in batches for work in batch]
            for span in SPANS:
                assert await kept_work(database, span.seconds) == recount(works, span.seconds)
            assert await kept_totals(database) == recount_totals(works)
            await database.close()

    asyncio.run(run())


def recount(works: list[ShareSum], seconds: int) -> Counter[tuple[int, ...]]:
    counter: Counter[tuple[int, ...]] = Counter()
    for work in works:
        counter[work.minute * 60 // seconds * seconds, work.worker_id, work.listen] += work.work
    return counter


async def kept_work(database: Database, seconds: int) -> Counter[tuple[int, ...]]:
    table = schema.rollups.c
    query = sa.select(
        table.bucket, table.worker_id, table.listen, table.work_high, table.work_low
    ).where(table.span == seconds)
    async with database.transaction() as connection:
        return Counter(
            {
                tuple(key): join_work(high, low)
                for *key, high, low in await connection.execute(query)
            }
        )


def recount_totals(works: list[ShareSum]) -> set[tuple[int, ...]]:
    series = {(work.worker_id, work.listen) for work in works}
    mine = {key: [work for work in works if (work.worker_id, work.listen) == key] for key in series}
    return {
        (
            *key,
            sum(work.shares for work in some),
            sum(work.work for work in some),
            max(work.best for work in some),
            min(work.minute for work in some) * 60,
            max(work.last_us for work in some),
        )
        for key, some in mine.items()
    }


async def kept_totals(database: Database) -> set[tuple[int, ...]]:
    table = schema.totals.c
    async with database.transaction() as connection:
        return {
            (
                row.worker_id,
                row.listen,
                row.shares,
                join_work(row.work_high, row.work_low),
                row.best,
                row.since,
                row.last_us,
            )
            for row in await connection.execute(sa.select(*table))
        }
