"""Have the node prove each new coinbase layout before a rig works on it.

A proposal is a whole block but for its proof of work (BIP 23). A layout that the node refuses is
withheld and alarmed; a node that can't judge (no proposal mode) is believed to have no objection,
because without it there would be no mining at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from stratum.errors import NodeError
from stratum.mining.pool import LayoutQuestion, Pool

logger = logging.getLogger(__name__)

#: After a question that found no answer (no node, or the tip moved), rigs in need ask anew.
PAUSE = 0.5


class LayoutProver:
    """Answers the pool's questions one after the other."""

    def __init__(
        self,
        pool: Pool,
        prove: Callable[[bytes], Awaitable[str | None]],
        proven: Callable[[], None],
    ) -> None:
        """`prove` asks the node: None or its objection; `proven` is called after a good answer."""
        self._pool = pool
        self._prove = prove
        self._proven = proven
        self._questions: asyncio.Queue[LayoutQuestion] = asyncio.Queue()

    def ask(self, question: LayoutQuestion) -> None:
        self._questions.put_nowait(question)

    async def run(self) -> None:
        while True:
            await self._answer(await self._questions.get())

    async def _answer(self, question: LayoutQuestion) -> None:
        try:
            objection = await self._prove(question.block)
        except NodeError as exc:
            if exc.code is None:
                logger.info("coinbase layout %s not proved yet: %s", question.layout, exc)
                await asyncio.sleep(PAUSE)
                self._pool.ask_again(question.layout)
                self._proven()
                return
            logger.warning("the node can't prove coinbase layouts (%s): going on without", exc)
            objection = None

        self._pool.layout_answered(question.layout, objection is None)
        if objection is None:
            self._proven()
        else:
            logger.error(
                "the node refuses the coinbase layout %s (%s): rigs paid by it get no work",
                question.layout,
                objection,
            )
