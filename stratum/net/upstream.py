"""The client's socket: the IO twin of `protocol/upstream.py`.

Opens the connection, feeds the conversation, sends what it says, wakes it at its deadline, and
hands its events to whoever iterates. It decides only where to connect: a pool that asks its
clients to go elsewhere is followed within its own domain (cgminer's rule), because one forged
`client.reconnect` line would otherwise take a whole farm away.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

from stratum.errors import ConfigError, Problem, UpstreamError
from stratum.protocol.upstream import Upstream
from stratum.protocol.upstream_events import ReconnectAsked, UpstreamEvent

logger = logging.getLogger(__name__)

CONNECT_S = 10.0

_READ_SIZE = 1 << 16

_PLAIN = ("stratum+tcp", "stratum", "tcp")
_SECURE = ("stratum+ssl", "stratum+tls", "ssl", "tls")

#: First probe after a minute of silence, dead after three: the conversation's 90 s come first,
#: this is for the half-open socket of a proxy that has nothing to say.
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


@dataclass(frozen=True, slots=True)
class PoolAddress:
    """Where a pool listens, and whether it speaks TLS there."""

    host: str
    port: int
    secure: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"stratum+{'ssl' if self.secure else 'tcp'}://{host}:{self.port}"


def parse_url(url: str) -> PoolAddress:
    """`stratum+tcp://host:port` or `stratum+ssl://host:port`; without a scheme it is plain TCP.

    Raises ConfigError that says what is missing.
    """
    parts = urlsplit(url if "://" in url else f"stratum+tcp://{url}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in _PLAIN + _SECURE:
        fault = f"scheme is {parts.scheme!r}"
        raise ConfigError([Problem("url", fault, "use stratum+tcp://host:port")])
    if not parts.hostname or not port:
        fault = f"{url!r} has no host or no port"
        raise ConfigError([Problem("url", fault, "use stratum+tcp://host:port")])
    return PoolAddress(parts.hostname, port, parts.scheme in _SECURE)


def redirected(address: PoolAddress, asked: ReconnectAsked | None) -> PoolAddress:
    """Where to go after `client.reconnect`: elsewhere only within the pool's own domain."""
    if asked is None:
        return address
    host = asked.host or address.host
    if not _same_domain(address.host, host):
        logger.warning("pool %s sends us to %s, outside its domain: ignored", address, host)
        return address
    return PoolAddress(host, asked.port or address.port, address.secure)


def _same_domain(ours: str, theirs: str) -> bool:
    """Equal, or equal after the first dot; an address has no domain."""
    ours, theirs = ours.lower(), theirs.lower()
    if ours == theirs:
        return True
    if _is_address(ours) or _is_address(theirs):
        return False
    domain = ours.partition(".")[2]
    # At least one dot left: `pool.com` and `evil.com` share no domain but `com`.
    return "." in domain and theirs.partition(".")[2] == domain


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def dialer(pool: PoolAddress | str) -> Dial:
    """What a miner calls for each connection to a pool; it goes where the pool asked it to.

    Raises ConfigError for a URL that can't be used.
    """
    address = parse_url(pool) if isinstance(pool, str) else pool

    async def dial(upstream: Upstream, asked: ReconnectAsked | None) -> UpstreamConnection:
        return await connect(redirected(address, asked), upstream)

    return dial


async def connect(
    address: PoolAddress | str,
    upstream: Upstream,
    *,
    clock: Callable[[], float] = time.monotonic,
    context: ssl.SSLContext | None = None,
) -> UpstreamConnection:
    """Open a socket and start the handshake. Raises UpstreamError if the pool can't be reached.

    TLS is verified against the system's authorities, or by `context`.
    """
    if isinstance(address, str):
        address = parse_url(address)
    if address.secure and context is None:
        context = ssl.create_default_context()
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(
                address.host, address.port, ssl=context if address.secure else None
            )
    except TimeoutError as exc:
        raise UpstreamError(f"{address} did not answer in {CONNECT_S:.0f} s") from exc
    except (OSError, ValueError) as exc:
        raise UpstreamError(f"{address} can't be reached: {exc}") from exc

    _tune(writer)
    upstream.connected(clock())
    connection = UpstreamConnection(upstream, reader, writer, clock)
    connection.flush()
    return connection


def _tune(writer: asyncio.StreamWriter) -> None:
    """A share must not wait for the next one, and a dead peer must be noticed."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):  # not on every system
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class UpstreamConnection:
    """One open socket to a pool: iterate it for events, flush it after a submit, close it.

    The iteration raises UpstreamError when the pool is lost, and ends after `close`.
    """

    def __init__(
        self,
        upstream: Upstream,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        clock: Callable[[], float],
    ) -> None:
        self._upstream = upstream
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._events: deque[UpstreamEvent] = deque()
        self._is_closed = False

    def __aiter__(self) -> UpstreamConnection:
        return self

    async def __anext__(self) -> UpstreamEvent:
        while not self._events:
            if self._is_closed:
                raise StopAsyncIteration
            await self._wait()
            self.flush()
        return self._events.popleft()

    async def _wait(self) -> None:
        """For bytes, or for the conversation's deadline."""
        # The deadline belongs to the conversation's clock, which may not be the loop's.
        patience = max(self._upstream.deadline() - self._clock(), 0)
        try:
            async with asyncio.timeout(patience if patience < _FOREVER else None):
                data = await self._reader.read(_READ_SIZE)
        except OSError as exc:
            # ETIMEDOUT of the socket is a TimeoutError as well; only that one stays in the reader.
            if not isinstance(exc, TimeoutError) or self._reader.exception() is not None:
                raise UpstreamError(f"the connection broke: {exc}") from exc
            self._events.extend(self._upstream.on_time(self._clock()))
            return
        if data:
            self._events.extend(self._upstream.receive(data, self._clock()))
        elif not self._is_closed:
            raise UpstreamError("the pool closed the connection")

    def flush(self) -> None:
        """Send what the conversation has to say; never waits, since shares are few and bounded."""
        data = self._upstream.outgoing()
        if data and not self._is_closed:
            self._writer.write(data)

    async def close(self) -> None:
        """Hang up. The iteration ends; the conversation can be connected again."""
        if self._is_closed:
            return
        self._is_closed = True
        self._upstream.disconnected()
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()

    async def __aenter__(self) -> UpstreamConnection:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


#: A pool that does not say goodbye is not waited for.
_CLOSE_S = 2.0

#: An event loop's timers take no infinity.
_FOREVER = 86400.0


Dial = Callable[[Upstream, ReconnectAsked | None], Awaitable[UpstreamConnection]]
