"""A pool to look at, and the programs that look at it."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stratum.errors import OutsideError
from stratum.observability.books_http import Rows, books_server
from stratum.observability.http import HttpServer
from stratum.observability.metrics import Figures, Metrics
from stratum.observability.queries import HistoryQuery, RowsQuery
from stratum.observability.settings import HttpSettings
from stratum.observability.status import GroupRow, PeriodRow, RigRow, Status
from stratum.observability.web import LocalServer

ServeAt = Callable[..., Awaitable[str]]


@dataclass
class Pool:
    """What `app` is to the server: figures that a test may change at any time."""

    seen: Status = field(
        default_factory=lambda: Status("0.1.0", "regtest", now=2_000.0, started_at=1_000.0)
    )
    figures: Figures = field(default_factory=Figures)
    fault: str | None = None
    looks: int = 0
    asked: list[RowsQuery | HistoryQuery] = field(default_factory=list)
    rigs: dict[str, RigRow] = field(default_factory=dict)
    periods: list[PeriodRow] | None = None
    away: str = ""

    def look(self) -> Status:
        self.looks += 1
        return self.seen

    # As the books' server asks (books_http.Books).

    async def status(self, query: RowsQuery) -> Status:
        self.asked.append(query)
        return self.look()

    async def workers(self, query: RowsQuery) -> Rows[RigRow]:
        self.asked.append(query)
        return Rows(len(self.rigs), list(self.rigs.values()))

    async def worker(self, name: str) -> RigRow | None:
        return self.rigs.get(name)

    async def accounts(self, query: RowsQuery) -> Rows[GroupRow]:
        self.asked.append(query)
        return Rows(2, [GroupRow("farm", 5, 1, rejects={"stale": 1})])

    async def tiers(self) -> Rows[GroupRow]:
        return Rows(1, [GroupRow("127.0.0.1:3333", 5, 1)])

    async def history(self, query: HistoryQuery) -> list[PeriodRow] | None:
        if self.away:
            raise OutsideError(self.away)
        self.asked.append(query)
        return self.periods


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
    """The books' server; every request gets a look of its own."""
    return await serve_at(books_server(pool, shared_seconds=0))


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
