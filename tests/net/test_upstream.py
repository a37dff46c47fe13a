"""The client's socket, against small servers on the loopback."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stratum.errors import ConfigError, UpstreamError
from stratum.net.upstream import (
    PoolAddress,
    UpstreamConnection,
    connect,
    parse_url,
    redirected,
)
from stratum.protocol.upstream import (
    CONFIGURE_S,
    SILENCE_S,
    ConfigureRefused,
    Phase,
    Upstream,
    UpstreamSettings,
)
from stratum.protocol.upstream_events import (
    Authorized,
    NotifyReceived,
    ReconnectAsked,
    Subscribed,
)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

NOTIFY = ["1", "00" * 32, "01", "02", [], "20000000", "207fffff", "6a1a5c2f", True]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A server for the time of a test; gives its URL. Its connections end with it."""
    open_ones: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_ones[task] = writer
        try:
            await handler(reader, writer)
        finally:
            writer.close()
            del open_ones[task]

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"stratum+tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in open_ones.values():
            writer.transport.abort()
        await asyncio.gather(*open_ones)
        await server.wait_closed()


def write(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")


async def pool(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Shakes hands, sends one job, and takes every share."""
    results: dict[str, Any] = {
        "mining.subscribe": [[["mining.notify", "5e55"]], "0a0b0c0d", 4],
        "mining.configure": {"version-rolling": True, "version-rolling.mask": "1fffe000"},
    }
    async for line in reader:
        request = json.loads(line)
        result = results.get(request["method"], True)
        write(writer, {"id": request["id"], "result": result, "error": None})
        if request["method"] == "mining.authorize":
            write(writer, {"id": None, "method": "mining.set_difficulty", "params": [0.5]})
            write(writer, {"id": None, "method": "mining.notify", "params": NOTIFY})


async def hear_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def next_of(connection: UpstreamConnection, kind: type) -> Any:
    async with asyncio.timeout(5):
        async for event in connection:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"no {kind.__name__} came")


def client() -> Upstream:
    return Upstream(UpstreamSettings("user.w1"))


async def test_events_come_by_iterating() -> None:
    async with serving(pool) as url, await connect(url, client()) as connection:
        subscribed = await next_of(connection, Subscribed)
        assert subscribed.extranonce1 == b"\x0a\x0b\x0c\x0d"
        assert await next_of(connection, Authorized) == Authorized("user.w1")
        assert (await next_of(connection, NotifyReceived)).job.extranonce2_size == 4


async def test_share_is_sent_by_flush_and_answered() -> None:
    upstream = client()
    async with serving(pool) as url, await connect(url, upstream) as connection:
        job = (await next_of(connection, NotifyReceived)).job
        share = upstream.submit(job, bytes(4), job.ntime, 7, 0, asyncio.get_running_loop().time())
        connection.flush()
        async with asyncio.timeout(5):
            answer = await anext(connection)
        assert getattr(answer, "id", None) == share


async def test_socket_has_nodelay_and_keepalive() -> None:
    async with serving(pool) as url, await connect(url, client()) as connection:
        sock = connection._writer.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def test_pool_that_hangs_up_is_an_upstream_error() -> None:
    async with serving(hang_up) as url, await connect(url, client()) as connection:
        with pytest.raises(UpstreamError, match="closed the connection"):
            await next_of(connection, Subscribed)


async def test_reset_connection_is_an_upstream_error() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.transport.abort()

    async with serving(reset) as url, await connect(url, client()) as connection:
        with pytest.raises(UpstreamError):
            await next_of(connection, Subscribed)


async def test_silence_is_noticed_at_the_deadline_of_the_conversation() -> None:
    now = 0.0
    async with (
        serving(hear_nothing) as url,
        await connect(url, client(), clock=lambda: now) as connection,
    ):
        now = CONFIGURE_S
        with pytest.raises(ConfigureRefused):
            await next_of(connection, Subscribed)


async def test_dead_pool_is_noticed_after_ninety_seconds() -> None:
    now = 0.0
    async with (
        serving(pool) as url,
        await connect(url, client(), clock=lambda: now) as connection,
    ):
        await next_of(connection, NotifyReceived)
        now = SILENCE_S
        with pytest.raises(UpstreamError, match="silent for 90 s"):
            await next_of(connection, NotifyReceived)


async def test_close_ends_the_iteration_and_the_phase() -> None:
    upstream = client()
    async with serving(hear_nothing) as url:
        connection = await connect(url, upstream)
        waiting = asyncio.ensure_future(_drain(connection))
        await asyncio.sleep(0)
        await connection.close()
        await connection.close()
        async with asyncio.timeout(5):
            assert await waiting == 0
        assert upstream.phase is Phase.CLOSED


async def _drain(connection: UpstreamConnection) -> int:
    return len([event async for event in connection])


async def test_pool_that_is_not_there_is_an_upstream_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        url = f"stratum+tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UpstreamError, match="can't be reached"):
            await connect(url, client())


async def test_plain_pool_behind_a_tls_url_is_an_upstream_error() -> None:
    async with serving(hang_up) as url:
        with pytest.raises(UpstreamError, match="can't be reached"):
            await connect(url.replace("+tcp", "+ssl"), client())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("stratum+tcp://pool.example:3333", PoolAddress("pool.example", 3333, False)),
        ("stratum+ssl://pool.example:3334", PoolAddress("pool.example", 3334, True)),
        ("pool.example:3333", PoolAddress("pool.example", 3333, False)),
        ("tcp://[::1]:3333", PoolAddress("::1", 3333, False)),
    ],
)
def test_url_says_where_and_how(url: str, expected: PoolAddress) -> None:
    assert parse_url(url) == expected
    assert parse_url(str(expected)) == expected


@pytest.mark.parametrize(
    "url", ["", "pool.example", "stratum+tcp://:3333", "http://pool.example:80", "pool:99999"]
)
def test_url_that_can_not_be_is_the_operators_error(url: str) -> None:
    with pytest.raises(ConfigError, match="stratum"):
        parse_url(url)


@pytest.mark.parametrize(
    ("home", "asked", "expected"),
    [
        ("a.pool.example", ReconnectAsked("b.pool.example", 4444, 0), ("b.pool.example", 4444)),
        ("a.pool.example", ReconnectAsked("A.Pool.Example", None, 0), ("A.Pool.Example", 3333)),
        ("a.pool.example", ReconnectAsked("b.evil.example", 4444, 0), ("a.pool.example", 3333)),
        ("pool.example", ReconnectAsked("evil.example", 4444, 0), ("pool.example", 3333)),
        ("10.0.0.1", ReconnectAsked("10.0.0.2", 4444, 0), ("10.0.0.1", 3333)),
        ("10.0.0.1", ReconnectAsked("10.0.0.1", 4444, 0), ("10.0.0.1", 4444)),
        ("localhost", ReconnectAsked("elsewhere", 4444, 0), ("localhost", 3333)),
        ("a.pool.example", ReconnectAsked(None, 4444, 0), ("a.pool.example", 4444)),
        ("a.pool.example", None, ("a.pool.example", 3333)),
    ],
)
def test_redirect_is_followed_within_the_domain_only(
    home: str, asked: ReconnectAsked | None, expected: tuple[str, int]
) -> None:
    target = redirected(PoolAddress(home, 3333, False), asked)
    assert (target.host, target.port) == expected
