"""The devnet node over its socket, asked as a pool asks."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from stratum.bitcoin.networks import REGTEST
from stratum.bitcoin.target import display
from stratum.errors import NodeError
from stratum.node import devnet as devnet_module
from stratum.node.devnet import DevNode
from stratum.node.rpc import NodeRpc
from stratum.node.tips import ask_template
from tests.node.world import block_on

RULES = {"rules": ["segwit"]}


@pytest_asyncio.fixture
async def node() -> AsyncIterator[DevNode]:
    async with DevNode() as node:
        yield node


@pytest_asyncio.fixture
async def rpc(node: DevNode) -> AsyncIterator[NodeRpc]:
    async with aiohttp.ClientSession() as http:
        yield NodeRpc(node.settings, http)


async def test_template_with_transactions_is_solved_and_accepted(
    node: DevNode, rpc: NodeRpc
) -> None:
    node.mempool.add(30)
    template = await ask_template(rpc, REGTEST, None)
    assert len(template.transactions) == 30
    found = block_on(template)
    assert await rpc.call("submitblock", found.block.hex()) is None
    assert await rpc.call("getbestblockhash") == display(found.block_hash)
    assert await rpc.call("getblock", display(found.block_hash), 0) == found.block.hex()


async def test_parents_are_listed_by_their_place(node: DevNode, rpc: NodeRpc) -> None:
    node.mempool.add(60)
    entries = (await rpc.call("getblocktemplate", RULES))["transactions"]
    assert any(entry["depends"] for entry in entries)
    for place, entry in enumerate(entries, start=1):
        assert all(1 <= one < place for one in entry["depends"])


async def test_template_without_the_segwit_rule_is_refused_as_in_core(rpc: NodeRpc) -> None:
    with pytest.raises(NodeError, match="segwit rule set") as caught:
        await rpc.call("getblocktemplate", {})
    assert caught.value.code == -8


async def test_longpoll_returns_when_the_tip_moves(node: DevNode, rpc: NodeRpc) -> None:
    first = await ask_template(rpc, REGTEST, None)
    polling = asyncio.create_task(ask_template(rpc, REGTEST, first.longpollid))
    await rpc.call("getblockcount")
    assert not polling.done()
    (mined,) = await node.mine()
    assert (await polling).prevhash == mined


async def test_longpoll_returns_after_a_while_for_new_transactions(
    node: DevNode, rpc: NodeRpc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devnet_module, "LONGPOLL_REFRESH_S", 0.05)
    node.mempool.rate_per_s = 0
    first = await ask_template(rpc, REGTEST, None)
    polling = asyncio.create_task(ask_template(rpc, REGTEST, first.longpollid))
    await rpc.call("getblockcount")
    node.mempool.add(3)
    assert len((await polling).transactions) == 3


async def test_longpoll_on_an_older_tip_returns_at_once(node: DevNode, rpc: NodeRpc) -> None:
    first = await ask_template(rpc, REGTEST, None)
    await node.mine()
    assert (await ask_template(rpc, REGTEST, first.longpollid)).height == first.height + 1


async def test_header_tells_parent_height_and_confirmations(node: DevNode, rpc: NodeRpc) -> None:
    first, second = await node.mine(2)
    header = await rpc.call("getblockheader", display(first))
    assert header["previousblockhash"] == REGTEST.genesis_hex
    assert header["nextblockhash"] == display(second)
    assert (header["height"], header["confirmations"]) == (1, 2)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (("nonsense",), -32601),
        (("getblockhash", 5), -8),
        (("getblockheader", "00" * 32), -5),
        (("getblockheader", "short"), -8),
        (("getblockhash", 1, 2, 3), -8),
        (("submitblock", "zz"), -22),
        (("getblocktemplate", {"mode": "proposal"}), -22),
    ],
)
async def test_faults_have_cores_codes(rpc: NodeRpc, call: tuple[str, object], code: int) -> None:
    with pytest.raises(NodeError) as caught:
        await rpc.call(*call)
    assert caught.value.code == code


async def test_what_is_no_call_is_a_parse_error(node: DevNode) -> None:
    password = b64encode(f"{node.settings.user}:{node.settings.password}".encode()).decode()
    async with aiohttp.ClientSession(headers={"Authorization": f"Basic {password}"}) as http:
        for body in ("{", "[]", "{}"):
            async with http.post(node.url, data=body) as response:
                assert (await response.json())["error"]["code"] == -32700


async def test_competitor_moves_the_tip() -> None:
    async with DevNode(competitor_s=0.01) as node:
        moved = asyncio.Event()
        node.chain.watch(moved.set)
        async with asyncio.timeout(10):
            await moved.wait()
        assert node.chain.tip.height >= 1


async def test_stopped_node_comes_back_at_the_same_address(node: DevNode, rpc: NodeRpc) -> None:
    await node.mine()
    url = node.url
    await node.stop()
    with pytest.raises(NodeError, match="refuses the connection"):
        await rpc.call("getblockcount")
    await node.start()
    assert node.url == url
    assert await rpc.call("getblockcount") == 1


async def test_taken_port_is_an_os_error(node: DevNode) -> None:
    with pytest.raises(OSError, match="address already in use"):
        await DevNode(port=int(node.url.rpartition(":")[2])).start()
