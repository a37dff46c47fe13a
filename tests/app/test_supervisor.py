"""A real supervisor over real processes, whose lives and deaths the test decides."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stratum.app.parts import Ending, Part
from stratum.app.supervisor import Pauses, Supervisor
from tests.app.stage import PATIENCE_S, Actor, Stage

AT_ONCE = Pauses(first=0.01, longest=0.02)
LIMITS = {Part.SERVE: PATIENCE_S, Part.BOOKS: PATIENCE_S}


class Run:
    """A supervisor at work on a stage."""

    def __init__(self, stage: Stage, supervisor: Supervisor) -> None:
        self.stage = stage
        self.supervisor = supervisor
        self.task = asyncio.create_task(supervisor.run())

    async def begun(self) -> tuple[Actor, Actor]:
        """Both parts at their work."""
        serve = await (await self.stage.next(Part.SERVE)).order("begin")
        books = await (await self.stage.next(Part.BOOKS)).order("begin")
        return serve, books

    async def code(self) -> int:
        """Of its end, which comes by itself."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.task


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with Stage(tmp_path) as stage:
        yield stage


@pytest.fixture
async def run(stage: Stage) -> AsyncIterator[Run]:
    run = Run(stage, Supervisor(stage.command, pauses=AT_ONCE, end_limits=LIMITS))
    yield run
    run.supervisor.stop()
    await run.code()


# -- the beginning -------------------------------------------------------------------------


async def test_books_are_started_when_serve_has_begun_and_not_before(run: Run) -> None:
    serve = await run.stage.next(Part.SERVE)
    await serve.order("kill")
    # A second life of serve, and still nobody else: books would have come first.
    serve = await run.stage.next(Part.SERVE)
    await serve.order("begin")
    await run.stage.next(Part.BOOKS)


