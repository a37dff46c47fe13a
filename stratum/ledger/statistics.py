"""What each worker, account, tier and the site did: counts since the log began, rates of late.

Fed with the rows that the fold gives, one per changed worker and second, and with the rejects
that the log has per worker and minute. It holds what a look at the pool needs and nothing else;
a worker that has been silent for two days leaves memory, and comes back from the database.

A rate is counted from the first news of a series: what came with it is where the time starts and
not part of what is counted, as n events after a first one over the time since it are an unbiased
rate, while n+1 are not.

Efficiency is a share of work and not of shares: of all work that rigs have proved, how much
counted, in difficulty. A reject has no difficulty in the log, so it is priced at its worker's
latest. Not every reject is lost work: a duplicate, a hash above its target and a malformed line
prove none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hashing.values import ShareSum
from stratum.ledger.effects import CAUSES, NOBODY, Rejects
from stratum.ledger.rates import Deltas, Rate, RateTable
from stratum.ledger.rollups import Sum
from stratum.mining.verdicts import Verdict
from stratum.units import DIFF1_TARGET, DifficultyScale

#: These rejects may have proved work that did not count.
LOST_WORK = frozenset(
    {
        Verdict.STALE,
        Verdict.UNKNOWN_JOB,
        Verdict.BAD_TIME,
        Verdict.BAD_VERSION,
        Verdict.LIMITED,
    }
)

#: A worker silent for so long leaves memory: twice the longest window.
FORGET_SECONDS = 48 * 3600.0

#: A system clock set back by more than this ends the rates; they begin anew.
_CLOCK_SLACK = 120.0


@dataclass(frozen=True, slots=True)
class KeptWork:
    """One worker's ten minutes on one tier, as the database kept them."""

    bucket: int  # its beginning, Unix seconds
    account_id: int
    worker_id: int
    listen: int
    shares: int
    work: int
    lost: int  # rejected shares that may have proved work


@dataclass(slots=True)
class Tally:
    """Everything about one series. Counts are since the log began."""

    row: int  # of the RateTable
    name: str = ""  # as people know it: account, or account.worker
    account_id: int = NOBODY
    seen_us: int = 0  # when anything was last heard of it, Unix microseconds
    shares: int = 0
    work: int = 0  # sum of weights
    best: int = 0  # as records.best_of() has it; 0: no share yet
    since: float | None = None  # about the first share's time, Unix seconds
    last_us: int = 0
    difficulty: float = 0.0  # of its latest share
    rejected: list[int] = field(default_factory=lambda: [0] * len(CAUSES))


