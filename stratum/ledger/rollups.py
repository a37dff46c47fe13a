"""From folded shares and records to the rows that the database adds up.

The database keeps ten minutes, hours and days per worker and tier, and the totals since the log
began. A Batch collects what a run of the log adds to them, under the range of records that it
came from; batch and cursor are committed in one transaction, so every record counts once.

All sums here are sums or maxima of whole numbers, hence the same rows come out however the log
is cut into batches. That is why `since` is a minute and not the first share's time, which the
fold does not tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from hashing.values import ShareSum
from stratum.ledger.effects import (
    CAUSES,
    AccountAdded,
    BlockKept,
    Effect,
    FateKept,
    Rejects,
    WorkerAdded,
)

_DAY = 86400


class Span(NamedTuple):
    """A length of time that is kept as rows."""

    name: str
    seconds: int
    kept_seconds: int | None  # None: for ever


#: Ledger §2.3. Minutes live in memory alone: 144 million rows a day at 100,000 workers.
SPANS = (
    Span("10min", 600, 14 * _DAY),
    Span("hour", 3600, 400 * _DAY),
    Span("day", _DAY, None),
)


class SumKey(NamedTuple):
    """What sums are kept apart by; `bucket` is where one of SPANS[0] begins, Unix seconds."""

    bucket: int
    account_id: int
    worker_id: int
    listen: int


@dataclass(slots=True)
class Sum:
    """What one worker did on one tier in some time."""

    shares: int = 0
    work: int = 0
    best: int = 0
    #: The beginning of the minute of the first share, Unix seconds; None before it.
    since: int | None = None
    last_us: int = 0
    rejected: tuple[int, ...] = (0,) * len(CAUSES)

    def add(self, other: Sum) -> None:
        self.shares += other.shares
        self.work += other.work
        self.best = max(self.best, other.best)
        if other.since is not None:
            self.since = other.since if self.since is None else min(self.since, other.since)
        self.last_us = max(self.last_us, other.last_us)
        self.add_rejected(other.rejected)

    def add_work(self, work: ShareSum) -> None:
        begins = work.minute * 60
        self.shares += work.shares
        self.work += work.work
        self.best = max(self.best, work.best)
        self.since = begins if self.since is None else min(self.since, begins)
        self.last_us = max(self.last_us, work.last_us)

    def add_rejected(self, counts: tuple[int, ...]) -> None:
        self.rejected = tuple(map(int.__add__, self.rejected, counts))


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the books have read.

    The last record read says which log it was: a log that lost its tail in a power cut and grew
    again has another one there.
    """

    next_index: int = 0
    last_leaf: bytes = b""  # of record next_index - 1
    edge: bytes = b""  # the Merkle tree's right edge over all records before next_index


@dataclass(slots=True)
class Batch:
    """What the records from `start` to `end` add to the database."""

    start: Cursor
    end: Cursor
    accounts: list[AccountAdded] = field(default_factory=list)
    workers: list[WorkerAdded] = field(default_factory=list)
    blocks: list[BlockKept | FateKept] = field(default_factory=list)
    #: In ten minutes; longer spans are added up from these.
    sums: dict[SumKey, Sum] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return self.end.next_index == self.start.next_index

    @property
    def size(self) -> int:
        """How much memory it costs, in rows."""
        return len(self.sums) + len(self.accounts) + len(self.workers) + len(self.blocks)

    def add(self, works: Iterable[ShareSum], effects: Iterable[Effect], end: Cursor) -> None:
        """The records from the batch's end up to `end`."""
        self.add_works(works)
        for effect in effects:
            self.add_effect(effect)
        self.end = end

    def add_works(self, works: Iterable[ShareSum]) -> None:
        """A part of what add() takes; its end must follow before the batch is committed."""
        for work in works:
            self._sum(work.minute * 60, work.account_id, work.worker_id, work.listen).add_work(work)

    def add_effect(self, effect: Effect) -> None:
        match effect:
            case AccountAdded():
                self.accounts.append(effect)
            case WorkerAdded():
                self.workers.append(effect)
            case BlockKept() | FateKept():
                self.blocks.append(effect)
            case Rejects(time_us, account_id, worker_id, listen, counts):
                self._sum(time_us // 1_000_000, account_id, worker_id, listen).add_rejected(counts)

    def _sum(self, seconds: int, account_id: int, worker_id: int, listen: int) -> Sum:
        bucket = seconds - seconds % SPANS[0].seconds
        key = SumKey(bucket, account_id, worker_id, listen)
        found = self.sums.get(key)
        if found is None:
            found = self.sums[key] = Sum()
        return found
