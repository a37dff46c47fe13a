"""A real client, a forwarder, and a real server behind it that misbehaves as told."""

from __future__ import annotations

import asyncio
import socket
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from stratum.observability import forward
from stratum.observability.forward import Forwarder
from stratum.observability.web import LocalServer, application
from tests.observability.conftest import ServeAt


class Behind:
    """The server that requests are passed on to."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.answer: web.StreamResponse = web.Response(text="here")
        self.more = asyncio.Event()  # what a stream waits for
        self.leaves = asyncio.Event()
        app = application()
        app.router.add_get("/stream", self._stream)
        app.router.add_get("/breaks", self._break)
        app.router.add_get("/{path:.*}", self._tell)
        self.server = LocalServer(app)

    async def _tell(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        return self.answer

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: first\n\n")
        await self.more.wait()
        await answer.write(b"data: second\n\n")
        return answer

    async def _break(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(b"only this")
        await self.leaves.wait()
        assert request.transport is not None
        request.transport.abort()
        return answer


@pytest.fixture
async def behind(tmp_path: Path, serve_at: ServeAt) -> Behind:
    behind = Behind()
    await serve_at(behind.server, tmp_path / "sock")
    return behind


@pytest.fixture
async def front(tmp_path: Path, serve_at: ServeAt) -> AsyncIterator[str]:
    forwarder = Forwarder(str(tmp_path / "sock"), "nobody there")
    await forwarder.start()
    app = application()
    app.router.add_get("/{path:.*}", forwarder.handle)
    yield await serve_at(LocalServer(app))
    await forwarder.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield session


async def test_path_query_and_headers_arrive_as_they_were_sent(
    behind: Behind, front: str, http: aiohttp.ClientSession
) -> None:
    headers = {"Accept": "text/x", "X-Own": "7", "Connection": "close, X-Hop", "X-Hop": "1"}
    async with http.get(f"{front}/a%2Fb/c?d=%20e&f", headers=headers) as reply:
        assert (reply.status, await reply.text()) == (200, "here")
    (asked,) = behind.requests
    assert asked.raw_path == "/a%2Fb/c?d=%20e&f"
    assert (asked.headers["Accept"], asked.headers["X-Own"]) == ("text/x", "7")
    assert "X-Hop" not in asked.headers
    assert asked.headers["Host"] == "local"


async def test_answer_comes_back_with_its_status_headers_and_encoding(
    behind: Behind, front: str, http: aiohttp.ClientSession
) -> None:
    packed = zlib.compress(b"text " * 100)
    own = {"Content-Encoding": "deflate", "Content-Security-Policy": "own", "Location": "/x"}
    behind.answer = web.Response(status=302, body=packed, headers=own)
    async with http.get(f"{front}/", allow_redirects=False) as reply:
        assert reply.status == 302
        assert await reply.read() == packed
        assert reply.headers["Content-Security-Policy"] == "own"
        assert reply.headers.getall("Content-Length") == [str(len(packed))]
        assert reply.headers["Server"] == "baseload"


async def test_head_is_answered_without_a_body(
    behind: Behind, front: str, http: aiohttp.ClientSession
) -> None:
    async with http.head(f"{front}/") as reply:
        assert (reply.status, reply.headers["Content-Length"]) == (200, "4")
        assert await reply.read() == b""
    assert behind.requests[0].method == "HEAD"


async def test_stream_is_passed_on_piece_by_piece(
    behind: Behind, front: str, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{front}/stream") as reply:
        assert await reply.content.readline() == b"data: first\n"
        behind.more.set()
        assert b"second" in await reply.content.read()


async def test_viewer_that_leaves_a_stream_breaks_nothing(
    behind: Behind, front: str, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{front}/stream") as reply:
        assert await reply.content.readline()
        reply.close()
    behind.more.set()
    async with http.get(f"{front}/") as reply:
        assert await reply.text() == "here"


async def test_answer_that_breaks_off_does_not_pass_for_a_whole_one(
    behind: Behind, front: str, http: aiohttp.ClientSession
) -> None:
    with pytest.raises(aiohttp.ClientError):
        async with http.get(f"{front}/breaks") as reply:
            assert await reply.content.readany() == b"only this"
            behind.leaves.set()
            await reply.read()


async def test_nobody_behind_is_503_and_somebody_later_is_found(
    front: str, http: aiohttp.ClientSession, tmp_path: Path, serve_at: ServeAt
) -> None:
    async with http.get(f"{front}/") as reply:
        assert (reply.status, await reply.text()) == (503, "nobody there\n")
    await serve_at(Behind().server, tmp_path / "sock")
    async with http.get(f"{front}/") as reply:
        assert reply.status == 200


async def test_one_behind_that_says_nothing_meets_a_limit(
    http: aiohttp.ClientSession,
    tmp_path: Path,
    serve_at: ServeAt,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forward, "_TIMEOUT", aiohttp.ClientTimeout(sock_read=0.05))
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "sock"))
        deaf.listen()
        forwarder = Forwarder(str(tmp_path / "sock"), "nobody there")
        await forwarder.start()
        app = application()
        app.router.add_get("/", forwarder.handle)
        url = await serve_at(LocalServer(app))
        async with http.get(f"{url}/") as reply:
            assert (reply.status, await reply.text()) == (503, "nobody there\n")
        await forwarder.stop()
