"""A pool to look at, and the programs that look at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from stratum.observability.http import HttpServer
from stratum.observability.metrics import Figures, Metrics
from stratum.observability.settings import HttpSettings
from stratum.observability.status import Status


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
async def server(pool: Pool, metrics: Metrics) -> AsyncIterator[HttpServer]:
    """On a free port; every request gets a look of its own."""
    server = HttpServer(
        HttpSettings(port=0),
        metrics=metrics,
        status=pool.look,
        ready=lambda: pool.fault,
        shared_seconds=0,
    )
    await server.start()
    yield server
    await server.stop()


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
