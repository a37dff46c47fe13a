"""`baseload check`: everything that would stop a pool, before a rig is pointed at it.

Reading the file is `stratum.config`'s, and the data directory it names must be there or be
possible to make. `live` then tries the rest of what the file names, as the pool would use it:
every node is asked, in the pool's own words, for its chain and a template, every ZeroMQ endpoint
must greet, every port must be free, no running pool in the data directory. Nothing is left
behind, and what fails is reported beside the rest, not instead of it.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from stratum.bitcoin.networks import Network
from stratum.config import PoolConfig, load
from stratum.errors import ConfigError, NodeError, Problem
from stratum.node.rpc import NodeRpc
from stratum.node.settings import NodeSettings
from stratum.node.tips import ask_template, check_network

#: A node that is busy answers late; nobody mines meanwhile, so it may take its time.
_ANSWER_TIMEOUT_S = 5.0

_ZMQ_TIMEOUT_S = 3.0

#: ZMTP 3.1, "Greeting": both sides begin with ten bytes, the first and last of which are fixed.
_ZMTP_SIGNATURE_SIZE = 10

_PORT_REMEDIES = {
    errno.EADDRINUSE: "another program listens there: stop it, or choose another port",
    errno.EADDRNOTAVAIL: "no interface of this machine has that address",
    errno.EACCES: "ports below 1024 need privileges: choose a higher one",
}


def check(path: Path, live: bool = False) -> list[Problem]:
    """Every problem of the file; with `live`, of what it names too, once the file has none."""
    try:
        config = load(path)
    except ConfigError as exc:
        return list(exc.problems)
    return asyncio.run(live_problems(config)) if live else unusable_data_dir(config.data_dir)


async def live_problems(config: PoolConfig) -> list[Problem]:
    """Try nodes, endpoints, ports and data directory, all at once. Raises nothing."""
    locked = data_dir_problems(config.data_dir)
    async with aiohttp.ClientSession() as http:
        found = await asyncio.gather(
            *(
                _node_problems(f"node[{place}]", node, config.network, http)
                for place, node in enumerate(config.nodes)
            ),
            *(_zmq_problems(f"node[{place}]", node) for place, node in enumerate(config.nodes)),
            *(port_problems(key, host, port) for key, host, port in _ports(config, locked)),
        )
    return [*(problem for problems in found for problem in problems), *locked]


def _ports(config: PoolConfig, locked: list[Problem]) -> Iterable[tuple[str, str, int]]:
    """All ports by key; none while a pool runs in our data_dir, since it holds them itself."""
    if locked:
        return
    for place, tier in enumerate(config.listen):
        yield f"listen[{place}].address", tier.host, tier.port
    yield "http.listen", config.http.host, config.http.port


async def _node_problems(
    key: str, settings: NodeSettings, network: Network, http: aiohttp.ClientSession
) -> list[Problem]:
    """Ask for the chain first: a template of the wrong one would only confuse."""
    rpc = NodeRpc(settings, http)
    try:
        await check_network(rpc, network, _ANSWER_TIMEOUT_S)
        await ask_template(rpc, network, None)
    except NodeError as exc:
        return [Problem(key, str(exc))]
    return []


async def _zmq_problems(key: str, settings: NodeSettings) -> list[Problem]:
    """Connect as a subscriber would and wait for the greeting that any ZeroMQ socket sends."""
    if not settings.zmq_hashblock:
        return []
    where = f"{key}.zmq_hashblock"
    parts = urlsplit(settings.zmq_hashblock)
    try:
        async with asyncio.timeout(_ZMQ_TIMEOUT_S):
            signature = await _read_greeting(parts.hostname or "", parts.port or 0)
    except TimeoutError:
        return [Problem(where, f"{settings.zmq_hashblock} does not answer", "is it a ZMQ port?")]
    except (OSError, asyncio.IncompleteReadError) as exc:
        fault = f"{settings.zmq_hashblock} can't be reached: {_reason(exc)}"
        remedy = f"start the node with -zmqpubhashblock={settings.zmq_hashblock}"
        return [Problem(where, fault, remedy)]

    if signature[0] != 0xFF or signature[-1] != 0x7F:
        fault = f"{settings.zmq_hashblock} is no ZeroMQ socket"
        return [Problem(where, fault, "is it the RPC port instead?")]
    return []


async def _read_greeting(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        return await reader.readexactly(_ZMTP_SIGNATURE_SIZE)
    finally:
        writer.close()


async def port_problems(key: str, host: str, port: int) -> list[Problem]:
    """Bind what the pool would bind, and let go of it at once."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            with socket.socket(family, kind, protocol) as probe:
                # As asyncio binds: past connections of ours in TIME_WAIT are no obstacle.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as exc:
        remedy = _PORT_REMEDIES.get(exc.errno or 0, "choose another address")
        return [Problem(key, f"can't listen on {host} port {port}: {_reason(exc)}", remedy)]
    return []


def data_dir_problems(data_dir: Path) -> list[Problem]:
    """What stands against using the directory, a running pool too."""
    if found := unusable_data_dir(data_dir):
        return found
    if _is_locked(data_dir):
        fault = f"{data_dir} is in use by a running pool"
        return [Problem("data_dir", fault, "stop it first; the ports were not tried")]
    return []


def unusable_data_dir(data_dir: Path) -> list[Problem]:
    """Write into the directory, or look into where it would be made. Leaves nothing behind."""
    try:
        if not data_dir.is_dir():
            return _parent_problems(data_dir)
        with tempfile.TemporaryFile(dir=data_dir):
            pass
    except OSError as exc:
        fault = f"{data_dir} can't be used: {_reason(exc)}"
        return [Problem("data_dir", fault, "give it to the user who runs the pool")]
    return []


def _parent_problems(data_dir: Path) -> list[Problem]:
    parent = next(parent for parent in data_dir.absolute().parents if parent.exists())
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return []
    why = "not writable" if parent.is_dir() else "no directory"
    fault = f"{data_dir} can't be made: {parent} is {why}"
    return [Problem("data_dir", fault, "make it, and give it to the user who runs the pool")]


def _is_locked(data_dir: Path) -> bool:
    """True while a pool's log holds the directory (`stratum.ledger.log`, DESIGN §8.1)."""
    try:
        descriptor = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return False
    try:
        # Shared: two checks at once do not take each other for a pool.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _reason(exc: Exception) -> str:
    """The system's words without its number; asyncio puts several attempts into one message."""
    if isinstance(exc, asyncio.IncompleteReadError):
        return "it closes the connection"
    number = getattr(exc, "errno", None)
    return os.strerror(number) if number and number > 0 else str(exc)
