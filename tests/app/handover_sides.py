"""Both sides of a handover as programs of their own, with a server that counts lines.

    python handover_sides.py give HOME [STEP]
    python handover_sides.py take HOME [STEP]

A line is answered with the process, how many lines that connection has sent, and the line. At
STEP the program kills itself: `before:GONE` or `after:SESSIONS:2` say at which frame it sends or
receives (the second one of that kind), `let_go` and `listeners` are methods of the giver. At
`hang:DONE` the taker does nothing more, and an `impatient` giver does not wait long for it; one
that is `broken` can't tell the state of its last session.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import cbor2

from stratum.app import handover_give, handover_take
from stratum.app.handover import Frame
from stratum.app.handover_give import Giving
from stratum.app.handover_take import take
from stratum.app.handover_wire import Wire
from stratum.app.local_sockets import Meeting
from stratum.app.loop import run


class Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: Lines, count: int = 0, unread: bytes = b"") -> None:
        self._server = server
        self.count = count
        self.unread = unread

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.lines.add(self)

    def data_received(self, data: bytes) -> None:
        self.unread += data
        *whole, self.unread = self.unread.split(b"\n")
        for line in whole:
            self.count += 1
            self.transport.write(b"%d %d %s\n" % (os.getpid(), self.count, line))

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.lines.discard(self)


class Lines:
    """The server; it is also a Giver."""

    def __init__(self, home: Path, step: str) -> None:
        self._home = home
        self._step = step
        self.lines: set[Line] = set()

    # -- serving ---------------------------------------------------------------------------

    def lock(self) -> None:
        self._lock = os.open(self._home / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    async def listen(self, listener: socket.socket) -> None:
        """By a copy: closing that stops the accepting, and newcomers wait in the queue."""
        loop = asyncio.get_running_loop()
        self._listener = listener
        self._server = await loop.create_server(
            lambda: Line(self), sock=listener.dup(), backlog=1024
        )

    async def adopt(self, sock: socket.socket, state: bytes) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: Line(self, **cbor2.loads(state)), sock)

    # -- giving ----------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        return len(self.lines) + 1

    async def let_go(self) -> None:
        self._server.close()
        for line in self.lines:
            line.transport.pause_reading()
        os.close(self._lock)
        say("let go")
        die_at(self._step, "let_go")

    def listeners(self) -> Sequence[tuple[str, int]]:
        die_at(self._step, "listeners")
        return [("rigs", self._listener.fileno())]

    def states(self) -> Sequence[bytes]:
        return [b"one", b"two"]

    def sockets_and_states(self) -> Iterator[tuple[int, bytes]]:
        for line in self.lines:
            state = cbor2.dumps({"count": line.count, "unread": line.unread}, canonical=True)
            yield line.transport.get_extra_info("socket").fileno(), state
        if self._step == "broken":
            raise ValueError("a session without a state")

    async def take_back(self) -> None:
        self.lock()
        await self.listen(self._listener)
        for line in self.lines:
            line.transport.resume_reading()
        say("took back")


def die_at(step: str, here: str) -> None:
    if step == here:
        os.kill(os.getpid(), signal.SIGKILL)


class DyingWire(Wire):
    """Counts the frames of each kind, and dies at the one that it was told."""

    step = ""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._seen: dict[str, int] = {}

    async def send(self, frame: Frame) -> None:
        name = self._name(frame)
        die_at(self.step, f"before:{name}")
        await super().send(frame)
        die_at(self.step, f"after:{name}")

    async def receive(self) -> Frame:
        frame = await super().receive()
        name = self._name(frame)
        die_at(self.step, f"got:{name}")
        if self.step == f"hang:{name}":
            await asyncio.Event().wait()
        return frame

    def _name(self, frame: Frame) -> str:
        kind = frame.kind.name
        self._seen[kind] = self._seen.get(kind, 0) + 1
        return f"{kind}:{self._seen[kind]}" if kind in ("SESSIONS", "STATE") else kind


def say(what: str) -> None:
    print(what, flush=True)


async def give(home: Path, step: str) -> int:
    server = Lines(home, step)
    server.lock()
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    await server.listen(listener)
    with Meeting(home, "handover.sock") as meeting, meeting.listen() as door:
        say(f"port {listener.getsockname()[1]}")
        await Giving(server).run(door)
    say("left")
    return 0


async def take_over(home: Path, step: str) -> int:
    server = Lines(home, step)
    with Meeting(home, "handover.sock") as meeting:
        taken = await take(meeting.path, 10_000)
    assert taken.states in ([b"one", b"two"], [b"one"], [])
    with taken:
        server.lock()
        await taken.ready()
    for sock, state in taken.sessions:
        await server.adopt(sock, state)
    await server.listen(taken.listeners["rigs"])
    say(f"took {len(taken.sessions)}")
    await asyncio.Event().wait()
    return 0


def main() -> None:
    side, home, *steps = sys.argv[1:]
    DyingWire.step = step = steps[0] if steps else ""
    vars(handover_give)["Wire"] = vars(handover_take)["Wire"] = DyingWire
    if step == "impatient":
        vars(handover_give)["_READY_LIMIT"] = 0.2
    part = give if side == "give" else take_over
    sys.exit(run(part(Path(home), step)))


if __name__ == "__main__":
    main()
