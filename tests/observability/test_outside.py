"""Prometheus and a browser themselves, at a running server."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from stratum.observability.page_server import page_server

from stratum.observability.http import HttpServer
from stratum.observability.metrics import Figures
from stratum.observability.status import RigRow, Status
from tests.observability.conftest import Pool, ServeAt

_PATIENCE_SECONDS = 60.0

_BROWSER_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


async def test_prometheus_scrapes_the_pool(
    server: HttpServer, pool: Pool, program: Callable[[str], str], tmp_path: Path
) -> None:
    pool.figures = Figures(shares={"accepted": 41}, ready=True)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        async with prometheus(program("prometheus"), server.port, tmp_path) as url:
            found = await first_result(url, 'baseload_shares_total{verdict="accepted"}')
            assert found["value"][1] == "41"
            assert (await first_result(url, 'up{job="baseload"}'))["value"][1] == "1"


@asynccontextmanager
async def prometheus(path: str, target: int, directory: Path) -> AsyncIterator[str]:
    """A Prometheus on a free port that scrapes 127.0.0.1:`target`; its URL."""
    config = directory / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
        "scrape_configs:\n"
        f"  - {{job_name: baseload, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}\n"
    )
    process = await asyncio.create_subprocess_exec(
        path,
        f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'data'}",
        "--web.listen-address=127.0.0.1:0",
        stderr=PIPE,
        stdout=DEVNULL,
    )
    try:
        port = await listening_port(process)
        drain = asyncio.create_task(read_on(process))
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        await drain
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def listening_port(process: Process) -> int:
    assert process.stderr is not None
    lines = []
    async for line in process.stderr:
        lines.append(line.decode())
        if found := re.search(r'Listening on"?.*address=127\.0\.0\.1:(\d+)', lines[-1]):
            return int(found[1])
    raise AssertionError("prometheus did not start:\n" + "".join(lines))


async def read_on(process: Process) -> None:
    """So that its log never fills the pipe."""
    assert process.stderr is not None
    while await process.stderr.read(65536):
        pass


async def first_result(url: str, query: str) -> Any:
    """Ask until the series is there; the caller's timeout bounds it."""
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{url}/api/v1/query", params={"query": query}) as response:
                # 503 while it starts.
                result = (await response.json())["data"]["result"] if response.ok else []
            if result:
                return result[0]
            await asyncio.sleep(0.05)


async def test_browser_shows_what_changed_after_the_page_was_loaded(
    pool: Pool, serve_at: ServeAt, program: Callable[[str], str], tmp_path: Path
) -> None:
    rig = RigRow("<img src=x onerror=document.title='owned'>", "a", 1.0, 0, 0, 0.0, 1.0)

    async def look() -> Status:
        return counting(pool, rig)

    url = await serve_at(page_server(look, shared_seconds=0))
    page = await dumped_page(program("chromium"), url, tmp_path)

    # The first look had no rig: this one came by page.js, and was not run as markup.
    assert "&lt;img src=x onerror=" in page
    assert "<img" not in page
    assert "<title>1 TH/s" in page
    assert '<p id="lost" role="status" hidden="">' in page


def counting(pool: Pool, rig: RigRow) -> Status:
    """Nothing at the first look, a rig from then on."""
    if not pool.look().rigs and pool.looks > 1:
        pool.status = dataclasses.replace(pool.status, rigs=(rig,), rigs_total=1, hashrate=1e12)
    return pool.status


async def dumped_page(path: str, url: str, profile: Path) -> str:
    """The document of / after ten seconds of the page's own, virtual time."""
    process = await asyncio.create_subprocess_exec(
        path,
        *_BROWSER_FLAGS,
        f"--user-data-dir={profile}",
        "--virtual-time-budget=10000",
        "--dump-dom",
        f"{url}/",
        stdout=PIPE,
        stderr=DEVNULL,
    )
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            page, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return page.decode()
