"""The sockets that rigs come by: one for each tier, set up once and inherited by every rig's."""

from __future__ import annotations

import asyncio
import socket

from stratum.mining.settings import TierSettings

#: TCP keepalive 60/10/3: a dead peer is noticed after 90 s (wire.md §4).
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


def address_of(tier: TierSettings) -> str:
    """A tier's name for another process, which may have it at another place of its config."""
    return f"{tier.host}:{tier.port}"


def taken(tier: TierSettings, exc: OSError) -> OSError:
    """The same, naming the port."""
    return OSError(exc.errno, f"listen on {tier.host}:{tier.port}: {exc}")


async def bound(tier: TierSettings) -> socket.socket:
    """A bound socket. What is set on it holds for every connection that it accepts: small lines
    at once, and a dead peer noticed."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        tier.host or None, tier.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    # Without a host: IPv6's any address, which takes IPv4 too, where there is IPv6.
    family, kind, protocol, _, address = max(found, key=lambda each: each[0] == socket.AF_INET6)
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bool(tier.host)))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        sock.setblocking(False)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
