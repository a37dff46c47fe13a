"""The part that serves rigs, as a process would run it: it begins, says where, and ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stratum.app import serve
from stratum.app.parts import BEGUN, Ending, Lifeline
from stratum.app.service import PoolService
from stratum.errors import ConfigError
from stratum.node.settings import NodeSettings
from tests.app.world import PATIENCE_S, TIER, World
from tests.peers.node import free_port


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, NodeSettings(f"http://127.0.0.1:{free_port()}"))


@pytest.fixture
def supervisor() -> Iterator[tuple[socket.socket, Lifeline]]:
    """Its end of a lifeline, and the part's."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    line = Lifeline(theirs.detach())
    with ours:
        yield ours, line
    line.close()


async def ended(running: asyncio.Task[int]) -> int:
    async with asyncio.timeout(PATIENCE_S):
        return await running


async def test_serve_says_where_and_tells_its_supervisor_when_every_port_is_open(
    world: World, supervisor: tuple[socket.socket, Lifeline], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ours, line = supervisor
    running = asyncio.create_task(serve.run_serve(world.config, line))
    assert await asyncio.get_running_loop().sock_recv(ours, 8) == BEGUN
    os.kill(os.getpid(), signal.SIGTERM)
    assert await ended(running) == Ending.DONE
    said = [one.message for one in caplog.records if one.name == serve.__name__]
    assert said[0].startswith("the descriptor limit leaves room for ")
    assert said[1].startswith("rigs: stratum+tcp://127.0.0.1:")
    assert said[2].startswith("page and metrics: http://127.0.0.1:")
    assert said[-1] == "stopped"


async def test_serve_ends_in_good_order_when_its_supervisor_is_gone(
    world: World, supervisor: tuple[socket.socket, Lifeline]
) -> None:
    ours, line = supervisor
    running = asyncio.create_task(serve.run_serve(world.config, line))
    assert await asyncio.get_running_loop().sock_recv(ours, 8) == BEGUN
    ours.close()
    assert await ended(running) == Ending.DONE


async def test_bug_after_the_start_is_told_from_a_log_that_failed(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(service: PoolService) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(PoolService, "_run_parts", fail)
    running = asyncio.create_task(serve.run_serve(world.config, Lifeline()))
    assert await ended(running) == Ending.BROKEN
    (logged,) = [one for one in caplog.records if one.levelno == logging.CRITICAL]
    assert logged.exc_info is not None


async def test_what_keeps_serve_from_beginning_is_raised_for_the_operator(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        tier = replace(TIER, port=taken.getsockname()[1])
        with pytest.raises(ConfigError, match=f"listen: .*{tier.port}"):
            await serve.run_serve(replace(world.config, listen=(tier,)), Lifeline())
