from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator

import pytest

from stratum.app.parts import BEGUN, Lifeline


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Lifeline]]:
    ours, theirs = socket.socketpair()
    line = Lifeline(theirs.detach())
    with ours:
        yield ours, line
    line.close()


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


async def test_part_says_once_that_it_has_begun(pair: tuple[socket.socket, Lifeline]) -> None:
    ours, line = pair
    line.say_begun()
    assert ours.recv(8) == BEGUN


async def test_end_of_the_supervisor_is_a_reason_to_stop(
    pair: tuple[socket.socket, Lifeline],
) -> None:
    ours, line = pair
    stop = asyncio.Event()
    line.watch(stop.set)
    ours.close()
    await stop.wait()
    line.say_begun()  # nobody hears it, and nothing breaks


async def test_end_before_it_was_watched_is_noticed_too(
    pair: tuple[socket.socket, Lifeline],
) -> None:
    ours, line = pair
    ours.close()
    stop = asyncio.Event()
    line.watch(stop.set)
    await stop.wait()


async def test_supervised_part_leaves_ctrl_c_to_its_supervisor(
    pair: tuple[socket.socket, Lifeline],
) -> None:
    stop = asyncio.Event()
    pair[1].watch(stop.set)
    os.kill(os.getpid(), signal.SIGINT)
    assert not stop.is_set()
    os.kill(os.getpid(), signal.SIGTERM)
    await stop.wait()


async def test_part_that_is_run_by_hand_is_stopped_by_hand() -> None:
    stop = asyncio.Event()
    line = Lifeline()
    line.watch(stop.set)
    line.say_begun()
    os.kill(os.getpid(), signal.SIGINT)
    await stop.wait()
    line.close()


async def test_lifeline_is_not_passed_on_to_programs_that_a_part_starts(
    pair: tuple[socket.socket, Lifeline],
) -> None:
    assert pair[1]._socket is not None
    assert not pair[1]._socket.get_inheritable()
