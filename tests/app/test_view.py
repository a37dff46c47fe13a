"""What page, metrics and readiness say, held against what really happened."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from stratum.app.books import run_books
from stratum.app.descriptors import room
from stratum.events import BlockFate, BlockFateChanged, BlockFound
from stratum.mining.verdicts import Verdict
from stratum.node.settings import NodeSettings
from tests.app.world import TIER, Clock, HandRig, World, a_node, a_pool
from tests.peers.node import free_port


async def get(world: World, path: str) -> tuple[int, str]:
    """Status and text of one GET at the pool's own server."""
    url = f"http://127.0.0.1:{world.service.http_port}{path}"
    async with aiohttp.ClientSession() as http, http.get(url) as reply:
        return reply.status, await reply.text()


async def look(world: World) -> dict[str, Any]:
    """What the books are told when they ask."""
    connector = aiohttp.UnixConnector(str(world.data_dir / "serve.sock"))
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        http.get("http://serve/live") as reply,
    ):
        found: dict[str, Any] = await reply.json()
        return found


async def test_live_and_figures_say_the_same_of_rigs_and_shares(tmp_path: Path) -> None:
    async with a_pool(tmp_path, clock=Clock()) as (world, _):
        busy, idle = await world.rig("farm.busy"), await world.rig("farm.idle")
        silent = await world.connect()
        await silent.sync()
        for nth in range(3):
            assert (await busy.submit(busy.share(nth)))["result"] is True
        assert (await busy.submit(busy.share(0)))["error"][0] == 22

        live, figures = await look(world), world.service.view.figures()
        assert (live["connections"], live["rigs"]) == (3, 2)
        assert (figures.connections, figures.rigs) == (3, 2)
        assert live["shares"] == figures.shares
        assert figures.shares[Verdict.ACCEPTED] == 3 and figures.shares[Verdict.DUPLICATE] == 1
        assert figures.share_difficulty == 3 * TIER.difficulty
        rows = {row["worker"]: row for row in live["sessions"]}
        assert rows.keys() == {busy.user, idle.user}
        assert rows[busy.user]["difficulty"] == TIER.difficulty
        assert (rows[idle.user]["agent"], rows[idle.user]["listen"]) == ("byhand/1", 0)
        assert figures.log_records == world.service._scribe.records > 3
        assert live["listens"] == [f"127.0.0.1:{world.service.server.ports[0]}"]


async def test_sessions_name_the_table_that_they_came_by(tmp_path: Path) -> None:
    async with a_pool(tmp_path, listen=(TIER, TIER)) as (world, _):
        await world.rig("farm.second", tier=1)
        (row,) = (await look(world))["sessions"]
        assert row["listen"] == 1


async def test_hashrate_of_the_site_is_that_of_its_rigs(tmp_path: Path) -> None:
    async with a_pool(tmp_path, clock=Clock()) as (world, _):
        rig = await world.rig()
        for nth in range(8):
            await rig.submit(rig.share(nth))
        world.later(60)
        assert world.service.view.figures().hashrate > 0


async def test_books_are_known_to_be_there_while_their_socket_answers(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        assert world.service.view.figures().books is False
        assert (await get(world, "/"))[0] == 503
        stop, begun = asyncio.Event(), asyncio.Event()
        books = asyncio.create_task(run_books(world.config, stop, begun.set))
        await begun.wait()
        assert world.service.view.figures().books is True
        assert (await get(world, "/"))[0] == 200
        stop.set()
        assert await books == 0
        assert world.service.view.figures().books is False


async def test_job_that_is_told_is_the_job_that_rigs_have(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        rig = await world.rig()
        job, figures = world.service.view.live().job, world.service.view.figures()
        assert job is not None
        assert job.job_id == rig.job[0]
        assert job.height == figures.job_height == 1
        assert job.sats == world.template.coinbasevalue


async def test_fate_of_a_block_is_followed(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, node):
        rig = await world.rig("farm.finder")
        solution = rig.solve()
        await rig.submit(solution)
        (row,) = world.service.view.live().blocks
        assert (row.fate, row.worker, row.height) == (BlockFate.FOUND, "farm.finder", 1)
        await world.listener.until(world.listener.fates)
        (row,) = world.service.view.live().blocks
        assert (row.fate, row.reason) == (BlockFate.ACCEPTED, "")
        assert node.chain.tip.block_hash == solution.block_hash


async def test_reason_of_a_lost_block_is_shown_and_old_blocks_make_room(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        view = world.service.view
        hashes = [number.to_bytes(32, "little") for number in range(1, 151)]
        for height, block_hash in enumerate(hashes, 1):
            view.on_event(BlockFound(block_hash, height, "farm.x", 1, b""))
        rows = view.live().blocks
        assert [row.height for row in rows] == list(range(150, 50, -1))

        view.on_event(BlockFateChanged(hashes[-1], 150, BlockFate.REJECTED, "bad-cb-amount"))
        view.on_event(BlockFateChanged(hashes[0], 1, BlockFate.ORPHANED, "long forgotten"))
        rows = view.live().blocks
        assert (rows[0].fate, rows[0].reason) == (BlockFate.REJECTED, "bad-cb-amount")
        assert len(rows) == 100


async def test_readiness_names_the_node_and_its_fault(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, node):
        assert await get(world, "/readyz") == (200, "ok\n")
        assert world.service.view.figures().ready is True
        name = node.settings.name
        await node.stop()
        await world.until_work_from(None)
        code, text = await get(world, "/readyz")
        assert code == 503
        assert text.startswith(f"no node gives work: {name}: ") and "refuses the connection" in text
        assert world.service.view.figures().ready is False
        assert world.service.view.live().fault == text.rstrip("\n")
        assert (await get(world, "/healthz"))[0] == 200, "no reason to restart the pool"


async def test_readiness_names_every_node_that_fails(tmp_path: Path) -> None:
    dead = [NodeSettings(f"http://127.0.0.1:{free_port()}") for _ in range(2)]
    async with World(tmp_path, *dead, waits_for_work=False) as world:

        def all_heard() -> bool:
            return all(world.listener.faults(node.name) for node in dead)

        await world.listener.until(all_heard)
        fault = world.service.view.not_ready()
        assert fault is not None
        assert all(f"{node.name}: " in fault for node in dead)


async def test_readiness_before_any_node_was_heard_says_so(tmp_path: Path) -> None:
    async with a_node() as node:
        node.hangs("getblockchaininfo")
        async with World(tmp_path, node.settings, waits_for_work=False) as world:
            code, text = await get(world, "/readyz")
            assert code == 503 and text.startswith("no node gives work: ")


async def test_metrics_are_served(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, node):
        rig = await world.rig("farm.shown")
        await rig.submit(rig.share())
        code, metrics = await get(world, "/metrics")
        assert code == 200
        assert 'baseload_shares_total{verdict="accepted"} 1.0' in metrics
        assert f'baseload_node_active{{node="{node.settings.name}"}} 1.0' in metrics
        assert "baseload_books_up 0.0" in metrics
        assert f"baseload_connections_limit {float(room())}" in metrics


async def test_events_tell_of_rigs_without_their_addresses(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        async with HandRig(world.service.server.ports[0], "farm.visitor") as rig:
            await rig.ready()
        await world.listener.until(lambda: world.service.view.live().rigs == 0)
        texts = [row.text for row in world.service.view.live().events]
    assert any(text.startswith("farm.visitor connected (byhand/1)") for text in texts)
    assert not any("127.0.0.1" in text for text in texts if "farm.visitor" in text)
