"""A real client at the server of the page."""

from __future__ import annotations

import dataclasses
import json

import aiohttp
import pytest
from stratum.observability.page_server import page_server

from stratum.observability.status import NodeRow, RigRow, Status
from tests.observability.conftest import Pool, ServeAt

HOSTILE = "<script>alert(1)</script>\u202e\ud800"


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


async def ask(url: str, path: str) -> Answer:
    async with aiohttp.ClientSession() as session, session.get(f"{url}{path}") as response:
        return Answer(response.status, dict(response.headers), await response.text())


async def test_status_is_the_look_under_the_names_of_its_fields(page: str, pool: Pool) -> None:
    node = NodeRow("127.0.0.1:18443", up=True, active=True, height=7)
    pool.status = dataclasses.replace(pool.status, hashrate=1e12, nodes=(node,))
    answer = await ask(page, "/api/v1/status")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert json.loads(answer.text) == json.loads(json.dumps(pool.status.as_json()))
    assert json.loads(answer.text)["nodes"][0]["height"] == 7


async def test_page_and_status_survive_a_hostile_worker_name(page: str, pool: Pool) -> None:
    rig = RigRow(HOSTILE, HOSTILE, 1.0, 0, 0, 0.0, connected_at=1_990.0)
    pool.status = dataclasses.replace(pool.status, rigs=(rig,), rigs_total=1)

    look = await ask(page, "/")
    assert look.status == 200
    assert "<script>alert" not in look.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\ufffd\ufffd" in look.text

    status = await ask(page, "/api/v1/status")
    assert json.loads(status.text)["rigs"][0]["worker"] == HOSTILE


async def test_page_loads_nothing_but_its_own_two_files(page: str) -> None:
    text = (await ask(page, "/")).text
    assert text.count("src=") == 1
    assert 'src="/page.js"' in text
    assert 'href="/page.css"' in text
    assert "//" not in text.replace("</", "")
    for path, kind in (("/page.js", "text/javascript"), ("/page.css", "text/css")):
        asset = await ask(page, path)
        assert (asset.status, asset.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
        assert "//" not in asset.text.replace("// ", "")


async def test_viewers_within_a_second_share_one_look(pool: Pool, serve_at: ServeAt) -> None:
    async def look() -> Status:
        return pool.look()

    url = await serve_at(page_server(look, shared_seconds=60))
    for path in ("/", "/api/v1/status", "/"):
        assert (await ask(url, path)).status == 200
    assert pool.looks == 1


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/missing"])
async def test_every_answer_forbids_foreign_scripts(page: str, path: str) -> None:
    policy = (await ask(page, path)).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
