"""What viewers see, from real books and a serve process that is there or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from stratum.app.bookkeeper import Bookkeeper
from stratum.app.books_view import BooksView
from stratum.bitcoin.networks import REGTEST
from stratum.config import PoolConfig
from stratum.ledger.errors import DatabaseFailed
from stratum.mining.settings import PayoutSettings, TierSettings
from stratum.observability.live import Live, SessionRow
from stratum.observability.live_source import LiveSource
from stratum.observability.queries import HistoryQuery, RowsQuery
from tests.app.test_bookkeeper import caught_up, until
from tests.e2e.programs import ADDRESS
from tests.ledger.kept import KeptLog
from tests.ledger.worksums import NOON

ALL = RowsQuery("accepted")

LIVE = Live(
    "0.1.0",
    "regtest",
    NOON,
    NOON - 100.0,
    connections=4,
    rigs=2,
    listens=("127.0.0.1:3333", "127.0.0.1:3334"),
    sessions=(
        SessionRow("farm.rig1", "cgminer", 0.5, NOON - 50.0, 0),
        SessionRow("farm.new", "fresh", 0.25, NOON - 1.0, 1),
    ),
)


class Serve(LiveSource):
    """The other process, or its absence."""

    def __init__(self) -> None:
        super().__init__("")
        self.says: Live | None = LIVE

    async def look(self) -> Live | None:
        self.fault = "" if self.says else "refused"
        return self.says


class Scene:
    """Real books of a real log, looked at from a clock that the test moves."""

    def __init__(self, directory: Path) -> None:
        tier = TierSettings("127.0.0.1", 3333)
        config = PoolConfig(
            REGTEST,
            directory,
            (),
            PayoutSettings("solo", ADDRESS),
            (tier, replace(tier, port=3334)),
        )
        self.serve = Serve()
        self.log = KeptLog(directory)
        self.keeper = Bookkeeper(
            directory, REGTEST.scale, clock=lambda: self.log.clock, interval=0.01
        )
        self.now = 0.0  # after the log's clock
        self.view = BooksView(
            config, self.keeper, self.serve, clock=lambda: self.log.clock + self.now
        )

    async def catch_up(self) -> None:
        await caught_up(self.keeper, self.log)
        await until(lambda: self.keeper.statistics.as_of == self.log.clock)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Two workers of one account and one of another, at work for two minutes."""
    scene = Scene(tmp_path)
    stop = asyncio.Event()
    running = asyncio.create_task(scene.keeper.run(stop))
    for _ in range(2):
        scene.log.share("farm.rig1", 4, weight=2**31)
        scene.log.share("farm.rig2", 8, weight=2**31, tier=1)
        scene.log.share("other", 1, weight=2**31)
        scene.log.clock += 60
    scene.log.reject("farm.rig1", stale=2)
    scene.log.reject(unauthorized=3)
    scene.log.block(7)
    await scene.catch_up()
    yield scene
    stop.set()
    await running
    scene.log.close()


async def test_status_joins_books_and_serve(scene: Scene) -> None:
    status = await scene.view.status(ALL)
    assert (status.version, status.network, status.started_at) == ("0.1.0", "regtest", NOON - 100)
    assert (status.connections, status.rigs_total, status.workers_total) == (4, 2, 4)
    assert status.shares == {"accepted": 26, "stale": 2, "unauthorized": 3}
    assert (status.fault, status.books_fault) == ("", "")
    assert status.books_at == scene.log.clock
    assert status.hashrate == status.rates["10m"].hashrate > 0
    assert [(block.height, block.fate) for block in status.blocks] == [(7, "accepted")]
    assert [rig.worker for rig in status.rigs] == ["farm.rig2", "farm.rig1", "other", "farm.new"]
    rig1, new = status.rigs[1], status.rigs[3]
    assert (rig1.agent, rig1.difficulty, rig1.accepted, rig1.rejects) == (
        "cgminer",
        0.5,
        8,
        {"stale": 2},
    )
    assert (new.agent, new.accepted, new.connected_at) == ("fresh", 0, NOON - 1)
    assert status.rigs[0].connected_at is None


