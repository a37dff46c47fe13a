"""Watch one node: is it usable, what is its tip, what is its template.

Three witnesses tell of a new tip, and each alone suffices, because each has failed someone: a
poll of getbestblockhash every second, a longpoll, and ZMQ where it is configured. ZMQ and a
broken longpoll only wake the poll; the poll alone says whether the node answers. Whether it is
ready is judged by getblocktemplate, which refuses with -9 or -10, and not by
`initialblockdownload`, which is true on a fresh regtest (DESIGN §8.3).

Only the active node is longpolled and gives templates every few seconds; a standby is asked for
one now and then, so that it is known to be good before it is needed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeGuard

import zmq

from stratum.bitcoin.networks import Network
from stratum.bitcoin.template import Template
from stratum.errors import NodeError
from stratum.node.rpc import NodeBusy, NodeRpc, NodeTimeout
from stratum.node.tips import (
    TEMPLATE_TIMEOUT_S,
    Tip,
    ask_best,
    ask_template,
    ask_tip,
    check_network,
)
from stratum.node.zmq_bell import ring_on_hashblock

logger = logging.getLogger(__name__)

#: One start to the next. With the limit below a hanging node is left within 1.7 s.
POLL_S = 1.0
POLL_TIMEOUT_S = 0.7

#: Between polls of a node that fails, one after the other; the last repeats.
_BACK_OFF_S = (1.0, 1.0, 1.0, 2.0, 3.0, 5.0)

#: A publisher that rings without end must not become a busy loop.
_LEAST_PAUSE_S = 0.02

#: How long a new best block may be without a template before another node should give one. A
#: node that is busy with the block itself is given this much.
LATE_S = 1.5

#: How long a node that polls late or is busy is kept where no other is usable.
PATIENCE_S = 5.0

#: Between questions to a node whose template does not follow its tip; doubled up to POLL_S.
_STRAY_PAUSE_S = 0.05
_MOST_STRAYS = 10

#: How often a standby is asked for a template.
_STANDBY_REFRESH_S = 60.0

#: Core answers after a minute where it has new transactions, but waits for hours without.
_LONGPOLL_TIMEOUT_S = 600.0

#: A longpoll that comes back sooner and without a new tip is no longpoll: the node ignores it.
_LONGPOLL_TOO_SOON_S = 0.5
_LONGPOLL_PAUSE_S = 5.0

_RESTART_S = 5.0
_ZMQ_RETRY_S = 30.0


class TemplateLate(NodeError):
    """The node has a new best block and no template on it yet, though it answers."""


@dataclass(frozen=True, slots=True)
class WatchNews:
    """Whom a watch tells what; each is called in the event loop with the watch itself."""

    verdict: Callable[[NodeWatch], None]
    tip: Callable[[NodeWatch, Tip], None]
    template: Callable[[NodeWatch, Template], None]


class NodeWatch:
    """One node, as far as it is known now."""

    def __init__(
        self,
        rpc: NodeRpc,
        network: Network,
        news: WatchNews,
        *,
        zmq_hashblock: str = "",
        template_refresh_s: float = 30.0,
    ) -> None:
        self.rpc = rpc
        self.name = rpc.name
        self.best: bytes | None = None  # hash of its best block
        self.tip: Tip | None = None  # the same, once its header is known
        self.height: int | None = None
        self.template: Template | None = None  # the latest that was good
        self.template_at = 0.0  # when it came, in the loop's time
        self.latency_s: float | None = None  # of the last answered poll
        self._network = network
        self._news = news
        self._zmq_hashblock = zmq_hashblock
        self._refresh_s = template_refresh_s

        self._poll_fault: NodeError | None = None
        self._template_fault: NodeError | None = None
        self._failures = 0
        self._template_failures = 0
        self._strays = 0  # templates in a row that stood on another block than its best
        self._late: asyncio.TimerHandle | None = None
        self._identified = False
        self._active = asyncio.Event()
        self._poll_now = asyncio.Event()
        self._template_now = asyncio.Event()
        self._best_moved = asyncio.Event()
        self._template_taken = asyncio.Event()

    @property
    def fault(self) -> NodeError | None:
        return self._poll_fault or self._template_fault

    @property
    def patience_s(self) -> float:
        """How long its fault may be waited out where no other node is usable."""
        if isinstance(self.fault, TemplateLate):
            return TEMPLATE_TIMEOUT_S  # it is asked already, and rigs have the empty block
        return PATIENCE_S if isinstance(self.fault, NodeBusy) else 0.0

    @property
    def is_healthy(self) -> bool:
        return self.fault is None and self.template is not None and self.height is not None

    async def run(self) -> None:
        """Watch until cancelled. None of the loops can end another."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep(self._poll))
                group.create_task(self._keep(self._refresh))
                group.create_task(self._keep(self._longpoll))
                if self._zmq_hashblock:
                    group.create_task(self._keep(self._listen))
        finally:
            self._expect_no_template()

    def activate(self) -> None:
        """Templates come from this node from now on; what is at hand is told at once."""
        self._active.set()
        if asyncio.get_running_loop().time() - self.template_at > POLL_S:
            self._template_now.set()
        # The template first: it is the better job, and the facts then make no empty one.
        if self._stands_on_best(self.template):
            self._news.template(self, self.template)
        if self.tip is not None and self.tip.block_hash == self.best:
            self._news.tip(self, self.tip)

    def deactivate(self) -> None:
        self._active.clear()
        self._best_moved.set()  # ends the longpoll

    def poll_now(self) -> None:
        """There is a reason to believe that the node has news or is gone."""
        self._poll_now.set()

    async def _keep(self, loop: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await loop()
            except Exception:
                logger.exception("watching node %s failed; starting again", self.name)
            await asyncio.sleep(_RESTART_S)

    async def _poll(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            self._poll_now.clear()
            try:
                await self._poll_once(clock)
            except NodeError as exc:
                self._lost(exc)
            else:
                self._failures = 0
            await asyncio.sleep(_LEAST_PAUSE_S)
            await _within(self._poll_now, started + self._poll_pause() - clock())

    async def _poll_once(self, clock: Callable[[], float]) -> None:
        if not self._identified:
            await check_network(self.rpc, self._network, POLL_TIMEOUT_S)
            self._identified = True
        asked = clock()
        best = await ask_best(self.rpc, POLL_TIMEOUT_S)
        self.latency_s = clock() - asked

        if self._poll_fault is not None:
            self._expect_template()  # a node that comes back shows first that it is ready
        self._poll_fault = None
        if best != self.best:
            self._move_to(best)
        if self.tip is None or self.tip.block_hash != best:
            await self._tell_tip(best)
        self._judge()

    def _poll_pause(self) -> float:
        return _back_off(self._failures) if self._failures else POLL_S

    def _lost(self, fault: NodeError) -> None:
        self._failures += 1
        self._identified = False  # what answers next may be another node
        self._poll_fault = fault
        self._expect_no_template()
        self.template = None  # and has to show again that it is ready
        self.latency_s = None
        self._judge()

    def _move_to(self, best: bytes) -> None:
        self.best = best
        self._strays = 0
        self._best_moved.set()
        self._expect_template()

    def _expect_template(self) -> None:
        """Ask for a template on the best block, and mind how long it takes."""
        self._template_now.set()
        self._expect_no_template()
        loop = asyncio.get_running_loop()
        self._late = loop.call_later(LATE_S, self._template_is_late)

    def _expect_no_template(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _template_is_late(self) -> None:
        """A fault, so that another node takes over; the call that hangs may yet be answered."""
        self._late = None
        if self.fault is None:
            self._template_fault = TemplateLate(
                f"node {self.name} has no template on its best block after {LATE_S:g} s"
            )
            self._judge()

    def _stands_on_best(self, template: Template | None) -> TypeGuard[Template]:
        return template is not None and template.prevhash == self.best

    async def _tell_tip(self, best: bytes) -> None:
        tip = await ask_tip(self.rpc, best, POLL_TIMEOUT_S)
        if self.best != best:
            return
        self.tip, self.height = tip, tip.height
        self._news.tip(self, tip)

    async def _refresh(self) -> None:
        while True:
            await _within(self._template_now, self._refresh_pause())
            self._template_now.clear()
            if self._identified and self._poll_fault is None:
                await self._fetch()

    def _refresh_pause(self) -> float:
        if self._strays:
            return min(_STRAY_PAUSE_S * (1 << self._strays - 1), POLL_S)
        if self._template_failures:
            return _back_off(self._template_failures)
        return self._refresh_s if self._active.is_set() else _STANDBY_REFRESH_S

    async def _fetch(self) -> None:
        try:
            await self._offer(await ask_template(self.rpc, self._network, None))
        except NodeError as exc:
            self._template_fault = exc
            self._template_failures += 1
            self._judge()

    async def _offer(self, template: Template) -> None:
        """Take a template, unless it is an answer from before the tip moved. Raises NodeError."""
        if template.prevhash != self.best:
            best = await ask_best(self.rpc, POLL_TIMEOUT_S)
            if best != self.best:
                self._move_to(best)
                self._poll_now.set()  # for the facts of the new tip
            if template.prevhash != best:
                self._strays = min(self._strays + 1, _MOST_STRAYS)
                await asyncio.sleep(_LEAST_PAUSE_S)
                return
            self._template_now.clear()  # this is the template that the move asked for

        self._expect_no_template()
        self._strays = 0
        self.height = template.height - 1
        self.template = template
        self.template_at = asyncio.get_running_loop().time()
        self._template_fault, self._template_failures = None, 0
        self._template_taken.set()
        # In this order: the verdict may activate this node, which tells the template itself.
        self._news.template(self, template)
        self._judge()

    async def _longpoll(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await self._active.wait()
            self._best_moved.clear()
            self._template_taken.clear()
            template = self.template
            # With a template of an older tip the longpoll would return at once, for nothing.
            if not self._stands_on_best(template) or template.longpollid is None:
                await _within(self._template_taken, POLL_S)
                continue

            asked = clock()
            try:
                news = await self._ask_longpoll(template.longpollid)
            except NodeTimeout:
                continue  # no news for so long is no fault
            except NodeError:
                self.poll_now()  # it broke off: perhaps the node is gone
                await _within(self._best_moved, _LONGPOLL_PAUSE_S)
                continue
            if news is not None and self._stands_on_best(template):
                if clock() - asked < _LONGPOLL_TOO_SOON_S:
                    await _within(self._best_moved, _LONGPOLL_PAUSE_S)

    async def _ask_longpoll(self, longpollid: str) -> Template | None:
        """The template that the node had news for; None where another witness was faster."""
        asking = asyncio.create_task(
            ask_template(self.rpc, self._network, longpollid, _LONGPOLL_TIMEOUT_S)
        )
        moving = asyncio.create_task(self._best_moved.wait())
        try:
            await asyncio.wait({asking, moving}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                return None
            template = asking.result()
        finally:
            for task in (asking, moving):
                task.cancel()
            await asyncio.gather(asking, moving, return_exceptions=True)
        await self._offer(template)
        return template

    async def _listen(self) -> None:
        try:
            await ring_on_hashblock(self._zmq_hashblock, self.poll_now)
        except zmq.ZMQError as exc:
            logger.warning(
                "zmq_hashblock %s of node %s can't be used (%s); longpoll and polling go on",
                self._zmq_hashblock,
                self.name,
                exc,
            )
            await asyncio.sleep(_ZMQ_RETRY_S)

    def _judge(self) -> None:
        if self.fault is not None or self.is_healthy:
            self._news.verdict(self)


def _back_off(failures: int) -> float:
    return _BACK_OFF_S[min(failures, len(_BACK_OFF_S)) - 1]


async def _within(event: asyncio.Event, limit_s: float) -> None:
    """Wait for the event, but not longer than `limit_s`."""
    try:
        async with asyncio.timeout(max(limit_s, 0)):
            await event.wait()
    except TimeoutError:
        pass
