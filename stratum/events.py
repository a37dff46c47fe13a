"""Facts that travel up: frozen, named after what happened, handed to callables that `app` wires.

Nobody imports who watches it. There is no event per share and never will be: counters in the
session and folds of the log tell of shares (DESIGN §8.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class BlockFate(StrEnum):
    """What became of a block that a rig found; the words are those of the metric's label."""

    FOUND = "found"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ORPHANED = "orphaned"


@dataclass(frozen=True, slots=True)
class BlockFound:
    """A share met the network target; `block` is the serialized block, ready for submitblock."""

    block_hash: bytes  # internal order
    height: int
    worker_name: str
    sats: int  # what the coinbase pays in all
    block: bytes


@dataclass(frozen=True, slots=True)
class BlockFateChanged:
    """A found block was accepted, rejected for good, or left behind by the chain."""

    block_hash: bytes
    height: int
    fate: BlockFate
    reason: str


@dataclass(frozen=True, slots=True)
class RigConnected:
    """A connection finished its handshake: subscribed, and one worker authorized."""

    peer: str
    worker_name: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class RigDisconnected:
    """A connection that had finished its handshake is gone."""

    peer: str
    worker_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class TipChanged:
    """A node has a new best block."""

    block_hash: bytes  # internal order
    node: str


@dataclass(frozen=True, slots=True)
class NodeStateChanged:
    """A node became usable (`fault` is None) or unusable, with the reason in words."""

    node: str
    fault: str | None


@dataclass(frozen=True, slots=True)
class ActiveNodeChanged:
    """Templates now come from another node; None when no node can give any."""

    node: str | None


Event = (
    BlockFound
    | BlockFateChanged
    | RigConnected
    | RigDisconnected
    | TipChanged
    | NodeStateChanged
    | ActiveNodeChanged
)

Emit = Callable[[Event], None]
