"""`baseload pool` as a program: it serves until a signal, and says where."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

import pytest

from stratum.app import pool
from stratum.app.service import PoolService
from stratum.node.settings import NodeSettings
from tests.app.world import World
from tests.peers.node import free_port


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_pool_with_0(
    number: signal.Signals,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    run = PoolService.run

    async def run_and_signal(service: PoolService, started: object) -> int:
        def signal_when_started() -> None:
            started()  # type: ignore[operator]
            os.kill(os.getpid(), number)

        return await run(service, signal_when_started)

    monkeypatch.setattr(PoolService, "run", run_and_signal)
    node = NodeSettings(f"http://127.0.0.1:{free_port()}")
    assert pool.serve(World(tmp_path, node).config) == 0
    said = [one.message for one in caplog.records if one.name == pool.__name__]
    assert said[0].startswith("rigs: stratum+tcp://127.0.0.1:")
    assert said[1].startswith("page and metrics: http://127.0.0.1:")
    assert said[-1] == "stopped"
