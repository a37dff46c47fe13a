"""Several nodes as one: fail-over, faults in words, and blocks to all of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from stratum.bitcoin.networks import MAIN, REGTEST
from stratum.bitcoin.transaction import Output
from stratum.errors import NodeError
from stratum.events import ActiveNodeChanged, TipChanged
from stratum.node import choice as choice_module
from stratum.node import watch as watch_module
from stratum.node.blocks import Answer, Place, TipMoved
from stratum.node.devnet import DevNode
from stratum.node.devnet_rpc import RpcFault
from stratum.node.nodes import Nodes
from stratum.node.settings import NodeSettings
from tests.node.world import OP_TRUE, Listener, OddNode, block_on, watched
from tests.peers.node import free_port


def _actives(listener: Listener) -> list[str | None]:
    return [event.node for event in listener.events if isinstance(event, ActiveNodeChanged)]


async def test_first_template_comes_from_the_preferred_node() -> None:
    async with DevNode() as first, DevNode(first.chain, first.mempool) as second:
        async with watched(first.settings, second.settings) as (nodes, listener):
            await listener.until(lambda: listener.templates)
            assert nodes.active == first.settings.name
            assert _actives(listener) == [nodes.active]


async def test_every_new_tip_is_told_once_and_followed_by_its_template() -> None:
    async with DevNode() as node, watched(node.settings) as (_, listener):
        await listener.until(lambda: listener.templates)
        for _ in range(5):
            (mined,) = await node.mine()
            await listener.until_template_on(mined)
        told = [event.block_hash for event in listener.events if isinstance(event, TipChanged)]
        assert told == [node.chain.at(height).block_hash for height in range(6)]  # type: ignore[union-attr]
        for tip in listener.tips:
            entry = node.chain.get(tip.block_hash)
            assert entry is not None
            assert (tip.height, tip.parent) == (entry.height, entry.header.prevhash)
            assert tip.mediantime == entry.mediantime


async def test_tip_is_told_before_a_template_that_takes_its_time() -> None:
    async with OddNode() as node, watched(node.settings) as (_, listener):
        await listener.until(lambda: listener.templates)
        node.hangs("getblocktemplate")
        (mined,) = await node.mine()
        await listener.until(lambda: [tip for tip in listener.tips if tip.block_hash == mined])
        assert listener.templates[-1].prevhash != mined


async def test_dead_node_is_left_within_two_seconds() -> None:
    async with DevNode() as first, DevNode(first.chain, first.mempool) as second:
        async with watched(first.settings, second.settings) as (nodes, listener):
            await listener.until(lambda: None not in {one.height for one in nodes.states})
            before = len(listener.templates)
            await first.stop()
            await listener.until(lambda: len(listener.templates) > before, limit_s=2)
            assert nodes.active == second.settings.name


async def test_hanging_node_is_left_within_two_seconds() -> None:
    async with OddNode() as first, DevNode(first.chain, first.mempool) as second:
        async with watched(first.settings, second.settings) as (nodes, listener):
            await listener.until(lambda: None not in {one.height for one in nodes.states})
            before = len(listener.templates)
            first.hangs("getblocktemplate", "getbestblockhash")
            await listener.until(lambda: len(listener.templates) > before, limit_s=2)
            assert nodes.active == second.settings.name
            assert "did not answer" in str(listener.faults(first.settings.name)[-1])


async def test_node_without_a_template_on_its_new_block_is_left_within_two_seconds() -> None:
    async with OddNode() as first, DevNode(first.chain, first.mempool) as second:
        first.without_longpoll()
        async with watched(first.settings, second.settings) as (nodes, listener):
            await listener.until(lambda: None not in {one.height for one in nodes.states})
            first.hangs("getblocktemplate")
            (mined,) = await first.mine()
            await listener.until(lambda: [one for one in listener.tips if one.block_hash == mined])
            assert nodes.active == first.settings.name
            await listener.until_template_on(mined, limit_s=2)
            assert nodes.active == second.settings.name
            assert "no template on its best block" in str(listener.faults(first.settings.name)[-1])


async def test_only_node_is_kept_while_its_template_takes_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch_module, "LATE_S", 0.05)
    async with OddNode() as node, watched(node.settings) as (nodes, listener):
        node.without_longpoll()
        await listener.until(lambda: listener.templates)
        usual = node.odd.pop("getblocktemplate")
        release = asyncio.Event()

        async def slow(params: list[Any]) -> Any:
            await release.wait()
            return await usual(params)

        node.odd["getblocktemplate"] = slow
        (mined,) = await node.mine()
        await listener.until(lambda: listener.faults(node.settings.name)[-1])
        assert nodes.active == node.settings.name
        release.set()  # the call that was late is the one that is answered
        asked = node.asked.count("getblocktemplate")
        await listener.until_template_on(mined)
        await listener.until(lambda: listener.faults(node.settings.name)[-1] is None)
        assert node.asked.count("getblocktemplate") == asked
        assert _actives(listener) == [node.settings.name]


async def test_only_node_is_kept_through_one_overloaded_answer() -> None:
    async def busy(params: list[Any]) -> Any:
        del node.odd["getbestblockhash"]
        raise RpcFault(-28, "Loading block index")

    async with OddNode() as node, watched(node.settings) as (_, listener):
        await listener.until(lambda: listener.templates)
        node.odd["getbestblockhash"] = busy
        await listener.until(lambda: len(listener.faults(node.settings.name)) == 3)
        assert "is still starting" in str(listener.faults(node.settings.name)[1])
        assert _actives(listener) == [node.settings.name]


async def test_late_poll_of_the_better_node_sends_no_rig_back_to_an_older_block() -> None:
    async with OddNode() as first, DevNode() as second:
        async with watched(first.settings, second.settings) as (nodes, listener):
            await listener.until(lambda: None not in {one.height for one in nodes.states})
            (mined,) = await first.mine()
            await listener.until_template_on(mined)
            first.hangs("getbestblockhash")
            await listener.until(lambda: listener.faults(first.settings.name)[-1])
            del first.odd["getbestblockhash"]
            await listener.until(lambda: listener.faults(first.settings.name)[-1] is None)
            assert _actives(listener) == [first.settings.name]
            assert listener.templates[-1].prevhash == mined


async def test_facts_of_a_tip_come_also_after_its_template_and_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch_module, "POLL_S", 3600.0)  # so the longpoll is first
    async with DevNode() as node, watched(node.settings) as (_, listener):
        await listener.until(lambda: listener.templates and listener.tips)
        for _ in range(3):
            (mined,) = await node.mine()
            await listener.until_template_on(mined)
            await listener.until(lambda hash=mined: listener.tips[-1].block_hash == hash)  # type: ignore[misc]
        hashes = [tip.block_hash for tip in listener.tips]
        assert len(hashes) == len(set(hashes)) == 4


async def test_facts_of_the_tip_are_given_again_by_the_node_that_takes_over() -> None:
    async with DevNode() as first, DevNode(first.chain, first.mempool) as second:
        async with watched(first.settings, second.settings) as (nodes, listener):
            await listener.until(lambda: None not in {one.height for one in nodes.states})
            await listener.until(lambda: listener.tips)
            await first.stop()
            await listener.until(lambda: nodes.active == second.settings.name)
            assert [tip.height for tip in listener.tips] == [0, 0]
            moved = [event for event in listener.events if isinstance(event, TipChanged)]
            assert len(moved) == 1


async def test_return_of_a_node_is_told_to_who_waits_for_it() -> None:
    async with DevNode() as node, watched(node.settings) as (nodes, listener):
        await listener.until(lambda: listener.templates)
        await node.stop()
        await listener.until(lambda: nodes.active is None)
        waiting = asyncio.create_task(nodes.next_return(node.settings.name))
        await node.start()
        await asyncio.wait_for(waiting, 20)
        assert nodes.active == node.settings.name


async def test_block_for_a_node_that_is_not_watched_yet_does_not_reach_it() -> None:
    settings = NodeSettings("http://127.0.0.1:1")
    nodes = Nodes([settings], REGTEST, emit=print, on_tip=print, on_template=print)
    assert nodes.names == (settings.name,)
    assert (await nodes.offer(settings.name, b"")).answer is Answer.UNREACHED


async def test_preferred_node_takes_over_again_after_its_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choice_module, "PROOF_S", 0.1)
    async with DevNode() as first, DevNode(first.chain, first.mempool) as second:
        async with watched(first.settings, second.settings) as (nodes, listener):
            await listener.until(lambda: None not in {one.height for one in nodes.states})
            await first.stop()
            await listener.until(lambda: nodes.active == second.settings.name)
            await first.start()
            await listener.until(lambda: nodes.active == first.settings.name)
            assert listener.faults(first.settings.name)[-1] is None


async def test_only_node_that_dies_leaves_none_and_comes_back() -> None:
    async with DevNode() as node, watched(node.settings) as (nodes, listener):
        await listener.until(lambda: listener.templates)
        await node.stop()
        await listener.until(lambda: nodes.active is None)
        assert "is it running" in str(nodes.states[0].fault)
        assert nodes.states[0].latency_s is None
        await node.start()
        await listener.until(lambda: nodes.active == node.settings.name)


async def test_node_that_stays_behind_is_passed_over_with_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choice_module, "BEHIND_S", 0.5)
    async with DevNode() as first, DevNode() as second:
        await second.mine(3)
        async with watched(first.settings, second.settings) as (nodes, listener):
            await listener.until(lambda: nodes.active == second.settings.name)
            assert "is behind" in str(nodes.states[0].fault)
            assert listener.templates[-1].height == 4


async def test_template_from_before_the_tip_moved_is_dropped() -> None:
    async with OddNode() as node:
        async with watched(node.settings, refresh_s=0.05) as (_, listener):
            await listener.until(lambda: listener.templates)
            computed, release = asyncio.Event(), asyncio.Event()

            async def late(params: list[Any]) -> Any:
                if params[0].get("longpollid") or release.is_set():
                    return await node.usual("getblocktemplate", params)
                template = await node.usual("getblocktemplate", params)
                computed.set()
                await release.wait()
                return template

            node.odd["getblocktemplate"] = late
            await computed.wait()
            (mined,) = await node.mine()
            await listener.until_template_on(mined)
            release.set()
            count = len(listener.templates)
            await listener.until(lambda: len(listener.templates) > count)
            heights = [template.height for template in listener.templates]
            assert heights == sorted(heights)


async def test_node_of_another_network_is_named_as_such() -> None:
    async with DevNode() as node, watched(node.settings, network=MAIN) as (nodes, listener):
        await listener.until(lambda: listener.faults(node.settings.name))
        assert nodes.active is None
        assert "wrong network: node" in str(nodes.states[0].fault)
        assert "is on regtest, the config says main" in str(nodes.states[0].fault)


async def test_another_genesis_under_the_same_name_is_a_wrong_network_too() -> None:
    network = replace(REGTEST, genesis_hex="11" * 32)
    async with DevNode() as node, watched(node.settings, network=network) as (nodes, listener):
        await listener.until(lambda: listener.faults(node.settings.name))
        words = f"is on a chain that begins with the block {REGTEST.genesis_hex}"
        assert words in str(nodes.states[0].fault)


async def test_wrong_credentials_are_named() -> None:
    async with DevNode() as node:
        wrong = NodeSettings(node.url, user="someone", password="else")
        async with watched(wrong) as (nodes, listener):
            await listener.until(lambda: listener.faults(wrong.name))
            assert "wrong credentials" in str(nodes.states[0].fault)


@pytest.mark.parametrize(("code", "words"), [(-9, "no peers"), (-10, "still downloading")])
async def test_node_that_is_not_ready_waits_its_turn(code: int, words: str) -> None:
    async with OddNode() as first, DevNode(first.chain, first.mempool) as second:
        first.refuses("getblocktemplate", code, "not now")
        async with watched(first.settings, second.settings) as (nodes, listener):
            await listener.until(lambda: nodes.active)
            assert nodes.active == second.settings.name
            assert words in str(nodes.states[0].fault)


async def test_initial_block_download_of_a_fresh_regtest_hinders_nothing() -> None:
    async with DevNode() as node, watched(node.settings) as (nodes, listener):
        info = DevNode.answer(node, "getblockchaininfo", [])
        assert (await info)["initialblockdownload"] is True
        await listener.until(lambda: nodes.active)


async def test_template_without_segwit_is_refused_outside_regtest() -> None:
    async def chain(params: list[Any]) -> Any:
        return {"chain": "main"}

    async def genesis(params: list[Any]) -> Any:
        return MAIN.genesis_hex

    async def old_rules(params: list[Any]) -> Any:
        return await node.usual("getblocktemplate", params) | {"rules": ["csv"]}

    async with OddNode() as node:
        node.odd |= {
            "getblockchaininfo": chain,
            "getblockhash": genesis,
            "getblocktemplate": old_rules,
        }
        async with watched(node.settings, network=MAIN) as (nodes, listener):
            await listener.until(lambda: listener.faults(node.settings.name))
            assert "has no segwit rule" in str(nodes.states[0].fault)


async def test_new_transactions_arrive_with_the_refresh() -> None:
    async with DevNode() as node, watched(node.settings, refresh_s=0.05) as (_, listener):
        await listener.until(lambda: listener.templates)
        node.mempool.add(5)
        await listener.until(lambda: len(listener.templates[-1].transactions) >= 5)


async def test_good_layout_is_proved_and_a_bad_one_refused_with_its_reason() -> None:
    async with DevNode() as node, watched(node.settings) as (nodes, listener):
        await listener.until(lambda: listener.templates)
        template = listener.templates[-1]
        assert await nodes.prove(block_on(template, solved=False).block) is None
        greedy = [Output(template.coinbasevalue + 1, OP_TRUE)]
        assert await nodes.prove(block_on(template, outputs=greedy).block) == "bad-cb-amount"
        assert "Block decode failed" in str(await nodes.prove(b"\x00" * 81))
        await node.mine()
        with pytest.raises(TipMoved):
            await nodes.prove(block_on(template, tag=b"/late/").block)


async def test_proving_without_a_node_is_a_node_error() -> None:
    settings = NodeSettings(f"http://127.0.0.1:{free_port()}")
    async with watched(settings) as (nodes, listener):
        await listener.until(lambda: listener.faults(settings.name))
        with pytest.raises(NodeError, match="no node is usable"):
            await nodes.prove(b"")


async def test_block_goes_to_all_nodes_and_the_dead_one_is_told_apart() -> None:
    async with DevNode() as first, DevNode() as second:
        dead = NodeSettings(f"http://127.0.0.1:{free_port()}")
        async with watched(first.settings, dead, second.settings) as (nodes, listener):
            await listener.until(lambda: listener.templates)
            found = block_on(listener.templates[-1])
            results = await nodes.submit(found.block)
            answers = [result.answer for result in results]
            assert answers == [Answer.TAKEN, Answer.UNREACHED, Answer.TAKEN]
            standing = await nodes.standing(found.block_hash, found.height)
            assert (standing.place, standing.depth) == (Place.ACTIVE, 1)
        assert first.chain.tip.block_hash == second.chain.tip.block_hash == found.block_hash


async def test_states_before_the_start_say_so() -> None:
    async with watched(NodeSettings("http://127.0.0.1:1")) as (nodes, _):
        (state,) = nodes.states
        assert (state.name, state.fault, state.active) == ("127.0.0.1:1", "not asked yet", False)
