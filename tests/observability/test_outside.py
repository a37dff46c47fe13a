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

from stratum.errors import OutsideError
from stratum.observability.books_http import books_server
from stratum.observability.http import HttpServer
from stratum.observability.metrics import Figures
from stratum.observability.queries import RowsQuery
from stratum.observability.status import RateRow, RigRow, Status
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


class Changing(Pool):
    """Nothing at the first look; a rig, with small print and hints, from then on."""

    RIG = RigRow(
        "<img src=x onerror=document.title='owned'>",
        "a",
        1.0,
        5,
        1,
        1e12,
        1_990.0,
        rates={"10m": RateRow(1e12, 0.9e12, 1.2e12, 630.0)},
        rejects={"stale": 1},
    )

    def look(self) -> Status:
        if self.looks:
            self.seen = dataclasses.replace(
                self.seen, rigs=(self.RIG,), rigs_total=1, hashrate=1e12, rigs_sort="best"
            )
        return super().look()


async def test_browser_shows_what_changed_after_the_page_was_loaded(
    serve_at: ServeAt, program: Callable[[str], str], tmp_path: Path
) -> None:
    pool = Changing()
    url = await serve_at(books_server(pool, shared_seconds=0))
    page = await dumped_page(program("chromium"), f"{url}/?sort=best", tmp_path)

    # The first look had no rig: this one came by page.js, and was not run as markup.
    assert "&lt;img src=x onerror=" in page
    assert "<img" not in page
    assert "<title>1 TH/s" in page
    assert '<p id="lost" role="status" hidden="">' in page
    assert 'title="900 GH/s to 1.2 TH/s with 95 % confidence, over 10 min 30 s"' in page
    assert "<small>±20 %</small>" in page
    assert "<small>stale 1</small>" in page
    assert {query.sort for query in pool.asked if isinstance(query, RowsQuery)} == {"best"}


async def test_browser_says_in_the_servers_words_why_the_page_is_old(
    serve_at: ServeAt, program: Callable[[str], str], tmp_path: Path
) -> None:
    class Leaving(Pool):
        def look(self) -> Status:
            if self.looks:
                raise OutsideError("The books are being bound.")
            return super().look()

    url = await serve_at(books_server(Leaving(), shared_seconds=0))
    page = await dumped_page(program("chromium"), f"{url}/", tmp_path)
    assert '<p id="lost" role="status">The books are being bound. What you see is old.' in page
    assert "<h2>Rigs</h2>" in page


async def dumped_page(path: str, url: str, profile: Path) -> str:
    """The document of a page after ten seconds of the page's own, virtual time."""
    process = await asyncio.create_subprocess_exec(
        path,
        *_BROWSER_FLAGS,
        f"--user-data-dir={profile}",
        "--virtual-time-budget=10000",
        "--dump-dom",
        url,
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
