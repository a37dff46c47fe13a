"""What becomes of found blocks: at nodes that take, refuse, die, come back and reorganise."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from stratum.bitcoin.networks import MATURITY
from stratum.bitcoin.transaction import Output
from stratum.events import BlockFound
from stratum.node import choice as choice_module
from stratum.node import offers as offers_module
from stratum.node import submitter as submitter_module
from stratum.node.devnet import DevNode
from stratum.node.devnet_rpc import RpcFault
from stratum.node.nodes import Nodes
from stratum.node.settings import NodeSettings
from stratum.node.submitter import Submitter
from tests.node.world import OP_TRUE, Listener, OddNode, block_on, running, watched
from tests.peers.node import free_port


@asynccontextmanager
async def _pool(
    spool: Path, *settings: NodeSettings
) -> AsyncIterator[tuple[Submitter, Nodes, Listener]]:
    async with watched(*settings) as (nodes, listener):
        submitter = Submitter(spool, nodes, listener.emit)
        async with running(submitter.run()):
            yield submitter, nodes, listener


async def _found(listener: Listener) -> BlockFound:
    await listener.until(lambda: listener.templates)
    return block_on(listener.templates[-1])


def _files(spool: Path) -> list[str]:
    """Suffixes of the blocks in the spool."""
    return sorted(path.suffix for path in spool.iterdir() if path.suffix)


def _lose_the_disk(spool: Path) -> None:
    """In one step, because the thread that makes the spare may be at work in it."""
    spool.rename(spool.with_name("lost"))


async def _mine_until(node: DevNode, listener: Listener, done: Callable[[], bool]) -> None:
    """Move the tip until the submitter, which looks at each, is done: once, or few times."""
    for _ in range(20):
        (mined,) = await node.mine()
        await listener.until_template_on(mined)
        if done():
            return
    raise AssertionError("20 new tips changed nothing")


async def test_found_block_is_on_disk_when_found_returns_and_at_every_node_soon(
    tmp_path: Path,
) -> None:
    async with DevNode() as first, DevNode() as second:
        async with _pool(tmp_path, first.settings, second.settings) as (submitter, _, listener):
            found = await _found(listener)
            submitter.found(found)
            assert _files(tmp_path) == [".found"]
            await listener.until(listener.fates)
            assert listener.fates() == ["accepted"]
            assert _files(tmp_path) == [".accepted"]
            assert submitter.unsettled == 1
            await listener.until_template_on(found.block_hash)
        assert first.chain.tip.block_hash == second.chain.tip.block_hash == found.block_hash


async def test_same_block_found_twice_is_submitted_once(tmp_path: Path) -> None:
    async with OddNode() as node:
        async with _pool(tmp_path, node.settings) as (submitter, _, listener):
            found = await _found(listener)
            submitter.found(found)
            submitter.found(found)
            await listener.until(listener.fates)
        assert node.asked.count("submitblock") == 1


async def test_block_found_while_no_node_runs_is_submitted_after_a_restart(tmp_path: Path) -> None:
    async with DevNode() as node:
        async with _pool(tmp_path, node.settings) as (submitter, _, listener):
            found = await _found(listener)
            await node.stop()
            submitter.found(found)
            assert listener.fates() == []
        assert _files(tmp_path) == [".found"]

        await node.start()
        async with _pool(tmp_path, node.settings) as (_, _, listener):
            await listener.until(listener.fates)
            assert listener.fates() == ["accepted"]
        assert node.chain.tip.block_hash == found.block_hash


async def test_block_found_while_no_node_runs_is_submitted_when_one_is_back(tmp_path: Path) -> None:
    async with DevNode() as node:
        async with _pool(tmp_path, node.settings) as (submitter, _, listener):
            found = await _found(listener)
            await node.stop()
            submitter.found(found)
            await listener.until(lambda: None not in listener.faults(node.settings.name)[-1:])
            await node.start()
            await listener.until(listener.fates)
            assert listener.fates() == ["accepted"]


async def test_refused_block_is_kept_and_logged_as_an_error_with_the_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with DevNode() as first, DevNode() as second:
        async with _pool(tmp_path, first.settings, second.settings) as (submitter, _, listener):
            await listener.until(lambda: listener.templates)
            greedy = [Output(60 * 10**8, OP_TRUE)]
            submitter.found(block_on(listener.templates[-1], outputs=greedy))
            await listener.until(listener.fates)
            assert listener.fates() == ["rejected"]
    assert _files(tmp_path) == [".rejected"]
    (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert "rejected" in record.message
    assert record.message.count("bad-cb-amount") == 2


def _errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.message for one in caplog.records if one.levelno == logging.ERROR]


async def test_refusal_is_not_final_while_another_node_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(submitter_module, "ALARM_S", 0.0)
    asked_again = asyncio.Event()

    async def refuse(params: list[Any]) -> Any:
        return "bad-whatever"

    async def warm_up(params: list[Any]) -> Any:
        if first.asked.count("submitblock") > 2:
            asked_again.set()
        raise RpcFault(-28, "Loading block index")

    async with OddNode() as first, OddNode() as second:
        first.odd["submitblock"], second.odd["submitblock"] = warm_up, refuse
        async with _pool(tmp_path, first.settings, second.settings) as (submitter, _, listener):
            submitter.found(await _found(listener))
            await asyncio.wait_for(asked_again.wait(), 20)
            assert listener.fates() == []
            assert any("is at no node after" in message for message in _errors(caplog))
            assert "bad-whatever" in caplog.text and "still starting" in caplog.text
            del first.odd["submitblock"]
            await listener.until(listener.fates)
            assert listener.fates() == ["accepted"]


async def test_refusal_is_final_once_the_chain_is_a_hundred_blocks_on(tmp_path: Path) -> None:
    async def refuse(params: list[Any]) -> Any:
        return "bad-whatever"

    away = NodeSettings(f"http://127.0.0.1:{free_port()}")
    async with OddNode() as node:
        async with _pool(tmp_path, node.settings, away) as (submitter, _, listener):
            found = await _found(listener)
            mined = await node.mine(MATURITY + 1)
            await listener.until_template_on(mined[-1])
            node.odd["submitblock"] = refuse
            submitter.found(found)
            await listener.until(listener.fates)
            assert listener.fates() == ["rejected"]
    assert _files(tmp_path) == [".rejected"]


async def test_hanging_node_holds_back_no_retry_to_another(tmp_path: Path) -> None:
    async def warm_up(params: list[Any]) -> Any:
        del first.odd["submitblock"]
        raise RpcFault(-28, "Loading block index")

    async with OddNode() as first, OddNode() as second:
        first.odd["submitblock"] = warm_up
        second.hangs("submitblock")
        async with _pool(tmp_path, first.settings, second.settings) as (submitter, _, listener):
            submitter.found(await _found(listener))
            await listener.until(listener.fates, limit_s=2)
            assert listener.fates() == ["accepted"]


async def test_stop_waits_until_a_block_is_at_a_node(tmp_path: Path) -> None:
    async with OddNode() as node:
        async with _pool(tmp_path, node.settings) as (submitter, _, listener):
            found = await _found(listener)
            submitter.found(found)
            await submitter.drain(20)
            assert listener.fates() == ["accepted"]
            await submitter.drain(20)  # nothing is left to wait for
    assert node.chain.tip.block_hash == found.block_hash


async def test_stop_does_not_wait_for_nodes_that_are_not_there(tmp_path: Path) -> None:
    async with DevNode() as node:
        async with _pool(tmp_path, node.settings) as (submitter, _, listener):
            found = await _found(listener)
            await node.stop()
            submitter.found(found)
            async with asyncio.timeout(10):
                await submitter.drain(3600)
    assert _files(tmp_path) == [".found"]


async def test_stop_waits_for_a_hanging_node_no_longer_than_it_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with OddNode() as node:
        node.hangs("submitblock")
        async with _pool(tmp_path, node.settings) as (submitter, _, listener):
            submitter.found(await _found(listener))
            await submitter.drain(0.05)
    assert "1 found blocks were not heard out" in caplog.text
    assert _files(tmp_path) == [".found"]


async def test_one_nodes_yes_outweighs_anothers_no(tmp_path: Path) -> None:
    async def refuse(params: list[Any]) -> Any:
        return "bad-whatever"

    async with OddNode() as first, DevNode() as second:
        first.odd["submitblock"] = refuse
        async with _pool(tmp_path, first.settings, second.settings) as (submitter, _, listener):
            submitter.found(await _found(listener))
            await listener.until(listener.fates)
            assert listener.fates() == ["accepted"]


async def test_dead_node_does_not_delay_the_news(tmp_path: Path) -> None:
    async with DevNode() as first, OddNode() as second:
        second.hangs("submitblock")
        async with _pool(tmp_path, first.settings, second.settings) as (submitter, _, listener):
            submitter.found(await _found(listener))
            await listener.until(listener.fates, limit_s=5)


async def test_block_without_its_parent_is_offered_until_the_parent_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offers_module, "PAUSES_S", (0.01,))
    async with DevNode() as ahead, OddNode() as behind:
        (parent,) = await ahead.mine()
        async with watched(ahead.settings) as (_, listener):
            found = await _found(listener)
        async with _pool(tmp_path, behind.settings) as (submitter, _, listener):
            await listener.until(lambda: listener.templates)
            submitter.found(found)
            refused_twice = asyncio.Event()

            async def count(params: list[Any]) -> Any:
                if behind.asked.count("submitblock") > 2:
                    refused_twice.set()
                return await behind.usual("submitblock", params)

            behind.odd["submitblock"] = count
            await asyncio.wait_for(refused_twice.wait(), 20)
            assert listener.fates() == []
            entry = ahead.chain.get(parent)
            assert entry is not None
            await behind.usual("submitblock", [entry.serialized.hex()])
            await listener.until(listener.fates)
            assert listener.fates() == ["accepted"]


async def test_block_that_lost_its_race_is_orphaned_at_once(tmp_path: Path) -> None:
    async with DevNode() as node:
        async with _pool(tmp_path, node.settings) as (submitter, _, listener):
            found = await _found(listener)
            (other,) = await node.mine()
            await listener.until_template_on(other)
            submitter.found(found)
            await listener.until(listener.fates)
            assert listener.fates() == ["orphaned"]
            assert _files(tmp_path) == [".orphaned"]


async def _branch(count: int) -> list[str]:
    """`count` blocks on genesis of another miner, in hex."""
    async with DevNode() as other:
        await other.mine(count, b"\x52")
        return [other.chain.at(height).serialized.hex() for height in range(1, count + 1)]  # type: ignore[union-attr]


async def test_reorganisation_orphans_a_block_and_another_brings_it_back_across_restarts(
    tmp_path: Path,
) -> None:
    async with DevNode() as node:
        async with _pool(tmp_path, node.settings) as (submitter, _, listener):
            found = await _found(listener)
            submitter.found(found)
            await listener.until(listener.fates)
            for block in await _branch(2):
                await node.answer("submitblock", [block])
            await listener.until(lambda: len(listener.fates()) == 2)
            assert listener.fates() == ["accepted", "orphaned"]
        assert _files(tmp_path) == [".orphaned"]

        # Two more on ours while nobody watches: the next start sees it in the chain again.
        ours = DevNode()
        assert ours.chain.submit(found.block, 2e9) is None
        await ours.mine(2, b"\x53")
        for height in (2, 3):
            entry = ours.chain.at(height)
            assert entry is not None
            await node.answer("submitblock", [entry.serialized.hex()])
        async with _pool(tmp_path, node.settings) as (_, _, listener):
            await listener.until(listener.fates)
            assert listener.fates() == ["accepted"]
        assert _files(tmp_path) == [".accepted"]


async def test_mature_block_leaves_the_spool(tmp_path: Path) -> None:
    async with DevNode() as node:
        async with _pool(tmp_path, node.settings) as (submitter, _, listener):
            submitter.found(await _found(listener))
            await listener.until(listener.fates)
            mined = await node.mine(MATURITY - 2)
            await listener.until_template_on(mined[-1])
            assert submitter.unsettled == 1
            await _mine_until(node, listener, lambda: submitter.unsettled == 0)
    assert _files(tmp_path) == []


async def test_orphan_that_is_buried_is_given_up_and_kept(tmp_path: Path) -> None:
    async with DevNode() as node:
        async with _pool(tmp_path, node.settings) as (submitter, _, listener):
            found = await _found(listener)
            (other,) = await node.mine()
            await listener.until_template_on(other)
            submitter.found(found)
            await listener.until(listener.fates)
            await node.mine(MATURITY - 1)
            await _mine_until(node, listener, lambda: submitter.unsettled == 0)
            assert _files(tmp_path) == [".lost"]
            assert listener.fates() == ["orphaned"]


async def test_node_that_was_away_gets_the_accepted_block_later(tmp_path: Path) -> None:
    async with DevNode() as first, DevNode() as second:
        async with _pool(tmp_path, first.settings, second.settings) as (submitter, _, listener):
            found = await _found(listener)
            await second.stop()
            submitter.found(found)
            await listener.until(listener.fates)
        await second.start()
        async with _pool(tmp_path, second.settings) as (_, _, listener):
            await listener.until_template_on(found.block_hash)


async def test_full_disk_does_not_hold_a_block_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with DevNode() as node:
        async with _pool(tmp_path / "spool", node.settings) as (submitter, _, listener):
            found = await _found(listener)
            _lose_the_disk(tmp_path / "spool")
            submitter.found(found)
            await listener.until(listener.fates)
            assert listener.fates() == ["accepted"]
    assert "is submitted from memory" in caplog.text


async def test_block_that_no_disk_holds_is_still_given_to_a_node_that_lost_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice_module, "BEHIND_S", 0.0)
    async with DevNode() as node:
        settings, port = node.settings, int(node.url.rpartition(":")[2])
        async with _pool(tmp_path / "spool", settings) as (submitter, _, listener):
            found = await _found(listener)
            _lose_the_disk(tmp_path / "spool")
            submitter.found(found)
            await listener.until(listener.fates)
            await listener.until_template_on(found.block_hash)
            await node.stop()
            # The same node, restored from a copy of yesterday.
            async with DevNode(port=port) as restored:
                await listener.until(lambda: listener.templates[-1].height == found.height)
                await listener.until_template_on(found.block_hash)
                assert restored.chain.tip.block_hash == found.block_hash


class _Said(logging.Handler):
    """Lets a test wait for words in the submitter's log."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words
        self._said = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self._words in record.getMessage():
            self._said.set()

    async def __aenter__(self) -> None:
        submitter_module.logger.addHandler(self)

    async def __aexit__(self, *_: object) -> None:
        try:
            await asyncio.wait_for(self._said.wait(), 20)
        finally:
            submitter_module.logger.removeHandler(self)


async def test_room_for_the_next_block_is_asked_for_until_the_disk_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(submitter_module, "SPARE_S", 0.01)
    caplog.set_level(logging.INFO)
    allocate = os.posix_fallocate

    def full(descriptor: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    async with AsyncExitStack() as stack:
        async with _Said("no room can be kept for the next block"):
            await stack.enter_async_context(_pool(tmp_path, NodeSettings("http://127.0.0.1:1")))
        async with _Said("keeping room for the next block works again"):
            monkeypatch.setattr(os, "posix_fallocate", allocate)
    assert (tmp_path / "spare").exists()
