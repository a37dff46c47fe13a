"""Have the node prove each new coinbase layout before a rig works on it.

A proposal is a whole block but for its proof of work (BIP 23). A layout that the node refuses is
withheld and alarmed, and asked about again at the next block. Only a node that does not know
proposals is believed to have no objection, because without it there would be no mining at all; a
node that is busy, gone or of another opinion about the time has not answered.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from stratum.errors import NodeError
from stratum.mining.pool import LayoutQuestion, Pool
from stratum.node.faults import FaultLog

logger = logging.getLogger(__name__)

#: After a question that found no answer, rigs in need ask anew.
PAUSE = 0.5

#: A node that hangs must not keep rigs from work that another node could give.
PATIENCE = 5.0

#: "Method not found" and "invalid parameter": the node has no proposal mode.
_UNABLE = (-32601, -8)

#: Objections to when the proposal was made, not to its coinbase.
_ABOUT_TIME = ("time-too-new", "time-too-old")


class LayoutProver:
    """Answers the pool's questions one after the other."""

    def __init__(
        self,
        pool: Pool,
        prove: Callable[[bytes], Awaitable[str | None]],
        proven: Callable[[], None],
    ) -> None:
        """`prove` asks the node: None or its objection; `proven` offers work to rigs in need."""
        self._pool = pool
        self._prove = prove
        self._proven = proven
        self._unproved = FaultLog(logger, "proving coinbase layouts")
        self._questions: asyncio.Queue[LayoutQuestion] = asyncio.Queue()

    def ask(self, question: LayoutQuestion) -> None:
        self._questions.put_nowait(question)

    async def run(self) -> None:
        while True:
            question = await self._questions.get()
            try:
                await self._answer(question)
            except asyncio.CancelledError:
                self._pool.ask_again(question.layout)  # of whoever runs us next
                raise
            except Exception:
                logger.exception("proving coinbase layout %s failed", question.layout)
                self._pool.ask_again(question.layout)

    async def _answer(self, question: LayoutQuestion) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                objection = await self._prove(question.block)
        except (NodeError, TimeoutError) as exc:
            if getattr(exc, "code", None) not in _UNABLE:
                await self._ask_again(question, exc)
                return
            logger.warning("the node can't prove coinbase layouts (%s): going on without", exc)
            objection = None
        if objection in _ABOUT_TIME:
            await self._ask_again(question, objection)
            return

        self._unproved.clear()
        self._pool.layout_answered(question.layout, objection is None)
        if objection is None:
            self._proven()
        else:
            logger.error(
                "the node refuses the coinbase layout %s (%s): rigs paid by it get no work",
                question.layout,
                objection,
            )

    async def _ask_again(self, question: LayoutQuestion, why: object) -> None:
        text = f"coinbase layout {question.layout} not proved yet: {why}"
        self._unproved.fault(text, time.monotonic(), logging.INFO)
        await asyncio.sleep(PAUSE)
        self._pool.ask_again(question.layout)
        self._proven()
