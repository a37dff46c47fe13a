"""Cursor and effects, in one transaction.

A batch is added only where the cursor still stands at the batch's start. So a batch that is
tried again after an error counts once, also where the first try had been committed and only the
answer was lost: the cursor then stands at its end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from stratum.events import BlockFate
from stratum.ledger.database import schema
from stratum.ledger.database.adding import ADD_STAGED
from stratum.ledger.database.engine import is_damage, move_aside, open_engine
from stratum.ledger.effects import NOBODY, BlockKept
from stratum.ledger.errors import DatabaseDamaged, DatabaseFailed, LogDamaged
from stratum.ledger.rollups import SPANS, Batch, Cursor

FILE_NAME = "books.sqlite"

#: Rows made and given to the driver at once: the loop must get its turn now and then.
_ROWS_AT_ONCE = 2000


class CursorMoved(DatabaseFailed):
    """Somebody else wrote to the books: what we hold in memory belongs to another cursor."""


class Database:
    """One data_dir's books; close() it. Methods raise DatabaseFailed where the file fails."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    async def open(cls, directory: Path) -> Self:
        return cls(await open_engine(directory / FILE_NAME))

    @staticmethod
    def discard(directory: Path, why: Exception) -> None:
        """Move the file aside, for the log to make a new one; it must not be open."""
        move_aside(directory / FILE_NAME, why)

    async def close(self) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Committed at the end, rolled back by an exception."""
        try:
            async with self._engine.begin() as connection:
                yield connection
        except (sa.exc.SQLAlchemyError, OSError) as exc:
            kind = DatabaseDamaged if is_damage(exc) else DatabaseFailed
            raise kind(f"the books' database: {_reason(exc)}") from exc

    async def cursor(self) -> Cursor:
        async with self.transaction() as connection:
            return await _read_cursor(connection)

    async def commit(self, batch: Batch) -> None:
        """Add a batch, exactly once.

        Raises CursorMoved where it does not belong, LogDamaged where its records contradict
        those before it.
        """
        async with self.transaction() as connection:
            stands_at = await _read_cursor(connection)
            if stands_at == batch.end:
                return
            if stands_at != batch.start:
                raise CursorMoved(
                    f"the books stand at record {stands_at.next_index},"
                    f" expected {batch.start.next_index}"
                )
            try:
                await _add(connection, batch)
            except sa.exc.IntegrityError as exc:
                raise LogDamaged(
                    f"records {batch.start.next_index} to {batch.end.next_index - 1} of the log"
                    f" contradict those before them: {exc.orig}"
                ) from exc
            await _move_cursor(connection, batch.end)

    async def reset(self) -> None:
        """Forget everything: the next batch begins at record 0."""
        async with self.transaction() as connection:
            for table in (schema.rollups, schema.totals, schema.blocks):
                await connection.execute(sa.delete(table))
            for named in (schema.workers, schema.accounts):
                await connection.execute(sa.delete(named).where(named.c.id != NOBODY))
            await _move_cursor(connection, Cursor())

    async def purge(self, now: float) -> None:
        """Drop the rows that are older than their span is kept."""
        async with self.transaction() as connection:
            for span in SPANS:
                if span.kept_seconds is not None:
                    old = schema.rollups.c.bucket < int(now) - span.kept_seconds
                    await connection.execute(
                        sa.delete(schema.rollups).where(schema.rollups.c.span == span.seconds, old)
                    )


def _reason(exc: Exception) -> str:
    """Without the statement and its parameters, which fill a screen."""
    return str(getattr(exc, "orig", None) or exc)


async def _read_cursor(connection: AsyncConnection) -> Cursor:
    table = schema.cursor
    found = await connection.execute(sa.select(table.c.next_index, table.c.last_leaf, table.c.edge))
    return Cursor(*found.one())


async def _move_cursor(connection: AsyncConnection, to: Cursor) -> None:
    await connection.execute(
        sa.update(schema.cursor).values(
            next_index=to.next_index, last_leaf=to.last_leaf, edge=to.edge
        )
    )


async def _add(connection: AsyncConnection, batch: Batch) -> None:
    """Names first: the sums refer to them."""
    await _insert(connection, schema.accounts, _account_rows(batch))
    await _insert(connection, schema.workers, _worker_rows(batch))
    await _insert(connection, schema.staged, _sum_rows(batch))
    for statement in ADD_STAGED:
        await connection.execute(statement)
    await connection.execute(sa.delete(schema.staged))
    await _add_blocks(connection, batch)


async def _insert(
    connection: AsyncConnection, table: sa.Table, rows: Iterator[tuple[Any, ...]]
) -> None:
    """Positional rows straight to the driver: ten times as fast as by the names of columns."""
    statement = f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(table.c))})"
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        await connection.exec_driver_sql(statement, some)


async def _add_blocks(connection: AsyncConnection, batch: Batch) -> None:
    """One by one and in order: a block and its fate may be in the same batch."""
    table = schema.blocks
    for each in batch.blocks:
        if isinstance(each, BlockKept):
            values = {
                "block_hash": each.block_hash,
                "height": each.height,
                "worker": each.worker,
                "sats": each.sats,
                "found_us": each.time_us,
                "fate": BlockFate.FOUND,
                "reason": "",
            }
            await connection.execute(insert(table).values(values).on_conflict_do_nothing())
        else:
            await connection.execute(
                sa.update(table)
                .where(table.c.block_hash == each.block_hash)
                .values(fate=each.fate, reason=each.reason)
            )


def _account_rows(batch: Batch) -> Iterator[tuple[Any, ...]]:
    for each in batch.accounts:
        yield each.account_id, each.name, each.script_pubkey, each.time_us


def _worker_rows(batch: Batch) -> Iterator[tuple[Any, ...]]:
    for each in batch.workers:
        yield each.worker_id, each.account_id, each.name, each.time_us


def _sum_rows(batch: Batch) -> Iterator[tuple[Any, ...]]:
    for key, part in batch.sums.items():
        yield (
            key.bucket,
            key.worker_id,
            key.account_id,
            key.listen,
            part.shares,
            *schema.split_work(part.work),
            part.best,
            *part.rejected,
            part.since,
            part.last_us,
        )
