"""A database file and what is in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from stratum.ledger.database import schema
from stratum.ledger.database.store import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path)
    yield database
    await database.close()


async def content(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    async with database.transaction() as connection:
        return {
            name: sorted(map(tuple, await connection.execute(sa.select(*table.c))))
            for name, table in schema.metadata.tables.items()
        }
