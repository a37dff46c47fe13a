"""A rig connects, hashes, and its block lands on a real node, whatever goes wrong between."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from stratum.bitcoin.block import parse_block
from stratum.bitcoin.target import display
from stratum.events import BlockFate
from stratum.ledger.reading import read
from stratum.ledger.records import ShareRecord
from stratum.node.settings import NodeSettings
from tests.e2e.programs import PATIENCE_S, Pool, mine
from tests.e2e.rig import Rig
from tests.e2e.tree import children, gone, kill
from tests.peers.node import FullNode, free_port

#: How long the issue wants a node to be gone.
NODE_GONE_S = 30.0


async def test_a_miner_finds_blocks_that_the_node_accepts(node: FullNode, tmp_path: Path) -> None:
    async with Pool(tmp_path, [node.settings]) as pool:
        # One after the other: two shares found in one instant may solve the same height.
        for count in (1, 2, 3):
            await mine(pool, shares=1)
            await pool.until_accepted(count)
        status = await pool.status()
    assert await node.height() >= 3
    assert status["shares"]["accepted"] >= 3
    assert all(count == 0 for verdict, count in status["shares"].items() if verdict != "accepted")

    shares = [record for _, record in read(tmp_path / "data") if isinstance(record, ShareRecord)]
    assert len(shares) == status["shares"]["accepted"]


async def test_blocks_carry_the_mempool_with_segwit_transactions(
    node: FullNode, tmp_path: Path
) -> None:
    txids = await node.fund_and_spam(60)
    async with Pool(tmp_path, [node.settings]) as pool:
        await mine(pool, shares=1)
        await pool.until_accepted(1)
    assert await node.rpc("getrawmempool") == []

    best = await node.rpc("getbestblockhash")
    block = parse_block(bytes.fromhex(await node.rpc("getblock", best, 0)))
    confirmed = {transaction.txid for transaction in block.transactions}
    assert set(txids) <= confirmed
    assert sum(bool(transaction.witness) for transaction in block.transactions[1:]) >= 10


async def test_mining_goes_on_after_a_reorg(node: FullNode, tmp_path: Path) -> None:
    await node.mine_to(10)
    async with Pool(tmp_path, [node.settings]) as pool, Rig(pool.port) as rig:
        await rig.start()
        branch = await node.reorganise(2)
        while rig.job[1] != _wire_prevhash(branch[-1]):
            await rig.next_job()
        assert rig.job[8] is True, "a reorg changes the previous block: clean_jobs"

        answer = await rig.call("mining.submit", rig.solve().params)
        await pool.until_accepted(1)
    assert answer["id"]
    assert await node.height() == 12


async def test_a_found_block_is_orphaned_and_said_to_be(node: FullNode, tmp_path: Path) -> None:
    await node.mine_to(5)
    async with Pool(tmp_path, [node.settings]) as pool, Rig(pool.port) as rig:
        await rig.start()
        await rig.call("mining.submit", rig.solve().params)
        await pool.until_accepted(1)
        await node.reorganise(1)

        async def orphaned() -> bool:
            return [row["fate"] for row in (await pool.status())["blocks"]] == [BlockFate.ORPHANED]

        await pool.until(orphaned, "the orphan")


async def test_mining_goes_on_after_the_node_restarts(node: FullNode, tmp_path: Path) -> None:
    async with Pool(tmp_path, [node.settings]) as pool:
        await mine(pool, shares=1)
        await pool.until_accepted(1)
        await node.restart()
        await mine(pool, shares=1)
        await pool.until_accepted(2)
    assert await node.height() >= 2


async def test_no_rig_is_dropped_while_the_node_is_gone(node: FullNode, tmp_path: Path) -> None:
    await node.mine_to(3)
    async with Pool(tmp_path, [node.settings]) as pool, Rig(pool.port) as rig:
        await rig.start()
        await node.stop()
        gone = asyncio.create_task(asyncio.sleep(NODE_GONE_S))
        while not gone.done():
            # The connection answers all the while; a drop would raise ConnectionError here.
            await rig.call("mining.extranonce.subscribe", [])
            await asyncio.wait([gone], timeout=1)
        await node.start()

        # What was found without a node waits in the spool and lands when one is back.
        solution = rig.solve()
        await rig.call("mining.submit", solution.params)
        await pool.until_accepted(1)
        status = await pool.status()
    assert status["rigs"] == 1
    assert len([row for row in status["events"] if "byhand connected" in row["text"]]) == 1
    assert await node.rpc("getbestblockhash") == display(solution.block_hash)


async def test_two_nodes_of_which_one_is_dead(node: FullNode, tmp_path: Path) -> None:
    dead = NodeSettings(f"http://127.0.0.1:{free_port()}", "nobody", "home")
    async with Pool(tmp_path, [dead, node.settings]) as pool:
        await mine(pool, shares=1)
        await pool.until_accepted(1)
        nodes = {row["name"]: row for row in (await pool.status())["nodes"]}
    assert await node.height() >= 1
    assert nodes[dead.name]["fault"]
    assert nodes[node.settings.name]["active"]


async def test_a_block_found_before_kill_9_and_not_submitted_lands_after_the_restart(
    node: FullNode, tmp_path: Path
) -> None:
    await node.mine_to(3)
    async with Pool(tmp_path, [node.settings]) as pool:
        async with Rig(pool.port) as rig:
            await rig.start()
            # Without a node the block is found, spooled, and can't be submitted.
            await node.stop()
            solution = rig.solve()
            await rig.call("mining.submit", solution.params)
            await pool.end(signal.SIGKILL)
        await node.start()
        assert await node.height() == 3
        await pool.start()

        async def landed() -> bool:
            return bool(await node.rpc("getbestblockhash") == display(solution.block_hash))

        await pool.until(landed, "the block")


async def test_a_block_on_a_job_from_before_a_crash_lands_after_the_restart(
    node: FullNode, tmp_path: Path
) -> None:
    await node.fund_and_spam(8)
    async with Pool(tmp_path, [node.settings]) as pool:
        async with Rig(pool.port) as before:
            await before.start()
            solution = before.solve()
            await pool.end(signal.SIGKILL)
        await pool.start()
        async with Rig(pool.port) as after:
            await after.start(before.session_id)
            assert after.extranonce1 == before.extranonce1
            answer = await after.call("mining.submit", solution.params)

            async def landed() -> bool:
                return bool(await node.rpc("getbestblockhash") == display(solution.block_hash))

            await pool.until(landed, "the block")
    # Its difficulty died with the process: the share is refused, the block is not.
    assert answer["error"][0] == 21
    block = parse_block(bytes.fromhex(await node.rpc("getblock", display(solution.block_hash), 0)))
    assert len(block.transactions) == 9


async def test_serve_killed_alone_comes_again_with_what_its_rigs_had(
    node: FullNode, tmp_path: Path
) -> None:
    async with Pool(tmp_path, [node.settings]) as pool:
        await pool.until_page()
        serve, books = await pool.until_part("serve"), await pool.until_part("books")
        async with Rig(pool.port) as before:
            await before.start()
            solution = before.solve()
            await kill(serve)
        await pool.until_part("serve", other_than=serve)
        await pool.until_ready()
        async with Rig(pool.port) as after:
            await after.start(before.session_id)
            assert after.extranonce1 == before.extranonce1
            await after.call("mining.submit", solution.params)

            async def landed() -> bool:
                return bool(await node.rpc("getbestblockhash") == display(solution.block_hash))

            await pool.until(landed, "the block")
        assert await pool.until_part("books") == books, "books outlive serve"
    assert "serve died of SIGKILL; it is started again in 1 s" in pool.log


async def test_books_that_are_killed_disturb_no_rig_and_come_again(
    node: FullNode, tmp_path: Path
) -> None:
    async with Pool(tmp_path, [node.settings]) as pool, Rig(pool.port) as rig:
        await pool.until_page()
        await rig.start()
        serve, books = await pool.until_part("serve"), await pool.until_part("books")
        await kill(books)
        await rig.call("mining.submit", rig.solve().params)
        await pool.until_accepted(1)
        await pool.until_part("books", other_than=books)
        await pool.until_page()
        assert await pool.until_part("serve") == serve
        assert (await pool.status())["rigs"] == 1


async def test_nothing_is_left_of_a_pool_whose_supervisor_is_killed(
    node: FullNode, tmp_path: Path
) -> None:
    async with Pool(tmp_path, [node.settings]) as pool:
        await pool.until_page()
        handles = [os.pidfd_open(pid) for pid in children(pool.pid).values()]
        assert len(handles) == 2
        await kill(pool.pid)
        async with asyncio.timeout(PATIENCE_S):
            await gone(handles)
        assert await pool.end(signal.SIGTERM) == -signal.SIGKILL
        # Ports, lock and sockets are free again.
        await pool.start()
        await pool.until_page()
    assert "the supervisor is gone: stopping" in pool.log


async def test_a_second_pool_on_the_same_data_dir_exits_2(node: FullNode, tmp_path: Path) -> None:
    async with Pool(tmp_path, [node.settings]):
        second = Pool(tmp_path, [node.settings])
        try:
            await second.start()
        except AssertionError as refused:
            assert "data_dir" in str(refused)
        assert await second.end(signal.SIGTERM) == 2


def _wire_prevhash(block_hash: bytes) -> str:
    return b"".join(block_hash[i : i + 4][::-1] for i in range(0, 32, 4)).hex()
