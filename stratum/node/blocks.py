"""Give a block to one node and understand its answer; ask where a block stands.

Nodes differ in their words. Bitcoin Core answers `duplicate` and `inconclusive` where bcoin says
`rejected: duplicate` or null; Core knows a block beside the active chain by -1 confirmations,
bcoin gives those a positive number. So an answer is sorted into a few kinds here, and a block
counts as accepted only when it is what getblockhash gives for its height.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from stratum.bitcoin.target import display
from stratum.errors import NodeError
from stratum.node.rpc import RPC_DESERIALIZATION_ERROR, RPC_IN_WARMUP, NodeRpc
from stratum.node.tips import TEMPLATE_RULES

#: A block of 4 MB that must first be validated; nothing waits for a slow node but its own answer.
SUBMIT_TIMEOUT_S = 30.0

#: Words for "I can't say yet": a missing parent (two spellings), our clock ahead of the node's,
#: a block that is stored and not judged.
_NOT_YET = (
    "inconclusive",
    "duplicate-inconclusive",
    "prev-blk-not-found",
    "bad-prevblk",
    "time-too-new",
)

_KNOWN = "duplicate"


class TipMoved(NodeError):
    """The proposed block's parent is no longer the node's tip."""


class Answer(Enum):
    """What a node's answer to submitblock means."""

    TAKEN = auto()  # it has the block, in its active chain or beside it
    REFUSED = auto()  # by a rule; asking the same node again is useless
    UNDECIDED = auto()  # stored but not judged, or lacking its parent: ask again
    UNREACHED = auto()  # not there, or not ready to be asked


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """One node's answer; `reason` is its own word, or why it gave none."""

    node: str
    answer: Answer
    reason: str


class Place(Enum):
    """Where a block is in a node's view."""

    ACTIVE = auto()
    BESIDE = auto()  # known, but another block has its height
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Standing:
    """A block's place, and how deep its height lies in the node's chain (1: at the tip)."""

    place: Place
    depth: int  # wherever the block itself is; 0 or less above the tip


async def propose(rpc: NodeRpc, block: bytes) -> str | None:
    """BIP 23: None where the block is valid but for its proof of work, else what is wrong.

    Raises TipMoved where its parent is not the tip, NodeError where the node can't be asked.
    """
    request = {"mode": "proposal", "data": block.hex(), "rules": TEMPLATE_RULES}
    try:
        said = await rpc.call("getblocktemplate", request, timeout=SUBMIT_TIMEOUT_S)
    except NodeError as exc:
        if exc.code == RPC_DESERIALIZATION_ERROR:
            return str(exc)
        raise
    reason = _plain(said)
    if reason == "inconclusive-not-best-prevblk":
        raise TipMoved(f"node {rpc.name} has a new tip; the block is to be built again")
    if reason in (None, "high-hash", "duplicate"):
        return None
    return reason


async def submit_to(rpc: NodeRpc, block: bytes) -> SubmitResult:
    """Submit a block to one node. Raises nothing: a fault is an answer too."""
    try:
        said = await rpc.call("submitblock", block.hex(), timeout=SUBMIT_TIMEOUT_S)
    except NodeError as exc:
        refused = exc.code == RPC_DESERIALIZATION_ERROR
        return SubmitResult(rpc.name, Answer.REFUSED if refused else Answer.UNREACHED, str(exc))

    reason = _plain(said)
    if reason is None or reason == _KNOWN:
        return SubmitResult(rpc.name, Answer.TAKEN, reason or "accepted")
    answer = Answer.UNDECIDED if reason in _NOT_YET else Answer.REFUSED
    return SubmitResult(rpc.name, answer, reason)


async def ask_standing(rpc: NodeRpc, block_hash: bytes, height: int, tip_height: int) -> Standing:
    """Where a block is; `tip_height` as far as it is known. Raises NodeError."""
    depth = tip_height - height + 1
    wanted = display(block_hash)
    if await _known_or_none(rpc, "getblockhash", height) == wanted:
        return Standing(Place.ACTIVE, max(depth, 1))  # the height may be older than the block
    header = await _known_or_none(rpc, "getblockheader", wanted)
    return Standing(Place.UNKNOWN if header is None else Place.BESIDE, depth)


async def _known_or_none(rpc: NodeRpc, method: str, subject: Any) -> Any:
    """None where the node says it knows no such thing: -5 or -8 in Core, -1 in bcoin."""
    try:
        return await rpc.call(method, subject)
    except NodeError as exc:
        if exc.code is None or exc.code == RPC_IN_WARMUP:
            raise
        return None


def _plain(said: Any) -> str | None:
    """A BIP 22 answer without the prefix that bcoin puts before it."""
    return None if said is None else str(said).removeprefix("rejected: ")
