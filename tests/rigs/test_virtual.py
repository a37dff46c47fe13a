"""Virtual rigs: their pace by a clock that is a number, their shares against a real pool."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.protocol.upstream import UpstreamSettings
from stratum.rigs.engine import Progress
from stratum.rigs.miner import ConnectionUp, MinerNews
from stratum.rigs.virtual import TICK_S, Pace, ThrottledEngine, VirtualRig
from tests.rigs.fakepool import FakePool

Op = tuple[str, float]


@given(
    rate=st.floats(1, 1e6),
    ops=st.lists(
        st.tuples(st.just("work"), st.floats(0, 2)) | st.tuples(st.just("pause"), st.floats(0, 60)),
        max_size=60,
    ),
)
def test_pace_never_does_more_than_its_rate(rate: float, ops: list[Op]) -> None:
    pace = Pace(rate, 0.0)
    now = 0.0
    done = largest = 0
    for what, seconds in ops:
        if what == "work":
            now += pace.rest(now)
            done += pace.chunk()
            largest = max(largest, pace.chunk())
            now += seconds * TICK_S  # what the hashing itself takes
            pace.spend(pace.chunk(), now)
        else:
            now += seconds
    # One tick of credit, and the chunk that is on its way.
    assert done <= rate * (now + TICK_S) + largest + 1


def test_pace_keeps_its_rate_exactly_when_nothing_disturbs() -> None:
    pace = Pace(5000, 0.0)
    now, done = 0.0, 0
    while now < 60:
        now += pace.rest(now)
        done += pace.chunk()
        pace.spend(pace.chunk(), now)
    assert done == pytest.approx(5000 * 60, rel=0.01)


def test_suspended_rig_does_not_sprint_afterwards() -> None:
    pace = Pace(1000, 0.0)
    pace.spend(100, 3600.0)
    pace.spend(100, 3600.0)
    assert pace.rest(3600.0) == pytest.approx(0.1)


def test_new_rate_shortens_the_rest_that_is_owed() -> None:
    pace = Pace(1, 0.0)
    pace.spend(1, 0.0)
    pace.set_rate(1000, 0.0)
    assert pace.rest(0.0) == pytest.approx(0.001)


@pytest.mark.parametrize("rate", [-1.0, float("nan"), float("inf")])
def test_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="expected a number from 0 up"):
        ThrottledEngine(rate)


async def test_rigs_of_different_speeds_share_a_pool() -> None:
    async with FakePool(one_in=256) as pool:
        rigs = [
            VirtualRig(name, rate, UpstreamSettings(name), pool.connect)
            for name, rate in (("slow", 4_000.0), ("fast", 200_000.0))
        ]
        tasks = [asyncio.create_task(rig.run()) for rig in rigs]
        await pool.until(3, "slow")
        await pool.until(3, "fast")
        for rig in rigs:
            rig.stop()
        await asyncio.gather(*tasks)
    # Both search with the same extranonce1 here, so the second to find a share has a duplicate.
    assert set(pool.verdicts()) <= {0, 22}
    assert rigs[0].status.hashes < rigs[1].status.hashes


async def test_parked_rig_stays_connected_and_wakes_by_its_rate() -> None:
    up = asyncio.Event()

    def watch(news: MinerNews) -> None:
        if isinstance(news, ConnectionUp):
            up.set()

    async with FakePool(one_in=256) as pool:
        rig = VirtualRig("r1", 0, UpstreamSettings("r1"), pool.connect, watch)
        task = asyncio.create_task(rig.run())
        async with asyncio.timeout(5):
            await up.wait()
        assert (rig.rate, rig.status.hashes, rig.status.connected) == (0, 0, True)

        rig.set_rate(50_000)
        await pool.until(1)
        assert rig.status.hashes > 0
        rig.stop()
        await task
    assert pool.verdicts()[0] == 0


async def test_engine_without_work_reports_nothing() -> None:
    reports: list[Progress] = []
    engine = ThrottledEngine(1e6)
    engine.start(reports.append, lambda error: None)
    await asyncio.sleep(0)
    engine.assign(None)
    await asyncio.sleep(0)
    await engine.close()
    assert reports == []


async def test_engine_tells_what_ends_it() -> None:
    class Broken(Exception):
        pass

    def report(progress: Progress) -> None:
        raise Broken

    async with FakePool() as pool:
        rig = VirtualRig("r1", 1000, UpstreamSettings("r1"), pool.connect)
        rig._miner._progress = report  # type: ignore[method-assign]
        with pytest.raises(Broken):
            async with asyncio.timeout(5):
                await rig.run()
