"""A server whose rigs are given away, or not; real sockets, and time only when a test says so."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import cbor2
import pytest

from stratum.mining.kept import work_to_body
from stratum.mining.passage import resume_pool, save_pool
from stratum.mining.settings import LimitSettings
from stratum.net.doors import address_of
from stratum.net.handing import Handing
from tests.mining.world import World
from tests.net.farm import PATIENCE, Farm, SocketRig, WatchedServer, open_farm

EXTRANONCE = {"id": 7, "method": "mining.extranonce.subscribe", "params": []}


@pytest.fixture
async def farm() -> AsyncIterator[Farm]:
    async with open_farm() as farm:
        yield farm


def handing(farm: Farm) -> Handing:
    server, world = farm.server, farm.world
    return Handing(server, world.site, server._tiers, lambda: world.now)


def copies(giving: Handing) -> list[tuple[socket.socket, bytes]]:
    """What another process would get: descriptors of its own for the same sockets."""
    return [
        (socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM), state)
        for descriptor, state in giving.sockets_and_states()
    ]


async def heir_of(farm: Farm) -> tuple[Handing, World]:
    """What takes the rigs of a farm over: the same world in another process."""
    old, new = farm.world, World(tier=farm.world.tier)
    new.now, new.tip, new._transactions = old.now, old.tip, old._transactions
    new.pool.restore([work_to_body(work) for work in old.pool._book.works.values()], new.now)
    resume_pool(new.pool, save_pool(old.pool))
    server = WatchedServer(new.site, list(farm.server._tiers), lambda: new.now)
    return Handing(server, new.site, server._tiers, lambda: new.now), new


# -- the process that has them -------------------------------------------------------------


async def test_paused_server_hears_nobody_and_goes_on_where_it_stopped(farm: Farm) -> None:
    rig, giving = await farm.ready(), handing(farm)
    giving.pause()
    await giving.drain(PATIENCE)
    await rig.say(EXTRANONCE)
    newcomer = await farm.connect()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(rig.reader.readline(), 0.05)
    assert len(farm.server.sessions) == 1
    await giving.resume()
    assert (await rig.hear())[0]["id"] == 7
    await farm.until_sessions(2)
    await newcomer.begin()


async def test_everybody_has_the_whole_job_before_the_silence(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stratum.net.spread.SLICE", 1)
    rigs = [await farm.ready() for _ in range(5)]
    farm.world.now += 1
    job = farm.world.pool.refresh(farm.world.now)
    assert job is not None
    farm.server.spread(job)
    handing(farm).pause()
    for rig in rigs:
        assert (await rig.hear())[0]["params"][0] == job.job_id


async def test_rig_that_waits_for_budget_has_its_lines_answered_after_all() -> None:
    world = World(limits=LimitSettings(lines_per_second=1))
    world.new_block()
    async with open_farm(world) as farm:
        rig, giving = await farm.ready(), handing(farm)
        await rig.say(*[EXTRANONCE] * 10)
        await rig.hear()
        assert farm.server.sessions[0].is_throttled
        giving.pause()
        world.now += 3600
        await giving.resume()
        await rig.hear(9)


async def test_rig_that_has_not_read_everything_stays_behind() -> None:
    world = World(limits=LimitSettings(0, 0, 0))
    world.new_block(transactions=1100)
    async with open_farm(world) as farm:
        await farm.deaf()
        rig, giving = await farm.ready(), handing(farm)
        while not farm.server.stalled:
            farm.broadcast()
            await rig.hear()
        giving.pause()
        await giving.drain(0.05)
        ((_, state),) = giving.sockets_and_states()
        assert cbor2.loads(state)["extranonce1"] == rig.core.extranonce1
        assert giving.connections == 3, "but room for it was asked for"
        await giving.resume()


async def test_books_hear_of_what_was_refused_before_the_log_is_another_ones(farm: Farm) -> None:
    rig, giving = await farm.ready(), handing(farm)
    await rig.say({"id": 9, "method": "mining.submit", "params": ["x", "y"]})
    await rig.hear()
    assert not farm.world.refused
    giving.pause()
    assert len(farm.world.refused) == 1


# -- the process that gets them ------------------------------------------------------------


async def test_rig_is_served_by_the_heir_and_the_old_server_says_no_word(farm: Farm) -> None:
    rig, giving = await farm.ready(), handing(farm)
    giving.pause()
    heir, world = await heir_of(farm)
    for sock, state in copies(giving):
        heir.adopt(sock, state)
    giving.leave()
    await rig.say(EXTRANONCE)
    await heir.begin()
    assert (await rig.hear())[0]["id"] == 7
    assert not farm.server.sessions and len(heir._server.sessions) == 1
    assert not [event for event in farm.world.events if "Disconnected" in type(event).__name__]
    await heir._server.stop()
    assert await rig.ended() == "reset"


async def test_rig_that_has_gone_meanwhile_is_let_go(farm: Farm) -> None:
    stays, goes = await farm.ready(), await farm.ready()
    giving = handing(farm)
    giving.pause()
    heir, world = await heir_of(farm)
    for sock, state in copies(giving):
        heir.adopt(sock, state)
    giving.leave()
    await goes.leave()
    await heir.begin()
    server = heir._server
    assert isinstance(server, WatchedServer)
    async with asyncio.timeout(PATIENCE):
        while len(server.sessions) != 1:
            server.changed.clear()
            await server.changed.wait()
    await stays.say(EXTRANONCE)
    await stays.hear()
    assert world.site.gatekeeper.refusal("127.0.0.1", world.now) is None
    await server.stop()
    farm.rigs.remove(goes)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (b"\xff", "can't be read"),
        (b"\x01", "is no map"),
        ({}, "there is no port None"),
        ({"listen": "127.0.0.1:1"}, "there is no port 127.0.0.1:1 any more"),
        ({"workers": 7}, "not understood"),
        ({"jobs": b"x"}, "not understood"),
    ],
)
async def test_state_that_is_not_understood_is_refused_and_leaves_nothing_behind(
    farm: Farm, broken: bytes | dict[str, object], why: str
) -> None:
    await farm.ready()
    giving = handing(farm)
    giving.pause()
    ((descriptor, state),) = giving.sockets_and_states()
    if isinstance(broken, dict):
        good = cbor2.loads(state) if broken else {}
        broken = cbor2.dumps(good | broken)
    heir, world = await heir_of(farm)
    with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as sock:
        with pytest.raises(ValueError, match=why):
            heir.adopt(sock, broken)
    assert world.site.gate.open_session().slot == 0
    await giving.resume()


async def test_rigs_keep_their_tier_where_the_config_puts_it_at_another_place(farm: Farm) -> None:
    rig = await farm.ready()
    (tier,) = farm.server._tiers
    giving = handing(farm)
    giving.pause()
    heir, world = await heir_of(farm)
    heir._tiers = (replace(tier, port=1), tier)
    ((sock, state),) = copies(giving)
    heir.adopt(sock, state)
    ((_, session),) = heir._adopted
    assert session.rig.tier == 1 and address_of(heir._tiers[1]) == address_of(tier)
    sock.close()
    await giving.resume()
    assert isinstance(rig, SocketRig)
