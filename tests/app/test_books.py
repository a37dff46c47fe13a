"""The books of a real pool, seen through its own HTTP port."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from stratum.app.books import BooksService, run_books
from stratum.app.local_sockets import BOOKS_SOCKET
from stratum.errors import ConfigError
from tests.app.world import PATIENCE_S, World, a_pool


@asynccontextmanager
async def books(world: World) -> AsyncIterator[BooksService]:
    """Beside the pool, in the same event loop, as in the demo."""
    service = BooksService(world.config, interval=0.01)
    stop, begun = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(service.run(stop, begun.set))
    async with asyncio.timeout(PATIENCE_S):
        await begun.wait()
        yield service
        stop.set()
        assert await running == 0


async def get(world: World, path: str) -> Any:
    url = f"http://127.0.0.1:{world.service.http_port}{path}"
    async with aiohttp.ClientSession() as http, http.get(url) as reply:
        assert reply.status == 200
        text = await reply.text()
    return json.loads(text) if path.startswith("/api") else text


async def status_when(world: World, accepted: int) -> Any:
    """Once the books have counted so many shares."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            status = await get(world, "/api/v1/status")
            if status["shares"]["accepted"] >= accepted:
                return status
            await asyncio.sleep(0.05)


async def test_books_show_what_the_pool_accepted(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _), books(world):
        rig = await world.rig("farm.busy")
        for nth in range(5):
            assert (await rig.submit(rig.share(nth)))["result"] is True
        status = await status_when(world, 5)
        assert (status["fault"], status["books_fault"], status["rigs_total"]) == ("", "", 1)
        (row,) = status["rigs"]
        assert (row["worker"], row["accepted"], row["sessions"]) == ("farm.busy", 5, 1)
        assert row["last_share_at"] == status["last_share_at"]
        assert row["best"] is not None

        assert "farm.busy" in await get(world, "/")
        workers = await get(world, "/api/v1/workers?sort=-name&limit=1")
        assert (workers["total"], workers["workers"][0]["worker"]) == (1, "farm.busy")
        assert (await get(world, "/api/v1/workers/farm.busy"))["accepted"] == 5
        history = await get(world, "/api/v1/rollups?worker=farm.busy&span=hour")
        assert sum(period["shares"] for period in history["periods"]) == 5


async def test_books_outlive_the_pool_and_say_that_it_is_gone(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        rig = await world.rig("farm.busy")
        await rig.submit(rig.share())
    async with books(world):
        connector = aiohttp.UnixConnector(str(tmp_path / BOOKS_SOCKET))
        async with aiohttp.ClientSession(connector=connector) as http, asyncio.timeout(PATIENCE_S):
            while True:
                async with http.get("http://books/api/v1/status") as reply:
                    status = await reply.json()
                if status["shares"]["accepted"]:
                    break
                await asyncio.sleep(0.05)
    assert "does not answer" in status["fault"]
    assert status["rigs"][0]["worker"] == "farm.busy"


async def test_nobody_else_may_ask_the_books(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _), books(world):
        mode = (world.data_dir / BOOKS_SOCKET).stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600


async def test_stop_and_cancel_leave_nothing_behind(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        begun = asyncio.Event()
        running = asyncio.create_task(run_books(world.config, asyncio.Event(), begun.set))
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        async with books(world):
            pass


async def test_data_dir_that_is_not_there_is_the_operators_problem(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        config = world.config
    with pytest.raises(ConfigError, match="data_dir"):
        await run_books(replace(config, data_dir=tmp_path / "gone"), asyncio.Event())
