"""What every HTTP answer of ours has in common, and how a small server of ours is run.

Nothing here changes anything, needs no secret and knows none. Names in an answer come from
strangers, so a page may run no script but its own files and load nothing from elsewhere.
"""

from __future__ import annotations

import json
import socket

from aiohttp import web

#: Requests under way may finish; idle keep-alive connections are closed at once.
_SHUTDOWN_SECONDS = 2.0

_KEEPALIVE_SECONDS = 30

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
}


def application() -> web.Application:
    """One whose answers have the headers above, where a handler gave no others."""
    app = web.Application()
    app.on_response_prepare.append(_secure)
    return app


def runner(app: web.Application) -> web.AppRunner:
    """Set it up, give it sites, clean it up."""
    return web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=_SHUTDOWN_SECONDS,
        keepalive_timeout=_KEEPALIVE_SECONDS,
    )


def json_answer(value: object) -> web.Response:
    """NaN is no JSON: a bug in a figure must show here and not in somebody's parser."""
    return web.json_response(value, dumps=lambda data: json.dumps(data, allow_nan=False))


class LocalServer:
    """An application on a listening socket that it was given; start(), then stop()."""

    def __init__(self, app: web.Application) -> None:
        self._runner = runner(app)

    async def start(self, sock: socket.socket) -> None:
        """Answer on `sock`, which is ours from here on."""
        await self._runner.setup()
        await web.SockSite(self._runner, sock).start()

    async def stop(self) -> None:
        """Close every connection and the socket. Does nothing before start()."""
        await self._runner.cleanup()


async def _secure(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "baseload"  # not the versions of what it is made of
