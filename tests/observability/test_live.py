from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import aiohttp

from stratum.observability.live import Live, SessionRow, live_server
from stratum.observability.status import NodeRow
from tests.observability.conftest import ServeAt

LIVE = Live(
    "0.1.0",
    "regtest",
    now=2_000.0,
    started_at=1_000.0,
    shares={"accepted": 3},
    nodes=(NodeRow("n:1", up=True, active=True, height=7),),
    sessions=(SessionRow("farm.\ud800", "agent", 0.5, 1_990.0, 0),),
)


async def test_live_is_the_look_under_the_names_of_its_fields(
    serve_at: ServeAt, tmp_path: Path
) -> None:
    await serve_at(live_server(lambda: LIVE), tmp_path / "serve.sock")
    connector = aiohttp.UnixConnector(str(tmp_path / "serve.sock"))
    async with aiohttp.ClientSession(connector=connector) as http:
        async with http.get("http://serve/live") as reply:
            found = json.loads(await reply.text())
        async with http.get("http://serve/") as reply:
            assert reply.status == 404
    assert found.keys() == {field.name for field in dataclasses.fields(Live)}
    assert found["job"] is None
    assert found["nodes"][0]["height"] == 7
    assert found["sessions"][0]["worker"] == "farm.\ud800", "passed on as it came"