async def test_service_manager_hears_when_rigs_are_served_and_when_it_ends(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        run = Run(stage, Supervisor(stage.command))
        serve = await stage.next(Part.SERVE)
        with pytest.raises(BlockingIOError):
            manager.recv(100)
        await serve.order("begin")
        await stage.next(Part.BOOKS)
        assert manager.recv(100) == b"READY=1\nMAINPID=%d" % os.getpid()
        run.supervisor.stop()
        assert await run.code() == Ending.DONE
        assert manager.recv(100) == b"STOPPING=1"


async def test_serve_that_the_operator_must_mend_ends_the_whole_with_2(run: Run) -> None:
    serve = await run.stage.next(Part.SERVE)
    await serve.order("exit", 2)
    assert await run.code() == Ending.MISUSED


async def test_books_that_can_not_begin_are_tried_again_and_rigs_are_served(run: Run) -> None:
    serve = await run.stage.next(Part.SERVE)
    await serve.order("begin")
    for _ in range(2):
        await (await run.stage.next(Part.BOOKS)).order("exit", 2)
    books = await run.stage.next(Part.BOOKS)
    await books.order("begin")
    run.supervisor.stop()
    assert await run.code() == Ending.DONE


async def test_program_that_is_not_there_is_tried_again(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    tried = 0

    def command(part: Part, lifeline: int, takeover: bool) -> list[str]:
        nonlocal tried
        tried += 1
        return ["/nowhere"] if tried < 3 else stage.command(part, lifeline, takeover)

    run = Run(stage, Supervisor(command, pauses=AT_ONCE))
    await stage.next(Part.SERVE)
    run.supervisor.stop()
    assert await run.code() == Ending.DONE
    assert "serve can't be started: No such file" in caplog.text


# -- deaths --------------------------------------------------------------------------------


@pytest.mark.parametrize("death", [("kill",), ("exit", 70), ("exit", 0), ("exit", 1), ("exit", 2)])
async def test_books_that_die_come_again_and_serve_goes_on(
    run: Run, death: tuple[object, ...], caplog: pytest.LogCaptureFixture
) -> None:
    _, books = await run.begun()
    for _ in range(3):
        await books.order(*death)
        books = await (await run.stage.next(Part.BOOKS)).order("begin")
    assert run.stage.is_empty
    assert len([one for one in caplog.records if one.levelno == logging.ERROR]) == 3
    assert "books" in caplog.text


@pytest.mark.parametrize("death", [("kill",), ("exit", 70), ("exit", 0), ("exit", 2)])
async def test_serve_that_dies_comes_again_and_books_go_on(
    run: Run, death: tuple[object, ...]
) -> None:
    serve, _ = await run.begun()
    for _ in range(3):
        await serve.order(*death)
        serve = await (await run.stage.next(Part.SERVE)).order("begin")
    assert run.stage.is_empty


async def test_serve_whose_log_failed_ends_the_whole_with_1(run: Run) -> None:
    serve, books = await run.begun()
    await serve.order("exit", 1)
    assert await books.hears() == "term"
    assert await run.code() == Ending.FAILED


def test_pauses_double_up_to_the_longest_and_begin_anew_after_a_life() -> None:
    pauses = Pauses()
    pause, seen = 0.0, []
    for _ in range(7):
        pause = pauses.after(pause, lived=59.9)
        seen.append(pause)
    assert seen == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert pauses.after(pause, lived=60.0) == 1.0


# -- the end -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_ends_serve_first_and_then_books(run: Run, number: signal.Signals) -> None:
    serve, books = await run.begun()
    await serve.order("linger")
    assert await serve.hears() == "lingering"
    os.kill(os.getpid(), number)
    assert await serve.hears() == "term"
    hearing = asyncio.create_task(books.hears())
    await serve.order("exit", 0)
    assert await serve.hears() == ""
    assert await hearing == "term"
    assert await run.code() == Ending.DONE


async def test_part_that_does_not_end_is_killed(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(stage, Supervisor(stage.command, end_limits={Part.SERVE: 0.05, Part.BOOKS: 5.0}))
    serve, _ = await run.begun()
    await serve.order("linger")
    assert await serve.hears() == "lingering"
    run.supervisor.stop()
    assert await run.code() == Ending.DONE
    assert await serve.hears() == "term"
    assert await serve.hears() == ""
    assert "serve did not end in 0 s: killed" in caplog.text


async def test_log_that_fails_in_the_end_is_told_by_the_exit_code(run: Run) -> None:
    serve, _ = await run.begun()
    await serve.order("linger")
    assert await serve.hears() == "lingering"
    run.supervisor.stop()
    assert await serve.hears() == "term"
    await serve.order("exit", 1)
    assert await run.code() == Ending.FAILED


async def test_stop_while_a_part_is_down_ends_at_once(stage: Stage) -> None:
    run = Run(stage, Supervisor(stage.command, pauses=Pauses(first=3600.0)))
    serve, _ = await run.begun()
    await serve.order("kill")
    assert await serve.hears() == ""
    run.supervisor.stop()
    assert await run.code() == Ending.DONE


async def test_parts_of_a_supervisor_that_is_killed_end_by_themselves(stage: Stage) -> None:
    code = (
        "import asyncio, sys\n"
        "from stratum.app.supervisor import Supervisor\n"
        "command = lambda part, line, takeover: ["
        "sys.executable, '-S', '-E', sys.argv[1], sys.argv[2], part, str(line), str(takeover)]\n"
        "asyncio.run(Supervisor(command).run())\n"
    )
    program, path = stage.command(Part.SERVE, 0, False)[3:5]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, program, path)
    serve = await (await stage.next(Part.SERVE)).order("begin")
    books = await stage.next(Part.BOOKS)
    process.kill()
    for part in (serve, books):
        assert await part.hears() == "lost"
        assert await part.hears() == ""
    await process.wait()


# -- takeover ------------------------------------------------------------------------------


async def test_at_sigusr2_a_new_serve_takes_over_and_books_are_started_anew(run: Run) -> None:
    serve, books = await run.begun()
    os.kill(os.getpid(), signal.SIGUSR2)
    successor = await run.stage.next(Part.SERVE, takeover=True)
    await successor.order("begin")
    await serve.order("exit", Ending.TAKEN_OVER.value)
    assert await books.hears() == "term"
    await (await run.stage.next(Part.BOOKS)).order("begin")

    # From here on it is a serve like any other.
    await successor.order("kill")
    await (await run.stage.next(Part.SERVE)).order("begin")
    assert run.stage.is_empty


async def test_old_serve_may_leave_before_the_new_one_has_begun(run: Run) -> None:
    serve, books = await run.begun()
    run.supervisor.renew()
    successor = await run.stage.next(Part.SERVE, takeover=True)
    await serve.order("exit", Ending.TAKEN_OVER.value)
    assert await serve.hears() == ""
    await successor.order("begin")
    assert await books.hears() == "term"
    await run.stage.next(Part.BOOKS)
    assert run.stage.is_empty


async def test_takeover_that_fails_leaves_everything_as_it_was_and_may_be_tried_again(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    await run.begun()
    for death in (("exit", 2), ("exit", 1), ("kill",)):
        run.supervisor.renew()
        successor = await run.stage.next(Part.SERVE, takeover=True)
        run.supervisor.renew()  # a second one meanwhile changes nothing
        assert await (await successor.order(*death)).hears() == ""
        assert run.supervisor._renewal is not None
        await run.supervisor._renewal
    assert run.stage.is_empty
    assert caplog.text.count("the one before goes on") == 3


async def test_old_serve_that_dies_while_it_gives_leaves_its_rigs_to_the_new_one(run: Run) -> None:
    serve, books = await run.begun()
    run.supervisor.renew()
    successor = await run.stage.next(Part.SERVE, takeover=True)
    await serve.order("kill")
    assert await serve.hears() == ""
    await successor.order("begin")
    assert await books.hears() == "term"
    await run.stage.next(Part.BOOKS)
    assert run.stage.is_empty


async def test_serve_without_a_successor_is_started_again_when_both_have_died(run: Run) -> None:
    serve, _ = await run.begun()
    run.supervisor.renew()
    successor = await run.stage.next(Part.SERVE, takeover=True)
    await serve.order("kill")
    await successor.order("exit", 1)
    await (await run.stage.next(Part.SERVE)).order("begin")
    assert run.stage.is_empty


async def test_rigs_taken_by_another_pool_end_this_one_with_0(run: Run) -> None:
    serve, books = await run.begun()
    await serve.order("exit", Ending.TAKEN_OVER.value)
    assert await books.hears() == "term"
    assert await run.code() == Ending.DONE


async def test_first_serve_of_a_takeover_is_told_and_its_refusal_ends_all(stage: Stage) -> None:
    run = Run(stage, Supervisor(stage.command, takeover=True))
    await (await stage.next(Part.SERVE, takeover=True)).order("exit", 2)
    assert await run.code() == Ending.MISUSED


async def test_stop_in_the_middle_of_a_takeover_ends_both(run: Run) -> None:
    serve, books = await run.begun()
    run.supervisor.renew()
    successor = await run.stage.next(Part.SERVE, takeover=True)
    run.supervisor.stop()
    for part in (serve, successor, books):
        assert await part.hears() == "term"
    assert await run.code() == Ending.DONE


async def test_old_serve_that_stays_after_a_takeover_is_killed(stage: Stage) -> None:
    limits = {Part.SERVE: 0.05, Part.BOOKS: PATIENCE_S}
    run = Run(stage, Supervisor(stage.command, pauses=AT_ONCE, end_limits=limits))
    serve, books = await run.begun()
    run.supervisor.renew()
    await (await stage.next(Part.SERVE, takeover=True)).order("begin")
    assert await serve.hears() == ""
    assert await books.hears() == "term"
    await stage.next(Part.BOOKS)
    assert stage.is_empty
    run.supervisor.stop()
    assert await run.code() == Ending.DONE
