"""The books' question to serve, at real sockets that answer, hang and talk nonsense."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from pathlib import Path

import pytest
from aiohttp import web

from stratum.observability import live_source
from stratum.observability.live import Live, SessionRow, live_server
from stratum.observability.live_source import LiveSource
from stratum.observability.status import BlockRow, EventRow, JobRow, NodeRow
from stratum.observability.web import LocalServer, application
from tests.observability.conftest import ServeAt

LIVE = Live(
    "0.1.0",
    "regtest",
    2_000.0,
    1_000.0,
    fault="",
    connections=3,
    rigs=2,
    shares={"accepted": 3, "stale": 1},
    listens=("127.0.0.1:3333",),
    job=JobRow("4f2a", 102, "ab" * 32, 3, 5, 1.5, 1_990.0),
    nodes=(NodeRow("n:1", up=True, active=True, height=7),),
    blocks=(BlockRow(1, "00", "farm.1", 50, "found", 1_999.0),),
    events=(EventRow(1_999.0, "farm.1 connected"),),
    sessions=(SessionRow("farm.1", "agent", 0.5, 1_990.0, 0),),
)


def answering(answer: web.StreamResponse | None) -> LocalServer:
    """Says that; None: nothing at all."""

    async def get_live(_: web.Request) -> web.StreamResponse:
        if answer is None:
            await asyncio.Event().wait()
        assert answer is not None
        return answer

    app = application()
    app.router.add_get("/live", get_live)
    return LocalServer(app)


async def test_what_serve_says_arrives_as_it_was(serve_at: ServeAt, tmp_path: Path) -> None:
    await serve_at(live_server(lambda: LIVE), tmp_path / "serve.sock")
    source = LiveSource(str(tmp_path / "serve.sock"))
    found = await source.look()
    assert found is not None
    assert dataclasses.replace(found, listens=tuple(found.listens)) == LIVE
    assert source.fault == ""


async def test_serve_is_asked_once_a_second_however_many_look(
    serve_at: ServeAt, tmp_path: Path
) -> None:
    asked = []

    def look() -> Live:
        asked.append(1)
        return LIVE

    await serve_at(live_server(look), tmp_path / "serve.sock")
    source = LiveSource(str(tmp_path / "serve.sock"), shared_seconds=60)
    await asyncio.gather(*(source.look() for _ in range(20)))
    assert len(asked) == 1


async def test_serve_that_is_away_is_found_again_when_it_is_back(
    serve_at: ServeAt, tmp_path: Path
) -> None:
    source = LiveSource(str(tmp_path / "serve.sock"), shared_seconds=0)
    assert await source.look() is None
    assert "serve.sock" in source.fault
    await serve_at(live_server(lambda: LIVE), tmp_path / "serve.sock")
    assert await source.look() is not None
    assert source.fault == ""


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (web.Response(text="[1]"), "its answer is not understood"),
        (web.Response(text="<html>"), "its answer is not understood"),
        (web.Response(text='{"version": "1"}'), "its answer is not understood: .*network"),
        (web.Response(text='{"nodes": [3]}'), "its answer is not understood"),
        (web.Response(status=500), "500"),
    ],
)
async def test_nonsense_is_no_answer(
    serve_at: ServeAt, tmp_path: Path, answer: web.Response, fault: str
) -> None:
    await serve_at(answering(answer), tmp_path / "serve.sock")
    source = LiveSource(str(tmp_path / "serve.sock"))
    assert await source.look() is None
    assert re.search(fault, source.fault)


async def test_serve_that_hangs_costs_the_viewer_a_moment(
    serve_at: ServeAt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_source, "_PATIENCE", 0.05)
    await serve_at(answering(None), tmp_path / "serve.sock")
    source = LiveSource(str(tmp_path / "serve.sock"))
    assert await source.look() is None
    assert source.fault.startswith("no answer in")


def test_answer_of_another_version_may_say_more_but_not_less() -> None:
    said = LIVE.as_json() | {"uptime": 5}
    said["sessions"][0]["mood"] = "good"
    assert Live.from_json(said).sessions == LIVE.sessions
    del said["network"]
    with pytest.raises(TypeError, match="network"):
        Live.from_json(said)
