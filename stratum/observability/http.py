"""`[http]`: metrics and health, and the door to the books.

    /metrics          Prometheus, or OpenMetrics for who asks
    /healthz          200 while this process's event loop answers: restart it when it does not
    /readyz           200 while rigs get work, else 503 and the reason: no reason to restart
    anything else     is the books' to answer (`forward`): the page, the API

Answered here is what must be true of this process and must not depend on another one. It only
shows, so that GET and HEAD are all there is.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from stratum.errors import ConfigError, Problem
from stratum.observability.forward import Forwarder
from stratum.observability.metrics import Metrics
from stratum.observability.settings import HttpSettings
from stratum.observability.web import application, runner

#: What a viewer of the page reads while the books are away.
BOOKS_AWAY = (
    "The books do not answer just now; the pool serves rigs all the same."
    " They are started again by themselves: see the log if this lasts."
)


class HttpServer:
    """One server; start(), then stop().

    `ready` answers None, or why rigs get no work, in words that an operator can use. `books` is
    the path of the Unix socket that the books listen on.
    """

    def __init__(
        self,
        settings: HttpSettings,
        *,
        metrics: Metrics,
        ready: Callable[[], str | None],
        books: str,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._ready = ready
        self._books = Forwarder(books, BOOKS_AWAY)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Raises ConfigError where the address cannot be had."""
        up = runner(self._app())
        await up.setup()
        try:
            await web.TCPSite(up, self._settings.host, self._settings.port).start()
        except OSError as exc:
            await up.cleanup()
            where = f"{self._settings.host}:{self._settings.port}"
            raise ConfigError(
                [Problem("http.listen", f"cannot listen on {where}: {exc.strerror}")]
            ) from exc
        self._runner = up
        await self._books.start()

    async def stop(self) -> None:
        """Close every connection and the port. Does nothing before start()."""
        up, self._runner = self._runner, None
        if up is not None:
            await up.cleanup()
        await self._books.stop()

    @property
    def port(self) -> int:
        """The port in use, also where the settings say 0."""
        assert self._runner is not None, "the server is not started"
        port: int = self._runner.addresses[0][1]
        return port

    def _app(self) -> web.Application:
        app = application()
        app.router.add_get("/metrics", self._get_metrics)
        app.router.add_get("/healthz", self._get_health)
        app.router.add_get("/readyz", self._get_readiness)
        app.router.add_get("/{path:.*}", self._books.handle)
        return app

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
