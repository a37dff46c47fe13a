"""Answers to shares, written together when all that has come in one turn of the loop was read.

First all reads, then all writes: the kernel's code for each stays in the cache, and a peer on the
same machine is woken once for many answers. A turn of the loop is a millisecond or two where it is
busy, and nothing where it is not; its shares are all of one moment, the one in which it began.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stratum.net.connection import Connection

logger = logging.getLogger(__name__)


class Answers:
    """Of one turn. Whoever writes anything else to a rig calls `write` first."""

    __slots__ = ("_clock", "_waiting", "now", "put")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: list[Any] = []  # connection, answer, connection, answer, …
        self.put = self._waiting.append
        self.now = 0.0  # of this turn; 0 where none has begun

    def begin(self) -> float:
        """The first read of a turn; Unix time."""
        asyncio.get_running_loop().call_soon(self._end)
        self.now = self._clock()
        return self.now

    def write(self) -> None:
        """Write them now."""
        if not self._waiting:
            return
        waiting = self._waiting.copy()
        self._waiting.clear()
        write_each(zip(waiting[::2], waiting[1::2], strict=True))

    def _end(self) -> None:
        self.now = 0.0
        self.write()


def write_each(pieces: Iterable[tuple[Connection, bytes]]) -> None:
    """To each connection its bytes, past everything that a session may have to say; one that
    fails must not keep the others waiting."""
    for connection, data in pieces:
        if connection.session is None:
            continue  # gone meanwhile
        try:
            connection.transport.write(data)
            if connection.is_stalled:
                connection.check_unread()
        except Exception:
            logger.exception("one rig could not be written to")
