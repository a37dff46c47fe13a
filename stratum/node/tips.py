"""What a node says of its chain, as values; and the questions that give them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stratum.bitcoin.networks import NETWORKS, Network
from stratum.bitcoin.target import display, internal
from stratum.bitcoin.template import Template, TemplateError, parse_template
from stratum.errors import NodeError
from stratum.node.rpc import NodeRpc

#: BIP 9: rules without which the node gives no template (BIP 145, BIP 325).
TEMPLATE_RULES = ["segwit", "signet"]

#: A template of 10 MB from a busy node takes seconds, not fractions of one.
TEMPLATE_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Tip:
    """A node's best block. Hashes internal; `mediantime` is what the next ntime must exceed."""

    block_hash: bytes
    height: int
    parent: bytes
    mediantime: int
    time: int  # its own ntime


async def ask_best(rpc: NodeRpc, limit_s: float) -> bytes:
    """Hash of the best block. Raises NodeError."""
    return _hash(rpc, await rpc.call("getbestblockhash", timeout=limit_s))


async def ask_tip(rpc: NodeRpc, block_hash: bytes, limit_s: float) -> Tip:
    """The facts of a block, from its header. Raises NodeError."""
    header = await rpc.call("getblockheader", display(block_hash), timeout=limit_s)
    try:
        parent = header.get("previousblockhash")  # genesis has none, or null
        return Tip(
            block_hash,
            int(header["height"]),
            internal(parent) if parent else bytes(32),
            int(header["mediantime"]),
            int(header["time"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise NodeError(f"node {rpc.name} gives a block header that makes no sense") from exc


async def ask_template(
    rpc: NodeRpc, network: Network, longpollid: str | None, limit_s: float = TEMPLATE_TIMEOUT_S
) -> Template:
    """A checked template; with `longpollid`, once there is news. Raises NodeError."""
    request: dict[str, Any] = {"rules": TEMPLATE_RULES}
    if longpollid is not None:
        request["longpollid"] = longpollid
    reply = await rpc.call("getblocktemplate", request, timeout=limit_s)
    if not isinstance(reply, dict):
        raise NodeError(f"node {rpc.name} gives a template that is no JSON object")
    try:
        return parse_template(reply, network)
    except TemplateError as exc:
        raise NodeError(f"node {rpc.name}: {exc}") from exc


async def check_network(rpc: NodeRpc, network: Network, limit_s: float) -> None:
    """Raises NodeError unless the node is on this network: by its name and by its genesis."""
    info = await rpc.call("getblockchaininfo", timeout=limit_s)
    chain = info.get("chain") if isinstance(info, dict) else None
    if chain is not None and chain != network.chain:
        raise NodeError(
            f"wrong network: node {rpc.name} is on {chain}, the config says {network.name}"
        )
    genesis = _hash(rpc, await rpc.call("getblockhash", 0, timeout=limit_s))
    if display(genesis) != network.genesis_hex:
        others = [one for one in NETWORKS.values() if one.genesis_hex == display(genesis)]
        known = others[0].name if others and others[0].name != network.name else None
        chain = known or f"a chain that begins with the block {display(genesis)}"
        raise NodeError(
            f"wrong network: node {rpc.name} is on {chain}, the config says {network.name}"
        )


def _hash(rpc: NodeRpc, given: Any) -> bytes:
    try:
        return internal(given)
    except (TypeError, ValueError) as exc:
        raise NodeError(f"node {rpc.name} gives a block hash that is none") from exc
