"""A pool to look at, and the programs that look at it."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from stratum.observability.page_server import page_server

from stratum.observability.http import HttpServer
from stratum.observability.metrics import Figures, Metrics
from stratum.observability.settings import HttpSettings
from stratum.observability.status import Status
from stratum.observability.web import LocalServer

ServeAt = Callable[..., Awaitable[str]]


@dataclass
class Pool:
    """What `app` is to the server: figures that a test may change at any time."""

    status: Status = field(
        default_factory=lambda: Status("0.1.0", "regtest", now=2_000.0, started_at=1_000.0)
    )
    figures: Figures = field(default_factory=Figures)
    fault: str | None = None
    looks: int = 0

    def look(self) -> Status:
        self.looks += 1
        return self.status


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def metrics(pool: Pool) -> Metrics:
    return Metrics(lambda: pool.figures, version="0.1.0", sha256_backend="portable")


@pytest.fixture
async def server(pool: Pool, metrics: Metrics, books_path: Path) -> AsyncIterator[HttpServer]:
    """On a free port."""
    server = HttpServer(
        HttpSettings(port=0), metrics=metrics, ready=lambda: pool.fault, books=str(books_path)
    )
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def books_path(tmp_path: Path) -> Path:
    """Where the server looks for the books; nobody is there unless a test sees to it."""
    return tmp_path / "books.sock"


@pytest.fixture
async def serve_at() -> AsyncIterator[ServeAt]:
    """Run small servers; on a free port of 127.0.0.1, or at a path. Answers the base URL."""
    running: list[LocalServer] = []

    async def start(server: LocalServer, path: Path | None = None) -> str:
        family = socket.AF_INET if path is None else socket.AF_UNIX
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.bind(("127.0.0.1", 0) if path is None else str(path))
        sock.setblocking(False)
        await server.start(sock)
        running.append(server)
        return "" if path else f"http://127.0.0.1:{sock.getsockname()[1]}"

    yield start
    for server in running:
        await server.stop()


@pytest.fixture
async def page(pool: Pool, serve_at: ServeAt) -> str:
    """The page's server; every request gets a look of its own."""

    async def look() -> Status:
        return pool.look()

    return await serve_at(page_server(look, shared_seconds=0))


@pytest.fixture
def program() -> Callable[[str], str]:
    """The path of an installed program; without it the test is skipped here and fails in CI."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None and os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find
