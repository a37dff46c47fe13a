"""Open the database file, so that what it says is committed survives a power cut.

WAL with synchronous=FULL: NORMAL may lose the last commits with the power, which would be no
harm, but it would count some shares twice if the cursor were lost and their sums were not; FULL
costs one fsync a second. Transactions begin where SQLAlchemy says so, and not where Python's
driver guesses (https://docs.sqlalchemy.org, "Serializable isolation / Transactional DDL").

A file that can't be used is moved aside and not repaired: the log makes a new one.
"""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any

import alembic.command
import sqlalchemy as sa
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.schema import CreateTable

from stratum.ledger.database import schema
from stratum.ledger.errors import DatabaseFailed

logger = logging.getLogger(__name__)

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA temp_store = MEMORY",
)

_STAGED = str(CreateTable(schema.staged).compile(dialect=sqlite.dialect()))

#: What SQLite says of a file that is not, or no longer, one of its own.
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

#: The log and the index that SQLite keeps beside its file.
_SIDE_FILES = ("-wal", "-shm")


async def open_engine(path: Path) -> AsyncEngine:
    """The engine of a file that has the tables of this version; made where there is none.

    Raises DatabaseFailed. A damaged file, or one of a later version, is moved aside.
    """
    try:
        return await _open(path)
    except (sa.exc.DatabaseError, CommandError) as exc:
        if not is_damage(exc):
            raise DatabaseFailed(f"{path.name} cannot be opened: {exc}") from exc
        move_aside(path, exc)
    try:
        return await _open(path)
    except sa.exc.SQLAlchemyError as exc:
        raise DatabaseFailed(f"{path.name} cannot be made: {exc}") from exc


def is_damage(exc: BaseException) -> bool:
    """Whether the file itself is to blame, so that only a new one helps."""
    if isinstance(exc, CommandError):
        return True  # it was made by a version whose migrations we do not know
    code = getattr(getattr(exc, "orig", None), "sqlite_errorcode", 0)
    return code & 0xFF in _DAMAGE


async def _open(path: Path) -> AsyncEngine:
    engine = create_async_engine(sa.URL.create("sqlite+aiosqlite", database=str(path)))
    sa.event.listen(engine.sync_engine, "connect", _on_connect)
    sa.event.listen(engine.sync_engine, "begin", _on_begin)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate)
            await connection.commit()
    except BaseException:
        await engine.dispose()
        raise
    return engine


def _migrate(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "stratum.ledger.database:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, "head")


def _on_connect(connection: DBAPIConnection, _: Any) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.execute(_STAGED)
    cursor.close()


def _on_begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def move_aside(path: Path, why: Exception) -> None:
    """Raises DatabaseFailed where not even that is possible."""
    aside = path.with_name(f"{path.name}.unusable")
    logger.error("%s cannot be used (%s): kept as %s, and made anew from the log", path, why, aside)
    try:
        path.replace(aside)
        for side in _SIDE_FILES:
            path.with_name(path.name + side).unlink(missing_ok=True)
    except OSError as exc:
        raise DatabaseFailed(f"{path.name} cannot be moved aside: {exc}") from exc
