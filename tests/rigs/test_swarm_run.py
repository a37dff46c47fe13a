"""A swarm against a pool that checks every share: what it does, and what it reports."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from stratum.rigs.swarm import DIALECTS, Report, Swarm, SwarmSettings
from stratum.rigs.swarm.run import Phase
from tests.rigs.fakepool import FakePool

#: Bounds a hang; no measurement.
PATIENCE_S = 20.0


@pytest.fixture
async def pool() -> AsyncIterator[FakePool]:
    async with FakePool(one_in=4) as pool:
        pool.is_crowded = True
        yield pool


async def drive(
    pool: FakePool, meanwhile: Callable[[Swarm], Awaitable[Any]], **options: Any
) -> Report:
    """Run a swarm until `meanwhile` is over."""
    options = {"rigs": 4, "seconds": 10 * PATIENCE_S} | options
    swarm = Swarm(SwarmSettings("127.0.0.1", pool.port, **options))
    running = asyncio.create_task(swarm.run())
    async with asyncio.timeout(PATIENCE_S):
        await meanwhile(swarm)
        swarm.stop()
        return await running


async def until(is_so: Callable[[], bool]) -> None:
    """Look at a swarm's progress until that is so: a core tells nobody what it counts."""
    while True:
        if is_so():
            return
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("load", [{"window": 3}, {"rate": 200.0}], ids=["window", "rate"])
async def test_every_share_of_every_dialect_is_good(
    pool: FakePool, dialect: Any, load: dict[str, Any]
) -> None:
    report = await drive(pool, lambda _: pool.until(60), dialects=(dialect,), **load)
    assert set(pool.verdicts()) == {0}
    assert report.shares == {"accepted": len(pool.shares)}
    assert (report.submitted, report.unanswered) == (len(pool.shares), 0)
    assert (report.connected, report.failed, report.disconnected) == (4, 0, 0)
    assert report.wrong_rejects == report.unfound == 0
    assert report.latency_ms["p50"] <= report.latency_ms["p999"] <= report.latency_ms["max"]
    assert {share.user for share in pool.shares} == {f"swarm.rig{n}" for n in range(1, 5)}


async def test_a_window_is_what_is_in_flight(pool: FakePool) -> None:
    most = 0

    async def look(swarm: Swarm) -> None:
        nonlocal most
        while len(pool.shares) < 200:
            tally = swarm.progress().tally
            most = max(most, tally.submitted - tally.accepted)
            await asyncio.sleep(0)

    await drive(pool, look, rigs=2, window=5)
    assert most == 10


async def test_idle_rigs_only_listen(pool: FakePool) -> None:
    async def look(swarm: Swarm) -> None:
        await until(lambda: swarm.progress().phase is Phase.MEASURING)

    report = await drive(pool, look)
    assert (report.connected, report.submitted, report.latency_ms["count"]) == (4, 0, 0)


async def test_a_tip_is_heard_by_all_and_old_work_is_no_wrong_reject(pool: FakePool) -> None:
    async def look(swarm: Swarm) -> None:
        await pool.until(20)
        pool.prevhash = bytes(32)
        pool.notify()
        await until(lambda: any(tip.rigs == 4 for tip in swarm.progress().tally.tips))
        await pool.until(len(pool.shares) + 20)

    report = await drive(pool, look, window=2)
    (tip,) = report.tips
    assert (tip.prevhash, tip.rigs) == ("00" * 32, 4)
    assert tip.spread_ms == pytest.approx((tip.last - tip.first) * 1000, abs=0.01)
    assert report.wrong_rejects == 0
    assert report.shares["accepted"] + report.shares.get("stale", 0) == len(pool.shares)


async def test_a_reject_that_no_tip_explains_is_wrong(pool: FakePool) -> None:
    async def look(swarm: Swarm) -> None:
        await pool.until(10)
        pool._jobs[next(reversed(pool._jobs))] = 0  # from now on no hash is good enough
        await until(lambda: bool(swarm.progress().tally.refusals))

    report = await drive(pool, look, window=1)
    assert report.wrong_rejects == report.shares["low_difficulty"] > 0
    assert (report.rejects[0].code, report.rejects[0].text) == (23, "no")


async def test_terms_of_the_pool_are_kept(pool: FakePool) -> None:
    async def look(swarm: Swarm) -> None:
        await pool.until(10)
        pool.target //= 8  # a higher difficulty, from the next job on
        pool.notify(clean_jobs=False)
        pool.say("mining.set_version_mask", "00002000")
        pool.say("client.show_message", "hello")
        pool.say("mining.ping")
        await pool.until(len(pool.shares) + 40)

    report = await drive(pool, look, window=2)
    assert report.shares == {"accepted": len(pool.shares)}


async def test_rigs_come_back_when_told_to(pool: FakePool) -> None:
    async def look(swarm: Swarm) -> None:
        await pool.until(10)
        pool.hang_up()
        await until(lambda: swarm.progress().disconnected == 4)
        await pool.until_subscribed(8)
        await pool.until(len(pool.shares) + 10)

    report = await drive(pool, look, window=1, reconnect=True)
    assert (report.connected, report.disconnected) == (4, 4)
    assert sum(report.reasons.values()) == 4
    assert set(pool.verdicts()) == {0}
    resumed = [params for params in pool.subscribes if params[1:] == ["5e55"]]
    assert len(resumed) == 3  # the fourth, ESP-Miner, begins anew


async def test_a_rig_that_never_reads_goes_on_submitting(pool: FakePool) -> None:
    report = await drive(pool, lambda _: pool.until(50, "swarm.rig1"), window=1, never_read=1)
    assert report.never_read_submitted >= 50
    assert report.submitted == report.shares["accepted"]
    assert set(pool.verdicts("swarm.rig1")) == {0}


async def test_refused_rigs_have_failed(pool: FakePool) -> None:
    pool.authorize_result = False

    async def look(swarm: Swarm) -> None:
        await until(lambda: swarm.progress().failed == 4)

    report = await drive(pool, look, window=1)
    assert (report.connected, report.failed, report.submitted) == (0, 4, 0)
    assert "authorize refused" in next(iter(report.reasons))


async def test_where_nobody_listens_the_run_ends_by_itself() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    swarm = Swarm(SwarmSettings("127.0.0.1", port, 3, window=1))
    async with asyncio.timeout(PATIENCE_S):
        report = await swarm.run()
    assert (report.connected, report.failed) == (0, 3)
    assert report.reasons == {"Connection refused": 3}


async def test_rigs_come_from_as_many_addresses_as_asked(pool: FakePool) -> None:
    await drive(pool, lambda _: pool.until(12), window=1, sources=3)
    addresses = {writer.get_extra_info("peername")[0] for writer in pool.writers}
    assert addresses == {"127.1.0.1", "127.1.0.2", "127.1.0.3"}


def test_an_open_and_a_closed_loop_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="exclude"):
        Swarm(SwarmSettings("127.0.0.1", 1, 1, rate=1.0, window=1))
