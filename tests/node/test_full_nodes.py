"""The node side against full nodes that others wrote: bcoin, and Bitcoin Core where there is one.

The two differ where it matters: when segwit starts, whether a cookie is asked, ZMQ, the words of
submitblock, and what getblockheader says of a block that a reorganisation left behind.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from stratum.bitcoin.block import parse_block
from stratum.bitcoin.target import display
from stratum.bitcoin.transaction import Output
from stratum.node.blocks import Answer
from stratum.node.submitter import Submitter
from tests.node.world import OP_TRUE, block_on, running, watched
from tests.peers.bcoin import Bcoin
from tests.peers.core import Core
from tests.peers.node import FullNode


@pytest_asyncio.fixture(params=[Bcoin, Core])
async def peer(request: pytest.FixtureRequest) -> AsyncIterator[FullNode]:
    async with request.param() as node:
        yield node


async def test_block_of_segwit_and_legacy_transactions_is_proved_and_accepted(
    peer: FullNode,
) -> None:
    txids = await peer.fund_and_spam(24)
    async with watched(peer.settings) as (nodes, listener):
        await listener.until(lambda: listener.templates)
        template = listener.templates[-1]
        assert set(template.txids) == set(txids)
        assert template.witness_commitment
        assert template.fees > 0

        found = block_on(template)
        parsed = parse_block(found.block).transactions
        assert any(one.witness for one in parsed[1:])
        assert not all(one.witness for one in parsed[1:])
        assert await nodes.prove(block_on(template, solved=False).block) is None
        (result,) = await nodes.submit(found.block)
        assert result.answer is Answer.TAKEN, result
        assert await peer.rpc("getbestblockhash") == display(found.block_hash)
        await listener.until_template_on(found.block_hash)


async def test_first_block_of_a_fresh_chain_is_accepted(peer: FullNode) -> None:
    async with watched(peer.settings) as (nodes, listener):
        await listener.until(lambda: listener.templates)
        assert nodes.states[0].fault is None
        (result,) = await nodes.submit(block_on(listener.templates[-1]).block)
        assert result.answer is Answer.TAKEN, result


async def test_greedy_coinbase_is_refused_in_proposal_and_for_real(peer: FullNode) -> None:
    await peer.mine()
    async with watched(peer.settings) as (nodes, listener):
        await listener.until(lambda: listener.templates)
        template = listener.templates[-1]
        greedy = block_on(template, outputs=[Output(template.coinbasevalue + 1, OP_TRUE)]).block
        assert await nodes.prove(greedy) == "bad-cb-amount"
        (result,) = await nodes.submit(greedy)
        assert (result.answer, result.reason) == (Answer.REFUSED, "bad-cb-amount")


async def test_block_on_an_unknown_parent_is_undecided(peer: FullNode) -> None:
    async with watched(peer.settings) as (nodes, listener):
        await listener.until(lambda: listener.templates)
        template = listener.templates[-1]
        first = block_on(template)
        # A block on a parent that this node has never seen, though another might.
        later = replace(template, prevhash=first.block_hash, height=template.height + 1)
        stranger = block_on(later)
        (result,) = await nodes.submit(stranger.block)
        assert result.answer is Answer.UNDECIDED, result


async def test_new_tip_is_told_within_two_seconds(peer: FullNode) -> None:
    async with watched(peer.settings) as (_, listener):
        await listener.until(lambda: listener.templates)
        (mined,) = await peer.mine()
        await listener.until_template_on(mined, limit_s=2)


async def test_hanging_node_is_left_and_found_again(peer: FullNode) -> None:
    async with watched(peer.settings) as (nodes, listener):
        await listener.until(lambda: listener.templates)
        peer.pause()
        await listener.until(lambda: nodes.states[0].fault)
        assert "did not answer" in str(nodes.states[0].fault)
        peer.resume()
        await listener.until(lambda: nodes.states[0].fault is None)


async def test_restarted_node_is_found_again_with_its_new_cookie(peer: FullNode) -> None:
    async with watched(peer.settings) as (nodes, listener):
        await listener.until(lambda: listener.templates)
        await peer.mine(2)
        await peer.stop()
        await listener.until(lambda: nodes.active is None)
        await peer.start()
        await listener.until(lambda: nodes.active)
        await listener.until(lambda: listener.templates[-1].height == 3)


async def test_reorganisation_orphans_our_block(peer: FullNode, tmp_path: Path) -> None:
    await peer.mine(3)
    async with watched(peer.settings) as (nodes, listener):
        submitter = Submitter(tmp_path, nodes, listener.emit)
        async with running(submitter.run()):
            await listener.until(lambda: listener.templates)
            submitter.found(block_on(listener.templates[-1]))
            await listener.until(listener.fates)
            await peer.reorganise(2)
            await listener.until(lambda: len(listener.fates()) == 2)
            assert listener.fates() == ["accepted", "orphaned"]
