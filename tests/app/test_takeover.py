"""One pool takes over the rigs of another: both whole, in one process, on one devnet node.

What happens when either dies is `test_handover_sides`'; here is what a rig could notice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from stratum.app.handover_take import take
from stratum.app.parts import Ending
from stratum.app.service import PoolService
from stratum.errors import ConfigError
from stratum.events import BlockFate
from stratum.ledger.records import Record, ShareRecord
from stratum.ledger.tail import LogReader
from stratum.protocol.messages import swap_words
from tests.app.world import PATIENCE_S, TIER, HandRig, World, a_pool

ROOM = 1000


class Heir(World):
    """The pool that takes over: it serves the rigs that the other world's pool was given."""

    async def __aenter__(self) -> Heir:
        with_rigs = await take(str(self.data_dir / "handover.sock"), ROOM)
        with with_rigs:
            self.service = PoolService(self.config, on_event=self.listener.emit)
            started = asyncio.Event()
            self.running = asyncio.create_task(self.service.run(started.set, with_rigs))
            async with asyncio.timeout(PATIENCE_S):
                await started.wait()
        return self


@asynccontextmanager
async def taken_over(world: World, **changes: object) -> AsyncIterator[Heir]:
    """The same pool in a new process, so to speak; the old one has left."""
    config = replace(world.config, **changes)  # type: ignore[arg-type]
    heir = Heir(world.data_dir)
    heir.config = config
    async with heir:
        async with asyncio.timeout(PATIENCE_S):
            assert await world.running == Ending.TAKEN_OVER
        yield heir


def records(data_dir: Path) -> list[Record]:
    with LogReader(data_dir) as reader:
        return [record for _, record in reader.records()]


async def test_rig_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        rig = await world.rig()
        first, second = rig.share(0), rig.share(1)
        assert (await rig.submit(first))["result"] is True
        heard = len(rig.notifications)
        async with taken_over(world) as heir:
            # On the job that the old process sent, at the difficulty it was sent with.
            assert (await rig.submit(second))["result"] is True
            assert (await rig.submit(first))["error"][0] == 22, "it remembers what was paid"
            assert len(rig.notifications) == heard
            assert heir.service.view.figures().rigs == 1
    shares = [record for record in records(tmp_path) if isinstance(record, ShareRecord)]
    assert [share.extranonce1 for share in shares] == [rig.extranonce1] * 2


async def test_whole_farm_changes_process_and_newcomers_find_the_port_open(
    tmp_path: Path,
) -> None:
    async with a_pool(tmp_path) as (world, _):
        rigs = [await world.rig(f"farm.rig{number}") for number in range(40)]
        stranger = await world.connect()
        await stranger.sync()
        port = world.service.server.ports
        async with taken_over(world, listen=(TIER,)) as heir:
            assert heir.service.server.ports == port
            for rig in rigs:
                assert (await rig.submit(rig.share()))["result"] is True
            await stranger.ready()
            newcomer = await heir.rig()
            assert newcomer.extranonce1 not in {rig.extranonce1 for rig in rigs}
            assert heir.service.view.figures().rigs == 42


