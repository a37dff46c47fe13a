"""Requests that are another process's to answer, passed on to its Unix socket and back.

Whatever that process does, this one goes on: a dead one is a 503 in plain words, a slow one meets
a limit, and an answer is passed on piece by piece, never held.
"""

from __future__ import annotations

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

#: A process beside us that lives connects at once. Between two pieces of an answer it may think,
#: or say nothing while nothing happens, as an event stream does.
_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5.0, sock_read=60.0)

#: Viewers at one time; more wait, and after `connect` are told to come again.
_VIEWERS = 64

#: RFC 9110 §7.6.1: these speak of one connection, not of the message.
_HOP_BY_HOP = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    " transfer-encoding upgrade".split()
)


class Forwarder:
    """Passes requests on; start(), then stop()."""

    def __init__(self, path: str, away: str) -> None:
        """`path` of the Unix socket; `away` is what a viewer reads where nobody answers."""
        self._path = path
        self._away = away
        self._http: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(self._path, limit=_VIEWERS),
            timeout=_TIMEOUT,
            auto_decompress=False,  # it was compressed for the viewer
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def stop(self) -> None:
        """Does nothing before start()."""
        if self._http is not None:
            await self._http.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One GET or HEAD."""
        assert self._http is not None, "the forwarder is not started"
        try:
            reply = await self._http.request(
                request.method,
                URL(f"http://local{request.rel_url.raw_path_qs}", encoded=True),
                headers=_end_to_end(request.headers, without=hdrs.HOST),
                skip_auto_headers=(hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING),
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError, TimeoutError):
            return web.Response(status=503, text=f"{self._away}\n", headers={"Retry-After": "2"})
        async with reply:
            return await _pass_back(request, reply)


async def _pass_back(request: web.Request, reply: aiohttp.ClientResponse) -> web.StreamResponse:
    answer = web.StreamResponse(
        status=reply.status, reason=reply.reason, headers=_end_to_end(reply.headers)
    )
    try:
        await answer.prepare(request)
        async for piece in reply.content.iter_any():
            await answer.write(piece)
        await answer.write_eof()
    except (aiohttp.ClientError, OSError, TimeoutError):
        # Either end is gone. A part of an answer must not pass for the whole.
        if request.transport is not None:
            request.transport.abort()
    return answer


def _end_to_end(headers: CIMultiDictProxy[str], without: str = "") -> CIMultiDict[str]:
    """Headers that are about the message; also without those that Connection names."""
    named = {
        name.strip().lower()
        for value in headers.getall(hdrs.CONNECTION, [])
        for name in value.split(",")
    }
    dropped = _HOP_BY_HOP | named | {without.lower()}
    return CIMultiDict((k, v) for k, v in headers.items() if k.lower() not in dropped)
