"""The side that gets the rigs: a new process, started while an old one serves."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import suppress
from types import TracebackType
from typing import Self

from stratum.app.handover import Frame, Kind, Parcel, Refused, hello
from stratum.app.handover_wire import Peer, Wire, WireLost
from stratum.errors import ConfigError, OutsideError, Problem, ProtocolError

logger = logging.getLogger(__name__)

#: For each word of the old process; above its own limits, so that it gives up first.
_PATIENCE = 20.0


class Taken:
    """What an old process has given. Whoever uses one of the listeners takes it out."""

    def __init__(self, wire: Wire, parcel: Parcel) -> None:
        self._wire = wire
        self.states = parcel.states
        self.listeners = {
            name: socket.socket(fileno=descriptor) for name, descriptor in parcel.listeners.items()
        }
        self.sessions = [
            (socket.socket(fileno=descriptor), state) for descriptor, state in parcel.sessions
        ]
        for sock in self._sockets:
            sock.setblocking(False)

    @property
    def _sockets(self) -> list[socket.socket]:
        return [*self.listeners.values(), *(sock for sock, _ in self.sessions)]

    async def ready(self) -> None:
        """Everything is loaded. Returns when the old process reads nothing any more.

        Raises OutsideError where it does not answer at all: it may still change its mind.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._wire.send(Frame(Kind.READY))
                answer = await self._wire.receive()
        except WireLost:
            # It never hangs up on a living process: it died, and the rigs are ours.
            logger.warning("the old process died before it had left")
        except TimeoutError as exc:
            raise OutsideError("the old process does not answer") from exc
        else:
            if answer.kind is not Kind.GONE:
                raise ProtocolError(f"GONE was expected, not {answer.kind.name}")
        self._wire.close()
        for sock in self.listeners.values():
            sock.close()  # of ports that we do not have

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hang up; where it all failed, close what was given: the old process goes on with it."""
        self._wire.close()
        if error is not None:
            for sock in self._sockets:
                sock.close()


async def take(path: str, room: int) -> Taken:
    """Ask the process that listens at `path` for its rigs.

    Where it dies in the middle, what it has given so far is ours, and there is a warning. Raises
    ConfigError where there is nothing to take over or the old process refuses, OutsideError or
    ProtocolError where the two do not understand each other; it serves on then.
    """
    wire = await _connect(path)
    parcel = Parcel()
    try:
        await wire.send(hello(room))
        await _fill(parcel, wire)
    except BaseException as exc:
        wire.close()
        for descriptor in parcel.descriptors:
            os.close(descriptor)
        if isinstance(exc, Refused):
            fault = f"the running pool keeps its rigs: {exc}"
            raise ConfigError([Problem("--takeover", fault, "stop it, then start")]) from exc
        raise
    return Taken(wire, parcel)


async def _connect(path: str) -> Wire:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, path)
        Peer(sock).close()  # ours, or nobody's we talk to
    except (OSError, OutsideError) as exc:
        sock.close()
        fault = "no pool runs in data_dir whose rigs could be taken over"
        raise ConfigError([Problem("--takeover", fault, "start without it")]) from exc
    return Wire(sock)


async def _fill(parcel: Parcel, wire: Wire) -> None:
    """Until it is whole, or its sender died after a part of it."""
    while not parcel.is_whole:
        try:
            async with asyncio.timeout(_PATIENCE):
                frame = await wire.receive()
        except WireLost:
            if not parcel.listeners:
                raise
            logger.warning("the old process died; %s rigs had come over", len(parcel.sessions))
            return
        except TimeoutError as exc:
            raise OutsideError("the old process does not answer") from exc
        try:
            parcel.put(frame)
        except ProtocolError:
            for descriptor in frame.descriptors:
                with suppress(OSError):
                    os.close(descriptor)
            raise
