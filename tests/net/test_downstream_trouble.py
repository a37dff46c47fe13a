"""One rig's trouble is not another's: rigs that do not read, flood, or meet a bug of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from stratum.mining.pool import LayoutQuestion
from stratum.mining.settings import LimitSettings
from stratum.net.connection import MAX_QUEUED, WRITE_STALL
from tests.mining.world import ALICE, BOB, World
from tests.net.farm import Farm, open_farm

SUBSCRIBE = {"id": 1, "method": "mining.subscribe", "params": ["x/1"]}
EXTRANONCE = {"id": 7, "method": "mining.extranonce.subscribe", "params": []}
LEGACY = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"


@pytest.fixture
async def farm() -> AsyncIterator[Farm]:
    async with open_farm() as farm:
        yield farm


async def test_rig_that_reads_nothing_is_dropped_and_the_others_hear_everything() -> None:
    world = World(limits=LimitSettings(0, 0, 0))
    world.new_block(transactions=1100)
    async with open_farm(world) as farm:
        await farm.deaf()
        rig = await farm.ready()
        sent = 0
        while len(farm.server.sessions) == 2:
            farm.broadcast()
            await rig.hear()
            sent += 1
            assert sent < 20_000
        assert farm.server.sessions == [rig.core.session]
        assert sent * 1000 > MAX_QUEUED
        farm.broadcast()
        await rig.hear()


async def test_rig_that_asks_without_reading_is_dropped_before_the_next_tick() -> None:
    world = World(limits=LimitSettings(0, 0, 0))
    async with open_farm(world) as farm:
        deaf = await farm.deaf()
        request = b'{"id":"%b","method":"mining.extranonce.subscribe"}\n' % (b"x" * 100)
        with pytest.raises(ConnectionError):
            for _ in range(2000):
                await deaf.send(request * 100)
        await farm.until_sessions(0)


async def test_rig_that_stalls_for_a_minute_is_dropped() -> None:
    world = World(limits=LimitSettings(0, 0, 0))
    world.new_block(transactions=1100)
    async with open_farm(world) as farm:
        await farm.deaf()
        (connection,) = farm.server.connections
        while not connection.transport.get_write_buffer_size():
            farm.broadcast()
            await asyncio.sleep(0)
        farm.server.tick()
        farm.world.now += WRITE_STALL - 1
        farm.server.tick()
        assert len(farm.server.sessions) == 1
        farm.world.now += 2
        farm.server.tick()
        await farm.until_sessions(0)


async def test_failure_in_one_session_leaves_the_others_alone(
    farm: Farm, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(account: str, script_pubkey: bytes, name: str) -> tuple[int, int] | None:
        raise RuntimeError("a bug of ours")

    unlucky, other = await farm.ready(), await farm.ready()
    identify, farm.world.site.identify = farm.world.site.identify, fail
    share = unlucky.core.mine()
    await unlucky.say({"id": 4, "method": "mining.submit", "params": share.params})
    assert await unlucky.ended() == "reset"
    assert "a bug of ours" in caplog.text and unlucky.core.session.peer in caplog.text

    farm.world.site.identify = identify
    reply = await other.submit(other.core.mine())
    assert reply["result"] is True


async def test_failure_while_a_job_goes_out_leaves_the_others_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(proves_layouts=False)

    def ask(question: LayoutQuestion) -> None:
        if question.layout.startswith("p2pkh"):
            raise RuntimeError("a bug of ours")
        world.pool.layout_answered(question.layout, True)

    world.pool._ask = ask
    async with open_farm(world) as farm:
        first, unlucky, last = [await farm.ready(name) for name in (ALICE, LEGACY, BOB)]
        world.new_block()
        assert world.pool.current is not None
        farm.server.broadcast(world.pool.current, True)
        assert await unlucky.ended() == "reset"
        for rig in (first, last):
            await rig.hear(2)
    assert "a bug of ours" in caplog.text


# -- throttling ----------------------------------------------------------------------------


async def test_throttled_rig_is_read_again_and_loses_nothing() -> None:
    """The budget is on the test's clock, which a reader pushes on."""
    world = World(limits=LimitSettings(lines_per_second=50))
    async with open_farm(world) as farm:
        flood, other = await farm.connect(), await farm.connect()
        await flood.say(
            *({"id": number, "method": "mining.extranonce.subscribe"} for number in range(1000))
        )
        assert [line["id"] for line in await flood.hear(400)] == list(range(400))

        await other.say(SUBSCRIBE)
        await other.hear()
        for number in range(400, 1000):
            world.now += 0.021
            assert (await flood.hear())[0]["id"] == number


async def test_rig_that_leaves_while_throttled_is_forgotten() -> None:
    world = World(limits=LimitSettings(lines_per_second=1))
    async with open_farm(world) as farm:
        rig = await farm.connect()
        await rig.say(*[EXTRANONCE] * 100)
        await rig.hear(8)
        farm.server.close_all("a test")
        await farm.until_sessions(0)
