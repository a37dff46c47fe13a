"""Offer one block to every node, each at its own pace, until told to stop.

A node that hangs holds back nothing but its own copy: each node has a task, a back-off and a
retry of its own. The pauses are short and stay short, because a node that comes back must have
the block within a second; a node that returns is asked at once, even where an earlier offer to it
still waits for an answer, since that connection may have died unseen. What the answers mean for
the block is `submitter.py`'s to say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from itertools import chain, repeat
from typing import Protocol

from stratum.node.blocks import Answer, SubmitResult

logger = logging.getLogger(__name__)

#: Between two offers to a node that has not judged the block; the last repeats.
PAUSES_S = (0.25, 0.5, 1.0)

#: After a plain yes or no: the node rarely has another opinion, and never says it sooner.
JUDGED_PAUSE_S = 10.0


class OfferNodes(Protocol):
    """Where a block can be offered; `Nodes` has it."""

    @property
    def names(self) -> tuple[str, ...]: ...

    async def offer(self, node: str, block: bytes) -> SubmitResult: ...

    async def next_return(self, node: str) -> None: ...


class Offers:
    """One block on its way. Run it, take its news, end it."""

    def __init__(self, nodes: OfferNodes, block: bytes) -> None:
        self.said: dict[str, SubmitResult] = {}  # each node's latest answer
        self._nodes = nodes
        self._names = nodes.names
        self._block = block
        self._news: asyncio.Queue[SubmitResult] = asyncio.Queue()
        self._ended = asyncio.Event()

    @property
    def all_heard(self) -> bool:
        """Every node has answered, or failed to, at least once."""
        return self.said.keys() >= set(self._names)

    @property
    def all_refused(self) -> bool:
        """Every configured node says no, and says it of this block."""
        return self.all_heard and {one.answer for one in self.said.values()} == {Answer.REFUSED}

    async def run(self) -> None:
        """Offer until `end`. A node that is being asked then is still heard out."""
        await asyncio.gather(*(self._keep_offering(name) for name in self._names))

    def end(self) -> None:
        self._ended.set()

    async def next(self) -> SubmitResult:
        """The next answer of any node; it is among `said` then."""
        result = await self._news.get()
        self.said[result.node] = result
        return result

    async def _keep_offering(self, node: str) -> None:
        for pause_s in chain(PAUSES_S, repeat(PAUSES_S[-1])):
            result = await self._offer(node)
            self._news.put_nowait(result)
            if result.answer in (Answer.TAKEN, Answer.REFUSED):
                pause_s = JUDGED_PAUSE_S
            await _first(self._ended.wait(), self._nodes.next_return(node), limit_s=pause_s)
            if self._ended.is_set():
                return

    async def _offer(self, node: str) -> SubmitResult:
        """One answer of one node, begun anew whenever the node returns before it came."""
        while True:
            offer = asyncio.ensure_future(self._nodes.offer(node, self._block))
            await _first(offer, self._nodes.next_return(node))
            if offer.cancelled():
                continue
            try:
                return offer.result()
            except Exception as exc:
                # Ours to mend, but not at the price of the block.
                logger.exception("offering a block to node %s failed", node)
                return SubmitResult(node, Answer.UNREACHED, repr(exc))


async def _first(*works: Awaitable[object], limit_s: float | None = None) -> None:
    """Wait for the first of some things, at most so long, and cancel the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
