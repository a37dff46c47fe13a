"""What the nodes' different words for the same thing mean."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web

from stratum.errors import NodeError
from stratum.node.blocks import Answer, Place, TipMoved, ask_standing, propose, submit_to
from stratum.node.rpc import NodeRpc
from stratum.node.settings import NodeSettings
from tests.node.world import OddNode, http_server


async def _ask(reply: str) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=reply)

    async with http_server(answer) as url, aiohttp.ClientSession() as http:
        return (await submit_to(NodeRpc(NodeSettings(url), http), b"block")).answer


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("null", Answer.TAKEN),
        ('"duplicate"', Answer.TAKEN),
        ('"rejected: duplicate"', Answer.TAKEN),  # bcoin
        ('"inconclusive"', Answer.UNDECIDED),
        ('"duplicate-inconclusive"', Answer.UNDECIDED),
        ('"prev-blk-not-found"', Answer.UNDECIDED),  # Bitcoin Core: the parent is missing
        ('"rejected: bad-prevblk"', Answer.UNDECIDED),  # bcoin, for the same
        ('"time-too-new"', Answer.UNDECIDED),
        ('"high-hash"', Answer.REFUSED),
        ('"duplicate-invalid"', Answer.REFUSED),
        ('"rejected: bad-cb-amount"', Answer.REFUSED),
    ],
)
async def test_word_of_submitblock_is_understood(word: str, meaning: Answer) -> None:
    assert await _ask(f'{{"result":{word},"error":null}}') is meaning


async def test_block_that_can_not_be_decoded_is_refused_and_a_starting_node_unreached() -> None:
    assert await _ask('{"error":{"code":-22,"message":"Block decode failed"}}') is Answer.REFUSED
    assert await _ask('{"error":{"code":-28,"message":"Loading…"}}') is Answer.UNREACHED
    assert await _ask("<html>") is Answer.UNREACHED


@pytest.mark.parametrize("word", [None, "high-hash", "rejected: high-hash", "duplicate"])
async def test_proposal_without_proof_of_work_is_fine(word: str | None) -> None:
    assert await _propose(word) is None


async def test_proposal_on_an_old_tip_asks_for_another() -> None:
    with pytest.raises(TipMoved):
        await _propose("inconclusive-not-best-prevblk")


async def _propose(word: str | None) -> str | None:
    async def said(params: list[object]) -> str | None:
        return word

    async with OddNode() as node, aiohttp.ClientSession() as http:
        node.odd["getblocktemplate"] = said
        return await propose(NodeRpc(node.settings, http), b"")


async def test_block_of_another_branch_is_beside_and_a_strange_one_unknown() -> None:
    async with OddNode() as node, aiohttp.ClientSession() as http:
        rpc = NodeRpc(node.settings, http)
        (ours,) = await node.mine()
        assert (await ask_standing(rpc, ours, 1, 1)).place is Place.ACTIVE
        assert (await ask_standing(rpc, ours, 1, 0)).depth == 1  # the height came late
        assert (await ask_standing(rpc, ours, 2, 1)).place is Place.BESIDE
        assert (await ask_standing(rpc, b"\7" * 32, 1, 1)).place is Place.UNKNOWN
        await node.stop()
        with pytest.raises(NodeError, match="refuses the connection"):
            await ask_standing(rpc, ours, 1, 1)
