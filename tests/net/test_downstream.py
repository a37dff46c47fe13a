"""The Stratum server on real sockets: what is said arrives, and no rig harms another."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator

import pytest
import uvloop

from stratum.mining.session import LINE_DEADLINE
from stratum.mining.settings import LimitSettings, TierSettings
from stratum.net import downstream
from stratum.net.downstream import Server
from tests.mining.world import ALICE, World
from tests.net.farm import PATIENCE, Farm, open_farm

SUBSCRIBE = {"id": 1, "method": "mining.subscribe", "params": ["x/1"]}
EXTRANONCE = {"id": 7, "method": "mining.extranonce.subscribe", "params": []}
LEGACY = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"


@pytest.fixture
async def farm() -> AsyncIterator[Farm]:
    async with open_farm() as farm:
        yield farm


# -- conversation --------------------------------------------------------------------------


async def _first_share(farm: Farm) -> None:
    rig = await farm.ready()
    reply = await rig.submit(rig.core.mine())
    assert reply == {"id": 4, "result": True, "error": None}
    (record,) = farm.world.records
    assert record.extranonce1 == rig.core.extranonce1


async def test_rig_gets_from_connect_to_its_first_accepted_share(farm: Farm) -> None:
    await _first_share(farm)


def test_the_same_on_uvloop() -> None:
    async def play() -> None:
        async with open_farm() as farm:
            await _first_share(farm)
            deaf = await farm.deaf()
            farm.server.close_all("a test")
            assert await farm.rigs[0].ended() == "reset"
            del deaf

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())


async def test_pipelined_handshake_in_one_segment_is_answered_in_order(farm: Farm) -> None:
    rig = await farm.connect()
    await rig.say(
        {"id": 1, "method": "mining.configure", "params": [["version-rolling"], {}]},
        {"id": 2, "method": "mining.subscribe", "params": ["bitaxe/1"]},
        {"id": 3, "method": "mining.authorize", "params": [ALICE, "x"]},
    )
    lines = await rig.hear(5)
    said = [line.get("method", line["id"]) for line in lines]
    assert said == [1, 2, 3, "mining.set_difficulty", "mining.notify"]


async def test_line_in_single_bytes_is_one_line(farm: Farm) -> None:
    rig = await farm.connect()
    for byte in b'{"id":1,"method":"mining.subscribe"}\r\n':
        await rig.send(bytes([byte]))
    (reply,) = await rig.hear()
    assert reply["id"] == 1


async def test_job_reaches_every_rig(farm: Farm) -> None:
    rigs = [await farm.ready(f"{ALICE}.{number}") for number in range(20)]
    farm.broadcast()
    for rig in rigs:
        (notify,) = await rig.hear()
        assert notify["method"] == "mining.notify"
    assert len({rig.core.job.job_id for rig in rigs}) == 1
    assert len({rig.core.extranonce1 for rig in rigs}) == 20


async def test_each_port_is_a_tier_of_its_own() -> None:
    tiers = [
        TierSettings("127.0.0.1", 0, difficulty=difficulty, min_difficulty=2**-32)
        for difficulty in (2**-28, 2**-20)
    ]
    world = World()
    world.new_block()
    async with open_farm(world, tiers) as farm:
        for port, tier in zip(farm.server.ports, tiers, strict=True):
            rig = await farm.connect(host="127.0.0.1", port=port)
            await rig.begin()
            assert rig.core.job.difficulty == tier.difficulty


async def test_message_is_shown_to_those_who_can_show_it(farm: Farm) -> None:
    rig = await farm.ready()
    farm.server.show_message("hello")
    (line,) = await rig.hear()
    assert line["params"] == ["hello"]


# -- the timer -----------------------------------------------------------------------------


async def test_wished_difficulty_comes_with_a_fresh_job_at_the_next_tick(farm: Farm) -> None:
    rig, other = await farm.ready(), await farm.ready()
    await rig.say({"id": 5, "method": "mining.suggest_difficulty", "params": [2**-10]})
    assert (await rig.hear())[0]["result"] is True
    farm.world.now += 1
    farm.server.tick()
    said = [line["method"] for line in await rig.hear(2)]
    assert said == ["mining.set_difficulty", "mining.notify"]

    await other.say(EXTRANONCE)
    assert (await other.hear())[0]["id"] == 7, "nobody else got a job"


async def test_vardiff_lowers_a_quiet_rig_at_a_tick() -> None:
    world = World()
    world.new_block()
    async with open_farm(world, [TierSettings("127.0.0.1", 0, 2**-10, 2**-32)]) as farm:
        rig = await farm.ready()
        world.now += 25
        farm.server.tick()
        await rig.hear(2)
        assert rig.core.job.difficulty < 2**-10


async def test_rig_that_came_before_any_work_is_offered_the_first_job() -> None:
    async with open_farm(World()) as farm:
        rig = await farm.ready()
        farm.world.new_block()
        farm.server.tick()
        await rig.hear(2)
        assert rig.core.job.clean_jobs


async def test_rig_gets_its_job_when_its_layout_is_proved() -> None:
    world = World(proves_layouts=False)
    world.new_block()
    async with open_farm(world) as farm:
        rig = await farm.connect()
        await rig.say(SUBSCRIBE, {"id": 2, "method": "mining.authorize", "params": [ALICE]})
        await rig.hear(2)
        world.pool.layout_answered(world.questions[0].layout, True)
        farm.server.offer()
        await rig.hear(2)


async def test_connection_that_says_nothing_is_closed_by_the_clock(farm: Farm) -> None:
    silent, rig = await farm.connect(), await farm.ready()
    farm.world.now += LINE_DEADLINE + 1
    farm.server.tick()
    assert await silent.ended() == "closed"
    assert len(farm.server.sessions) == 1 and farm.server.sessions[0] is rig.core.session


async def test_timer_runs_by_itself(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downstream, "TICK", 0.01)
    silent = await farm.connect()
    farm.world.now += LINE_DEADLINE + 1
    timer = asyncio.create_task(farm.server.run())
    assert await silent.ended() == "closed"
    timer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await timer


# -- how it ends ---------------------------------------------------------------------------


async def test_all_rigs_are_reset_so_that_they_notice_at_once(farm: Farm) -> None:
    rigs = [await farm.ready() for _ in range(3)]
    farm.server.close_all("no work")
    assert [await rig.ended() for rig in rigs] == ["reset"] * 3
    assert not farm.server.sessions


async def test_last_words_are_written_before_a_connection_is_closed(farm: Farm) -> None:
    rig = await farm.connect()
    await rig.say(SUBSCRIBE)
    await rig.hear()
    await rig.send(b'{"id":8,"method":"mining.extranonce.subscribe"}\nnot json\n')
    assert (await rig.hear())[0]["id"] == 8
    assert await rig.ended() == "closed"


async def test_unfinished_last_line_is_dropped_without_a_word(farm: Farm) -> None:
    rig = await farm.ready()
    await rig.send(b'{"id":8,"method":"mining.extranonce.subscribe"}')
    rig.writer.write_eof()
    assert await rig.ended() == "closed"
    await farm.until_sessions(0)


async def test_reset_in_the_middle_of_a_line_frees_all_it_held(
    farm: Farm, caplog: pytest.LogCaptureFixture
) -> None:
    rig = await farm.ready()
    core = rig.core
    await rig.send(b'{"id":8,')
    sock = rig.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    rig.writer.transport.abort()
    await farm.until_sessions(0)

    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    back = await farm.connect()
    await back.say({"id": 1, "method": "mining.subscribe", "params": ["x/1", core.session_id]})
    assert (await back.hear())[0]["result"][1] == core.extranonce1.hex()


async def test_tls_hello_is_closed_and_the_next_plain_connection_works(farm: Farm) -> None:
    for _ in range(8):
        hello = await farm.connect()
        await hello.send(bytes.fromhex("1603010200010001fc0303"))
        assert await hello.ended() in ("closed", "reset")
    await farm.ready()


async def test_server_that_stops_lets_everybody_go() -> None:
    async with open_farm() as farm:
        rig, port = await farm.ready(), farm.server.ports[0]
        await farm.server.stop()
        assert await rig.ended() == "reset"
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


# -- who may come --------------------------------------------------------------------------


async def _is_turned_away(farm: Farm) -> bool:
    rig = await farm.connect()
    try:
        await rig.say(SUBSCRIBE)
        line = await asyncio.wait_for(rig.reader.readline(), PATIENCE)
    except ConnectionError:
        line = b""
    await rig.leave()
    return not line


async def test_connections_of_one_address_are_capped() -> None:
    world = World(limits=LimitSettings(connections_per_address=2))
    async with open_farm(world) as farm:
        first, _ = await farm.connect(), await farm.connect()
        await farm.until_sessions(2)
        assert await _is_turned_away(farm)
        await first.leave()
        await farm.until_sessions(1)
        assert not await _is_turned_away(farm)


async def test_five_strikes_ban_the_address_and_a_working_rig_protects_it(farm: Farm) -> None:
    rig = await farm.ready()

    async def strike() -> None:
        vandal = await farm.connect()
        await vandal.send(b"not json\n")
        await vandal.ended()

    for _ in range(6):
        await strike()
    assert not await _is_turned_away(farm)

    await rig.leave()
    await farm.until_sessions(0)
    for _ in range(5):
        await strike()
    assert await _is_turned_away(farm)
    farm.world.now += 601
    assert not await _is_turned_away(farm)


async def test_nobody_is_let_in_while_there_is_no_work(farm: Farm) -> None:
    rig = await farm.ready()
    farm.server.refuse_rigs(True)
    assert await _is_turned_away(farm)
    farm.server.refuse_rigs(False)
    assert not await _is_turned_away(farm)
    await rig.say(EXTRANONCE)
    assert (await rig.hear())[0]["result"] is True, "who was there may stay"


async def test_taken_port_is_named_and_the_other_ports_are_given_back(farm: Farm) -> None:
    taken = farm.server.ports[0]
    tiers = [TierSettings("127.0.0.1", 0), TierSettings("127.0.0.1", taken)]
    server = Server(farm.world.site, tiers)
    with pytest.raises(OSError, match=rf"listen on 127\.0\.0\.1:{taken}: .*in use"):
        await server.start()
    assert all(not listener.is_serving() for listener in server._listeners)


# -- order ---------------------------------------------------------------------------------


@pytest.mark.parametrize("in_slices", [False, True])
async def test_no_job_overtakes_an_answer_of_the_same_turn(farm: Farm, in_slices: bool) -> None:
    rig = await farm.ready()
    (connection,) = farm.server.connections
    farm.world.now += 1
    job = farm.world.pool.refresh(farm.world.now)
    assert job is not None
    farm.server.answers.begin()
    farm.server.answers.put(connection)
    farm.server.answers.put(b'{"id":77,"result":true,"error":null}\n')
    if in_slices:
        farm.server.spread(job)
    else:
        farm.server.broadcast(job, False)
    answer, notify = await rig.hear(2)
    assert answer["id"] == 77 and notify["method"] == "mining.notify"


async def test_nothing_a_session_says_overtakes_an_answer_of_the_same_turn(farm: Farm) -> None:
    rig = await farm.ready()
    (connection,) = farm.server.connections
    farm.server.answers.begin()
    farm.server.answers.put(connection)
    farm.server.answers.put(b'{"id":77,"result":true,"error":null}\n')
    connection.write(b'{"id":78,"result":true,"error":null}\n')
    assert [line["id"] for line in await rig.hear(2)] == [77, 78]
