from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from stratum.app import committer as module
from stratum.app.committer import Committer
from stratum.ledger.database.store import CursorMoved, Database
from stratum.ledger.errors import DatabaseDamaged, DatabaseFailed, LogDamaged
from stratum.ledger.rollups import Batch, Cursor
from tests.ledger.worksums import NAMES, NOON, row

PATIENCE_S = 30.0


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path)
    yield database
    await database.close()


class Failing(Database):
    """A database that fails as often as it is told, and then works."""

    def __init__(self, real: Database, failures: int, error: Exception) -> None:
        super().__init__(real._engine)
        self.failures = failures
        self.error = error
        self.tries = 0

    async def commit(self, batch: Batch) -> None:
        self.tries += 1
        if self.tries <= self.failures:
            raise self.error
        await super().commit(batch)


async def until(condition: Callable[[], bool], committer: Committer) -> None:
    """Go on as the bookkeeper's rounds do."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            committer.commit_if_due()
            await asyncio.sleep(0.001)


def note(committer: Committer, count: int) -> None:
    batch = committer.batch
    names = () if batch.end.next_index else NAMES
    batch.add([row(NOON, shares=count)], names, Cursor(batch.end.next_index + 1))


async def test_what_was_read_is_committed_beside_the_reading(database: Database) -> None:
    committer = Committer(database, Cursor(), interval=0.0)
    note(committer, 1)
    committer.commit_if_due()
    note(committer, 2)  # while the first is on its way
    assert committer.batch.start == Cursor(1)
    await until(lambda: committer.committed == Cursor(2), committer)
    assert await database.cursor() == Cursor(2)


async def test_nothing_new_is_no_commit(database: Database) -> None:
    failing = Failing(database, 0, DatabaseFailed("never"))
    committer = Committer(failing, Cursor(), interval=0.0)
    committer.commit_if_due()
    await committer.finish()
    assert failing.tries == 0


async def test_commits_keep_their_pace(database: Database) -> None:
    failing = Failing(database, 0, DatabaseFailed("never"))
    committer = Committer(failing, Cursor(), interval=3600.0)
    note(committer, 1)
    await until(lambda: committer.committed == Cursor(1), committer)
    note(committer, 1)
    for _ in range(20):
        committer.commit_if_due()
        await asyncio.sleep(0)
    assert failing.tries == 1
    await committer.finish()
    assert committer.committed == Cursor(2)


async def test_database_that_fails_is_tried_again_and_the_fault_is_said(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_FIRST_RETRY", 0.01)
    failing = Failing(database, 3, DatabaseFailed("disk I/O error"))
    committer = Committer(failing, Cursor(), interval=0.0)
    note(committer, 1)
    await until(lambda: bool(committer.fault), committer)
    assert committer.fault == "disk I/O error"
    note(committer, 2)
    await until(lambda: committer.committed == Cursor(2), committer)
    assert committer.fault == ""
    assert "what was read waits and is tried again" in caplog.text
    assert "works again" in caplog.text


@pytest.mark.parametrize("error", [DatabaseDamaged("x"), CursorMoved("x"), LogDamaged("x")])
async def test_what_needs_a_new_beginning_is_raised(database: Database, error: Exception) -> None:
    committer = Committer(Failing(database, 1, error), Cursor(), interval=0.0)
    note(committer, 1)
    with pytest.raises(type(error)):
        await until(lambda: False, committer)


async def test_finish_does_not_wait_for_a_database_that_fails(database: Database) -> None:
    failing = Failing(database, 10**6, DatabaseFailed("disk full"))
    committer = Committer(failing, Cursor(), interval=0.0)
    note(committer, 1)
    await until(lambda: bool(committer.fault), committer)
    with pytest.raises(DatabaseFailed, match="disk full"):
        await committer.finish()
    await committer.stop()
    assert await database.cursor() == Cursor()


async def test_so_much_and_no_more_waits_for_a_commit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 8)
    committer = Committer(database, Cursor())
    committer.batch.add([], NAMES, Cursor(1))
    assert not committer.is_full
    committer.batch.add([row(NOON, number) for number in (1, 2, 3)], (), Cursor(2))
    assert committer.is_full
