"""Real sockets, real descriptors, real limits of them."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from stratum.app.handover import MAX_DESCRIPTORS, Frame, Kind
from stratum.app.handover_wire import Peer, Wire, WireLost
from stratum.errors import OutsideError, ProtocolError

PATIENCE_S = 30.0


@pytest.fixture
def pair() -> Iterator[tuple[Wire, Wire]]:
    wires = tuple(Wire(sock) for sock in socket.socketpair())
    yield wires[0], wires[1]
    for wire in wires:
        wire.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_many_messages_of_many_descriptors_pass_a_socket_that_holds_few(
    pair: tuple[Wire, Wire], tmp_path: Path
) -> None:
    here, there = pair
    file = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    body = {"states": [os.urandom(4096)] * MAX_DESCRIPTORS}
    frame = Frame(Kind.SESSIONS, body, [file] * MAX_DESCRIPTORS)
    before = descriptors()

    async def send() -> None:
        for _ in range(5):
            await here.send(frame)

    sending = asyncio.create_task(send())
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(5):
            got = await there.receive()
            assert (got.kind, got.body) == (frame.kind, body)
            assert len(set(got.descriptors)) == MAX_DESCRIPTORS
            for descriptor in got.descriptors:
                assert os.fstat(descriptor) == os.fstat(file)
                assert not os.get_inheritable(descriptor)
                os.close(descriptor)
        await sending
    assert descriptors() == before
    os.close(file)


async def test_end_of_the_other_process_is_heard_and_said(pair: tuple[Wire, Wire]) -> None:
    here, there = pair
    await there.send(Frame(Kind.READY))
    there.close()
    assert (await here.receive()).kind is Kind.READY, "what was said before still comes"
    with pytest.raises(WireLost):
        await here.receive()
    with pytest.raises(WireLost):
        await here.send(Frame(Kind.GONE))


async def test_waiting_for_a_word_can_be_given_up(pair: tuple[Wire, Wire]) -> None:
    here, there = pair
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await here.receive()
    await there.send(Frame(Kind.READY))
    assert (await here.receive()).kind is Kind.READY


async def test_descriptors_above_the_limit_are_noticed_and_none_is_leaked(
    pair: tuple[Wire, Wire], tmp_path: Path
) -> None:
    here, there = pair
    file = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    frame = Frame(Kind.SESSIONS, {}, [file] * 100)
    await here.send(frame)
    before, limits = descriptors(), resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = {int(name) for name in os.listdir("/proc/self/fd")}
    free = islice((number for number in count() if number not in taken), 50)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(free) + 1, limits[1]))
        with pytest.raises(ProtocolError, match="descriptors were lost"):
            await there.receive()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    there.close()
    assert descriptors() == before - 1
    os.close(file)


CONNECT_AND_WAIT = (
    "import os, socket, sys\n"
    "os.setuid(int(sys.argv[2]))\n"
    "sock = socket.socket(socket.AF_UNIX)\n"
    "sock.connect(sys.argv[1])\n"
    "print('connected', flush=True)\n"
    "sys.stdin.read()\n"
)


def visitor(path: Path, user: int) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-S", "-c", CONNECT_AND_WAIT, str(path), str(user)]
    return subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


async def test_process_at_the_other_end_is_ended_for_certain(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()
        with visitor(path, os.getuid()) as process:
            sock, _ = door.accept()
            with sock:
                peer = Peer(sock)
                assert peer.pid == process.pid
                async with asyncio.timeout(PATIENCE_S):
                    await peer.end()
                assert sock.recv(1) == b"", "all that it held is closed"
                await peer.end()
                peer.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_process_of_another_user_is_not_spoken_to() -> None:
    path = Path(f"/tmp/baseload-test-{os.getpid()}.sock")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        path.chmod(0o666)
        door.listen()
        with visitor(path, user=65534):
            sock, _ = door.accept()
            with sock, pytest.raises(OutsideError, match="user 65534"):
                Peer(sock)
    path.unlink()
