"""A real client at the server's own port."""

from __future__ import annotations

import dataclasses
import json

import aiohttp
import pytest

from stratum.errors import ConfigError
from stratum.observability.http import HttpServer
from stratum.observability.metrics import Metrics
from stratum.observability.settings import HttpSettings
from stratum.observability.status import NodeRow, RigRow, Status
from tests.observability.conftest import Pool

HOSTILE = "<script>alert(1)</script>\u202e\ud800"


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


async def ask(
    server: HttpServer, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> Answer:
    url = f"http://127.0.0.1:{server.port}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers) as response,
    ):
        return Answer(response.status, dict(response.headers), await response.text())


async def test_health_is_ok_while_the_loop_answers_even_without_work(
    server: HttpServer, pool: Pool
) -> None:
    pool.fault = "no template yet"
    answer = await ask(server, "/healthz")
    assert (answer.status, answer.text) == (200, "ok\n")


async def test_readiness_says_why_rigs_get_no_work(server: HttpServer, pool: Pool) -> None:
    pool.fault = "no template yet: node 127.0.0.1:18443 refuses connections"
    answer = await ask(server, "/readyz")
    assert (answer.status, answer.text) == (503, pool.fault + "\n")

    pool.fault = None
    assert (await ask(server, "/readyz")).status == 200


async def test_metrics_speak_both_of_prometheus_formats(server: HttpServer) -> None:
    plain = await ask(server, "/metrics")
    assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "\nbaseload_connections 0.0\n" in plain.text

    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    modern = await ask(server, "/metrics", headers=accept)
    assert modern.headers["Content-Type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")


async def test_status_is_the_look_under_the_names_of_its_fields(
    server: HttpServer, pool: Pool
) -> None:
    node = NodeRow("127.0.0.1:18443", up=True, active=True, height=7)
    pool.status = dataclasses.replace(pool.status, hashrate=1e12, nodes=(node,))
    answer = await ask(server, "/api/v1/status")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert json.loads(answer.text) == json.loads(json.dumps(pool.status.as_json()))
    assert json.loads(answer.text)["nodes"][0]["height"] == 7


async def test_page_and_status_survive_a_hostile_worker_name(
    server: HttpServer, pool: Pool
) -> None:
    rig = RigRow(HOSTILE, HOSTILE, 1.0, 0, 0, 0.0, connected_at=1_990.0)
    pool.status = dataclasses.replace(pool.status, rigs=(rig,), rigs_total=1)

    page = await ask(server, "/")
    assert page.status == 200
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\ufffd\ufffd" in page.text

    status = await ask(server, "/api/v1/status")
    assert json.loads(status.text)["rigs"][0]["worker"] == HOSTILE


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css", "/metrics", "/readyz", "/missing"])
async def test_every_answer_forbids_foreign_scripts_and_guessing(
    server: HttpServer, path: str
) -> None:
    headers = (await ask(server, path)).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Server"] == "baseload"
    assert "Access-Control-Allow-Origin" not in headers


async def test_page_loads_nothing_but_its_own_two_files(server: HttpServer) -> None:
    page = (await ask(server, "/")).text
    assert page.count("src=") == 1
    assert 'src="/page.js"' in page
    assert 'href="/page.css"' in page
    assert "//" not in page.replace("</", "")
    for path, kind in (("/page.js", "text/javascript"), ("/page.css", "text/css")):
        asset = await ask(server, path)
        assert (asset.status, asset.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
        assert "//" not in asset.text.replace("// ", "")


async def test_nothing_can_be_changed_over_http(server: HttpServer) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert (await ask(server, "/api/v1/status", method)).status == 405


async def test_viewers_within_a_second_share_one_look(pool: Pool, metrics: Metrics) -> None:
    server = HttpServer(
        HttpSettings(port=0),
        metrics=metrics,
        status=pool.look,
        ready=lambda: None,
        shared_seconds=60,
    )
    await server.start()
    for path in ("/", "/api/v1/status", "/"):
        assert (await ask(server, path)).status == 200
    await server.stop()
    assert pool.looks == 1


async def test_taken_port_is_the_operators_problem_by_its_key(
    server: HttpServer, metrics: Metrics
) -> None:
    second = HttpServer(
        HttpSettings(port=server.port),
        metrics=metrics,
        status=lambda: Status("", "", 0, 0),
        ready=lambda: None,
    )
    with pytest.raises(ConfigError, match=f"http.listen: .*127.0.0.1:{server.port}"):
        await second.start()
    await second.stop()


async def test_stop_closes_the_port_and_may_be_repeated(server: HttpServer) -> None:
    url = f"http://127.0.0.1:{server.port}/healthz"
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as response:
            assert response.status == 200
        # The client's keep-alive connection is still open here.
        await server.stop()
        await server.stop()
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url)
