"""The side that has the rigs: it waits at a socket in data_dir for a process to give them to.

Whatever goes wrong, rigs are served: by the new process once it has said READY, until then by
this one, which only stopped reading. Before it reads again it makes sure that the new one is
dead (`handover`).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from stratum.app.handover import Frame, Kind, gift, objection, refusal
from stratum.app.handover_wire import Peer, Wire, WireLost
from stratum.errors import OutsideError, ProtocolError

logger = logging.getLogger(__name__)

#: Of the one who connects: it says HELLO first, and has loaded all its code before.
_HELLO_LIMIT = 5.0

#: For stopping, draining and sending; ten thousand rigs take about a second of each.
_GIFT_LIMIT = 10.0

#: DESIGN §8.5: no READY within this, and the old process serves on.
_READY_LIMIT = 10.0


class Giver(Protocol):
    """What the serving process does when its rigs are handed over, in this order."""

    @property
    def connections(self) -> int:
        """Descriptors of rigs that would go over, listeners among them."""

    async def let_go(self) -> None:
        """Stop everything that reads, writes, ticks or accepts; drain; sync and close the log."""

    def listeners(self) -> Sequence[tuple[str, int]]:
        """Name and descriptor of each."""

    def states(self) -> Iterable[bytes]:
        """What belongs to no single rig, in pieces of some megabytes at most."""

    def sockets_and_states(self) -> Iterable[tuple[int, bytes]]:
        """Descriptor of each rig's socket, and its session as bytes."""

    async def take_back(self) -> None:
        """Open the log again and serve on; its lock is free. After let_go(), whole or broken."""


class Giving:
    """Answers whoever asks for the rigs, one after the other."""

    def __init__(self, giver: Giver) -> None:
        self._giver = giver

    async def run(self, door: socket.socket) -> None:
        """Wait at a listening socket; returns when another process has the rigs: leave then,
        closing sockets and never shutting them. Raises what take_back() raises."""
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(door)
            wire = Wire(sock)
            try:
                if await self._receive(Peer(sock), wire):
                    return
            except (OutsideError, ProtocolError, TimeoutError) as exc:
                logger.warning("a handover was asked for and not begun: %s", _words(exc))
            finally:
                wire.close()

    async def _receive(self, peer: Peer, wire: Wire) -> bool:
        """One visitor, from its HELLO; whether it has our rigs. Raises where it is none."""
        try:
            async with asyncio.timeout(_HELLO_LIMIT):
                reason = objection(await wire.receive(), self._giver.connections)
                if reason is not None:
                    await wire.send(refusal(reason))
                    raise ProtocolError(reason)
            return await self._give(wire, peer)
        finally:
            peer.close()

    async def _give(self, wire: Wire, peer: Peer) -> bool:
        logger.info("process %s takes over our rigs", peer.pid)
        try:
            async with asyncio.timeout(_GIFT_LIMIT):
                await self._giver.let_go()
                for frame in self._gift():
                    await wire.send(frame)
            async with asyncio.timeout(_READY_LIMIT):
                answer = await wire.receive()
                if answer.kind is not Kind.READY:
                    raise ProtocolError(f"READY was expected, not {answer.kind.name}")
                await wire.send(Frame(Kind.GONE))
        except Exception as exc:
            # Also a bug of ours: rigs come first.
            is_bug = not isinstance(exc, (WireLost, ProtocolError, TimeoutError))
            logger.error("the handover failed, we serve on: %s", _words(exc), exc_info=is_bug)
            await peer.end()
            await self._giver.take_back()
            return False
        return True

    def _gift(self) -> Iterator[Frame]:
        giver = self._giver
        return gift(giver.listeners(), giver.states(), giver.sockets_and_states())


def _words(exc: Exception) -> str:
    return str(exc) or ("it took too long" if isinstance(exc, TimeoutError) else repr(exc))
