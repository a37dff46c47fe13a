"""`[http]`: the page, its figures as JSON, metrics and health.

    /                 the page
    /api/v1/status    status.Status as JSON
    /metrics          Prometheus, or OpenMetrics for who asks
    /healthz          200 while this process's event loop answers: restart it when it does not
    /readyz           200 while rigs get work, else 503 and the reason: no reason to restart

It only shows. Nothing here changes anything, needs no secret and knows none. Names in it come
from strangers, so the page may run no script but its own file and load nothing from elsewhere.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from stratum.errors import ConfigError, Problem
from stratum.observability.metrics import Metrics
from stratum.observability.page import asset, render_page
from stratum.observability.settings import HttpSettings
from stratum.observability.status import Status

#: A look is shared by everybody who looks within this time: viewers cost the loop once.
SHARED_SECONDS = 1.0

#: Requests under way may finish; idle keep-alive connections are closed at once.
_SHUTDOWN_SECONDS = 2.0

#: frame-ancestors and nosniff are what default-src does not cover. The icon is an empty data URL.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "baseload",  # not the versions of what it is made of
}


class HttpServer:
    """One server; start(), then stop().

    `status` is asked at most once in `shared_seconds`, however many look. `ready` answers None,
    or why rigs get no work, in words that an operator can use.
    """

    def __init__(
        self,
        settings: HttpSettings,
        *,
        metrics: Metrics,
        status: Callable[[], Status],
        ready: Callable[[], str | None],
        shared_seconds: float = SHARED_SECONDS,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._status = status
        self._ready = ready
        self._shared_seconds = shared_seconds
        self._shared: tuple[float, Status] | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Raises ConfigError where the address cannot be had."""
        runner = web.AppRunner(
            self._app(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS, keepalive_timeout=30
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._settings.host, self._settings.port).start()
        except OSError as exc:
            await runner.cleanup()
            where = f"{self._settings.host}:{self._settings.port}"
            raise ConfigError(
                [Problem("http.listen", f"cannot listen on {where}: {exc.strerror}")]
            ) from exc
        self._runner = runner

    async def stop(self) -> None:
        """Close every connection and the port. Does nothing before start()."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @property
    def port(self) -> int:
        """The port in use, also where the settings say 0."""
        assert self._runner is not None, "the server is not started"
        port: int = self._runner.addresses[0][1]
        return port

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/", self._get_page)
        app.router.add_get("/page.css", _asset_handler("page.css", "text/css"))
        app.router.add_get("/page.js", _asset_handler("page.js", "text/javascript"))
        app.router.add_get("/api/v1/status", self._get_status)
        app.router.add_get("/metrics", self._get_metrics)
        app.router.add_get("/healthz", self._get_health)
        app.router.add_get("/readyz", self._get_readiness)
        app.on_response_prepare.append(_secure)
        return app

    async def _get_page(self, _: web.Request) -> web.Response:
        return web.Response(text=render_page(self._look()), content_type="text/html")

    async def _get_status(self, _: web.Request) -> web.Response:
        return web.json_response(self._look().as_json(), dumps=_dumps)

    async def _get_metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._metrics.render(",".join(request.headers.getall("Accept", [])))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _get_health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _get_readiness(self, _: web.Request) -> web.Response:
        fault = self._ready()
        if fault is None:
            return web.Response(text="ok\n")
        return web.Response(text=f"{fault}\n", status=503)

    def _look(self) -> Status:
        now = asyncio.get_running_loop().time()
        if self._shared is None or now - self._shared[0] >= self._shared_seconds:
            self._shared = (now, self._status())
        return self._shared[1]


def _asset_handler(name: str, content_type: str) -> Handler:
    body = asset(name)

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    return handler


async def _secure(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _dumps(value: object) -> str:
    # NaN is no JSON: a bug in a figure must show here and not in somebody's parser.
    return json.dumps(value, allow_nan=False)