async def test_tiers_have_the_addresses_of_the_config(scene: Scene) -> None:
    tiers = {tier.name: tier.accepted for tier in (await scene.view.tiers()).rows}
    assert tiers == {"127.0.0.1:3333": 10, "127.0.0.1:3334": 16}
    scene.log.share("farm.rig1", 5, weight=2**31, tier=7)
    await scene.catch_up()
    last = (await scene.view.tiers()).rows[-1]
    assert (last.name, last.accepted) == ("former tier 8", 5)


async def test_accounts_add_up_their_workers(scene: Scene) -> None:
    accounts = await scene.view.accounts(RowsQuery("accepted"))
    assert {row.name: row.accepted for row in accounts.rows} == {"farm": 24, "other": 2}
    assert (await scene.view.accounts(RowsQuery(offset=1, limit=1))).total == 2


async def test_workers_of_one_account_newcomers_among_them(scene: Scene) -> None:
    found = await scene.view.workers(RowsQuery("name", account="farm"))
    assert [row.worker for row in found.rows] == ["farm.rig1", "farm.rig2", "farm.new"]
    assert found.total == 3


async def test_pages_of_workers_go_on_into_the_newcomers(scene: Scene) -> None:
    names = []
    for offset in range(5):
        page = await scene.view.workers(RowsQuery("name", offset, 1))
        assert page.total == 4
        names += [row.worker for row in page.rows]
    assert names == ["farm.rig1", "farm.rig2", "other", "farm.new"]


async def test_serve_that_is_away_leaves_the_books(scene: Scene) -> None:
    scene.serve.says = None
    status = await scene.view.status(ALL)
    assert status.fault == "the pool's process does not answer (refused)"
    assert (status.started_at, status.rigs_total, status.connections) == (None, 0, 0)
    assert status.shares["accepted"] == 26
    assert status.listens == ["127.0.0.1:3333", "127.0.0.1:3334"]
    assert len(status.rigs) == 3


async def test_books_that_fall_behind_say_so(scene: Scene) -> None:
    scene.now = 14.0
    assert (await scene.view.status(ALL)).books_fault == ""
    scene.now = 40.0
    assert (await scene.view.status(ALL)).books_fault == "the books are 40 s behind"


async def test_one_worker_is_found_while_it_mines_after_it_left_and_before_its_first_share(
    scene: Scene,
) -> None:
    mining = await scene.view.worker("farm.rig1")
    assert mining is not None and (mining.accepted, mining.sessions) == (8, 1)
    fresh = await scene.view.worker("farm.new")
    assert fresh is not None and fresh.accepted == 0
    assert await scene.view.worker("farm.nobody") is None

    scene.keeper.statistics.workers.clear()
    left = await scene.view.worker("farm.rig2")
    assert left is not None
    assert (left.accepted, left.hashrate, left.sessions, left.account) == (16, 0, 0, "farm")
    assert left.difficulty == 0.5


async def test_history_by_worker_account_tier_and_site(scene: Scene) -> None:
    async def shares(**asked: object) -> list[int] | None:
        found = await scene.view.history(HistoryQuery(**asked))  # type: ignore[arg-type]
        return None if found is None else [period.shares for period in found]

    assert await shares() == [26]
    assert await shares(worker="farm.rig1") == [8]
    assert await shares(worker="other") == [2]
    assert await shares(account="farm", span="day") == [24]
    assert await shares(account="farm", tier=1) == [16]
    assert await shares(ends=NOON - 600) == []
    assert await shares(begins=NOON, ends=NOON + 1, span="hour") == [26]
    assert await shares(worker="farm.nobody") is None
    assert await shares(account="nobody") is None


async def test_history_without_a_database_is_refused_in_words(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    with pytest.raises(DatabaseFailed, match="not open"):
        await scene.view.history(HistoryQuery())
    status = await scene.view.status(ALL)  # books that never ran
    assert status.shares == {"accepted": 0}
    assert status.books_at is None
    scene.log.close()
