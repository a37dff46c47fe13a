from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from stratum.ledger.database import schema
from stratum.ledger.database.engine import open_engine
from stratum.ledger.database.store import FILE_NAME, Database
from stratum.ledger.errors import DatabaseFailed
from stratum.ledger.rollups import Batch, Cursor


def described(connection: sa.Connection) -> dict[str, Any]:
    """What the file says of its tables, without Alembic's own."""
    inspector = sa.inspect(connection)
    return {
        table: (
            [
                (column["name"], str(column["type"]), column["nullable"])
                for column in inspector.get_columns(table)
            ],
            inspector.get_pk_constraint(table)["constrained_columns"],
            sorted(
                (tuple(key["constrained_columns"]), key["referred_table"])
                for key in inspector.get_foreign_keys(table)
            ),
            sorted(str(index["column_names"]) for index in inspector.get_indexes(table)),
        )
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


async def test_migrations_make_the_tables_of_the_schema(tmp_path: Path) -> None:
    engine = await open_engine(tmp_path / "migrated")
    async with engine.connect() as connection:
        migrated = await connection.run_sync(described)
    await engine.dispose()

    fresh = sa.create_engine(f"sqlite:///{tmp_path / 'fresh'}")
    schema.metadata.create_all(fresh)
    with fresh.connect() as plain:
        assert migrated == described(plain)
    fresh.dispose()


async def test_commits_survive_a_power_cut_and_references_are_checked(database: Database) -> None:
    async with database.transaction() as connection:
        found = {
            name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


async def test_opening_again_keeps_what_is_there(tmp_path: Path) -> None:
    for expected, then in ((0, 5), (5, 9)):
        database = await Database.open(tmp_path)
        cursor = await database.cursor()
        assert cursor.next_index == expected
        await database.commit(Batch(cursor, Cursor(then, b"leaf", b"edge")))
        await database.close()


async def test_file_that_is_no_database_is_moved_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"not a database" * 1000)
    database = await Database.open(tmp_path)
    assert (await database.cursor()).next_index == 0
    await database.close()
    assert (tmp_path / "books.sqlite.unusable").read_bytes().startswith(b"not a database")
    assert "made anew from the log" in caplog.text


async def test_file_of_a_later_version_is_moved_aside(tmp_path: Path) -> None:
    await (await Database.open(tmp_path)).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
    file.close()
    database = await Database.open(tmp_path)
    assert (await database.cursor()).next_index == 0
    await database.close()
    assert (tmp_path / "books.sqlite.unusable").exists()


async def test_directory_that_cannot_hold_it_is_a_failure_to_try_again(tmp_path: Path) -> None:
    with pytest.raises(DatabaseFailed, match=r"books\.sqlite"):
        await Database.open(tmp_path / "missing")
    (tmp_path / "missing").mkdir()
    await (await Database.open(tmp_path / "missing")).close()
