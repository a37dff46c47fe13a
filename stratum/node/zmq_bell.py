"""Ring when a node publishes a new block over ZMQ.

A message is a reason to ask the node, and nothing more is read from it: neither its hash nor its
sequence number. So a gap, a repetition, a wrong publisher or silence does no harm; the poll and
the longpoll run anyway.
"""

from __future__ import annotations

from collections.abc import Callable

import zmq
import zmq.asyncio

_TOPIC = b"hashblock"

#: Finds a publisher that went away without a word, in seconds (cf. Bitcoin Core, doc/zmq.md).
_KEEPALIVE_IDLE_S = 60


async def ring_on_hashblock(address: str, ring: Callable[[], None]) -> None:
    """Ring at each message until cancelled; libzmq reconnects by itself.

    Raises zmq.ZMQError where the address is none.
    """
    context = zmq.asyncio.Context()
    socket = context.socket(zmq.SUB)
    try:
        socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, _KEEPALIVE_IDLE_S)
        socket.setsockopt(zmq.SUBSCRIBE, _TOPIC)
        socket.connect(address)
        while True:
            await socket.recv_multipart()
            ring()
    finally:
        socket.close(linger=0)
        context.term()
