"""A node as far as `check --live` asks one, and a config that names it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from stratum.bitcoin.networks import REGTEST
from stratum.config import PoolConfig
from stratum.mining.settings import PayoutSettings, TierSettings
from stratum.node.settings import NodeSettings
from stratum.observability.settings import HttpSettings

ADDRESS = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202"


class World:
    """One node behind HTTP; tests change its answers before they ask."""

    def __init__(self) -> None:
        self.url = ""
        self.results: dict[str, Any] = {
            "getblockchaininfo": {},  # bcoin's, but for the chain's name
            "getblockhash": REGTEST.genesis_hex,
            "getblocktemplate": _template(),
        }
        self.errors: dict[str, dict[str, Any]] = {}

    @property
    def settings(self) -> NodeSettings:
        return NodeSettings(self.url, "u", "p")

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Basic " + base64.b64encode(b"u:p").decode():
            return web.Response(status=401)
        call = await request.json()
        error = self.errors.get(call["method"])
        result = None if error else self.results[call["method"]]
        return web.json_response({"id": call["id"], "result": result, "error": error})


def _template() -> dict[str, Any]:
    """What Bitcoin Core answers on a regtest of height 100, less what nobody reads."""
    return {
        "capabilities": ["proposal"],
        "version": 0x20000000,
        "rules": ["csv", "!segwit", "taproot"],
        "vbrequired": 0,
        "previousblockhash": "11" * 32,
        "transactions": [],
        "coinbasevalue": 5_000_000_000,
        "longpollid": "11" * 32 + "1",
        "target": "7fffff" + "00" * 29,
        "mintime": 1_700_000_000,
        "curtime": 1_700_000_600,
        "bits": "207fffff",
        "height": 101,
        "default_witness_commitment": "6a24aa21a9ed" + "22" * 32,
    }


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    app = web.Application()
    app.router.add_post("/", world.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    world.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield world
    await runner.cleanup()


@pytest.fixture
def config(world: World, tmp_path: Path) -> PoolConfig:
    return PoolConfig(
        network=REGTEST,
        data_dir=tmp_path / "data",
        nodes=(world.settings,),
        payout=PayoutSettings("solo", ADDRESS),
        listen=(TierSettings("127.0.0.1", 0),),
        http=HttpSettings("127.0.0.1", 0),
    )


@pytest.fixture
def good_file(tmp_path: Path) -> Path:
    """A config without a fault, whose node is not running and whose ports are free."""
    path = tmp_path / "pool.toml"
    path.write_text(
        f"""
        network = "regtest"
        data_dir = "{tmp_path / "data"}"
        node = [{{ url = "http://127.0.0.1:1", user = "u", password = "p" }}]
        payout = {{ scheme = "solo", address = "{ADDRESS}" }}
        listen = [{{ address = "127.0.0.1:0" }}]
        http = {{ listen = "127.0.0.1:0" }}
        """
    )
    return path


@pytest.fixture
def bad_file(tmp_path: Path) -> Path:
    """Five mistakes, one in each part."""
    path = tmp_path / "bad.toml"
    path.write_text(
        """
        network = "regtset"
        data_dir = "data"
        node = [{ url = "127.0.0.1:18443", user = "u", password = "p" }]
        payout = { scheme = "solo", adress = "x", unknown_worker = "refuse" }
        listen = [{ address = "127.0.0.1:3333", difficulty = "hard" }]
        limits = { ban_score = -1 }
        """
    )
    return path
