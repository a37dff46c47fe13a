"""600 connections that change process, and every step at which either process may die."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.app import handover_sides

CONNECTIONS = 600
PATIENCE_S = 60.0


class Side:
    """One of the two processes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, side: str, home: Path, step: str = "") -> Side:
        program = [sys.executable, handover_sides.__file__, side, str(home), step]
        root = str(Path(handover_sides.__file__).parents[2])
        return cls(
            await asyncio.create_subprocess_exec(
                *program,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": root},
            )
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    async def says(self) -> str:
        """Its next word; empty when it has ended."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            return (await self._process.stdout.readline()).decode().rstrip("\n")

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE_S):
            return await self._process.wait()

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self.ended()


class Rigs:
    """Everybody who is connected."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def connect(self) -> None:
        """All of them, one whole line and half of another each."""
        async with asyncio.timeout(PATIENCE_S):
            self._ends = await asyncio.gather(*(self._connect() for _ in range(CONNECTIONS)))

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"first\n")
        assert (await reader.readline()).split()[1:] == [b"1", b"first"]
        writer.write(b"sec")
        return reader, writer

    def say_more(self) -> None:
        """The rest of the line, whoever may be listening by now."""
        for _, writer in self._ends:
            writer.write(b"ond\n")

    async def served_by(self) -> list[int]:
        """Which process has answered each one; those that nobody answers are left out.

        Whoever is answered has been answered once, and for all that it said.
        """
        async with asyncio.timeout(PATIENCE_S):
            answers = await asyncio.gather(*(_answer(reader) for reader, _ in self._ends))
        for answer in answers:
            assert answer == [] or answer[1:] == [b"2", b"second"]
        return [int(answer[0]) for answer in answers if answer]

    async def newcomer(self) -> int:
        """Which process serves one that comes now."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"first\n")
        async with asyncio.timeout(PATIENCE_S):
            pid, count, line = (await reader.readline()).split()
        assert (count, line) == (b"1", b"first")
        await _close(writer)
        return int(pid)

    async def leave(self) -> None:
        for _, writer in self._ends:
            await _close(writer)


async def _answer(reader: asyncio.StreamReader) -> Sequence[bytes]:
    try:
        return (await reader.readline()).split()
    except ConnectionError:
        return []


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError:
        pass  # the other end was killed


class Stage:
    """A giver with all its rigs; a taker when the test wants one."""

    def __init__(self, home: Path, giver: Side, rigs: Rigs) -> None:
        self.home = home
        self.giver = giver
        self.rigs = rigs
        self.takers: list[Side] = []

    async def take(self, step: str = "") -> Side:
        """Start a taker, and have the rigs talk when nobody reads."""
        taker = await Side.start("take", self.home, step)
        self.takers.append(taker)
        if not step.endswith("HELLO"):
            assert await self.giver.says() == "let go"
            self.rigs.say_more()
        return taker

    async def close(self) -> None:
        await self.giver.kill()
        for taker in self.takers:
            await taker.kill()
        await self.rigs.leave()


@pytest.fixture
async def stage(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    giver = await Side.start("give", tmp_path, getattr(request, "param", ""))
    _, port = (await giver.says()).split()
    rigs = Rigs(int(port))
    await rigs.connect()
    stage = Stage(tmp_path, giver, rigs)
    yield stage
    await stage.close()


def is_locked(home: Path) -> bool:
    descriptor = os.open(home / "lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


async def test_all_rigs_change_process_and_nothing_they_said_is_lost(stage: Stage) -> None:
    taker = await stage.take()
    assert await taker.says() == f"took {CONNECTIONS}"
    assert await stage.giver.says() == "left"
    assert await stage.giver.ended() == 0
    assert await stage.rigs.served_by() == [taker.pid] * CONNECTIONS
    assert await stage.rigs.newcomer() == taker.pid
    assert is_locked(stage.home)


@pytest.mark.parametrize("step", ["before:HELLO", "after:HELLO"])
async def test_new_process_that_dies_at_once_changes_nothing(stage: Stage, step: str) -> None:
    taker = await stage.take(step)
    assert await taker.ended() == -signal.SIGKILL
    stage.rigs.say_more()
    assert await stage.rigs.served_by() == [stage.giver.pid] * CONNECTIONS
    assert is_locked(stage.home)


#: Where the new process may die, from the first it is given until it has all and says so.
TAKER_STEPS = (
    "got:LISTENERS got:STATE:2 got:SESSIONS:1 got:SESSIONS:2 got:SESSIONS:3 got:DONE"
    " before:READY".split()
)


@pytest.mark.parametrize("step", TAKER_STEPS)
async def test_new_process_that_dies_leaves_all_rigs_where_they_were(
    stage: Stage, step: str
) -> None:
    taker = await stage.take(step)
    assert await taker.ended() == -signal.SIGKILL
    assert await stage.giver.says() == "took back"
    assert await stage.rigs.served_by() == [stage.giver.pid] * CONNECTIONS
    assert await stage.rigs.newcomer() == stage.giver.pid
    assert is_locked(stage.home)


@pytest.mark.parametrize("stage", ["impatient"], indirect=True)
async def test_new_process_that_hangs_is_killed_before_anybody_reads_again(stage: Stage) -> None:
    taker = await stage.take("hang:DONE")
    assert await stage.giver.says() == "took back"
    assert await taker.ended() == -signal.SIGKILL
    assert await stage.rigs.served_by() == [stage.giver.pid] * CONNECTIONS


@pytest.mark.parametrize("stage", ["broken"], indirect=True)
async def test_bug_in_what_is_given_costs_no_rig(stage: Stage) -> None:
    taker = await stage.take()
    assert await stage.giver.says() == "took back"
    assert await taker.ended() == -signal.SIGKILL
    assert await stage.rigs.served_by() == [stage.giver.pid] * CONNECTIONS
    assert is_locked(stage.home)


async def test_handover_may_be_tried_again_after_one_that_failed(stage: Stage) -> None:
    await (await stage.take("got:DONE")).ended()
    assert await stage.giver.says() == "took back"
    assert await stage.rigs.served_by() == [stage.giver.pid] * CONNECTIONS
    taker = await Side.start("take", stage.home)
    stage.takers.append(taker)
    assert await taker.says() == f"took {CONNECTIONS}"
    assert await stage.rigs.newcomer() == taker.pid


async def test_new_process_that_dies_at_the_moment_of_the_promise_is_no_worse_than_a_crash(
    stage: Stage,
) -> None:
    """After READY nobody can tell which of the two will have been last."""
    taker = await stage.take("after:READY")
    assert await taker.ended() == -signal.SIGKILL
    if await stage.giver.says() == "took back":
        assert await stage.rigs.served_by() == [stage.giver.pid] * CONNECTIONS
    else:
        assert await stage.rigs.served_by() == []


#: Where the old process may die, and how many of its rigs the new one goes on with.
GIVER_STEPS = {
    "let_go": None,
    "listeners": None,
    "before:LISTENERS": None,
    "after:LISTENERS": 0,
    "after:STATE:1": 0,
    "after:SESSIONS:1": 253,
    "after:SESSIONS:2": 506,
    "after:SESSIONS:3": 600,
    "before:DONE": 600,
    "after:DONE": 600,
    "got:READY": 600,
    "before:GONE": 600,
    "after:GONE": 600,
}


@pytest.mark.parametrize(("stage", "saved"), GIVER_STEPS.items(), indirect=["stage"])
async def test_old_process_that_dies_leaves_what_it_has_given_to_the_new_one(
    stage: Stage, saved: int | None
) -> None:
    taker = await stage.take()
    assert await stage.giver.ended() == -signal.SIGKILL
    if saved is None:
        assert await taker.ended() == 1, "nothing was taken over"
        assert await stage.rigs.served_by() == []
        return
    assert await taker.says() == f"took {saved}"
    assert await stage.rigs.served_by() == [taker.pid] * saved
    assert await stage.rigs.newcomer() == taker.pid
    assert is_locked(stage.home)
