"""The books kept from real logs into a real database, through everything that may happen."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa

from stratum.app import bookkeeper as module
from stratum.app.bookkeeper import Bookkeeper
from stratum.ledger.database import schema
from stratum.ledger.database.recall import Scope
from stratum.ledger.database.schema import join_work
from stratum.ledger.database.store import FILE_NAME, Database
from stratum.ledger.effects import CAUSES
from stratum.ledger.errors import DatabaseFailed
from stratum.ledger.rollups import SPANS
from stratum.units import HASHES_PER_DIFFICULTY, DifficultyScale
from tests.ledger.kept import KeptLog, recount
from tests.ledger.worksums import NOON

#: Bounds a hang; no measurement.
PATIENCE_S = 60.0

SCALE = DifficultyScale(0)


@pytest.fixture
def log(tmp_path: Path) -> KeptLog:
    return KeptLog(tmp_path, room=256)


@asynccontextmanager
async def kept(directory: Path, log: KeptLog | None = None) -> AsyncIterator[Bookkeeper]:
    """A bookkeeper at work; the clock is the log's."""
    keeper = Bookkeeper(
        directory,
        SCALE,
        clock=lambda: log.clock if log else float(NOON),
        interval=0.01,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(keeper.run(stop))
    try:
        yield keeper
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await running


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  (it is asked of files and of another thread)
            await asyncio.sleep(0.005)


async def caught_up(keeper: Bookkeeper, log: KeptLog) -> None:
    """Everything of the log is in the database."""
    log.sync()
    await until(lambda: keeper.committed is not None and keeper.committed.next_index == log.count)


async def rows(directory: Path) -> dict[str, list[tuple[object, ...]]]:
    database = await Database.open(directory)
    async with database.transaction() as connection:
        found = {
            name: sorted(map(tuple, await connection.execute(sa.select(*table.c))), key=str)
            for name, table in schema.metadata.tables.items()
        }
    await database.close()
    return found


def expect_books_of(directory: Path) -> None:
    """Totals and every span of the database are a recount of the log, share by share."""
    counted = recount(directory)
    with sqlite3.connect(directory / FILE_NAME) as file:
        file.row_factory = sqlite3.Row
        totals = list(file.execute("SELECT * FROM totals"))
        spans = [
            list(file.execute("SELECT * FROM rollups WHERE span = ?", (span.seconds,)))
            for span in SPANS
        ]
    file.close()
    for found in (totals, *spans):
        shares: Counter[tuple[int, ...]] = Counter()
        work: Counter[tuple[int, ...]] = Counter()
        rejected: Counter[tuple[int, ...]] = Counter()
        for each in found:
            key = (each["worker_id"], each["listen"])
            shares[key] += each["shares"]
            work[key] += join_work(each["work_high"], each["work_low"])
            rejected[key] += sum(each[f"rejected_{cause}"] for cause in CAUSES)
        assert +shares == +counted["shares"]
        assert +work == +counted["work"]
        assert +rejected == +counted["rejected"]


async def test_books_follow_the_log_as_it_grows(tmp_path: Path, log: KeptLog) -> None:
    with log:
        async with kept(tmp_path, log) as keeper:
            log.share("farm.rig1", 3)
            await caught_up(keeper, log)
            log.clock += 30
            log.share("farm.rig2", 60)
            log.share("farm.rig1", 60, tier=1)
            log.reject("farm.rig1", stale=2, duplicate=1)
            log.reject(unauthorized=5)
            log.block(7)
            await caught_up(keeper, log)

            statistics = keeper.statistics
            names = {tally.name: tally.shares for tally in statistics.workers.values()}
            assert names == {"farm.rig1": 63, "farm.rig2": 60}
            assert statistics.site.shares == 123
            assert sum(statistics.site.rejected) == 8
            await until(lambda: statistics.as_of == log.clock)
            ((minute, *_),) = statistics.rates([statistics.site])
            assert minute.hashrate == pytest.approx(
                120 * 1024 / 30 * HASHES_PER_DIFFICULTY, rel=1e-6
            )
            assert [(block.height, block.fate) for block in keeper.blocks] == [(7, "accepted")]
            assert keeper.fault == ""
    expect_books_of(tmp_path)


async def test_books_begun_before_the_log_wait_for_it(tmp_path: Path) -> None:
    async with kept(tmp_path) as keeper:
        await until(lambda: keeper.committed is not None)
        with KeptLog(tmp_path) as log:
            log.share()
            await caught_up(keeper, log)
    assert keeper.statistics.site.shares == 1


async def test_next_start_goes_on_where_the_last_one_ended(tmp_path: Path, log: KeptLog) -> None:
    with log:
        for hour in range(30):
            log.clock = NOON + hour * 3600.0
            log.share("farm.rig1", 10)
            log.reject("farm.rig1", stale=1)
        log.block(7, "rejected")
        async with kept(tmp_path, log) as keeper:
            await caught_up(keeper, log)
            before = keeper.statistics
        async with kept(tmp_path, log) as keeper:
            await until(lambda: keeper.committed is not None)
            after = keeper.statistics
            assert after.site.shares == before.site.shares == 300
            assert after.workers[1].rejected == before.workers[1].rejected
            assert after.workers[1].name == "farm.rig1"
            # An hour and a day are known again; minutes are not.
            ((_, _, hour_before, day_before),) = before.rates([before.workers[1]])
            ((minute, _, hour_after, day_after),) = after.rates([after.workers[1]])
            assert day_after.hashrate == pytest.approx(day_before.hashrate, rel=1e-3)
            assert hour_after.hashrate == pytest.approx(hour_before.hashrate, rel=1e-3)
            assert day_after.hashrate > 0
            assert minute.hashrate == 0
            assert after.efficiencies([after.site]) == before.efficiencies([before.site])
            assert [block.fate for block in keeper.blocks] == ["rejected"]

            log.share("farm.rig1", 5)
            await caught_up(keeper, log)
            assert keeper.statistics.site.shares == 305
    expect_books_of(tmp_path)


async def test_worker_that_left_memory_comes_back_with_its_counts(
    tmp_path: Path, log: KeptLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHORES_EVERY", 0.0)
    with log:
        async with kept(tmp_path, log) as keeper:
            log.share("farm.rig1", 7)
            log.share("other.rig1", 3)
            await caught_up(keeper, log)
            log.clock += 3 * 86400
            await until(lambda: not keeper.statistics.workers)
            assert not keeper.statistics.accounts
            found = await keeper.find_worker("farm", "rig1")
            assert found is not None and found.totals.shares == 7

            log.share("farm.rig1", 1)
            log.reject("other.rig1", stale=1)
            log.share("farm.rig9", 1)
            await caught_up(keeper, log)
            names = {each.name: each.shares for each in keeper.statistics.workers.values()}
            assert names == {"farm.rig1": 8, "other.rig1": 3, "farm.rig9": 1}
            assert keeper.statistics.accounts[1].shares == 9
    expect_books_of(tmp_path)


async def test_damaged_database_is_made_anew_from_the_log(tmp_path: Path, log: KeptLog) -> None:
    with log:
        log.share("farm.rig1", 500)
        async with kept(tmp_path, log) as keeper:
            await caught_up(keeper, log)
        whole = await rows(tmp_path)
        data = bytearray((tmp_path / FILE_NAME).read_bytes())
        data[4096:] = b"\xa5" * (len(data) - 4096)  # every page but the first
        (tmp_path / FILE_NAME).write_bytes(data)

        async with kept(tmp_path, log) as keeper:
            await caught_up(keeper, log)
        assert await rows(tmp_path) == whole
        assert (tmp_path / f"{FILE_NAME}.unusable").exists()


async def test_log_restored_from_an_older_copy_makes_the_books_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with KeptLog(tmp_path) as log:
        log.share("farm.rig1", 10)
    shutil.copytree(tmp_path / "log", tmp_path / "older")
    with KeptLog(tmp_path) as log:
        log.share("farm.rig2", 20)
        async with kept(tmp_path, log) as keeper:
            await caught_up(keeper, log)
    shutil.rmtree(tmp_path / "log")
    (tmp_path / "older").rename(tmp_path / "log")
    with KeptLog(tmp_path) as log:
        log.clock += 5
        log.share("farm.rig3", 40)
        async with kept(tmp_path, log) as keeper:
            await caught_up(keeper, log)
            assert keeper.statistics.site.shares == 50
    expect_books_of(tmp_path)
    assert "the books are made anew from the log" in caplog.text


async def test_database_that_cannot_be_opened_is_tried_again(
    tmp_path: Path, log: KeptLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.01)
    (tmp_path / FILE_NAME).mkdir()
    with log:
        log.share()
        async with kept(tmp_path, log) as keeper:
            await until(lambda: bool(keeper.fault))
            assert FILE_NAME in keeper.fault
            with pytest.raises(DatabaseFailed, match="not open"):
                await keeper.history(SPANS[0], 0, NOON, Scope())
            (tmp_path / FILE_NAME).rmdir()
            await caught_up(keeper, log)
            assert keeper.fault == ""


async def test_locked_database_delays_no_figure_and_is_caught_up_with(
    tmp_path: Path, log: KeptLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stratum.app.committer._FIRST_RETRY", 0.01)
    monkeypatch.setattr("stratum.ledger.database.engine._PRAGMAS", ("PRAGMA journal_mode = WAL",))
    with log:
        log.share("farm.rig1", 1)
        async with kept(tmp_path, log) as keeper:
            await caught_up(keeper, log)
            other = sqlite3.connect(tmp_path / FILE_NAME, timeout=0.01, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            log.share("farm.rig1", 9)
            log.sync()
            await until(lambda: keeper.statistics.site.shares == 10)
            await until(lambda: "locked" in keeper.fault)
            other.execute("ROLLBACK")
            other.close()
            await caught_up(keeper, log)
            assert keeper.fault == ""
    expect_books_of(tmp_path)


async def test_full_segments_behind_the_books_are_archived(
    tmp_path: Path, log: KeptLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHORES_EVERY", 0.0)
    with log:
        log.share("farm.rig1", 600)
        async with kept(tmp_path, log) as keeper:
            await caught_up(keeper, log)
            await until(lambda: len(list((tmp_path / "log").glob("*.slots.z"))) == 2)
            log.share("farm.rig1", 10)
            await caught_up(keeper, log)
        (tmp_path / FILE_NAME).unlink()
        async with kept(tmp_path, log) as keeper:
            await caught_up(keeper, log)
            assert keeper.statistics.site.shares == 610
    expect_books_of(tmp_path)


KEEPER = """
import asyncio, sys
from pathlib import Path
from stratum.app.bookkeeper import Bookkeeper
from stratum.units import DifficultyScale

clock = lambda: float(sys.argv[2])  # or it would purge what is old by the system's
keeper = Bookkeeper(Path(sys.argv[1]), DifficultyScale(0), clock=clock, interval=0.002)

async def main():
    running = asyncio.create_task(keeper.run(asyncio.Event()))
    while keeper.committed is None:
        await asyncio.sleep(0.001)
    print("begun", flush=True)
    await running

asyncio.run(main())
"""


async def test_books_killed_at_any_moment_equal_a_recount(tmp_path: Path) -> None:
    """I15 with real kills: of a process that reads and commits while the log grows."""
    seed = 20260131
    random = Random(seed)
    stood_at: set[object] = {0}
    with KeptLog(tmp_path, room=256) as log:
        for _ in range(8):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", KEEPER, str(tmp_path), str(NOON)),
                stdout=asyncio.subprocess.PIPE,
            )
            assert process.stdout is not None
            await process.stdout.readline()
            for _ in range(random.randrange(5, 60)):
                log.clock += 7
                log.share(f"farm.rig{random.randrange(5)}", random.randrange(1, 30), tier=1)
                if random.random() < 0.2:
                    log.reject(f"farm.rig{random.randrange(5)}", stale=1)
                await asyncio.sleep(random.random() * 0.01)
            process.kill()
            await process.wait()
            stood_at |= {index for ((_, index, *_),) in [(await rows(tmp_path))["cursor"]]}
        assert len(stood_at) > 4, "the kills came before any commit"
        async with kept(tmp_path, log) as keeper:
            await caught_up(keeper, log)
    expect_books_of(tmp_path)
    resumed = await rows(tmp_path)

    (tmp_path / FILE_NAME).unlink()
    with KeptLog(tmp_path, room=256) as log:
        async with kept(tmp_path, log) as keeper:
            await caught_up(keeper, log)
    assert await rows(tmp_path) == resumed, f"seed {seed}"
