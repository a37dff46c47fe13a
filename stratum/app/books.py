"""Books: whatever reads and shows, beside the process that serves rigs.

What serve knows is asked of it over its socket; the page and the API are answered on a socket of
our own, to which serve passes its viewers on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp import web

from stratum.app.local_sockets import BOOKS_SOCKET, SERVE_SOCKET, Meeting
from stratum.config import PoolConfig
from stratum.observability.page_server import page_server
from stratum.observability.status import BlockRow, EventRow, JobRow, NodeRow, RigRow, Status

_LIVE_TIMEOUT = aiohttp.ClientTimeout(total=5.0)


async def run_books(
    config: PoolConfig, stop: asyncio.Event, begun: Callable[[], None] = lambda: None
) -> int:
    """Answer until `stop`; the exit code. `begun` is called when viewers can be passed on."""
    with (
        Meeting(config.data_dir, SERVE_SOCKET) as serve,
        Meeting(config.data_dir, BOOKS_SOCKET) as ours,
    ):
        async with aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(serve.path), timeout=_LIVE_TIMEOUT
        ) as http:
            server = page_server(lambda: _look(http))
            await server.start(ours.listen())
            begun()
            try:
                await stop.wait()
            finally:
                await server.stop()
    return 0


async def _look(http: aiohttp.ClientSession) -> Status:
    try:
        async with http.get("http://serve/live") as reply:
            return _status(await reply.json())
    except (aiohttp.ClientError, OSError, TimeoutError) as exc:
        raise web.HTTPServiceUnavailable(text="The pool is starting or stopping.\n") from exc


def _status(live: dict[str, Any]) -> Status:
    return Status(
        version=live["version"],
        network=live["network"],
        now=live["now"],
        started_at=live["started_at"],
        fault=live["fault"],
        connections=live["connections"],
        rigs_total=live["rigs"],
        shares=live["shares"],
        listens=live["listens"],
        job=JobRow(**live["job"]) if live["job"] else None,
        nodes=[NodeRow(**row) for row in live["nodes"]],
        rigs=[_rig(row) for row in live["sessions"]],
        blocks=[BlockRow(**row) for row in live["blocks"]],
        events=[EventRow(**row) for row in live["events"]],
    )


def _rig(row: dict[str, Any]) -> RigRow:
    return RigRow(
        row["worker"], row["agent"], row["difficulty"], 0, 0, 0.0, connected_at=row["connected_at"]
    )
