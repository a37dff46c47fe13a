"""On the event loop that production runs: what one rig does not read, no other rig gets.

uvloop keeps a reference to what the socket did not take. A buffer that is used again while it is
still queued shows up at another rig: it once sent 18 KB of one rig's bytes to another.
"""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from stratum.mining.settings import LimitSettings
from tests.mining import world as worlds
from tests.mining.world import ALICE, World
from tests.net.farm import Farm, SocketRig, open_farm

uvloop = pytest.importorskip("uvloop")

#: Together less than the server keeps for a rig that does not read.
ROUNDS = 30
LINES = 40


def test_rig_that_never_reads_gets_its_own_bytes_in_order_and_busy_ones_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worlds, "LOG_ROOM", 3 * ROUNDS * LINES + 100)
    uvloop.run(_three_rigs())


async def _three_rigs() -> None:
    world = World(limits=LimitSettings(0, 0, 0))
    world.new_block(nbits=0x1D00FFFF)
    async with open_farm(world) as farm:
        deaf = await _small(farm)
        busy = [await farm.ready(ALICE + name) for name in (".one", ".two")]
        for rig in (deaf, *busy):
            assert (await rig.submit(rig.core.mine()))["result"] is True

        for round in range(ROUNDS):
            # Big enough that the kernel's buffers for the deaf one fill long before the end.
            await deaf.send(_submits(deaf, "deaf", round))
            for which, rig in enumerate(busy):
                await rig.send(_submits(rig, f"busy{which}", round))
                assert _ids(await _lines(rig)) == _names(f"busy{which}", round)
            farm.broadcast()
            for rig in busy:
                await rig.reader.readline()
        assert farm.server.stalled, "the deaf rig's bytes never waited: the test proves nothing"

        heard: list[str] = []
        while len(heard) < ROUNDS * LINES:
            line = json.loads(await asyncio.wait_for(deaf.reader.readline(), 10))
            heard += [line["id"]] if line["id"] is not None else []
        assert heard == [name for round in range(ROUNDS) for name in _names("deaf", round)]


async def _small(farm: Farm) -> SocketRig:
    """A rig whose own buffers take little, and which is not read until the end."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", farm.server.ports[0]))
    rig = await farm.connect(sock=sock, limit=4096)
    await rig.begin()
    (connection,) = farm.server.stalled or farm.server.connections
    served = connection.transport.get_extra_info("socket")
    served.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return rig


def _names(who: str, round: int) -> list[str]:
    return [f"{who}-{round}-{n}" + "x" * 60 for n in range(LINES)]


def _submits(rig: SocketRig, who: str, round: int) -> bytes:
    """Shares of any hash: what is answered does not matter here, only to whom."""
    job, name = rig.core.job, rig.core.worker_name
    return b"".join(
        json.dumps(
            {
                "id": each,
                "method": "mining.submit",
                "params": [
                    name,
                    job.job_id,
                    f"{round * LINES + n:016x}",
                    f"{job.ntime:08x}",
                    "0" * 8,
                ],
            }
        ).encode()
        + b"\n"
        for n, each in enumerate(_names(who, round))
    )


async def _lines(rig: SocketRig) -> list[dict[str, object]]:
    return [json.loads(await asyncio.wait_for(rig.reader.readline(), 10)) for _ in range(LINES)]


def _ids(lines: list[dict[str, object]]) -> list[object]:
    return [line["id"] for line in lines]
