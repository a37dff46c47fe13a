"""The miner against a pool that checks its shares; the engine is the test's own hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stratum.errors import OutsideError, UpstreamError
from stratum.net.upstream import UpstreamConnection, connect
from stratum.protocol.upstream import Upstream, UpstreamSettings
from stratum.protocol.upstream_events import ReconnectAsked
from stratum.rigs.engine import Fail, Progress, Report, Work
from stratum.rigs.miner import (
    Connect,
    ConnectionDown,
    ConnectionUp,
    Miner,
    MinerNews,
    PoolSaid,
    ShareAnswered,
)
from stratum.rigs.search import Found, Search
from tests.rigs.fakepool import FakePool


class HandEngine:
    """Hashes when the test says so."""

    def __init__(self) -> None:
        self.work: Work | None = None
        self.assigned: asyncio.Queue[Work | None] = asyncio.Queue()
        self.is_closed = False

    def start(self, report: Report, fail: Fail) -> None:
        self.report = report
        self.fail = fail

    def assign(self, work: Work | None) -> None:
        self.work = work
        self.assigned.put_nowait(work)

    async def close(self) -> None:
        self.is_closed = True

    async def next_work(self) -> Work:
        async with asyncio.timeout(5):
            while (work := await self.assigned.get()) is None:
                pass
            return work

    def find(self, work: Work, count: int = 1) -> list[Found]:
        """The first shares of a work, not reported yet."""
        search = Search(work.job)
        found: list[Found] = []
        while len(found) < count:
            found += search.step(1000).shares
        return found[:count]

    def tell(self, work: Work, shares: list[Found], hashes: int = 0) -> None:
        self.report(Progress(work.serial, hashes, tuple(shares)))


class Bench:
    """A miner at work, its engine, and what it tells."""

    def __init__(self, connect: Connect) -> None:
        self.engine = HandEngine()
        self.news: asyncio.Queue[MinerNews] = asyncio.Queue()
        settings = UpstreamSettings("user.w1")
        self.miner = Miner(settings, connect, self.engine, watch=self.news.put_nowait)

    async def told(self, kind: type) -> Any:
        async with asyncio.timeout(10):
            while True:
                news = await self.news.get()
                if isinstance(news, kind):
                    return news


@asynccontextmanager
async def mining(connect: Connect) -> AsyncIterator[Bench]:
    bench = Bench(connect)
    task = asyncio.create_task(bench.miner.run())
    try:
        yield bench
    finally:
        bench.miner.stop()
        async with asyncio.timeout(5):
            await asyncio.gather(task, return_exceptions=True)
        assert bench.engine.is_closed


async def test_share_is_found_sent_and_accepted() -> None:
    async with FakePool() as pool, mining(pool.connect) as bench:
        work = await bench.engine.next_work()
        bench.engine.tell(work, bench.engine.find(work), 1000)
        answer = await bench.told(ShareAnswered)
        status = bench.miner.status
    assert (answer.accepted, answer.is_block) == (True, False)
    assert pool.verdicts() == [0]
    assert (status.accepted, status.hashes, status.connected) == (1, 1000, True)
    assert status.best_difficulty == answer.difficulty > 0
    assert status.job_id == "1"


async def test_share_that_meets_the_network_target_is_a_block() -> None:
    async with FakePool(nbits=0x207FFFFF) as pool, mining(pool.connect) as bench:
        work = await bench.engine.next_work()
        bench.engine.tell(work, bench.engine.find(work))
        assert (await bench.told(ShareAnswered)).is_block
        assert bench.miner.status.blocks == 1


async def test_impossible_nbits_make_no_block() -> None:
    async with FakePool(nbits=0) as pool, mining(pool.connect) as bench:
        work = await bench.engine.next_work()
        bench.engine.tell(work, bench.engine.find(work))
        assert not (await bench.told(ShareAnswered)).is_block


async def test_same_share_is_never_sent_twice() -> None:
    async with FakePool() as pool, mining(pool.connect) as bench:
        work = await bench.engine.next_work()
        first, second = bench.engine.find(work, 2)
        bench.engine.tell(work, [first, first])
        bench.engine.tell(work, [first, second])
        await pool.until(2)
    assert [share.block_hash for share in pool.shares] == [first.block_hash, second.block_hash]


async def test_share_of_a_job_that_clean_jobs_ended_is_dropped() -> None:
    async with FakePool() as pool, mining(pool.connect) as bench:
        old = await bench.engine.next_work()
        pool.notify(clean_jobs=True)
        new = await bench.engine.next_work()
        bench.engine.tell(old, bench.engine.find(old))
        bench.engine.tell(new, bench.engine.find(new))
        await pool.until(1)
        assert bench.miner.status.stale == 1
    assert [share.job_id for share in pool.shares] == ["2"]


async def test_share_of_an_earlier_job_of_the_same_block_is_sent() -> None:
    async with FakePool() as pool, mining(pool.connect) as bench:
        old = await bench.engine.next_work()
        pool.notify(clean_jobs=False)
        assert (await bench.engine.next_work()).serial == old.serial + 1
        bench.engine.tell(old, bench.engine.find(old))
        assert (await bench.told(ShareAnswered)).accepted
    assert pool.verdicts() == [0]


async def test_rejects_are_counted_by_code() -> None:
    async with FakePool() as pool, mining(pool.connect) as bench:
        work = await bench.engine.next_work()
        pool._jobs.clear()
        bench.engine.tell(work, bench.engine.find(work, 2))
        await bench.told(ShareAnswered)
        await bench.told(ShareAnswered)
        status = bench.miner.status
    assert status.rejected == {21: 2}
    assert status.last_reject == "21 no"


async def test_connection_is_resumed_and_waiting_shares_are_sent() -> None:
    async with FakePool() as pool, mining(pool.connect) as bench:
        work = await bench.engine.next_work()
        await bench.told(ConnectionUp)
        pool.hang_up()
        down = await bench.told(ConnectionDown)
        assert "closed the connection" in down.reason
        assert bench.engine.work is None  # nothing is hashed for nobody
        bench.engine.tell(work, bench.engine.find(work))
        assert (await bench.told(ConnectionUp)).resumed
        assert (await bench.told(ShareAnswered)).accepted
    assert pool.subscribes == [["baseload/0.1"], ["baseload/0.1", "5e55"]]


async def test_shares_of_another_session_are_lost() -> None:
    async with FakePool() as pool, mining(pool.connect) as bench:
        work = await bench.engine.next_work()
        pool.extranonce1 = b"\x01\x02\x03\x04"
        pool.hang_up()
        await bench.told(ConnectionDown)
        bench.engine.tell(work, bench.engine.find(work))
        assert not (await bench.told(ConnectionUp)).resumed
        await bench.engine.next_work()
        assert bench.miner.status.lost == 1
    assert pool.shares == []


async def test_pool_can_ask_to_reconnect() -> None:
    asked_for: list[ReconnectAsked | None] = []
    async with FakePool() as pool:

        async def follow(upstream: Upstream, asked: ReconnectAsked | None) -> UpstreamConnection:
            asked_for.append(asked)
            return await pool.connect(upstream, None)

        async with mining(follow) as bench:
            await bench.engine.next_work()
            pool.say("client.reconnect", "b.pool.example", 4444)
            await bench.told(ConnectionDown)
            await bench.engine.next_work()
    assert asked_for == [None, ReconnectAsked("b.pool.example", 4444, 0)]


async def test_message_of_the_pool_is_passed_on() -> None:
    async with FakePool() as pool, mining(pool.connect) as bench:
        await bench.engine.next_work()
        pool.say("client.show_message", "maintenance at noon")
        assert await bench.told(PoolSaid) == PoolSaid("maintenance at noon")


async def test_refused_user_is_told_and_tried_again_later() -> None:
    async with FakePool() as pool:
        pool.authorize_result = False
        async with mining(pool.connect) as bench:
            down = await bench.told(ConnectionDown)
            assert "refuses user.w1" in down.reason
            pool.authorize_result = True
            await bench.told(ConnectionUp)


async def test_waits_grow_with_jitter_up_to_a_minute() -> None:
    async def unreachable(upstream: Upstream, asked: ReconnectAsked | None) -> UpstreamConnection:
        raise UpstreamError("nobody there")

    bench = Bench(unreachable)
    waits = [bench.miner._next_wait() for _ in range(20)]
    for attempt, wait in enumerate(waits):
        longest = min(2.0**attempt, 60.0)
        assert longest / 2 <= wait <= longest
    assert len(set(waits)) == len(waits)


async def test_failing_engine_ends_the_miner_with_its_error() -> None:
    async with FakePool() as pool:
        bench = Bench(pool.connect)
        task = asyncio.create_task(bench.miner.run())
        await bench.engine.next_work()
        bench.engine.fail(OutsideError("search process 0 ended by itself"))
        with pytest.raises(OutsideError, match="ended by itself"):
            async with asyncio.timeout(5):
                await task
        assert bench.engine.is_closed


async def test_cancelled_miner_is_cancelled_and_cleans_up() -> None:
    async with FakePool() as pool:
        bench = Bench(pool.connect)
        task = asyncio.create_task(bench.miner.run())
        await bench.engine.next_work()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bench.engine.is_closed


@pytest.mark.parametrize("when", ["before", "while connecting"])
async def test_miner_stops_at_any_time(when: str) -> None:
    connecting = asyncio.Event()

    async def never(upstream: Upstream, asked: ReconnectAsked | None) -> UpstreamConnection:
        connecting.set()
        await asyncio.Event().wait()
        return await connect("127.0.0.1:1", upstream)

    bench = Bench(never)
    if when == "before":
        bench.miner.stop()
    task = asyncio.create_task(bench.miner.run())
    if when == "while connecting":
        await connecting.wait()
        bench.miner.stop()
    async with asyncio.timeout(5):
        await task


async def test_flood_of_shares_is_bounded_by_what_may_wait() -> None:
    async with FakePool() as pool:
        engine = HandEngine()
        settings = UpstreamSettings("user.w1", max_pending=3)
        miner = Miner(settings, pool.connect, engine)
        task = asyncio.create_task(miner.run())
        work = await engine.next_work()
        engine.tell(work, engine.find(work, 5))
        assert (miner.status.waiting, miner.status.lost) == (3, 2)
        miner.stop()
        await task
