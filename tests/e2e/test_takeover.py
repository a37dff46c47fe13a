"""An upgrade as an operator does it: rigs keep their connections, and notice nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from stratum.bitcoin.target import display
from tests.e2e.programs import Pool
from tests.e2e.rig import Rig
from tests.e2e.tree import children, kill
from tests.peers.node import FullNode

RIGS = 20


async def farm(pool: Pool, stack: AsyncExitStack) -> list[Rig]:
    """Rigs at work."""
    rigs = [
        await stack.enter_async_context(Rig(pool.port, f"farm.{number}")) for number in range(RIGS)
    ]
    await asyncio.gather(*(rig.start() for rig in rigs))
    return rigs


@pytest.mark.parametrize("how", ["SIGUSR2", "--takeover"])
async def test_upgrade_drops_no_rig_and_loses_no_block(
    node: FullNode, tmp_path: Path, how: str
) -> None:
    await node.mine_to(3)
    async with Pool(tmp_path, [node.settings]) as pool, AsyncExitStack() as stack:
        await pool.until_page()
        rigs = await farm(pool, stack)
        solution = rigs[0].solve()
        for _ in range(2):
            if how == "SIGUSR2":
                await pool.renew()
            else:
                assert await pool.replace() == 0
            await pool.until_ready()
            await pool.until_page()
            # On its old connection, each of them; a lost one would raise ConnectionError.
            await asyncio.gather(*(rig.call("mining.extranonce.subscribe", []) for rig in rigs))

        # Of a job from two processes ago, whose difficulty is remembered: the block is below it.
        answer = await rigs[0].call("mining.submit", solution.params)
        assert answer["error"][0] == 23
        await pool.until_accepted(1)
        assert (await pool.status())["rigs"] == RIGS
        for rig in rigs:
            await rig.next_job()
    assert await node.rpc("getbestblockhash") == display(solution.block_hash)
    assert "Traceback" not in pool.log and "ERROR" not in pool.log


async def test_upgrade_whose_new_process_dies_leaves_everything_as_it_was(
    node: FullNode, tmp_path: Path
) -> None:
    async with Pool(tmp_path, [node.settings]) as pool, AsyncExitStack() as stack:
        await pool.until_page()
        rigs = await farm(pool, stack)
        before = children(pool.pid)
        os.kill(pool.pid, signal.SIGUSR2)
        await kill(await pool.until_part("serve", other_than=before["serve"]))

        async def said() -> bool:
            return "the new serve died of SIGKILL; the one before goes on" in pool.log

        await pool.until(said, "the failure")
        await asyncio.gather(*(rig.call("mining.extranonce.subscribe", []) for rig in rigs))
        assert children(pool.pid) == before
        await pool.renew()
        await asyncio.gather(*(rig.call("mining.extranonce.subscribe", []) for rig in rigs))
