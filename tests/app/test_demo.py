"""The demo's rigs find the pool, wherever it listens."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from stratum.app import demo
from stratum.app.service import PoolService
from stratum.bitcoin.target import target_from_nbits
from stratum.errors import ConfigError
from stratum.events import Event, RigConnected
from stratum.observability.settings import HttpSettings
from tests.app.world import PATIENCE_S, TIER, World, a_node


@pytest.mark.parametrize(
    ("host", "dialled"),
    [("127.0.0.2", "127.0.0.2"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("", "127.0.0.1")],
)
def test_rigs_dial_where_the_pool_can_be_reached(host: str, dialled: str) -> None:
    assert demo._reachable(host) == dialled


async def test_rigs_mine_on_a_pool_that_listens_elsewhere_than_on_the_first_loopback_address(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    come = asyncio.Event()

    def on_event(event: Event) -> None:
        if isinstance(event, RigConnected):
            come.set()

    async with a_node() as node:
        tier = replace(TIER, host="127.0.0.2")
        http = HttpSettings("0.0.0.0", 0)
        config = World(tmp_path, node.settings, listen=(tier,), http=http).config
        service = PoolService(config, on_event=on_event)
        running = asyncio.create_task(demo._run(config, service, [1000.0, 2000.0]))
        async with asyncio.timeout(PATIENCE_S):
            await come.wait()
            service.stop()
            assert await running == 0
    told = [one.message for one in caplog.records if one.name == demo.__name__]
    assert told[0].startswith("rigs of your own: stratum+tcp://127.0.0.2:")
    assert "http://127.0.0.1:" in told[1]


async def test_demo_whose_pool_can_not_start_fails_with_the_reason(tmp_path: Path) -> None:
    async with a_node() as node, World(tmp_path / "other", node.settings) as world:
        taken = (replace(TIER, port=world.service.server.ports[0]),)
        config = World(tmp_path / "demo", node.settings, listen=taken).config
        with pytest.raises(ConfigError, match="listen on 127.0.0.1"):
            await demo._run(config, PoolService(config), [1000.0])


def test_blocks_come_as_often_as_the_rates_promise() -> None:
    hashrate = 100_000.0
    hashes = 2**256 / target_from_nbits(demo._nbits(hashrate))
    assert hashes / hashrate == pytest.approx(demo.SECONDS_PER_BLOCK, rel=0.01)
