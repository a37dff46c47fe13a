"""One look at the pool: what the page shows and the API answers.

The serve process knows what is alive now (`live`), the books know what was done (counts, rates);
a Status is both. Times are Unix seconds, rates H/s, money sats, hashes hex in display order; a
name that a peer chose is passed on as it came, and whoever shows it escapes it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

#: Rows of rigs in one look; `rigs_total` tells of the others. Ten thousand rows would cost more
#: than the shares of those rigs do.
RIGS_SHOWN = 200

#: Windows that hashrates are told over, by the names that a query may sort by.
WINDOWS = {"1m": 60, "10m": 600, "1h": 3600, "24h": 86400}

#: The one that stands where there is room for one.
MAIN_WINDOW = "10m"


@dataclass(frozen=True, slots=True)
class RateRow:
    """With 95 % confidence the hashrate is between `low` and `high`."""

    hashrate: float = 0.0
    low: float = 0.0
    high: float = 0.0
    seconds: float = 0.0  # that the figure covers


@dataclass(frozen=True, slots=True)
class RigRow:
    """One worker: what the books say of it, and its session where it is connected."""

    worker: str
    agent: str
    difficulty: float  # that its next share will have, or its last one had
    accepted: int
    rejected: int
    hashrate: float
    connected_at: float | None = None  # None: not connected, or not among the sessions named
    last_share_at: float | None = None
    account: str = ""
    sessions: int = 1
    rates: Mapping[str, RateRow] = field(default_factory=dict)  # by window
    rejects: Mapping[str, int] = field(default_factory=dict)  # by cause, without the zeros
    best: float | None = None  # difficulty of its best share
    efficiency: float | None = None  # accepted work over proved work, 24 hours


@dataclass(frozen=True, slots=True)
class GroupRow:
    """An account, or a tier by its address."""

    name: str
    accepted: int
    rejected: int
    rates: Mapping[str, RateRow] = field(default_factory=dict)
    rejects: Mapping[str, int] = field(default_factory=dict)
    best: float | None = None
    efficiency: float | None = None
    last_share_at: float | None = None

    def named(self, name: str) -> Self:
        return dataclasses.replace(self, name=name)


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """One bucket of history."""

    begins: int
    shares: int
    work: str  # the exact sum of weights, which JSON numbers can't hold
    difficulty: float  # the same as a sum of difficulties
    hashrate: float  # mean of the bucket, or of what has passed of it
    best: float | None
    rejects: Mapping[str, int]


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
    """Everything at one moment; newest blocks and events first.

    Counts and rates are of the books: since the log began, and as of `books_at`.
    """

    version: str
    network: str
    now: float
    started_at: float | None  # None: the serve process is away
    fault: str = ""  # why rigs get no work; empty when they do
    books_fault: str = ""  # why the books are not up to date; empty when they are
    books_at: float | None = None  # the moment the books are complete for
    hashrate: float = 0.0
    rates: Mapping[str, RateRow] = field(default_factory=dict)  # by window
    connections: int = 0
    rigs_total: int = 0  # connected now
    workers_total: int = 0  # that `rigs` is a part of
    shares: Mapping[str, int] = field(default_factory=dict)  # by verdict
    best: float | None = None
    last_share_at: float | None = None
    efficiency: float | None = None
    listens: Sequence[str] = ()  # host:port, where rigs connect
    job: JobRow | None = None
    nodes: Sequence[NodeRow] = ()
    tiers: Sequence[GroupRow] = ()
    accounts: Sequence[GroupRow] = ()
    rigs: Sequence[RigRow] = ()
    rigs_offset: int = 0  # place of the first of `rigs` among them all
    rigs_sort: str = ""  # what they are sorted by
    blocks: Sequence[BlockRow] = ()
    events: Sequence[EventRow] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain maps, lists and numbers under the names above."""
        return dataclasses.asdict(self)
