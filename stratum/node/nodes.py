"""All configured nodes as one: one tip, one template, and every block to every node.

The active node is the first healthy one in order of preference (`choice.py`); only its tips and
templates are told. Found blocks go to all nodes at once, healthy or not: what matters is that
the block spreads, and a node that we think ill of may yet be the one that spreads it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from stratum.bitcoin.networks import Network
from stratum.bitcoin.template import Template
from stratum.errors import NodeError
from stratum.events import ActiveNodeChanged, Emit, NodeStateChanged, TipChanged
from stratum.node.blocks import Answer, Standing, SubmitResult, ask_standing, propose, submit_to
from stratum.node.choice import Choice
from stratum.node.faults import FaultLog
from stratum.node.rpc import NodeRpc
from stratum.node.settings import NodeSettings
from stratum.node.tips import Tip
from stratum.node.watch import NodeWatch, WatchNews

logger = logging.getLogger(__name__)

_NOT_ASKED = "not asked yet"


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node as metrics and the dashboard show it."""

    name: str
    fault: str | None  # None: healthy
    height: int | None
    tip: bytes | None  # internal order
    active: bool
    latency_s: float | None  # of its last answer to the poll; None while it does not answer


class Nodes:
    """The nodes of one pool. Give it callables, run it, ask it."""

    def __init__(
        self,
        settings: Sequence[NodeSettings],
        network: Network,
        *,
        emit: Emit,
        on_tip: Callable[[Tip], None],
        on_template: Callable[[Template], None],
        template_refresh_s: float = 30.0,
    ) -> None:
        """`settings` in order of preference. The callables run in the event loop.

        `on_tip` gets the facts of each tip that `on_template` stands on, before or after it,
        once for as long as one node is active.
        """
        self._settings = tuple(settings)
        self._network = network
        self._emit = emit
        self._on_tip = on_tip
        self._on_template = on_template
        self._refresh_s = template_refresh_s

        self._watches: list[NodeWatch] = []
        self._choice = Choice(len(self._settings), 0.0)
        self._faults: list[str | None] = [_NOT_ASKED for _ in self._settings]
        self._logs = [FaultLog(logger, f"node {one.name}") for one in self._settings]
        self._told_tip: bytes | None = None
        self._given_tip: bytes | None = None  # whose facts were given since the last activation
        self._tip_moved = asyncio.Event()  # rung for those who wait, never left set
        self._returned = {one.name: asyncio.Event() for one in self._settings}  # likewise

    @property
    def active(self) -> str | None:
        """Name of the node that gives the templates."""
        index = self._choice.active
        return None if index is None else self._settings[index].name

    @property
    def names(self) -> tuple[str, ...]:
        """All configured nodes, in order of preference."""
        return tuple(one.name for one in self._settings)

    @property
    def states(self) -> tuple[NodeState, ...]:
        if not self._watches:
            return tuple(
                NodeState(one.name, _NOT_ASKED, None, None, False, None) for one in self._settings
            )
        return tuple(
            NodeState(
                watch.name, self._faults[index], watch.height, watch.best,
                index == self._choice.active, watch.latency_s,
            )
            for index, watch in enumerate(self._watches)
        )  # fmt: skip

    async def run(self) -> None:
        """Watch all nodes until cancelled."""
        self._choice = Choice(len(self._settings), asyncio.get_running_loop().time())
        # No limit on connections: a found block must never wait behind longpolls.
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            news = WatchNews(self._heard_verdict, self._heard_tip, self._heard_template)
            self._watches = [
                NodeWatch(
                    NodeRpc(one, http), self._network, news,
                    zmq_hashblock=one.zmq_hashblock, template_refresh_s=self._refresh_s,
                )
                for one in self._settings
            ]  # fmt: skip
            try:
                async with asyncio.TaskGroup() as group:
                    for watch in self._watches:
                        group.create_task(watch.run())
            finally:
                self._watches = []

    async def next_tip(self) -> None:
        """Wait until the active node's tip changes."""
        await self._tip_moved.wait()

    async def next_return(self, node: str) -> None:
        """Wait until a node that had a fault is healthy again."""
        await self._returned[node].wait()

    async def prove(self, block: bytes) -> str | None:
        """Have the active node judge a block apart from its proof of work (BIP 23 proposal).

        None where it is valid, else the node's word for what is wrong. Raises TipMoved where the
        block's parent is no longer the tip: build another and ask again; NodeError where no node
        can be asked.
        """
        index = self._choice.active
        if index is None or not self._watches:
            raise NodeError("no node is usable that could check a block")
        return await propose(self._watches[index].rpc, block)

    async def offer(self, node: str, block: bytes) -> SubmitResult:
        """Give a block to one node, whatever we think of it. Raises nothing."""
        for watch in self._watches:
            if watch.name == node:
                return await submit_to(watch.rpc, block)
        return SubmitResult(node, Answer.UNREACHED, f"node {node} is not being watched yet")

    async def submit(self, block: bytes) -> tuple[SubmitResult, ...]:
        """Give a block to all nodes at the same moment; what each said, in order of preference."""
        return tuple(await asyncio.gather(*(self.offer(name, block) for name in self.names)))

    async def standing(self, block_hash: bytes, height: int, node: str | None = None) -> Standing:
        """Where a block stands in the chain of `node`, or of the active one.

        Another node is asked where that one does not answer. Raises NodeError where none does.
        """
        wanted = node or self.active
        fault = NodeError("no node is running that could be asked")
        for watch in sorted(self._watches, key=lambda watch: watch.name != wanted):
            try:
                return await ask_standing(watch.rpc, block_hash, height, watch.height or 0)
            except NodeError as exc:
                fault = exc
        raise fault

    def _heard_verdict(self, watch: NodeWatch) -> None:
        index = self._watches.index(watch)
        now = asyncio.get_running_loop().time()
        if watch.fault is not None or watch.height is None:
            self._choice.faulty(index, now, patience_s=watch.patience_s)
            self._logs[index].fault(str(watch.fault), now)
        else:
            self._choice.healthy(index, watch.height, now)
        self._choose(now)

    def _choose(self, now: float) -> None:
        before = self._choice.active
        after = self._choice.decide(now)
        for index in range(len(self._watches)):
            self._tell_state(index, now)
        if after == before:
            return

        if before is not None:
            self._watches[before].deactivate()
        logger.info("templates come from %s", self.active or "no node: rigs wait")
        self._emit(ActiveNodeChanged(self.active))
        self._given_tip = None
        if after is not None:
            self._watches[after].activate()

    def _tell_state(self, index: int, now: float) -> None:
        watch = self._watches[index]
        fault = str(watch.fault) if watch.fault is not None else None
        ahead = self._choice.ahead_of(index, now)
        if fault is None and not watch.is_healthy:
            fault = _NOT_ASKED
        if fault is None and ahead is not None:
            fault = f"node {watch.name} is behind: {self._watches[ahead].name} has more blocks"
            self._logs[index].fault(fault, now)
        if fault == self._faults[index]:
            return
        self._faults[index] = fault
        if fault is None:
            self._logs[index].clear()
            _ring(self._returned[watch.name])
        if fault != _NOT_ASKED:
            self._emit(NodeStateChanged(watch.name, fault))

    def _is_active(self, watch: NodeWatch) -> bool:
        index = self._choice.active
        return index is not None and self._watches[index] is watch

    def _heard_tip(self, watch: NodeWatch, tip: Tip) -> None:
        if self._is_active(watch) and tip.block_hash != self._given_tip:
            self._given_tip = tip.block_hash
            self._on_tip(tip)
            self._tell_tip(watch, tip.block_hash)

    def _heard_template(self, watch: NodeWatch, template: Template) -> None:
        if self._is_active(watch):
            self._on_template(template)
            self._tell_tip(watch, template.prevhash)

    def _tell_tip(self, watch: NodeWatch, block_hash: bytes) -> None:
        if block_hash == self._told_tip:
            return
        self._told_tip = block_hash
        _ring(self._tip_moved)
        self._emit(TipChanged(block_hash, watch.name))


def _ring(bell: asyncio.Event) -> None:
    """Wake whoever waits for it now, and nobody who comes later."""
    bell.set()
    bell.clear()
