"""The page and its figures, for whoever is passed on to the books.

/                 the page
/api/v1/status    status.Status as JSON
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from stratum.observability.page import asset, render_page
from stratum.observability.status import Status
from stratum.observability.web import LocalServer, application, json_answer

#: A look is shared by everybody who looks within this time: viewers cost the pool once.
SHARED_SECONDS = 1.0


def page_server(
    look: Callable[[], Awaitable[Status]], shared_seconds: float = SHARED_SECONDS
) -> LocalServer:
    """`look` is asked at most once in `shared_seconds`, however many look."""
    pages = _Pages(look, shared_seconds)
    app = application()
    app.router.add_get("/", pages.get_page)
    app.router.add_get("/page.css", _asset_handler("page.css", "text/css"))
    app.router.add_get("/page.js", _asset_handler("page.js", "text/javascript"))
    app.router.add_get("/api/v1/status", pages.get_status)
    return LocalServer(app)


class _Pages:
    def __init__(self, look: Callable[[], Awaitable[Status]], shared_seconds: float) -> None:
        self._look = look
        self._shared_seconds = shared_seconds
        self._shared: tuple[float, Status] | None = None

    async def get_page(self, _: web.Request) -> web.Response:
        return web.Response(text=render_page(await self._status()), content_type="text/html")

    async def get_status(self, _: web.Request) -> web.Response:
        return json_answer((await self._status()).as_json())

    async def _status(self) -> Status:
        now = asyncio.get_running_loop().time()
        if self._shared is None or now - self._shared[0] >= self._shared_seconds:
            self._shared = (now, await self._look())
        return self._shared[1]


def _asset_handler(name: str, content_type: str) -> Handler:
    body = asset(name)

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    return handler
