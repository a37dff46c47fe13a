"""What devices say and what work proves, kept so that a verdict can be asked of it each second.

A device's word is its last telemetry with its age; of two readings the younger counts, whichever
arrived first. Work is the witness that no firmware can talk round: a share is hashing, wherever
the API says the rig is. It is kept per worker name, the sum of the last minute beside three
expectations that were added up over the same minute from what the rigs of that name were thought
to do:

    least    the rigs that surely run
    most     every rig that may: those in transition, silent or suspect included
    honest   `most` without rigs that said "asleep" and were caught working

What arrives above `most` comes from a rig that claims to sleep; what is missing below `least` is
hashed for someone else or not at all. A sum of n shares has a sigma of its own, sqrt(sum d^2)
(`reference/power.md` §7.4). A name of one rig needs no statistics: one share is proof.

Sums are whole numbers; the square root is one correctly rounded operation an element, so a replay
finds the same verdicts everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from stratum.power.brain.fleet import Fleet
from stratum.power.brain.state import NEVER, RigState, Status, one_of
from stratum.power.brain.values import UNKNOWN_W, DeviceReadings, Flags, Ints, WorkReadings

#: The window: sigma of one rig at 12 shares a minute is 29 %, of a hundred 2.9 %.
BUCKET_MS = 5_000
BUCKETS = 12
LATELY = 3  # buckets: 10 to 15 s

#: Rows of the sums below.
SHARES, WORK, SQUARES, LEAST, MOST, HONEST = range(6)

#: `SQUARES` is kept in units of 2^20: a minute of 10,000 rigs under one name stays below 2^63.
SQUARES_SHIFT = 20

#: A rig of 1 GH/s does 1,000 * 10^9 / 2^32 units of work in 1,000 s: 244,140,625 / 2^20 a second.
WORK_PER_GHS, WORK_SHIFT = 244_140_625, 20

SIGMAS = 3
#: What rigs do more or less than their table says, before luck.
SPREAD_BP = 300

#: A silence longer than this many mean intervals is one. The reference says 10, but e^-10 of all
#: gaps are that long by luck: at 10,000 rigs one each 11 s. e^-20 is one in three days.
QUIET_INTERVALS = 20
#: Between two shares of a rig whose difficulty is not known yet (`reference/power.md` §7.4: 6 to
#: 20 a minute), and the bounds of what is believed once it is.
INTERVAL_MS, INTERVAL_LEAST_MS, INTERVAL_MOST_MS = 10_000, 1_000, 600_000


_MAY_WORK = ~one_of(Status.SHED, Status.SHEDDING)


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """The last minute of every worker name; arrays are never written to once they are in here."""

    number: int  # of the newest bucket: now // BUCKET_MS
    buckets: tuple[Ints, ...]  # (rows, groups), oldest first; the last one is being filled
    total: Ints  # their sum
    until_ms: int  # expectations are counted up to here
    mean: Ints  # work of a share, per group; 0 until one came
    busy_ms: Ints  # last time that a rig of the group may have worked
    suspected_ms: Ints  # last time that a sleeper of the group was found working
    proof: Flags  # work came this second although none of the group may have worked
    last_ms: int  # last work of anyone

    @classmethod
    def fresh(cls, fleet: Fleet) -> Work:
        groups = len(fleet.groups)
        # Expectations are of use to shared names alone.
        rows = HONEST + 1 if is_shared(fleet).any() else SQUARES + 1
        none = np.zeros((rows, groups), np.int64)
        return cls(
            number=0,
            buckets=(none,),
            total=none,
            until_ms=NEVER,
            mean=np.zeros(groups, np.int64),
            busy_ms=np.full(groups, NEVER, np.int64),
            suspected_ms=np.full(groups, NEVER, np.int64),
            proof=np.zeros(groups, np.bool_),
            last_ms=NEVER,
        )


def hear(
    rigs: RigState, slept_ms: Ints, devices: DeviceReadings, idle_limit_w: Ints, now_ms: int
) -> Ints:
    """Write telemetry into the state, and into `slept_ms` since when each rig says it sleeps and
    draws no more than a sleeper.

    Returns the rigs heard. A reading older than the last one of its rig tells nothing new; one
    from the future is a broken clock and would never age, so it tells nothing at all.
    """
    counts = (devices.at_ms > rigs.seen_ms[devices.rig]) & (devices.at_ms <= now_ms)
    rig, at_ms = devices.rig[counts], devices.at_ms[counts]
    watts, word = devices.watts[counts], devices.hashing[counts]

    rigs.seen_ms[rig] = at_ms
    rigs.seen_w[rig] = np.where(watts < 0, UNKNOWN_W, watts)
    rigs.hashing[rig] = word
    since = slept_ms[rig]
    # Firmware without a word for it says by its watts that it sleeps.
    asleep = ((word == 0) | ((word < 0) & (watts >= 0))) & (watts <= idle_limit_w[rig])
    slept_ms[rig] = np.where(asleep, np.where(since == NEVER, at_ms, since), NEVER)
    return rig


@lru_cache(maxsize=4)  # of a fleet, which never changes
def rate(fleet: Fleet) -> Ints:
    """Work a second of each rig at full power, in the units of `WorkReadings`."""
    return fleet.ghs * WORK_PER_GHS >> WORK_SHIFT


@lru_cache(maxsize=4)
def _rate_per_w(fleet: Fleet) -> Ints:
    """Of each rig, in units of 2^-10."""
    return (rate(fleet) << 10) // np.maximum(fleet.rated_w, 1)


def level_rate(rigs: RigState, fleet: Fleet) -> Ints:
    """The same at the level each rig was ordered to; in proportion, which errs by little and low:
    rigs are more efficient at less power."""
    ordered = np.where(rigs.ordered_w > 0, rigs.ordered_w, fleet.rated_w)
    return np.minimum(ordered, fleet.rated_w) * _rate_per_w(fleet) >> 10


def may_work(rigs: RigState, now_ms: int, margin_ms: int) -> Flags:
    """Rigs whose work would surprise nobody."""
    falling = (rigs.status == Status.SHEDDING) & (now_ms < rigs.due_ms - margin_ms)
    may: Flags = falling | _MAY_WORK[rigs.status]
    return may


def gather(
    work: Work,
    readings: WorkReadings,
    rigs: RigState,
    caught: Flags,
    parked: Flags,
    fleet: Fleet,
    now_ms: int,
    margin_ms: int,
    *,
    is_supplied: bool,
) -> Work:
    """Add what came since the last tick, and what should have come; writes `rigs.worked_ms`.

    `worked_ms` becomes the *beginning* of the interval in which shares came: they are surely not
    older. Without a supply of work (upstream lost) nobody is expected to do any.
    """
    groups = len(fleet.groups)
    came = readings.shares > 0
    group = readings.group[came]

    added = np.zeros_like(work.total)
    np.add.at(added[SHARES], group, readings.shares[came])
    np.add.at(added[WORK], group, readings.work[came])
    np.add.at(added[SQUARES], group, np.maximum(readings.squares[came], 0) >> SQUARES_SHIFT)
    elapsed_ms = 0 if work.until_ms == NEVER else min(now_ms - work.until_ms, BUCKET_MS)
    busy_ms, proof = work.busy_ms, work.proof
    if is_shared(fleet).any():
        may = may_work(rigs, now_ms, margin_ms) & ~parked
        if is_supplied:
            due = level_rate(rigs, fleet) * elapsed_ms // 1_000
            np.add.at(added[LEAST], fleet.group, np.where(rigs.status == Status.RUNNING, due, 0))
        full = rate(fleet) * elapsed_ms // 1_000
        np.add.at(added[MOST], fleet.group, np.where(may, full, 0))
        np.add.at(added[HONEST], fleet.group, np.where(may & ~caught, full, 0))
        busy_ms = busy_ms.copy()
        busy_ms[fleet.group[may]] = now_ms
        proof = np.zeros(groups, np.bool_)
        proof[group] = readings.from_ms > busy_ms[group]

    slid = _slide(work, now_ms // BUCKET_MS)
    total = slid.total + added
    mean = work.mean
    if len(group):
        mean = mean.copy()
        mean[group] = total[WORK, group] // total[SHARES, group]
        arrived = np.full(groups, NEVER, np.int64)
        arrived[group] = readings.from_ms
        rigs.worked_ms = np.maximum(rigs.worked_ms, arrived[fleet.group])
    return replace(
        slid,
        buckets=(*slid.buckets[:-1], slid.buckets[-1] + added),
        total=total,
        until_ms=now_ms,
        mean=mean,
        busy_ms=busy_ms,
        proof=proof,
        last_ms=max(work.last_ms, readings.from_ms) if len(group) else work.last_ms,
    )


def _slide(work: Work, number: int) -> Work:
    """Begin a new bucket where its time has come, and forget those that left the window."""
    steps = number - work.number
    if steps <= 0:
        return work
    none = np.zeros_like(work.total)
    kept = (*work.buckets, *(none for _ in range(min(steps, BUCKETS + 1))))
    gone, kept = kept[: -BUCKETS - 1], kept[-BUCKETS - 1 :]
    return replace(work, number=number, buckets=kept, total=work.total - sum(gone, none))


def sigma(total: Ints) -> Ints:
    """One sigma of the work in the window, per group.

    At least work / sqrt(shares), which it is for shares of one difficulty: a bound of Cauchy and
    Schwarz that holds where the squares did not fit or were not given.
    """
    by_squares = np.sqrt(total[SQUARES].astype(np.float64)) * (1 << SQUARES_SHIFT // 2)
    by_count = total[WORK] / np.sqrt(np.maximum(total[SHARES], 1).astype(np.float64))
    bounded: Ints = np.minimum(np.maximum(by_squares, by_count), total[WORK]).astype(np.int64)
    return bounded


def interval_ms(work: Work, rigs: RigState, fleet: Fleet) -> Ints:
    """Mean time between two shares of each rig at its ordered level."""
    mean = work.mean[fleet.group]
    known = mean * 1_000 // np.maximum(level_rate(rigs, fleet), 1)
    bounded = np.clip(known, INTERVAL_LEAST_MS, INTERVAL_MOST_MS)
    return np.where(mean > 0, bounded, INTERVAL_MS)


def quiet_ms(work: Work, rigs: RigState, fleet: Fleet) -> Ints:
    """How long a rig must be without work before that says something."""
    return QUIET_INTERVALS * interval_ms(work, rigs, fleet)


@lru_cache(maxsize=4)
def is_shared(fleet: Fleet) -> Flags:
    """Groups of more than one rig."""
    return np.bincount(fleet.group, minlength=len(fleet.groups)) > 1


@dataclass(frozen=True, slots=True)
class GroupVerdict:
    """A worker name whose work does not fit its rigs, in rigs' worth of the name's mean rig."""

    group: int
    rigs_hundredths: int  # work came from so many, in hundredths of a rig
    sigma_hundredths: int
    expected_hundredths: int
    sleepers_working: int  # so many that claim to sleep hash
    runners_missing: int  # so many that claim to hash do not, or elsewhere

    def told(self, name: str) -> str:
        return (
            f"work of {self.rigs_hundredths / 100:.1f} ± {self.sigma_hundredths / 100:.1f} rigs "
            f"comes under {name}, {self.expected_hundredths / 100:.1f} should run"
        )


def judge_groups(work: Work, fleet: Fleet) -> tuple[tuple[GroupVerdict, ...], Flags]:
    """Shared names that hash beyond `most` or below `least`, and for which groups even the honest
    rigs explain all work of a minute in which somebody was suspected: there nobody lies any more.

    Two windows are asked. In the minute a few of many show; in the last quarter of it many show at
    once, without the noise of what ran before.
    """
    shared = is_shared(fleet)
    minute, lately = work.total, np.sum(work.buckets[-LATELY:], axis=0)
    span_ms = work.until_ms % BUCKET_MS
    minute_ms = BUCKET_MS * (len(work.buckets) - 1) + span_ms
    lately_ms = BUCKET_MS * (min(LATELY, len(work.buckets)) - 1) + span_ms

    above_minute, above_lately = shared & _is_above(minute), shared & _is_above(lately)
    below = shared & _is_below(minute, work.mean)
    is_over = work.until_ms - work.suspected_ms > BUCKET_MS * (BUCKETS + 1)
    calm: Flags = is_over & (minute[WORK] <= _bound(minute, HONEST))

    verdicts = []
    for group in np.flatnonzero(above_minute | above_lately | below | (shared & work.proof)):
        members = fleet.group == group
        mean_rate = int(rate(fleet)[members].sum()) // int(members.sum())

        def rigs_of(amount: int, span_ms: int, mean_rate: int = mean_rate) -> int:
            return amount * 100 // max(mean_rate * max(span_ms, 1_000) // 1_000, 1)

        over = max(
            rigs_of(int(minute[WORK, group] - minute[MOST, group]), minute_ms),
            rigs_of(int(lately[WORK, group] - lately[MOST, group]), lately_ms),
        )
        works = above_minute[group] or above_lately[group] or work.proof[group]
        missing = rigs_of(int(minute[LEAST, group] - minute[WORK, group]), minute_ms)
        verdicts.append(
            GroupVerdict(
                group=int(group),
                rigs_hundredths=rigs_of(int(minute[WORK, group]), minute_ms),
                sigma_hundredths=rigs_of(int(sigma(minute)[group]), minute_ms),
                expected_hundredths=rigs_of(int(minute[LEAST, group]), minute_ms),
                sleepers_working=max(1, (over + 50) // 100) if works else 0,
                runners_missing=(missing + 50) // 100 if below[group] else 0,
            )
        )
    return tuple(verdicts), calm


def _bound(sums: Ints, row: int) -> Ints:
    """The most work that this expectation and luck explain."""
    bound: Ints = sums[row] + sums[row] * SPREAD_BP // 10_000 + SIGMAS * sigma(sums)
    return bound


def _is_above(sums: Ints) -> Flags:
    above: Flags = sums[WORK] > _bound(sums, MOST)
    return above


def _is_below(sums: Ints, mean: Ints) -> Flags:
    """The sigma of what should have come, not of the little that did."""
    roots = np.sqrt(mean.astype(np.float64)) * np.sqrt(sums[LEAST].astype(np.float64))
    luck = SIGMAS * np.maximum(roots.astype(np.int64), sigma(sums))
    below: Flags = sums[LEAST] - sums[WORK] > luck + sums[LEAST] * SPREAD_BP // 10_000
    return below


def settle(work: Work, groups: Sequence[int]) -> Work:
    """What was found in these groups has been acted on: it is no news in the next tick."""
    if not groups:
        return work
    newest, total, suspected_ms = (
        work.buckets[-1].copy(),
        work.total.copy(),
        work.suspected_ms.copy(),
    )
    lately = np.sum(work.buckets[-LATELY:], axis=0)
    for group in groups:
        over = max(0, *(int(sums[WORK, group] - sums[MOST, group]) for sums in (total, lately)))
        newest[MOST, group] += over
        total[MOST, group] += over
        suspected_ms[group] = work.until_ms
    return replace(
        work, buckets=(*work.buckets[:-1], newest), total=total, suspected_ms=suspected_ms
    )


def worked_w(work: Work, fleet: Fleet) -> int | None:
    """The load that the last minute of work stands for, from each name's own watts per hash; None
    before the window is full."""
    if len(work.buckets) <= BUCKETS:
        return None
    span_ms = BUCKET_MS * BUCKETS + work.until_ms % BUCKET_MS
    rates, watts = _of_groups(fleet)
    full = rates * (span_ms / 1_000)
    return int((work.total[WORK] / full * watts).astype(np.int64).sum())


@lru_cache(maxsize=4)
def _of_groups(fleet: Fleet) -> tuple[Ints, Ints]:
    """Rate and watts of each name's rigs together."""
    groups = len(fleet.groups)
    rates, watts = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    np.add.at(rates, fleet.group, rate(fleet))
    np.add.at(watts, fleet.group, fleet.rated_w)
    return np.maximum(rates, 1), watts
