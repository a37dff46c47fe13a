"""The books' own server, on a Unix socket: the page and the API.

    /                          the page; ?sort=&offset=
    /api/v1/status             status.Status as JSON; ?sort=&offset=&limit=
    /api/v1/workers            ?sort=&offset=&limit=&account=
    /api/v1/workers/<name>     one worker, also one that has been silent for long
    /api/v1/accounts           ?sort=&offset=&limit=
    /api/v1/tiers
    /api/v1/rollups            history: ?span=10min|hour|day&from=&to=&account=&worker=&tier=
    /healthz                   200 while this process's event loop answers

The serve process owns the TCP port and passes on what is asked here; whoever may enter data_dir
may ask here directly. It only shows: nothing here changes anything, needs no secret and knows
none. Names in it come from strangers, so the page may run no script but its own file and load
nothing from elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from stratum.errors import ConfigError, OutsideError, Problem
from stratum.observability.page import asset, render_page
from stratum.observability.queries import BadQuery, HistoryQuery, RowsQuery
from stratum.observability.status import GroupRow, PeriodRow, RigRow, Status

#: A look is shared by everybody who looks within this time: viewers cost the loop once.
SHARED_SECONDS = 1.0

#: Different looks remembered for that time.
_LOOKS_SHARED = 32

#: Requests under way may finish; idle keep-alive connections are closed at once.
_SHUTDOWN_SECONDS = 2.0

#: struct sockaddr_un, with the zero at the end.
_LONGEST_SOCKET_PATH = 107

#: frame-ancestors and nosniff are what default-src does not cover. The icon is an empty data URL.
HEADERS = {
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


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of `total`."""

    total: int
    rows: Sequence[RigRow | GroupRow]


class Books(Protocol):
    """Who knows the answers. OutsideError says why there is none for now."""

    async def status(self, query: RowsQuery) -> Status: ...

    async def workers(self, query: RowsQuery) -> Rows: ...

    async def worker(self, name: str) -> RigRow | None: ...

    async def accounts(self, query: RowsQuery) -> Rows: ...

    async def tiers(self) -> Rows: ...

    async def history(self, query: HistoryQuery) -> Sequence[PeriodRow] | None: ...


class BooksServer:
    """One server; start(), then stop()."""

    def __init__(self, path: Path, books: Books, *, shared_seconds: float = SHARED_SECONDS) -> None:
        self._path = path
        self._books = books
        self._looks = _SharedLooks(books.status, shared_seconds)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Raises ConfigError where the socket cannot be made."""
        runner = web.AppRunner(
            self._app(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS, keepalive_timeout=30
        )
        await runner.setup()
        try:
            await web.SockSite(runner, _private_socket(self._path)).start()
        except OSError as exc:
            await runner.cleanup()
            raise ConfigError(
                [Problem("data_dir", f"cannot listen on {self._path}: {exc.strerror or exc}")]
            ) from exc
        self._runner = runner

    async def stop(self) -> None:
        """Close every connection and take the socket away. Does nothing before start()."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
            self._path.unlink(missing_ok=True)

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[_explain])
        get = app.router.add_get
        get("/", self._get_page)
        get("/page.css", _asset_handler("page.css", "text/css"))
        get("/page.js", _asset_handler("page.js", "text/javascript"))
        get("/api/v1/status", self._get_status)
        get("/api/v1/workers", self._get_workers)
        get("/api/v1/workers/{name:.+}", self._get_worker)
        get("/api/v1/accounts", self._get_accounts)
        get("/api/v1/tiers", self._get_tiers)
        get("/api/v1/rollups", self._get_rollups)
        get("/healthz", self._get_health)
        app.on_response_prepare.append(_secure)
        return app

    async def _get_page(self, request: web.Request) -> web.Response:
        status = await self._looks.look(RowsQuery.read(request.query))
        return web.Response(text=render_page(status), content_type="text/html")

    async def _get_status(self, request: web.Request) -> web.Response:
        status = await self._looks.look(RowsQuery.read(request.query))
        return _json(status.as_json())

    async def _get_workers(self, request: web.Request) -> web.Response:
        query = RowsQuery.read(request.query)
        return _rows("workers", await self._books.workers(query), query)

    async def _get_worker(self, request: web.Request) -> web.Response:
        found = await self._books.worker(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound(text="no worker of this name ever had a share accepted\n")
        return _json(asdict(found))

    async def _get_accounts(self, request: web.Request) -> web.Response:
        query = RowsQuery.read(request.query)
        return _rows("accounts", await self._books.accounts(query), query)

    async def _get_tiers(self, _: web.Request) -> web.Response:
        return _rows("tiers", await self._books.tiers(), RowsQuery())

    async def _get_rollups(self, request: web.Request) -> web.Response:
        query = HistoryQuery.read(request.query)
        periods = await self._books.history(query)
        if periods is None:
            raise web.HTTPNotFound(text="no account or worker of this name is known\n")
        return _json({"span": query.span, "periods": [asdict(each) for each in periods]})

    async def _get_health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")


class _SharedLooks:
    """One look for all who ask the same within a second."""

    def __init__(
        self, ask: Callable[[RowsQuery], Awaitable[Status]], shared_seconds: float
    ) -> None:
        self._ask = ask
        self._shared_seconds = shared_seconds
        self._looks: OrderedDict[RowsQuery, tuple[float, Status]] = OrderedDict()

    async def look(self, query: RowsQuery) -> Status:
        now = asyncio.get_running_loop().time()
        found = self._looks.get(query)
        if found is not None and now - found[0] < self._shared_seconds:
            return found[1]
        status = await self._ask(query)
        self._looks[query] = (now, status)
        self._looks.move_to_end(query)
        if len(self._looks) > _LOOKS_SHARED:
            self._looks.popitem(last=False)
        return status


def _private_socket(path: Path) -> socket.socket:
    """Bound, and nobody else's from the first moment. One of an earlier run is taken away."""
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        raise OSError(f"the path of a socket may have {_LONGEST_SOCKET_PATH} bytes")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


@web.middleware
async def _explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A query that makes no sense, and books that can't answer now, in words."""
    try:
        return await handler(request)
    except BadQuery as exc:
        raise web.HTTPBadRequest(text=f"{exc}\n") from exc
    except OutsideError as exc:
        raise web.HTTPServiceUnavailable(text=f"{exc}\n") from exc


def _asset_handler(name: str, content_type: str) -> Handler:
    body = asset(name)

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    return handler


async def _secure(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def _rows(name: str, found: Rows, query: RowsQuery) -> web.Response:
    rows = [asdict(row) for row in found.rows]
    return _json({"total": found.total, "offset": query.offset, name: rows})


def _json(value: object) -> web.Response:
    return web.json_response(value, dumps=_dumps)


def _dumps(value: Any) -> str:
    # NaN is no JSON: a bug in a figure must show here and not in somebody's parser.
    return json.dumps(value, allow_nan=False)
