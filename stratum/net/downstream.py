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
from collections.abc import Callable, MutableMapping, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import count

from stratum.mining.jobs import Job, microseconds
from stratum.mining.session import Session
from stratum.mining.settings import TierSettings
from stratum.mining.site import Site
from stratum.net.answers import Answers
from stratum.net.chores import Chores
from stratum.net.connection import Connection
from stratum.net.doors import address_of, bound, taken
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
        self._doors: list[socket.socket] = []  # bound, one for each tier
        self._listeners: list[asyncio.Server] = []  # at copies of them
        self._seats: list[Connection | None] = []  # by the slot of their session in the gate
        self._connected = 0
        self._spread: Spread | None = None
        self._is_closed_to_rigs = False
        self.is_paused = False
        self._greeted = 0
        self._chores = Chores()
        self.answers = Answers(clock)
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

    async def bind(self, given: MutableMapping[str, socket.socket]) -> None:
        """Have a socket for every tier: one of those `given`, by its address, or a new one.
        Raises OSError, naming the port, where it is taken."""
        for tier in self._tiers:
            try:
                address = address_of(tier)
                self._doors.append(given.pop(address) if address in given else await bound(tier))
            except OSError as exc:
                raise taken(tier, exc) from exc

    async def start(self) -> None:
        """Listen on every tier's port. Raises as `bind`, which is done first where it was not."""
        try:
            if not self._doors:
                await self.bind({})
            for index, tier in enumerate(self._tiers):
                await self._listen(index, tier)
        except OSError:
            await self.stop()
            raise

    async def _listen(self, index: int, tier: TierSettings) -> None:
        """At a copy: who closes that stops accepting, and newcomers wait in the kernel."""
        loop = asyncio.get_running_loop()
        copy, connection = self._doors[index].dup(), partial(Connection, self, index)
        try:
            self._listeners.append(await loop.create_server(connection, sock=copy, backlog=BACKLOG))
        except OSError as exc:
            copy.close()
            raise taken(tier, exc) from exc

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
        doors, self._doors = self._doors, []
        for listener in listeners:
            listener.close()
        for door in doors:
            door.close()
        self._spread = None
        self._chores.clear()
        self.answers.write()
        self.close_all("the pool is stopping")
        for listener in listeners:
            await listener.wait_closed()

    @property
    def ports(self) -> list[int]:
        """The port of each tier, as bound: useful where the configured one is 0."""
        return [door.getsockname()[1] for door in self._doors]

    # -- for another process (`stratum.net.handing`) ----------------------------------------

    def pause(self) -> None:
        """Stop accepting, reading and writing: from here on nothing of a rig changes, but that
        what was written leaves."""
        self.answers.write()
        spread, self._spread = self._spread, None
        while spread is not None and spread.write_slice():
            pass
        self._chores.clear()  # deadlines stay due, and who waits for a job goes on waiting
        self.is_paused = True
        for listener in self._listeners:
            listener.close()
        self._listeners = []
        for connection in self.connections:
            connection.transport.pause_reading()

    async def resume(self) -> None:
        """Go on where `pause` stopped."""
        self.is_paused = False
        for index, tier in enumerate(self._tiers):
            await self._listen(index, tier)
        for connection in self.connections:
            if not connection.is_waiting and not connection.transport.is_closing():
                connection.transport.resume_reading()
        loop = asyncio.get_running_loop()
        if self._turn:
            loop.call_soon(self._next_turn)
        if self._budgets:
            self._set_budget_timer(loop)

    def forget(self) -> None:
        """The rigs are another process's: close what is left of them here, and tell nobody."""
        for connection in self.connections:
            connection.session = None
            connection.transport.abort()  # closes our copy; the connection lives on
        self._seats.clear()
        self._connected = 0

    @property
    def doors(self) -> list[tuple[str, socket.socket]]:
        """The bound socket of each tier, by the tier's address."""
        return [
            (address_of(tier), door) for tier, door in zip(self._tiers, self._doors, strict=False)
        ]

    # -- what the app tells ----------------------------------------------------------------

    def broadcast(self, job: Job, clean_jobs: bool) -> None:
        """Write a job to every rig; nothing else runs meanwhile."""
        assert not self.is_paused
        self._spread = None
        self.answers.write()
        Spread(self._site, self._seats, job, clean_jobs).write_all()

    def spread(self, job: Job) -> None:
        """Write a job on the same block to every rig, with time for shares in between."""
        self._spread = Spread(self._site, self._seats, job, False)
        self._write_slice(self._spread)

    def tick(self) -> None:
        """Once a second."""
        now = self.clock()
        for connection in tuple(self.stalled):
            connection.check_stall(now)
        self._report_refused()
        due = [self._seats[slot] for slot in self._site.gate.due(microseconds(now))]
        self._chores.add(connection.on_time for connection in due if connection is not None)
        self._chores.add([self._serve_waiting])

    def offer(self) -> None:
        """Give the present job to rigs that have none, e.g. after their layout was proved."""
        job = self._site.pool.current
        if job is not None:
            for session in tuple(self._site.waiting):
                if not session.has_job:
                    self._of(session).give(job, True)

    def _serve_waiting(self) -> None:
        """Jobs for those whose difficulty has changed, and for those who have none."""
        waiting = tuple(self._site.waiting)
        self._chores.add(partial(self._renew, session) for session in waiting if session.has_job)
        self.offer()

    def _renew(self, session: Session) -> None:
        """Another job of the present work, by the time that it is this one's turn."""
        if session in self._site.waiting:
            job = self._site.pool.refresh(self.clock())
            if job is not None:
                self._of(session).give(job, False)

    def synced(self) -> None:
        """The log has more on disk: under `strict`, replies may have waited for that."""
        held, self.held = self.held, set()
        for connection in held:
            if connection.session is not None:
                connection.flush()

    def show_message(self, text: str) -> None:
        for connection in self.connections:
            connection.show(text)

    def close_all(self, reason: str) -> None:
        """RST to every rig."""
        for connection in self.connections:
            connection.abort(reason)

    def refuse_rigs(self, refuse: bool) -> None:
        """Without work new connections are closed, so that rigs try their backup pools."""
        self._is_closed_to_rigs = refuse

    def report_refused(self) -> None:
        """Tell the books of every refused share that they have not heard of."""
        for connection in self.connections:
            if connection.session is not None:
                connection.session.report_refused()
        self._site.report_nobodys()

    @property
    def connections(self) -> list[Connection]:
        """Those that were let in."""
        return [connection for connection in self._seats if connection is not None]

    @property
    def connected(self) -> int:
        """How many of them there are."""
        return self._connected

    @property
    def sessions(self) -> list[Session]:
        return [c.session for c in self.connections if c.session is not None]

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
        self.seat(connection, session)
        return None

    def seat(self, connection: Connection, session: Session) -> None:
        """From here on it is one of those that get jobs."""
        slot = session.rig.state.slot
        self._seats.extend([None] * (slot + 1 - len(self._seats)))
        self._seats[slot] = connection
        self._connected += 1

    def lost(self, connection: Connection, session: Session) -> None:
        self._seats[session.rig.state.slot] = None
        self._connected -= 1
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

    def _of(self, session: Session) -> Connection:
        connection = self._seats[session.rig.state.slot]
        assert connection is not None
        return connection

    def _next_turn(self) -> None:
        """Those who waited go first; strangers who come in this turn find what is left of it."""
        self._greeted = 0
        if self.is_paused:
            return
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
        if self.is_paused:
            return
        loop = asyncio.get_running_loop()
        while self._budgets and self._budgets[0][0] <= loop.time():
            heappop(self._budgets)[2].go_on()
        if self._budgets:
            self._set_budget_timer(loop)

    def _write_slice(self, spread: Spread) -> None:
        if self._spread is not spread:
            return  # something newer is under way
        self.answers.write()
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
