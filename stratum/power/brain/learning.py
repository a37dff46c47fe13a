"""What the site teaches: watts of each rig, response times of each firmware, factors of models.

Nameplates are ±5 % off and a hot board takes more than a cold one (`reference/power.md` §6), so a
rig's own watts, slowly averaged, replace the table; but only inside a band around it, for a
reading outside is more often a broken sensor than a broken table. Where a firmware tells no watts
the meter does: the step it makes when rigs of one such model start or stop.

Response times are learned from the command to the telemetry that shows its effect. A rig is asked
every few seconds, so nobody sees the moment itself; but every reading says whether it had happened
by then. Of those that were asked at about t95, 95 of 100 must have responded: the figure goes up by
a step of 0.95 for each that had not, and down by 0.05 for each that had (Robbins and Monro). How
often rigs are asked does not matter to where that comes to rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from stratum.power.brain.fleet import Fleet
from stratum.power.brain.state import RigState, Status
from stratum.power.brain.values import UNKNOWN_W, Flags, Ints

#: A reading moves the mean by a sixteenth: at one in 5 s that is 80 s of memory, about what a
#: board needs to warm up.
WATTS_SHIFT = 4
FULL_BAND_BP = (8_000, 12_000)  # of nameplate; ±5 % is usual, LuxOS profiles reach further
FULL_LEVEL_BP = 9_500  # an order from here up is an order to run at full power
IDLE_SPREAD_BP = 300  # of nameplate, above the table's idle draw: fans that go on

#: A waking rig counts as awake once it draws this much of its order.
AWAKE_BP = 8_000

#: Steps of the quantiles, in permille of the present value, for each reading.
GAIN_PERMILLE = 20
TIME_BAND = (2_500, 30_000)  # basis points of the firmware's table
NEAR = 7  # asked within a seventh of the time in question
MIDDLE, MOST = 500, 950  # t50 and t95, permille

FACTOR_BAND_BP = (8_500, 11_500)
STEP_LEAST_BP = 200  # of the meter: four times what class 0.5 cannot see
STEP_AGE_MS = 60_000


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """Times are (2, firmwares): row 0 going to sleep, row 1 waking. Never written to in place."""

    t50_ms: Ints
    t95_ms: Ints
    samples: Ints
    model_bp: Ints  # measured over nameplate, models whose firmware tells no watts

    @classmethod
    def fresh(cls, fleet: Fleet) -> Learned:
        table = _table_ms(fleet)
        return cls(
            t50_ms=table // 2,
            t95_ms=table,
            samples=np.zeros_like(table),
            model_bp=np.full(len(fleet.models), 10_000, np.int64),
        )

    def settle_ms(self, fleet: Fleet, *, down: bool) -> Ints:
        """t95 of each rig; dispatch adds the margin and writes `due_ms`."""
        settled: Ints = self.t95_ms[0 if down else 1][fleet.firmware]
        return settled


@dataclass(frozen=True, slots=True)
class Calm:
    """One feeder at a second when nothing moved under it."""

    feeder: int
    at_ms: int
    meter_w: int
    told_w: int  # rigs that tell watts
    nominal_w: tuple[int, ...]  # running rigs that do not, nameplate less idle, per model


@lru_cache(maxsize=4)  # of a fleet, which never changes
def idle_limit_w(fleet: Fleet) -> Ints:
    """The most that a sleeping rig draws: twice the table, or 3 % of nameplate above it."""
    return fleet.idle_w + np.maximum(fleet.idle_w, fleet.rated_w * IDLE_SPREAD_BP // 10_000)


def learn_watts(rigs: RigState, heard: Ints, fleet: Fleet, now_ms: int) -> None:
    """Average the readings of rigs in a state that is not in doubt into `learned_*`."""
    rig = heard[rigs.seen_w[heard] != UNKNOWN_W]
    told_w, status = rigs.seen_w[rig], rigs.status[rig]

    rated = fleet.rated_w[rig]
    order = rigs.ordered_w[rig]
    at_full = (order == UNKNOWN_W) | (order * 10_000 >= FULL_LEVEL_BP * rated)
    running = (status == Status.RUNNING) & at_full & (rigs.due_ms[rig] <= now_ms)
    low, high = (rated * bp // 10_000 for bp in FULL_BAND_BP)
    take = running & (rigs.hashing[rig] != 0) & (told_w >= low) & (told_w <= high)
    _average(rigs.learned_w, rig[take], told_w[take])

    asleep = (status == Status.SHED) & (rigs.hashing[rig] == 0)
    take = asleep & (told_w <= idle_limit_w(fleet)[rig])
    _average(rigs.learned_idle_w, rig[take], told_w[take])


def _average(means: Ints, rig: Ints, samples: Ints) -> None:
    """Rounded to nearest, so that the mean does not creep down by what shifting cuts off."""
    old = means[rig]
    moved = old + ((samples - old + (1 << WATTS_SHIFT - 1)) >> WATTS_SHIFT)
    means[rig] = np.where(old == UNKNOWN_W, samples, moved)


def learn_answers(learned: Learned, rigs: RigState, rig: Ints, fleet: Fleet) -> Learned:
    """Response times from the readings of these rigs since their last order. A rig that had to be
    told twice teaches nothing, nor does one that was there already."""
    order, told_w = rigs.ordered_w[rig], rigs.seen_w[rig]
    age_ms = rigs.seen_ms[rig] - rigs.ordered_ms[rig]
    limit_w = idle_limit_w(fleet)[rig]
    counts = (rigs.tries[rig] == 0) & (age_ms > 0) & (told_w != UNKNOWN_W)
    was_on = rigs.from_w[rig] > limit_w

    down, up = counts & (order == 0) & was_on, counts & (order > 0) & ~was_on
    slept, woke = told_w <= limit_w, told_w >= order * AWAKE_BP // 10_000
    learned = learn_times(learned, fleet, rig[down], age_ms[down], slept[down], down=True)
    return learn_times(learned, fleet, rig[up], age_ms[up], woke[up], down=False)


def learn_times(
    learned: Learned, fleet: Fleet, rig: Ints, age_ms: Ints, done: Flags, *, down: bool
) -> Learned:
    """So long after its order each rig had done it, or had not."""
    row = 0 if down else 1
    if not len(rig):
        return learned
    firmware = fleet.firmware[rig]
    table = _table_ms(fleet)[row]
    low, high = (table * bp // 10_000 for bp in TIME_BAND)
    samples = learned.samples.copy()

    def moved(quantile: Ints, permille: int) -> Ints:
        q = quantile[row]
        near = np.abs(age_ms - q[firmware]) * NEAR <= q[firmware]
        count = np.bincount(firmware[near], minlength=len(q))
        late = np.bincount(firmware[near & ~done], minlength=len(q))
        samples[row] += count
        # Up by q for each that was late, down by 1 - q for each that was not.
        push = permille * late - (1_000 - permille) * (count - late)
        # A thousand at once are ten steps, not a thousand past the mark.
        steps = push * np.minimum(count, 10) // np.maximum(count, 1)
        new = quantile.copy()
        new[row] = np.clip(q + q * GAIN_PERMILLE * steps // 1_000_000, low, high)
        return new

    t95_ms = moved(learned.t95_ms, MOST)
    t50_ms = np.minimum(moved(learned.t50_ms, MIDDLE), t95_ms)
    return replace(learned, t50_ms=t50_ms, t95_ms=t95_ms, samples=samples)


def learn_models(
    learned: Learned, calms: tuple[Calm, ...], now: tuple[Calm, ...]
) -> tuple[Learned, tuple[Calm, ...]]:
    """Compare each feeder's calm second with its last one: what the meter moved by is what the
    rigs of the one model that started or stopped take."""
    last = {calm.feeder: calm for calm in calms}
    model_bp = learned.model_bp
    for calm in now:
        before = last.get(calm.feeder)
        last[calm.feeder] = calm
        if before is None or calm.at_ms - before.at_ms > STEP_AGE_MS:
            continue
        steps = [new - old for new, old in zip(calm.nominal_w, before.nominal_w, strict=True)]
        moved = [model for model, step in enumerate(steps) if step]
        if len(moved) != 1:
            continue
        step_w = steps[moved[0]]
        if abs(step_w) * 10_000 < STEP_LEAST_BP * max(calm.meter_w, before.meter_w):
            continue
        seen_w = calm.meter_w - before.meter_w - (calm.told_w - before.told_w)
        found_bp = seen_w * 10_000 // step_w
        if FACTOR_BAND_BP[0] <= found_bp <= FACTOR_BAND_BP[1]:
            model_bp = model_bp.copy()
            model_bp[moved[0]] += (found_bp - model_bp[moved[0]]) // 4
    if model_bp is not learned.model_bp:
        learned = replace(learned, model_bp=model_bp)
    return learned, tuple(last.values())


def calm_seconds(
    meters: list[tuple[int, int]],
    moving: Ints,
    silent: Ints,
    present: Ints,
    rigs: RigState,
    fleet: Fleet,
    now_ms: int,
) -> tuple[Calm, ...]:
    """Feeders of `meters` (feeder, watts) under which nothing moves.

    `moving` counts rigs in transition or doubt under each feeder; `silent` are the rows of rigs
    that tell no watts.
    """
    found = []
    told_w = present.copy()
    told_w[silent] = 0
    told = fleet.by_feeder(told_w)
    on = silent[rigs.status[silent] == Status.RUNNING]
    nominal = np.zeros((len(fleet.models), len(fleet.feeders)), np.int64)
    np.add.at(nominal, (fleet.model[on], fleet.feeder[on]), fleet.rated_w[on] - fleet.idle_w[on])
    for child in range(len(fleet.feeders) - 1, 0, -1):
        nominal[:, fleet.parent[child]] += nominal[:, child]
    for feeder, meter_w in meters:
        if not moving[feeder]:
            steps = tuple(int(watts) for watts in nominal[:, feeder])
            found.append(Calm(feeder, now_ms, meter_w, int(told[feeder]), steps))
    return tuple(found)


def rescale(
    learned: Learned, factor_bp: int, under: Flags, silent: Ints, fleet: Fleet
) -> tuple[Learned, bool]:
    """A feeder's sum was found off by a factor: where most of its load tells no watts, it is the
    models' figures that were wrong. The flag says whether they were taken to be."""
    mute = silent[under[silent]]
    if 2 * int(fleet.rated_w[mute].sum()) <= int(fleet.rated_w[under].sum()):
        return learned, False
    models = np.unique(fleet.model[mute])
    model_bp = learned.model_bp.copy()
    model_bp[models] = np.clip(model_bp[models] * factor_bp // 10_000, *FACTOR_BAND_BP)
    return replace(learned, model_bp=model_bp), True


def apply_models(learned: Learned, rigs: RigState, silent: Ints, fleet: Fleet) -> None:
    """Rigs that tell no watts take what their model was measured to."""
    known = silent[learned.model_bp[fleet.model[silent]] != 10_000]
    factor = learned.model_bp[fleet.model[known]]
    rigs.learned_w[known] = fleet.rated_w[known] * factor // 10_000


def _table_ms(fleet: Fleet) -> Ints:
    down = [kind.down_dead_ms + kind.down_ramp_ms for kind in fleet.firmwares]
    up = [kind.up_dead_ms + kind.up_ramp_ms for kind in fleet.firmwares]
    return np.array([down, up], np.int64)
