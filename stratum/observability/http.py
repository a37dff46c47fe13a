"""`[http]`: metrics and health, and the door to the books.

    /metrics          Prometheus, or OpenMetrics for who asks
    /healthz          200 while this process's event loop answers: restart it when it does not
    /readyz           200 while rigs get work, else 503 and the reason: no reason to restart
    anything else     is the books' to answer (`forward`): the page, the API

Answered here is what must be true of this process and must not depend on another one. It only
shows, so that GET and HEAD are all there is.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, MutableMapping

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
        self._listeners: list[asyncio.Server] = []

    async def start(self, given: MutableMapping[str, socket.socket] | None = None) -> None:
        """Listen; at those of the sockets `given` that are for our address, where there are any.

        Raises ConfigError where the address cannot be had.
        """
        self._runner = runner(self._app())
        await self._runner.setup()
        assert self._runner.server is not None
        try:
            await self._listen(self._runner.server, given or {})
        except OSError as exc:
            await self.stop()
            where = f"{self._settings.host}:{self._settings.port}"
            fault = f"cannot listen on {where}: {exc.strerror}"
            raise ConfigError([Problem("http.listen", fault)]) from exc
        await self._books.start()

    async def _listen(self, serve: web.Server, given: MutableMapping[str, socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        for name in [name for name in given if name.startswith(f"{self._address} ")]:
            self._listeners.append(await loop.create_server(serve, sock=given.pop(name)))
        if not self._listeners:
            host, port = self._settings.host, self._settings.port
            self._listeners.append(await loop.create_server(serve, host, port))

    async def stop(self) -> None:
        """Close every connection and the port. Does nothing before start()."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()
        up, self._runner = self._runner, None
        if up is not None:
            await up.cleanup()
        await self._books.stop()

    @property
    def port(self) -> int:
        """The port in use, also where the settings say 0."""
        assert self._listeners, "the server is not started"
        port: int = self._listeners[0].sockets[0].getsockname()[1]
        return port

    @property
    def listeners(self) -> list[tuple[str, int]]:
        """Name and descriptor of each socket that we listen on, for another process."""
        sockets = [sock for listener in self._listeners for sock in listener.sockets]
        return [(f"{self._address} {n}", sock.fileno()) for n, sock in enumerate(sockets)]

    @property
    def _address(self) -> str:
        return f"http {self._settings.host}:{self._settings.port}"

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
