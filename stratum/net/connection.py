"""One rig's socket.

The connection knows sockets and nothing else: bytes go to its Session, bytes come back from it.
What the socket gives lands in the buffer that all connections share, the gate's; what is written
is always `bytes` of its own, because uvloop keeps a reference to what the socket did not take.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from stratum.mining.conduct import CloseSession
from stratum.mining.jobs import Job
from stratum.mining.session import Session

if TYPE_CHECKING:
    from stratum.net.downstream import Server

logger = logging.getLogger(__name__)

#: A rig that does not read is dropped at either of these (ckpool: 60 s).
MAX_QUEUED = 256 * 1024
WRITE_STALL = 60.0

#: RST instead of FIN: some firmware never notices a polite end (pools.md §5.3).
_LINGER_OFF = struct.pack("ii", 1, 0)


class Connection(asyncio.BufferedProtocol):
    """Made by the server for each socket; `session` is None where the rig was not let in."""

    __slots__ = (
        "_queued",
        "_server",
        "_stalled_since",
        "_tier",
        "is_stalled",
        "is_waiting",
        "reason",
        "session",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, server: Server, tier: int, session: Session | None = None) -> None:
        """`session`: of a rig that another process has served until now."""
        self._server = server
        self._tier = tier
        self._queued = 0
        self._stalled_since = 0.0
        self.is_stalled = False  # the socket takes no more: see `check_stall`
        self.is_waiting = False  # lines wait for their turn, nothing is read
        self.reason = "closed by the rig"
        self.session = session

    # -- asyncio's calls -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's in everything but the base class.
        self.transport = cast(asyncio.Transport, transport)
        if self.session is not None:
            self._server.seat(self, self.session)
        elif (refusal := self._server.admit(self, self._tier)) is not None:
            logger.debug("connection refused: %s", refusal)
            self.transport.abort()
            return
        # Tell us of the first byte that the socket does not take.
        self.transport.set_write_buffer_limits(high=0)
        if self._server.is_paused:
            self.transport.pause_reading()
        elif self.session is not None and self.session.unread:
            self._wait(0.0)

    def get_buffer(self, sizehint: int) -> memoryview:
        session = self.session
        return self._server.scratch if session is None else session.intake.room()

    def buffer_updated(self, nbytes: int) -> None:
        session = self.session
        if session is None:
            return
        answers = self._server.answers
        now = answers.now or answers.begin()
        try:
            answer = session.intake.answer(nbytes, int(now * 1_000_000))
        except Exception as exc:
            self._fail(exc)
            return
        if not answer:
            self._take_lines(session, now)
            return
        # Most reads end here: shares, and nothing but shares.
        answers.put(self)
        answers.put(answer)

    def pause_writing(self) -> None:
        self.is_stalled = True
        self._stalled_since = self._server.clock()
        self._queued = self.transport.get_write_buffer_size()
        self._server.stalled.add(self)

    def resume_writing(self) -> None:
        self.is_stalled = False
        self._server.stalled.discard(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.stalled.discard(self)
        if self.session is not None:
            self._server.lost(self, self.session)

    # -- the server's calls ----------------------------------------------------------------

    def flush(self) -> None:
        """Write what the session has to say."""
        assert self.session is not None
        out = self.session.out.take()
        if out:
            self.write(out)
        if self.session.out.is_held:
            self._server.held.add(self)

    def write(self, data: bytes) -> None:
        """To the socket at once; what it does not take is bounded."""
        self._server.answers.write()  # nothing overtakes an answer
        if self.transport.is_closing():
            return
        self.transport.write(data)
        if self.is_stalled:
            self.check_unread()

    def check_unread(self) -> None:
        """Drop a rig for which too much waits."""
        if self.transport.get_write_buffer_size() > MAX_QUEUED:
            self.abort(f"more than {MAX_QUEUED} bytes unread")

    def check_stall(self, now: float) -> None:
        """Drop a rig that reads nothing of what waits for it."""
        queued = self.transport.get_write_buffer_size()
        if queued < self._queued:
            self._stalled_since = now
        self._queued = queued
        if now - self._stalled_since > WRITE_STALL:
            self.abort(f"read nothing for {WRITE_STALL:.0f} s")

    def on_time(self) -> None:
        """A deadline of the session, or vardiff's next look: it has nothing to say at either."""
        if self.session is None or self.transport.is_closing():
            return
        try:
            self.session.on_time(self._server.clock())
        except Exception as exc:
            self._fail(exc)

    def give(self, job: Job, clean_jobs: bool) -> None:
        """Send a job; a rig that can't take it must not keep the others waiting."""
        if self.session is not None:
            self._run(self.session.send_job, job, clean_jobs)

    def go_on(self) -> None:
        """Its turn has come, or its budget: take the lines that waited, then read again."""
        self.is_waiting = False
        if self.session is None or self.transport.is_closing():
            return
        self._run(self.session.go_on)
        if not self.is_waiting and not self.transport.is_closing():
            self.transport.resume_reading()

    def show(self, text: str) -> None:
        """A message for the rig's display."""
        if self.session is not None:
            self.session.show_message(text)
            self.flush()

    def abort(self, reason: str) -> None:
        """End it with RST, so that the rig notices at once and goes elsewhere."""
        self.reason = reason
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
        self.transport.abort()

    # -- inside ----------------------------------------------------------------------------

    def _take_lines(self, session: Session, now: float) -> None:
        """What the gate left; strangers take their turn."""
        if not session.is_ready and self._server.is_busy:
            session.postpone(now)
            self._wait(0.0)
            return
        try:
            session.take_lines(now)
        except Exception as exc:
            self._fail(exc)
            return
        self.flush()
        if session.is_throttled:
            self._wait(session.throttled_for)

    def _run(self, step: Callable[..., None], *arguments: object) -> None:
        """One step of the session, and what follows from it."""
        if self.transport.is_closing():
            return
        session = self.session
        assert session is not None
        try:
            step(*arguments, self._server.clock())
        except Exception as exc:
            self._fail(exc)
        else:
            self.flush()
            if session.is_throttled and not self.is_waiting:
                self._wait(session.throttled_for)

    def _fail(self, exc: Exception) -> None:
        assert self.session is not None
        if isinstance(exc, CloseSession):
            self.flush()
            self.reason = str(exc)
            self.transport.close()
            return
        # Our bug, this rig's misfortune: the others must not pay for it.
        logger.error("session of %s failed", self.session.peer, exc_info=exc)
        self.abort("internal error")

    def _wait(self, seconds: float) -> None:
        if not self.transport.is_closing():
            self.is_waiting = True
            self.transport.pause_reading()
            self._server.wait(self, seconds)
