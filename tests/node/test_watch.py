"""Each witness of a new tip alone; and none of them ends another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

import pytest
import zmq
import zmq.asyncio

from stratum.node import watch as watch_module
from tests.node.world import Listener, OddNode, watched


@contextmanager
def _publisher() -> Iterator[tuple[zmq.asyncio.Socket, str]]:
    """An XPUB, which also tells when somebody has subscribed."""
    context = zmq.asyncio.Context()
    socket = context.socket(zmq.XPUB)
    try:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        yield socket, f"tcp://127.0.0.1:{port}"
    finally:
        socket.close(linger=0)
        context.term()


@asynccontextmanager
async def _watched_by_zmq(
    node: OddNode,
) -> AsyncIterator[tuple[zmq.asyncio.Socket, Listener]]:
    with _publisher() as (publisher, address):
        settings = replace(node.settings, zmq_hashblock=address)
        async with watched(settings) as (_, listener):
            await listener.until(lambda: listener.templates)
            assert await publisher.recv() == b"\x01hashblock"
            yield publisher, listener


def _no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "POLL_S", 3600.0)


async def test_poll_alone_finds_a_new_tip() -> None:
    async with OddNode() as node:
        node.without_longpoll()
        async with watched(node.settings) as (_, listener):
            await listener.until(lambda: listener.templates)
            (mined,) = await node.mine()
            await listener.until_template_on(mined, limit_s=2)


async def test_longpoll_alone_finds_a_new_tip(monkeypatch: pytest.MonkeyPatch) -> None:
    _no_poll(monkeypatch)
    async with OddNode() as node, watched(node.settings) as (_, listener):
        await listener.until(lambda: listener.templates)
        for _ in range(3):
            (mined,) = await node.mine()
            await listener.until_template_on(mined)


async def test_zmq_alone_finds_a_new_tip(monkeypatch: pytest.MonkeyPatch) -> None:
    _no_poll(monkeypatch)
    async with OddNode() as node:
        node.without_longpoll()
        async with _watched_by_zmq(node) as (publisher, listener):
            for sequence in range(3):
                (mined,) = await node.mine()
                number = sequence.to_bytes(4, "little")
                await publisher.send_multipart([b"hashblock", mined[::-1], number])
                await listener.until_template_on(mined)


async def test_zmq_messages_of_any_shape_and_with_gaps_only_ring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _no_poll(monkeypatch)
    async with OddNode() as node:
        node.without_longpoll()
        async with _watched_by_zmq(node) as (publisher, listener):
            for odd in ([b"hashblock"], [b"hashblock", b"", b""], [b"hashblock", b"x" * 99, b"9"]):
                (mined,) = await node.mine()
                await publisher.send_multipart(odd)
                await listener.until_template_on(mined)


async def test_zmq_address_that_is_none_leaves_the_others_at_work(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with OddNode() as node:
        settings = replace(node.settings, zmq_hashblock="nonsense://")
        async with watched(settings) as (_, listener):
            await listener.until(lambda: listener.templates)
            (mined,) = await node.mine()
            await listener.until_template_on(mined)
    assert "longpoll and polling go on" in caplog.text


async def test_longpoll_that_fails_leaves_the_poll_at_work() -> None:
    async def broken(params: list[Any]) -> Any:
        if "longpollid" in params[0]:
            raise ValueError  # the server answers with an error
        return await node.usual("getblocktemplate", params)

    async with OddNode() as node:
        node.odd["getblocktemplate"] = broken
        async with watched(node.settings) as (_, listener):
            await listener.until(lambda: listener.templates)
            (mined,) = await node.mine()
            await listener.until_template_on(mined)


async def test_node_that_ignores_longpollid_is_not_asked_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch_module, "POLL_S", 0.05)
    ten_polls = asyncio.Event()

    async def at_once(params: list[Any]) -> Any:
        return await node.usual("getblocktemplate", [{"rules": params[0]["rules"]}])

    async def best(params: list[Any]) -> Any:
        if node.asked.count("getbestblockhash") > 10:
            ten_polls.set()
        return await node.usual("getbestblockhash", params)

    async with OddNode() as node:
        node.odd |= {"getblocktemplate": at_once, "getbestblockhash": best}
        async with watched(node.settings):
            await asyncio.wait_for(ten_polls.wait(), 20)
        # Half a second, in which a loop without a pause asks hundreds of times.
        assert node.asked.count("getblocktemplate") < 6


async def test_node_whose_template_does_not_follow_its_tip_is_asked_ever_less() -> None:
    old: dict[str, Any] = {}
    since: list[float] = []
    enough = asyncio.Event()

    async def stale(params: list[Any]) -> Any:
        since.append(asyncio.get_running_loop().time())
        if len(since) == 6:
            enough.set()
        return old

    async with OddNode() as node:
        node.without_longpoll()
        async with watched(node.settings) as (_, listener):
            await listener.until(lambda: listener.templates)
            old |= await node.usual("getblocktemplate", [{"rules": ["segwit"]}])
            node.odd["getblocktemplate"] = stale
            await node.mine()
            await asyncio.wait_for(enough.wait(), 20)
            # 0.05, 0.1, 0.2, 0.4, 0.8 s between the six, and not a word that it were good.
            assert since[5] - since[0] > 1.5
            await listener.until(lambda: listener.faults(node.settings.name)[-1])


async def test_standby_is_not_longpolled() -> None:
    async with OddNode() as first, OddNode(first.chain, first.mempool) as second:
        async with watched(first.settings, second.settings) as (nodes, listener):
            await listener.until(lambda: None not in {one.height for one in nodes.states})
            (mined,) = await first.mine()
            await listener.until_template_on(mined)
            assert second.asked.count("getblocktemplate") <= 2
