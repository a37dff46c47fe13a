"""The Stratum server: listeners, one connection per rig, jobs to everyone.

The Server owns the connections and one timer for all of them, and writes a job to each; what a
job is and who wants one is `mining`'s business. A new tip is written to everyone before anything
else runs. An ordinary job is written in slices with a pause between them, so that shares are
answered meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import count

from stratum.mining.jobs import Job, microseconds
from stratum.mining.session import Session
from stratum.mining.settings import TierSettings
from stratum.mining.site import Site
from stratum.net.connection import Connection
from stratum.net.spread import Spread

logger = logging.getLogger(__name__)

#: Ten thousand rigs that come back at once wait in the kernel, not with an error (net.core.
#: somaxconn may cut it).
BACKLOG = 16384
TICK = 1.0

#: Handshakes for each turn of the loop while rigs come in a storm: some 4 ms, then those at work
#: are served.
GREETINGS = 32

#: Seconds in which every session's refused shares are reported once.
REPORT_INTERVAL = 60

#: TCP keepalive 60/10/3: a dead peer is noticed after 90 s (wire.md §4).
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))

#: Where the bytes of a connection go that was not let in.
_SCRATCH = 4096


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
        self._seats: list[Connection | None] = []  # by the slot of their session in the gate
        self._spread: Spread | None = None
        self._is_closed_to_rigs = False
        self._greeted = 0
        self._turn: deque[Connection] = deque()  # waiting for theirs
        self._budgets: list[tuple[float, int, Connection]] = []  # waiting for budget; a heap
        self._numbers = count()
        self._budget_timer: asyncio.TimerHandle | None = None
        self._ticks = 0
        self.stalled: set[Connection] = set()
        self.held: set[Connection] = set()  # under `strict`, replies wait for the log
        self.scratch = memoryview(bytearray(_SCRATCH))
        self.clock = clock

    # -- life ------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen on every tier's port. Raises OSError, naming the port, where one is taken."""
        loop = asyncio.get_running_loop()
        for index, tier in enumerate(self._tiers):
            try:
                listener = await loop.create_server(
                    partial(Connection, self, index), sock=await _listener(tier), backlog=BACKLOG
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
        self._spread = None
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
        self._spread = None
        spread = Spread(self._site, self._seats, job, clean_jobs)
        spread.write_all()

    def spread(self, job: Job) -> None:
        """Write a job on the same block to every rig, with time for shares in between."""
        self._spread = Spread(self._site, self._seats, job, False)
        self._write_slice(self._spread)

    def tick(self) -> None:
        """Once a second."""
        now = self.clock()
        for slot in self._site.gate.due(microseconds(now)):
            connection = self._seats[slot]
            assert connection is not None
            connection.on_time()
        for connection in tuple(self.stalled):
            connection.check_stall(now)
        self._report_refused()

        job = self._site.pool.refresh(now) if self._site.waiting else None
        if job is not None:
            for session in tuple(self._site.waiting):
                if session.has_job:
                    self._of(session).give(job, False)
        self.offer()

    def offer(self) -> None:
        """Give the present job to rigs that have none, e.g. after their layout was proved."""
        job = self._site.pool.current
        if job is not None:
            for session in tuple(self._site.waiting):
                if not session.has_job:
                    self._of(session).give(job, True)

    def synced(self) -> None:
        """The log has more on disk: under `strict`, replies may have waited for that."""
        held, self.held = self.held, set()
        for connection in held:
            if connection.session is not None:
                connection.flush()

    def show_message(self, text: str) -> None:
        for connection in self._connections:
            connection.show(text)

    def close_all(self, reason: str) -> None:
        """RST to every rig."""
        for connection in self._connections:
            connection.abort(reason)

    def refuse_rigs(self, refuse: bool) -> None:
        """Without work new connections are closed, so that rigs try their backup pools."""
        self._is_closed_to_rigs = refuse

    def report_refused(self) -> None:
        """Tell the books of every refused share that they have not heard of."""
        for connection in self._connections:
            if connection.session is not None:
                connection.session.report_refused()
        self._site.report_nobodys()

    @property
    def sessions(self) -> list[Session]:
        return [c.session for c in self._connections if c.session is not None]

    # -- what connections tell -------------------------------------------------------------

    def admit(self, connection: Connection, tier: int) -> str | None:
        """Take a new connection in, or say why not."""
        peername = connection.transport.get_extra_info("peername")
        if peername is None:
            return "gone already"
        if self._is_closed_to_rigs:
            return "there is no work"
        address, now = peername[0], self.clock()
        refusal = self._site.gatekeeper.refusal(address, now)
        if refusal is not None:
            return refusal

        self._site.gatekeeper.connected(address)
        peer = f"{address}:{peername[1]}"
        session = Session(self._site, tier, self._tiers[tier], peer, address, now)
        connection.session = session
        slot = session.rig.state.slot
        self._seats.extend([None] * (slot + 1 - len(self._seats)))
        self._seats[slot] = connection
        return None

    def lost(self, connection: Connection, session: Session) -> None:
        self._seats[session.rig.state.slot] = None
        self.held.discard(connection)
        connection.session = None
        session.closed(connection.reason, self.clock())
        self._site.gatekeeper.disconnected(session.address)

    @property
    def is_busy(self) -> bool:
        """Enough strangers were greeted in this turn of the loop; asking counts as one more."""
        if self._greeted == 0:
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._greeted += 1
        return self._greeted > GREETINGS

    def wait(self, connection: Connection, seconds: float) -> None:
        """Call its `go_on` after so long; at 0 in one of the loop's next turns."""
        loop = asyncio.get_running_loop()
        if not seconds:
            self._turn.append(connection)
            if self._greeted == 0:
                self._greeted = 1
                loop.call_soon(self._next_turn)
            return
        heappush(self._budgets, (loop.time() + seconds, next(self._numbers), connection))
        if self._budget_timer is None or self._budgets[0][2] is connection:
            self._set_budget_timer(loop)

    # -- inside ----------------------------------------------------------------------------

    @property
    def _connections(self) -> list[Connection]:
        return [connection for connection in self._seats if connection is not None]

    def _of(self, session: Session) -> Connection:
        connection = self._seats[session.rig.state.slot]
        assert connection is not None
        return connection

    def _next_turn(self) -> None:
        """Those who waited go first; strangers who come in this turn find what is left of it."""
        self._greeted = 0
        for _ in range(min(GREETINGS, len(self._turn))):
            self._turn.popleft().go_on()
            self._greeted += 1
        if self._greeted:
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _set_budget_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._budget_timer is not None:
            self._budget_timer.cancel()
        self._budget_timer = loop.call_at(self._budgets[0][0], self._serve_budgets)

    def _serve_budgets(self) -> None:
        self._budget_timer = None
        loop = asyncio.get_running_loop()
        while self._budgets and self._budgets[0][0] <= loop.time():
            heappop(self._budgets)[2].go_on()
        if self._budgets:
            self._set_budget_timer(loop)

    def _write_slice(self, spread: Spread) -> None:
        if self._spread is not spread:
            return  # something newer is under way
        pause = spread.write_slice()
        if pause:
            asyncio.get_running_loop().call_later(pause, self._write_slice, spread)
        else:
            self._spread = None

    def _report_refused(self) -> None:
        """A share of the sessions each second, all of them in a minute."""
        turn = self._ticks % REPORT_INTERVAL
        self._ticks += 1
        for connection in self._seats[turn::REPORT_INTERVAL]:
            if connection is not None and connection.session is not None:
                connection.session.report_refused()
        if not turn:
            self._site.report_nobodys()


async def _listener(tier: TierSettings) -> socket.socket:
    """A bound socket. What is set on it holds for every connection that it accepts: small lines
    at once, and a dead peer noticed."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        tier.host or None, tier.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    # Without a host: IPv6's any address, which takes IPv4 too, where there is IPv6.
    family, kind, protocol, _, address = max(found, key=lambda each: each[0] == socket.AF_INET6)
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bool(tier.host)))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        sock.setblocking(False)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
