"""The Stratum server: listeners, one connection per rig, jobs to everyone.

The connection knows sockets and nothing else: bytes go to its Session, bytes come back from it.
The Server owns the set of connections and one timer for all of them, and writes a job to each;
what a job is and who wants one is `mining`'s business.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import cast

from stratum.mining.conduct import CloseSession
from stratum.mining.jobs import Job
from stratum.mining.session import Session
from stratum.mining.settings import TierSettings
from stratum.mining.site import Site

logger = logging.getLogger(__name__)

#: A rig that does not read is dropped at either of these (ckpool: 60 s).
MAX_QUEUED = 256 * 1024
WRITE_STALL = 60.0

BACKLOG = 1024
TICK = 1.0

#: RST instead of FIN: some firmware never notices a polite end (pools.md §5.3).
_LINGER_OFF = struct.pack("ii", 1, 0)

#: TCP keepalive 60/10/3: a dead peer is noticed after 90 s (wire.md §4).
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


class Connection(asyncio.Protocol):
    """One rig's socket."""

    __slots__ = (
        "_last_progress",
        "_queued",
        "_server",
        "_throttle",
        "_tier",
        "_transport",
        "reason",
        "session",
    )

    def __init__(self, server: Server, tier: int) -> None:
        self._server = server
        self._tier = tier
        self._throttle: asyncio.TimerHandle | None = None
        self._queued = 0
        self._last_progress = server.clock()
        self.reason = "closed by the rig"
        self.session: Session | None = None

    # -- asyncio's calls -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's in everything but the base class.
        self._transport = cast(asyncio.Transport, transport)
        refusal = self._server.admit(self, self._tier, self._transport)
        if refusal is not None:
            logger.debug("connection refused: %s", refusal)
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        session = self.session
        if session is not None:
            self._run(session.receive, data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._throttle is not None:
            self._throttle.cancel()
        if self.session is not None:
            self._server.lost(self, self.session)

    # -- the server's calls ----------------------------------------------------------------

    def flush(self) -> None:
        """Write what the session has to say."""
        assert self.session is not None
        out = self.session.take_outgoing()
        if out and not self._transport.is_closing():
            self._transport.write(out)
            self._drop_if_not_reading()

    def on_time(self, now: float) -> None:
        """Deadlines of the session, and of a rig that does not read what it is sent."""
        queued = self._transport.get_write_buffer_size()
        if not queued or queued < self._queued:
            self._last_progress = now
        self._queued = queued
        if queued and now - self._last_progress > WRITE_STALL:
            self.abort(f"read nothing for {WRITE_STALL:.0f} s")
        elif self.session is not None and not self._transport.is_closing():
            self._run(self.session.on_time)

    def give(self, job: Job, clean_jobs: bool) -> None:
        """Send a job; a rig that can't take it must not keep the others waiting."""
        if self.session is not None and not self._transport.is_closing():
            self._run(self.session.send_job, job, clean_jobs)

    def show(self, text: str) -> None:
        """A message for the rig's display."""
        if self.session is not None:
            self.session.show_message(text)
            self.flush()

    def abort(self, reason: str) -> None:
        """End it with RST, so that the rig notices at once and goes elsewhere."""
        self.reason = reason
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
        self._transport.abort()

    # -- inside ----------------------------------------------------------------------------

    def _drop_if_not_reading(self) -> None:
        queued = self._transport.get_write_buffer_size()
        if queued > MAX_QUEUED:
            self.abort(f"{queued} bytes unread")

    def _run(self, step: Callable[..., None], *arguments: object) -> None:
        """One step of the session, and what follows from it."""
        session = self.session
        assert session is not None
        try:
            step(*arguments, self._server.clock())
        except CloseSession as closing:
            self.flush()
            self.reason = str(closing)
            self._transport.close()
        except Exception:
            # Our bug, this rig's misfortune: the others must not pay for it.
            logger.exception("session of %s failed", session.peer)
            self.abort("internal error")
        else:
            self.flush()
            self._throttle_if_needed(session)

    def _throttle_if_needed(self, session: Session) -> None:
        if not session.is_throttled or self._throttle or self._transport.is_closing():
            return
        self._transport.pause_reading()
        loop = asyncio.get_running_loop()
        self._throttle = loop.call_later(max(session.throttled_for, 0.01), self._go_on)

    def _go_on(self) -> None:
        self._throttle = None
        if self.session is None or self._transport.is_closing():
            return
        self._run(self.session.go_on)
        if self._throttle is None and not self._transport.is_closing():
            self._transport.resume_reading()


class Server:
    """All listeners and connections of one site."""

    def __init__(
        self,
        site: Site,
        tiers: Sequence[TierSettings],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._site = site
        self._tiers = tuple(tiers)
        self._listeners: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._is_closed_to_rigs = False
        self.clock = clock

    # -- life ------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen on every tier's port. Raises OSError, naming the port, where one is taken."""
        loop = asyncio.get_running_loop()
        for index, tier in enumerate(self._tiers):
            try:
                listener = await loop.create_server(
                    lambda index=index: Connection(self, index),
                    tier.host or None,
                    tier.port,
                    reuse_address=True,
                    backlog=BACKLOG,
                )
            except OSError as exc:
                await self.stop()
                raise OSError(exc.errno, f"listen on {tier.host}:{tier.port}: {exc}") from exc
            self._listeners.append(listener)

    async def run(self) -> None:
        """The one timer: deadlines, vardiff, and the refreshes that rigs wait for."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + TICK, loop.time())
            await asyncio.sleep(due - loop.time())
            try:
                self.tick()
            except Exception:
                logger.exception("the server's timer failed; it goes on")

    async def stop(self) -> None:
        """Close every port and connection. A second call does nothing."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()
        self.close_all("the pool is stopping")
        for listener in listeners:
            await listener.wait_closed()

    @property
    def ports(self) -> list[int]:
        """The port of each tier, as bound: useful where the configured one is 0."""
        return [listener.sockets[0].getsockname()[1] for listener in self._listeners]

    # -- what the app tells ----------------------------------------------------------------

    def broadcast(self, job: Job, clean_jobs: bool) -> None:
        """Write a job to every rig; nothing else runs meanwhile."""
        for connection in self._connections:
            connection.give(job, clean_jobs)

    def tick(self) -> None:
        """Once a second."""
        now = self.clock()
        for connection in self._connections:
            connection.on_time(now)
        waiting = [c for c in self._connections if c.session and c.session.wants_refresh]
        job = self._site.pool.refresh(now) if waiting else None
        if job is not None:
            for connection in waiting:
                connection.give(job, False)
        self.offer()

    def offer(self) -> None:
        """Give the present job to rigs that have none, e.g. after their layout was proved."""
        job = self._site.pool.current
        if job is not None:
            for connection in self._connections:
                if connection.session is not None and not connection.session.has_job:
                    connection.give(job, True)

    def show_message(self, text: str) -> None:
        for connection in self._connections:
            connection.show(text)

    def close_all(self, reason: str) -> None:
        """RST to every rig."""
        for connection in tuple(self._connections):
            connection.abort(reason)

    def refuse_rigs(self, refuse: bool) -> None:
        """Without work new connections are closed, so that rigs try their backup pools."""
        self._is_closed_to_rigs = refuse

    @property
    def sessions(self) -> list[Session]:
        return [c.session for c in self._connections if c.session is not None]

    # -- what connections tell -------------------------------------------------------------

    def admit(self, connection: Connection, tier: int, transport: asyncio.Transport) -> str | None:
        """Take a new connection in, or say why not."""
        peername = transport.get_extra_info("peername")
        if peername is None:
            return "gone already"
        if self._is_closed_to_rigs:
            return "there is no work"
        address, now = peername[0], self.clock()
        refusal = self._site.gatekeeper.refusal(address, now)
        if refusal is not None:
            return refusal

        _tune(transport.get_extra_info("socket"))
        self._site.gatekeeper.connected(address)
        peer = f"{address}:{peername[1]}"
        connection.session = Session(self._site, tier, self._tiers[tier], peer, address, now)
        self._connections.add(connection)
        return None

    def lost(self, connection: Connection, session: Session) -> None:
        self._connections.discard(connection)
        session.closed(connection.reason, self.clock())
        self._site.gatekeeper.disconnected(session.address)


def _tune(sock: socket.socket | None) -> None:
    """Small lines at once, and a dead peer noticed."""
    if sock is None:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
