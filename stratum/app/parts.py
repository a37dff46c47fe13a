"""The parts of a pool that are processes of their own, and what they tell who started them.

    serve   sockets, jobs, the log's writer, nodes, health and metrics
    books   statistics, database, page: whatever reads the log

A part that runs under a supervisor holds one end of a socket pair, its lifeline. Up goes one
byte, when the part has begun. Down comes nothing: the end of the stream means that the supervisor
is gone, by `kill -9` too, and the part ends in good order. So nobody is left behind who holds the
ports or the data_dir.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable
from enum import IntEnum, StrEnum

logger = logging.getLogger(__name__)

#: What a part sends up its lifeline when it has begun.
BEGUN = b"+"


class Part(StrEnum):
    """What `baseload pool --part` runs; it is also the name in its log lines."""

    SERVE = "serve"
    BOOKS = "books"


class Ending(IntEnum):
    """Exit codes of a part. The first three mean what they mean for every command."""

    DONE = 0
    FAILED = 1  # for good: the log can't be kept, or the start failed
    MISUSED = 2  # the operator's to mend
    TAKEN_OVER = 3  # another process has our rigs now
    BROKEN = 70  # a bug of ours, after the start (sysexits.h: EX_SOFTWARE)


class Lifeline:
    """A part's end of the pair. A part run by hand has none, and nobody to outlive."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._socket: socket.socket | None = None
        if descriptor is not None:
            self._socket = socket.socket(fileno=descriptor)
            self._socket.setblocking(False)
            self._socket.set_inheritable(False)  # ours alone, or its end would not be seen

    def say_begun(self) -> None:
        """From now on the part does its work."""
        if self._socket is not None:
            # Where nobody hears it, `watch` ends us anyway.
            with contextlib.suppress(OSError):
                self._socket.send(BEGUN)

    def watch(self, stop: Callable[[], None]) -> None:
        """Call `stop` when we are told to end, or when the supervisor is gone."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stop)
        if self._socket is None:
            loop.add_signal_handler(signal.SIGINT, stop)
            return
        # Ctrl-C reaches every process of the terminal; who ends first is the supervisor's choice.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        loop.add_reader(self._socket, self._lost, self._socket, stop)

    def _lost(self, line: socket.socket, stop: Callable[[], None]) -> None:
        asyncio.get_running_loop().remove_reader(line)
        logger.warning("the supervisor is gone: stopping")
        stop()

    def close(self) -> None:
        """The part has ended."""
        if self._socket is not None:
            self._socket.close()