class Statistics:
    """`workers`, `accounts` and `tiers` are read by whoever shows them, and changed only here."""

    def __init__(self, scale: DifficultyScale) -> None:
        self._scale = scale
        self.table = RateTable()
        self._begin()

    def _begin(self) -> None:
        self.workers: dict[int, Tally] = {}
        self.accounts: dict[int, Tally] = {}
        self.tiers: dict[int, Tally] = {}
        self.site = Tally(self.table.add_row(0.0))

    @property
    def as_of(self) -> float:
        """The moment that everything here is complete for, Unix seconds."""
        return self.table.as_of

    def missing_workers(self, worker_ids: Iterable[int]) -> set[int]:
        """Those that must be introduced before anything of theirs is counted."""
        return set(worker_ids).difference(self.workers)

    def missing_accounts(self, account_ids: Iterable[int]) -> set[int]:
        return set(account_ids).difference(self.accounts)

    def add_account(self, account_id: int, name: str, seen_us: int) -> Tally:
        """Introduce an account; one that is known already keeps its counts."""
        tally = self.accounts.get(account_id)
        if tally is None:
            row = self.table.add_row(0.0)
            tally = self.accounts[account_id] = Tally(row, name, account_id, seen_us)
        return tally

    def add_worker(self, worker_id: int, account_id: int, name: str, seen_us: int) -> Tally:
        """Introduce a worker of a known account, by its own name, which may be empty."""
        tally = self.workers.get(worker_id)
        if tally is None:
            account = self.accounts[account_id]
            account.seen_us = max(account.seen_us, seen_us)
            full_name = f"{account.name}.{name}" if name else account.name
            row = self.table.add_row(0.0)
            tally = self.workers[worker_id] = Tally(row, full_name, account_id, seen_us)
        return tally

    def tier(self, listen: int) -> Tally:
        tally = self.tiers.get(listen)
        if tally is None:
            tally = self.tiers[listen] = Tally(self.table.add_row(0.0))
        return tally

    def apply(self, sums: Iterable[ShareSum]) -> None:
        """Count accepted shares, given by minute.

        Raises KeyError for a worker that nobody introduced.
        """
        columns = _Columns()
        groups: dict[tuple[int, int, int], _Group] = {}
        last_us = 0
        for each in sums:
            worker = self.workers[each.worker_id]
            work = self._scale.difficulty(each.work)
            square = work * work / each.shares
            if self._count(worker, each, work):
                columns.add(worker.row, each.minute, work, square)
            # Workers are many and their groups few: groups are counted once they are added up.
            key = (each.minute, worker.account_id, each.listen)
            group = groups.get(key)
            if group is None:
                group = groups[key] = _Group()
            group.add(each, work, square)
            last_us = max(last_us, each.last_us)

        for (minute, account_id, listen), group in groups.items():
            for tally in (self.accounts[account_id], self.tier(listen), self.site):
                if self._count(tally, group, group.difficulty):
                    columns.add(tally.row, minute, group.difficulty, group.squares)
        self.table.advance(last_us / 1e6)
        self.table.add(columns.deltas())

    def reject(self, rejects: Rejects) -> None:
        """Count rejected shares; those of nobody count for the tier and the site alone."""
        worker = self.workers.get(rejects.worker_id)
        tallies: tuple[Tally, ...] = (self.tier(rejects.listen), self.site)
        if worker is not None:
            tallies = self._series_of(worker, rejects.listen)
        difficulty = tallies[0].difficulty
        lost = difficulty * lost_shares(rejects.counts)
        for tally in tallies:
            tally.seen_us = max(tally.seen_us, rejects.time_us)
            tally.rejected = list(map(int.__add__, tally.rejected, rejects.counts))
            if lost:
                self.table.add_lost(tally.row, rejects.time_us // 60_000_000, lost)

    def advance(self, now: float) -> None:
        """The log has been read to its end: what is missing up to `now` did not happen."""
        if now < self.as_of - _CLOCK_SLACK:
            self.table.begin(now)  # the system's clock was set back: buckets lie in the future
        self.table.advance(now)

    def forget_idle(self) -> None:
        """Let go of the workers and accounts that nothing was heard of for long."""
        limit = (self.as_of - FORGET_SECONDS) * 1e6
        for tallies in (self.workers, self.accounts):
            for number in [key for key, tally in tallies.items() if tally.seen_us < limit]:
                self.table.drop_row(tallies.pop(number).row)

    def restore(self, tally: Tally, totals: Sum) -> None:
        """Go on from what the database knows of a series that was just introduced."""
        tally.shares = totals.shares
        tally.work = totals.work
        tally.best = totals.best
        tally.last_us = totals.last_us
        tally.rejected = list(totals.rejected)
        if totals.since is not None:
            tally.since = totals.since
            tally.difficulty = self._scale.difficulty(totals.work) / totals.shares
            self.table.start_row(tally.row, tally.since)

    def restore_work(self, kept: Iterable[KeptWork]) -> None:
        """Fill the ten-minute buckets of the workers that are known; begin_at() comes first."""
        columns = _Columns()
        for each in kept:
            worker = self.workers.get(each.worker_id)
            if worker is None:
                continue
            work = self._scale.difficulty(each.work)
            square = work * work / each.shares if each.shares else 0.0
            lost = each.lost * (work / each.shares if each.shares else worker.difficulty)
            for tally in self._series_of(worker, each.listen):
                columns.add(tally.row, each.bucket // 60, work, square, lost)
        self.table.add_coarse(columns.deltas(), np.array(columns.lost))

    def begin_at(self, moment: float) -> None:
        """The rates know nothing from before this moment, but for what restore_work() brings."""
        self.table.begin(moment)

    def rates(self, tallies: Sequence[Tally]) -> list[tuple[Rate, ...]]:
        """For each series one Rate per rates.WINDOWS."""
        difficulties = [each.difficulty for each in tallies]
        return self.table.rates([each.row for each in tallies], difficulties)

    def efficiencies(self, tallies: Sequence[Tally]) -> list[float | None]:
        """Of the last 24 hours; None where no work was proved."""
        return self.table.efficiencies([each.row for each in tallies])

    def hashrates(self, tallies: Sequence[Tally], seconds: int) -> list[float]:
        """H/s of many series over one window, to sort them by."""
        found: list[float] = self.table.hashrates([each.row for each in tallies], seconds).tolist()
        return found

    def _series_of(self, worker: Tally, listen: int) -> tuple[Tally, ...]:
        return (worker, self.accounts[worker.account_id], self.tier(listen), self.site)

    def _count(self, tally: Tally, each: ShareSum | _Group, work: float) -> bool:
        """Add one row; False for the first news of a series, from which its rates count."""
        is_first = not tally.shares
        if is_first:
            tally.since = each.last_us / 1e6
            self.table.start_row(tally.row, tally.since)
        tally.shares += each.shares
        tally.work += each.work
        tally.best = max(tally.best, each.best)
        tally.last_us = max(tally.last_us, each.last_us)
        tally.seen_us = max(tally.seen_us, each.last_us)
        tally.difficulty = work / each.shares
        return not is_first


@dataclass(slots=True)
class _Group:
    """What the workers of one account on one tier did in one minute."""

    shares: int = 0
    work: int = 0
    best: int = 0
    last_us: int = 0
    difficulty: float = 0.0  # of the work
    squares: float = 0.0

    def add(self, each: ShareSum, difficulty: float, square: float) -> None:
        self.shares += each.shares
        self.work += each.work
        self.best = max(self.best, each.best)
        self.last_us = max(self.last_us, each.last_us)
        self.difficulty += difficulty
        self.squares += square


class _Columns:
    """Collects what to add to the RateTable."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.minutes: list[int] = []
        self.work: list[float] = []
        self.squares: list[float] = []
        self.lost: list[float] = []

    def add(self, row: int, minute: int, work: float, square: float, lost: float = 0.0) -> None:
        self.rows.append(row)
        self.minutes.append(minute)
        self.work.append(work)
        self.squares.append(square)
        self.lost.append(lost)

    def deltas(self) -> Deltas:
        return Deltas(
            np.array(self.rows, np.int64),
            np.array(self.minutes, np.int64),
            np.array(self.work, np.float64),
            np.array(self.squares, np.float64),
        )


def lost_shares(counts: Iterable[int]) -> int:
    """How many rejects, counted in the order of CAUSES, may have proved work."""
    return sum(count for cause, count in zip(CAUSES, counts, strict=True) if cause in LOST_WORK)


def difficulty_of_best(best: int) -> float | None:
    """The difficulty that a hash had at least, from records.best_of(); None: there was none."""
    if not best:
        return None
    zeros, following = best >> 8, best & 0xFF
    if best == 0xFFFF:
        return float(DIFF1_TARGET)
    return DIFF1_TARGET / ((following + 1) << 248) * 2.0**zeros
