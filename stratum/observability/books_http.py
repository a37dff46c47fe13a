"""The books' own server, on a Unix socket: the page and the API.

    /                          the page; ?sort=&offset=
    /api/v1/status             status.Status as JSON; ?sort=&offset=&limit=
    /api/v1/workers            ?sort=&offset=&limit=&account=
    /api/v1/workers/<name>     one worker, also one that has been silent for long
    /api/v1/accounts           ?sort=&offset=&limit=
    /api/v1/tiers
    /api/v1/rollups            history: ?span=10min|hour|day&from=&to=&account=&worker=&tier=
    /healthz                   200 while this process's event loop answers

The serve process owns the TCP port and passes on what is asked here.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Generic, Protocol, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

from stratum.errors import OutsideError
from stratum.observability.page import asset, render_page
from stratum.observability.queries import BadQuery, HistoryQuery, RowsQuery
from stratum.observability.status import GroupRow, PeriodRow, RigRow, Status
from stratum.observability.web import LocalServer, application, json_answer

_Row = TypeVar("_Row", RigRow, GroupRow)

#: Short enough for somebody who watches.
SHARED_SECONDS = 1.0

#: Different looks remembered for that time.
_LOOKS_SHARED = 32


@dataclass(frozen=True, slots=True)
class Rows(Generic[_Row]):
    """Some rows of `total`."""

    total: int
    rows: Sequence[_Row]


class Books(Protocol):
    """Who knows the answers. OutsideError says why there is none for now."""

    async def status(self, query: RowsQuery) -> Status: ...

    async def workers(self, query: RowsQuery) -> Rows[RigRow]: ...

    async def worker(self, name: str) -> RigRow | None: ...

    async def accounts(self, query: RowsQuery) -> Rows[GroupRow]: ...

    async def tiers(self) -> Rows[GroupRow]: ...

    async def history(self, query: HistoryQuery) -> Sequence[PeriodRow] | None: ...


def books_server(books: Books, shared_seconds: float = SHARED_SECONDS) -> LocalServer:
    """Everybody who looks within `shared_seconds` shares one look: viewers cost the pool once."""
    handlers = _Handlers(books, shared_seconds)
    app = application()
    app.middlewares.append(_explain)
    get = app.router.add_get
    get("/", handlers.get_page)
    get("/page.css", _asset_handler("page.css", "text/css"))
    get("/page.js", _asset_handler("page.js", "text/javascript"))
    get("/api/v1/status", handlers.get_status)
    get("/api/v1/workers", handlers.get_workers)
    get("/api/v1/workers/{name:.+}", handlers.get_worker)
    get("/api/v1/accounts", handlers.get_accounts)
    get("/api/v1/tiers", handlers.get_tiers)
    get("/api/v1/rollups", handlers.get_rollups)
    get("/healthz", handlers.get_health)
    return LocalServer(app)


class _Handlers:
    def __init__(self, books: Books, shared_seconds: float) -> None:
        self._books = books
        self._looks = _SharedLooks(books.status, shared_seconds)

    async def get_page(self, request: web.Request) -> web.Response:
        status = await self._looks.look(RowsQuery.read(request.query))
        return web.Response(text=render_page(status), content_type="text/html")

    async def get_status(self, request: web.Request) -> web.Response:
        status = await self._looks.look(RowsQuery.read(request.query))
        return json_answer(status.as_json())

    async def get_workers(self, request: web.Request) -> web.Response:
        query = RowsQuery.read(request.query)
        return _rows("workers", await self._books.workers(query), query)

    async def get_worker(self, request: web.Request) -> web.Response:
        found = await self._books.worker(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound(text="no worker of this name ever had a share accepted\n")
        return json_answer(asdict(found))

    async def get_accounts(self, request: web.Request) -> web.Response:
        query = RowsQuery.read(request.query)
        return _rows("accounts", await self._books.accounts(query), query)

    async def get_tiers(self, _: web.Request) -> web.Response:
        return _rows("tiers", await self._books.tiers(), RowsQuery())

    async def get_rollups(self, request: web.Request) -> web.Response:
        query = HistoryQuery.read(request.query)
        periods = await self._books.history(query)
        if periods is None:
            raise web.HTTPNotFound(text="no account or worker of this name is known\n")
        return json_answer({"span": query.span, "periods": [asdict(each) for each in periods]})

    async def get_health(self, _: web.Request) -> web.Response:
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


def _rows(name: str, found: Rows[RigRow] | Rows[GroupRow], query: RowsQuery) -> web.Response:
    rows = [asdict(row) for row in found.rows]
    return json_answer({"total": found.total, "offset": query.offset, name: rows})
