"""What tests of the node side share: a listener that can be waited for, and solved blocks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

import hashing
from stratum.bitcoin.block import assemble_block
from stratum.bitcoin.coinbase import build_coinbase
from stratum.bitcoin.header import Header
from stratum.bitcoin.merkle import merkle_root
from stratum.bitcoin.networks import REGTEST, Network
from stratum.bitcoin.script import push_number
from stratum.bitcoin.template import Template
from stratum.bitcoin.transaction import Output
from stratum.events import BlockFateChanged, BlockFound, Event, NodeStateChanged
from stratum.node.devnet import DevNode
from stratum.node.devnet_rpc import RpcFault
from stratum.node.nodes import Nodes
from stratum.node.settings import NodeSettings
from stratum.node.tips import Tip

OP_TRUE = push_number(1)

#: For what must come at all; a test that needs it sooner measures.
PATIENCE_S = 20.0


@dataclass
class Listener:
    """Hears all that nodes and submitters say, and lets a test wait for it."""

    events: list[Event] = field(default_factory=list)
    tips: list[Tip] = field(default_factory=list)
    templates: list[Template] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def emit(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    def on_tip(self, tip: Tip) -> None:
        self.tips.append(tip)
        self._news.set()

    def on_template(self, template: Template) -> None:
        self.templates.append(template)
        self._news.set()

    async def until(self, seen: Callable[[], Any], limit_s: float = PATIENCE_S) -> None:
        """Wait for news until `seen()` is true; fails the test after `limit_s`."""
        async with asyncio.timeout(limit_s):
            while not seen():
                self._news.clear()
                await self._news.wait()

    async def until_template_on(self, prevhash: bytes, limit_s: float = PATIENCE_S) -> None:
        await self.until(
            lambda: self.templates and self.templates[-1].prevhash == prevhash, limit_s
        )

    def faults(self, node: str) -> list[str | None]:
        """What was said of one node, in order; None is healthy."""
        return [
            event.fault
            for event in self.events
            if isinstance(event, NodeStateChanged) and event.node == node
        ]

    def fates(self) -> list[str]:
        return [event.fate for event in self.events if isinstance(event, BlockFateChanged)]


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[None]:
    """Run something that only ends by being cancelled."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def watched(
    *settings: NodeSettings, network: Network = REGTEST, refresh_s: float = 30.0
) -> AsyncIterator[tuple[Nodes, Listener]]:
    """Nodes that run, and who hears them."""
    listener = Listener()
    nodes = Nodes(
        settings,
        network,
        emit=listener.emit,
        on_tip=listener.on_tip,
        on_template=listener.on_template,
        template_refresh_s=refresh_s,
    )
    async with running(nodes.run()):
        yield nodes, listener


def block_on(
    template: Template,
    *,
    outputs: Sequence[Output] | None = None,
    tag: bytes = b"/test/",
    solved: bool = True,
) -> BlockFound:
    """The template's block, made as the pool makes it."""
    outputs = outputs or [Output(template.coinbasevalue, OP_TRUE)]
    coinbase = build_coinbase(template.height, tag, 8, outputs, template.witness_commitment)
    root = merkle_root([hashing.sha256d(coinbase.stripped(bytes(8))), *template.txids])
    header = Header(
        template.version, template.prevhash, root, template.curtime, template.nbits, 0
    ).serialize()
    if solved:
        nonce = hashing.search_nonce(header, template.network_target, 0, 1 << 32)
        assert nonce is not None
        header = header[:76] + nonce.to_bytes(4, "little")
    block = assemble_block(header, coinbase.serialize(bytes(8)), template.transactions)
    sats = sum(output.sats for output in outputs)
    return BlockFound(hashing.header_hash(header), template.height, "worker", sats, block)


Answerer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def http_server(answer: Answerer) -> AsyncIterator[str]:
    """A web server that is no node, or one with a fault of its own; its URL."""
    app = web.Application(client_max_size=16 << 20)
    app.router.add_post("/", answer)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class OddNode(DevNode):
    """A devnet node whose answers to some methods are a test's own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.odd: dict[str, Callable[[list[Any]], Awaitable[Any]]] = {}
        self.asked: list[str] = []

    async def answer(self, method: str, params: list[Any]) -> Any:
        self.asked.append(method)
        if method in self.odd:
            return await self.odd[method](params)
        return await super().answer(method, params)

    async def usual(self, method: str, params: list[Any]) -> Any:
        """The answer of a node without oddities."""
        return await super().answer(method, params)

    def refuses(self, method: str, code: int, message: str) -> None:
        async def refuse(params: list[Any]) -> Any:
            raise RpcFault(code, message)

        self.odd[method] = refuse

    def hangs(self, *methods: str) -> None:
        async def hang(params: list[Any]) -> Any:
            await asyncio.Event().wait()

        self.odd |= dict.fromkeys(methods, hang)

    def without_longpoll(self) -> None:
        async def plain(params: list[Any]) -> Any:
            template = await self.usual("getblocktemplate", params)
            return template | {"longpollid": None}

        self.odd["getblocktemplate"] = plain
