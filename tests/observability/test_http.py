"""A real client at the server's own port."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from stratum.errors import ConfigError
from stratum.observability.http import BOOKS_AWAY, HttpServer
from stratum.observability.metrics import Metrics
from stratum.observability.settings import HttpSettings
from stratum.observability.web import LocalServer, application
from tests.observability.conftest import Pool, ServeAt


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


@pytest.mark.parametrize("path", ["/", "/metrics", "/readyz", "/missing"])
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


async def test_nothing_can_be_changed_over_http(server: HttpServer) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        for path in ("/metrics", "/api/v1/status"):
            assert (await ask(server, path, method)).status == 405


async def test_taken_port_is_the_operators_problem_by_its_key(
    server: HttpServer, metrics: Metrics
) -> None:
    second = HttpServer(
        HttpSettings(port=server.port), metrics=metrics, ready=lambda: None, books="nowhere"
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


async def test_books_that_are_away_are_said_to_be_and_the_rest_is_answered(
    server: HttpServer,
) -> None:
    answer = await ask(server, "/")
    assert answer.status == 503
    assert answer.text == f"{BOOKS_AWAY}\n"
    assert answer.headers["Retry-After"]
    assert (await ask(server, "/healthz")).status == 200


async def test_what_is_not_ours_is_the_books_to_answer(
    server: HttpServer, books_path: Path, serve_at: ServeAt
) -> None:
    async def tell(request: web.Request) -> web.Response:
        return web.Response(text=request.path)

    app = application()
    app.router.add_get("/{path:.*}", tell)
    await serve_at(LocalServer(app), books_path)
    for path in ("/", "/api/v1/status", "/any/thing.js"):
        assert (await ask(server, path)).text == path
    assert (await ask(server, "/healthz")).text == "ok\n"
