"""A Server on a port of 127.0.0.1, and rigs with real sockets. Time passes when a test says so."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from stratum.mining.session import Session
from stratum.mining.settings import TierSettings
from stratum.mining.site import Site
from stratum.net.connection import Connection
from stratum.net.downstream import Server
from tests.mining.ear import Line
from tests.mining.rig import Rig, Share
from tests.mining.world import ALICE, EASY, World

#: A guard against a hanging test; nothing waits for it.
PATIENCE = 10.0


class SocketRig:
    """A rig at the other end of a connection."""

    def __init__(self, farm: Farm, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.farm = farm
        self.reader = reader
        self.writer = writer
        self.heard: list[Line] = []
        self._core: Rig | None = None

    @property
    def core(self) -> Rig:
        """What checks its lines and hashes for it."""
        if self._core is None:
            port = self.writer.get_extra_info("sockname")[1]
            (session,) = (s for s in self.farm.server.sessions if s.peer.endswith(f":{port}"))
            world = self.farm.world
            self._core = Rig(session, lambda: world.now, world.network.scale)
        return self._core

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def say(self, *requests: dict[str, Any]) -> None:
        """All of them in one segment."""
        await self.send(b"".join(json.dumps(request).encode() + b"\n" for request in requests))

    async def hear(self, count: int = 1) -> list[Line]:
        """The next lines, held against the rules of the wire together."""
        core = self.core
        data = b""
        for _ in range(count):
            data += await asyncio.wait_for(self.reader.readline(), PATIENCE)
        lines = core.take(data)
        assert len(lines) == count, "the connection ended"
        return lines

    async def begin(self, name: str = ALICE + ".rig") -> None:
        """Subscribe, authorize, and get the first job."""
        await self.say(
            {"id": 1, "method": "mining.subscribe", "params": ["cgminer/4.11.1"]},
            {"id": 2, "method": "mining.authorize", "params": [name, "x"]},
        )
        lines = await self.hear(4 if self.farm.world.pool.current else 2)
        self.core.extranonce1 = bytes.fromhex(lines[0]["result"][1])
        self.core.session_id = dict(lines[0]["result"][0])["mining.notify"]
        self.core.worker_name = name

    async def submit(self, share: Share) -> Line:
        await self.say({"id": 4, "method": "mining.submit", "params": share.params})
        (reply,) = await self.hear()
        return reply

    async def ended(self) -> str:
        """Read until the connection ends: `closed` by FIN, or `reset`."""
        try:
            while await asyncio.wait_for(self.reader.read(65536), PATIENCE):
                pass
        except ConnectionResetError:
            return "reset"
        return "closed"

    async def leave(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


class WatchedServer(Server):
    """A Server that says when somebody came or went."""

    def __init__(self, site: Site, tiers: list[TierSettings], clock: Callable[[], float]) -> None:
        super().__init__(site, tiers, clock=clock)
        self.changed = asyncio.Event()

    def admit(self, connection: Connection, tier: int) -> str | None:
        self.changed.set()
        return super().admit(connection, tier)

    def lost(self, connection: Connection, session: Session) -> None:
        self.changed.set()
        super().lost(connection, session)


class Farm:
    """A world, its server, and everybody who connects."""

    def __init__(self, world: World, tiers: list[TierSettings] | None = None) -> None:
        self.world = world
        tier = TierSettings("127.0.0.1", 0, EASY, 1 / 2**32, vardiff=False)
        self.server = WatchedServer(world.site, tiers or [tier], lambda: world.now)
        self.rigs: list[SocketRig] = []

    async def connect(self, **options: Any) -> SocketRig:
        """`options` go to open_connection, e.g. a socket of one's own."""
        if "sock" not in options:
            options = {"host": "127.0.0.1", "port": self.server.ports[0]} | options
        rig = SocketRig(self, *await asyncio.open_connection(**options))
        self.rigs.append(rig)
        return rig

    async def ready(self, name: str = ALICE + ".rig") -> SocketRig:
        rig = await self.connect()
        await rig.begin(name)
        return rig

    async def deaf(self) -> SocketRig:
        """A rig with a small receive buffer that will not read."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", self.server.ports[0]))
        rig = await self.connect(sock=sock)
        await rig.begin()
        # uvloop's transports are asyncio's in everything but the base class.
        cast(asyncio.Transport, rig.writer.transport).pause_reading()
        return rig

    def broadcast(self) -> None:
        """A refresh to everybody, a second later."""
        self.world.now += 1
        job = self.world.pool.refresh(self.world.now)
        assert job is not None
        self.server.broadcast(job, False)

    async def until_sessions(self, count: int) -> None:
        """Wait until so many are left."""
        async with asyncio.timeout(PATIENCE):
            while len(self.server.sessions) != count:
                self.server.changed.clear()
                await self.server.changed.wait()


@contextlib.asynccontextmanager
async def open_farm(
    world: World | None = None, tiers: list[TierSettings] | None = None
) -> AsyncIterator[Farm]:
    """A server that has work, until the end of the block."""
    if world is None:
        world = World()
        world.new_block()
    farm = Farm(world, tiers)
    await farm.server.start()
    try:
        yield farm
    finally:
        await farm.server.stop()
        for rig in farm.rigs:
            await rig.leave()
        await farm.until_sessions(0)