async def test_line_that_was_cut_in_two_by_the_takeover_is_answered(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        rig = await world.rig()
        whole = b'{"id":76,"method":"mining.extranonce.subscribe","params":[]}\n'
        line = whole.replace(b"76", b"77")
        rig._writer.write(whole + line[:30])
        assert (await rig._read())["id"] == 76
        async with taken_over(world):
            rig._writer.write(line[30:])
            assert (await rig._read())["id"] == 77


async def test_new_block_reaches_rigs_that_were_taken_over(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, node):
        rig = await world.rig()
        solution = rig.solve()
        async with taken_over(world) as heir:
            await heir.until_work_from(node.settings.name)
            assert (await rig.submit(solution))["result"] is True
            await heir.listener.until(lambda: bool(heir.listener.fates()))
            assert heir.listener.fates() == [BlockFate.ACCEPTED]
            await rig.next_job()
            assert rig.job[8] is True
            assert (await rig.submit(rig.share()))["result"] is True
    assert node.chain.tip.block_hash == solution.block_hash


async def test_block_that_no_node_has_yet_is_not_lost_between_the_two(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, node):
        rig = await world.rig()
        solution = rig.solve()
        node.hangs("submitblock")
        assert (await rig.submit(solution))["result"] is True
        await world.listener.until(lambda: world.spooled() == ["found"])
        heir_comes = taken_over(world)
        heir = await heir_comes.__aenter__()
        node.odd.clear()
        await heir.listener.until(lambda: bool(heir.listener.fates()))
        assert heir.listener.fates() == [BlockFate.ACCEPTED]
        await heir_comes.__aexit__(None, None, None)
    assert node.chain.tip.block_hash == solution.block_hash


async def test_rigs_can_change_process_again_and_again(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        rig = await world.rig()
        async with taken_over(world) as second, taken_over(second) as third:
            for nth in range(3):
                assert (await rig.submit(rig.share(nth)))["result"] is True
            assert third.service.view.figures().log_records == len(list(records(tmp_path)))


async def test_http_is_answered_all_the_while(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        port = world.service.http_port
        async with taken_over(world) as heir:
            assert heir.service.http_port == port
            url = f"http://127.0.0.1:{port}/healthz"
            async with aiohttp.ClientSession() as http, http.get(url) as reply:
                assert reply.status == 200


async def test_port_that_the_new_config_has_no_more_costs_its_rigs_and_no_others(
    tmp_path: Path,
) -> None:
    one, two = TIER, replace(TIER, host="127.0.0.2")
    async with a_pool(tmp_path, listen=(two, one)) as (world, _):
        stays = [await world.rig(f"farm.{name}", tier=1) for name in ("a", "b")]
        goes = HandRig(world.service.server.ports[0], "farm.c")
        reader, writer = await asyncio.open_connection("127.0.0.2", goes._port)
        goes._reader, goes._writer = reader, writer
        await goes.ready()
        async with taken_over(world, listen=(one,)):
            for rig in stays:
                assert (await rig.submit(rig.share()))["result"] is True
            await goes.ended()
            writer.close()


async def test_pool_that_got_its_rigs_back_serves_them_as_before(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, node):
        rig, house = await world.rig(), world.service._house
        await house.let_go()
        told = list(house.sockets_and_states())
        assert len(told) == 1 and len(list(house.states())) == 2
        # Meanwhile a rig speaks into the silence, another one comes, and so does a block.
        early = rig.share(0)
        rig._writer.write(b'{"id":99,"method":"mining.extranonce.subscribe","params":[]}\n')
        coming = asyncio.create_task(world.rig("farm.new"))
        (block_hash,) = await node.mine()
        await house.take_back()

        newcomer = await coming
        assert (await rig._read())["id"] == 99
        for one in (rig, newcomer):
            while swap_words(bytes.fromhex(one.job[1])) != block_hash:
                await one.next_job()
            assert one.job[8] is True
            assert (await one.submit(one.share()))["result"] is True
        assert (await rig.submit(early))["error"][0] == 21
        assert world.service.view.figures().rigs == 2


async def test_one_without_room_for_all_is_refused_and_nothing_is_stopped(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        rig = await world.rig()
        with pytest.raises(ConfigError, match="room for 2 connections and we have 3"):
            await take(str(tmp_path / "handover.sock"), 2)
        assert (await rig.submit(rig.share()))["result"] is True


async def test_where_no_pool_runs_there_is_nothing_to_take_over(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no pool runs in data_dir"):
        await take(str(tmp_path / "handover.sock"), ROOM)
    async with a_pool(tmp_path):
        pass
    with pytest.raises(ConfigError, match="no pool runs in data_dir"):
        await take(str(tmp_path / "handover.sock"), ROOM)
