"""One look at the pool: what the page shows and `/api/v1/status` answers.

`app` fills it from counters that exist anyway. Times are Unix seconds, rates H/s, money sats,
hashes hex in display order; a name that a peer chose is passed on as it came, and whoever shows
it escapes it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Rows of rigs in one look, the fastest first; `rigs_total` tells of the others. Ten thousand
#: rows would cost the event loop more than the shares of those rigs do.
RIGS_SHOWN = 500


@dataclass(frozen=True, slots=True)
class RigRow:
    """One connection with an authorized worker."""

    worker: str
    agent: str
    difficulty: float
    accepted: int  # shares since it connected
    rejected: int  # stale ones among them
    hashrate: float
    connected_at: float
    last_share_at: float | None = None


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A block that a rig of ours found."""

    height: int
    block_hash: str
    worker: str
    sats: int  # what its coinbase pays in all
    fate: str  # of events.BlockFate
    found_at: float
    reason: str = ""  # of a rejection


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node or upstream that work may come from."""

    name: str
    up: bool
    active: bool  # templates come from it now
    height: int  # of its best block, 0 while unknown
    fault: str = ""  # in words, where it is not up


@dataclass(frozen=True, slots=True)
class JobRow:
    """The work that rigs have now."""

    job_id: str
    height: int
    prevhash: str
    transactions: int  # without the coinbase
    sats: int  # what the coinbase pays in all
    network_difficulty: float
    made_at: float


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened, in words."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Status:
    """Everything at one moment; newest blocks and events first."""

    version: str
    network: str
    now: float
    started_at: float
    fault: str = ""  # why rigs get no work; empty when they do
    hashrate: float = 0.0
    connections: int = 0
    rigs_total: int = 0
    shares: Mapping[str, int] = field(default_factory=dict)  # by verdict, since the start
    listens: Sequence[str] = ()  # host:port, where rigs connect
    job: JobRow | None = None
    nodes: Sequence[NodeRow] = ()
    rigs: Sequence[RigRow] = ()
    blocks: Sequence[BlockRow] = ()
    events: Sequence[EventRow] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain maps, lists and numbers under the names above."""
        return dataclasses.asdict(self)
