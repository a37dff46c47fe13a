"""The server's rigs as bytes and descriptors, and from them again, in another process.

One process pauses, drains and tells (DESIGN §8.5); the other makes a session of each state before
it is certain that it gets the rigs, and touches no socket until it is. A session that can't be
made costs that one rig its connection.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import cbor2

from stratum.mining.passage import restore_session, save_session
from stratum.mining.session import Session
from stratum.mining.settings import TierSettings
from stratum.mining.site import Site
from stratum.net.connection import Connection
from stratum.net.doors import address_of
from stratum.net.downstream import Server

logger = logging.getLogger(__name__)

#: How often is looked whether everything has left.
_LOOK = 0.01


class Handing:
    """Gives a server's rigs away, or takes those of another one's."""

    def __init__(
        self,
        server: Server,
        site: Site,
        tiers: Sequence[TierSettings],
        clock: Callable[[], float],
    ) -> None:
        self._server = server
        self._site = site
        self._tiers = tuple(tiers)
        self._clock = clock
        self._adopted: list[tuple[socket.socket, Session]] = []

    # -- the process that has them ---------------------------------------------------------

    def pause(self) -> None:
        """Nothing is read, accepted or judged any more; the books hear of what was refused."""
        self._server.pause()
        self._server.report_refused()

    async def drain(self, limit: float) -> None:
        """Wait until all that was written has left, or for so long. Replies that wait for the
        log's sync leave once that is done and `Server.synced` was told."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit
        await asyncio.sleep(0)  # those who were just accepted are made known
        while self._server.stalled and loop.time() < deadline:  # noqa: ASYNC110 (none to wait for)
            await asyncio.sleep(_LOOK)

    @property
    def connections(self) -> int:
        """Descriptors that go over, listeners among them."""
        return len(self._server.connections) + len(self._tiers)

    def listeners(self) -> list[tuple[str, int]]:
        """Address and descriptor of each."""
        return [(address, door.fileno()) for address, door in self._server.doors]

    def sockets_and_states(self) -> Iterator[tuple[int, bytes]]:
        """Descriptor and session of each rig. One that has not read what was written is left
        out: the rest of its line is in our memory."""
        for connection in self._server.connections:
            session = connection.session
            assert session is not None
            if connection.transport.is_closing() or connection.is_stalled or session.out.is_held:
                continue
            saved = {"listen": address_of(self._tiers[session.rig.tier])} | save_session(session)
            sock = connection.transport.get_extra_info("socket")
            yield sock.fileno(), cbor2.dumps(saved, canonical=True)

    async def resume(self) -> None:
        """Nobody took them: go on."""
        await self._server.resume()

    def leave(self) -> None:
        """They are taken: close our copies of the sockets, without a word to the rigs."""
        self._server.forget()

    # -- the process that gets them --------------------------------------------------------

    def adopt(self, sock: socket.socket, state: bytes) -> None:
        """Make the session of one rig; its socket is not touched before `begin`. Raises
        ValueError for a state that is not understood, or of a port that we do not have."""
        saved = _decode(state)
        tier = _place(self._tiers, saved.get("listen"))
        try:
            session = restore_session(
                self._site, self._tiers, {**saved, "tier": tier}, self._clock()
            )
        except (KeyError, TypeError, IndexError) as exc:
            raise ValueError(f"a session's state is not understood: {exc!r}") from exc
        self._site.gatekeeper.connected(session.address)
        self._adopted.append((sock, session))

    async def begin(self) -> None:
        """The rigs are ours: read what they say."""
        loop = asyncio.get_running_loop()
        adopted, self._adopted = self._adopted, []
        for sock, session in adopted:
            try:
                await loop.connect_accepted_socket(
                    partial(Connection, self._server, session.rig.tier, session), sock
                )
            except OSError as exc:
                logger.warning("%s could not be taken over: %s", session.worker_name, exc.strerror)
                session.closed("lost at the takeover", self._clock())
                self._site.gatekeeper.disconnected(session.address)
                sock.close()


def _decode(state: bytes) -> Mapping[str, object]:
    try:
        saved = cbor2.loads(state)
    except cbor2.CBORDecodeError as exc:
        raise ValueError(f"a session's state can't be read: {exc}") from exc
    if not isinstance(saved, dict):
        raise ValueError("a session's state is no map")
    return saved


def _place(tiers: Sequence[TierSettings], address: object) -> int:
    """Which of our tiers it came by; the config may have changed."""
    for place, tier in enumerate(tiers):
        if address_of(tier) == address:
            return place
    raise ValueError(f"there is no port {address} any more")
