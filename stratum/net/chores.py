"""Work that may wait a moment, done in slices, so that ten thousand rigs' deadlines never stand
between a share and its answer for longer than a slice takes."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)

#: About a millisecond of looks at vardiff, or two of writes; then everybody else has as much.
SLICE = 200
PAUSE = 0.002


class Chores:
    """The first slice is done at once, the others when the loop has had time for the rest."""

    def __init__(self) -> None:
        self._queue: deque[Callable[[], None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, chores: Iterable[Callable[[], None]]) -> None:
        """After those that wait already."""
        self._queue.extend(chores)
        if self._timer is None:
            self._work()

    def clear(self) -> None:
        """Forget them."""
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _work(self) -> None:
        self._timer = None
        for _ in range(min(SLICE, len(self._queue))):
            try:
                self._queue.popleft()()
            except Exception:
                logger.exception("a chore failed; the others are done")
        if self._queue:
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._work)
