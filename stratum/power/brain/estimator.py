"""What the load is, and what it will be when every command has worked.

A meter shows the past by its delay, and commands take seconds to minutes to show. Whoever compares
the target with the meter alone sheds twice. So every rig has a predicted course (from what it took,
after a dead time, along a ramp, to what it was ordered), and the meter corrects the sum of them:

    settled(t)  = meter(s) + sum(assumed - predicted(s))         s: when the meter's sample was true
    ahead(t, h) = meter(s) + sum(predicted(t + h) - predicted(s))

The difference between meter and prediction, the bias, holds all that is not modelled: cooling,
drift, rigs that are not ours. It counts raw where it says more load and smoothed where it says
less (§7.2: raw for shedding, filtered for restoring). A verdict that moves a rig from asleep to
its worst, or back, moves the prediction and not the load: the smoothed bias takes it out in the
same tick, or every verdict would be made up for twice.

Without a meter the devices' sum stands in, five per cent dearer; without those the model, at the
worst of what each rig may take. Nothing unknown is 0. A device that was asked before its last order
had time to work tells of the past and counts by its course: else every shed would be answered by
another one, down to nothing.

A meter that shows one and the same figure while the load must have moved is frozen, whatever its
clock says, and is not believed until it shows another, or the devices have said the same for a
minute. One that stands still with a load that stands still is only precise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Settings
from stratum.power.brain.state import RigState, Status, one_of
from stratum.power.brain.values import UNKNOWN_W, Inputs, Ints, MeterReading, Quality

SMOOTHING = 8  # samples: a meter of 0.5 % noise leaves 0.1 % in the smoothed bias
FULL_BP = 10_000
DARK_BP = 500  # of what hangs under a feeder
FROZEN_MS = 10_000  # a settlement meter's last digit does not stand for ten samples under load
THAWED_MS = 60_000  # what passes by a frozen figure does not stay there so long
FROZEN_BP = 200  # of what hangs under it: the load must have moved by this much meanwhile
_OBEYS = one_of(Status.RUNNING, Status.SHEDDING, Status.SHED, Status.WAKING)


@dataclass(frozen=True, slots=True)
class MeterView:
    """One feeder's meter now. `true_ms` is when, monotonic, its last sample was true."""

    feeder: int
    power_w: int | None
    true_ms: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class MeterMemory:
    """The last sample that could be used, when it was true, and its feeder's smoothed bias.

    `since_ms`: since when it has shown this figure; `then_w`: the load as predicted for that time;
    `is_frozen`: the load has moved since then, so that the figure is not believed any more;
    `borne_ms`: since when the devices say the same all the same, None while they don't.
    """

    power_w: int | None = None
    true_ms: int = 0
    bias_w: int | None = None
    since_ms: int = 0
    then_w: int | None = None
    is_frozen: bool = False
    borne_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """The load under one feeder."""

    measured_w: int | None  # as the meter or the devices say, now
    source: str  # "meter", "devices", "model"
    settled_w: int  # when all commands have worked
    ahead_w: int  # at the horizon of the trim group


def read_meters(
    memory: dict[str, MeterMemory],
    inputs: Inputs,
    settings: Settings,
    fleet: Fleet,
    wall_ms: int,
) -> tuple[dict[str, MeterMemory], dict[int, MeterView]]:
    """Take this tick's samples; say of each metered feeder what its meter shows and if it counts.

    A sample's age is that of the sample: a reading that was late on the wire is old on arrival.
    `wall_ms` is UTC as `clocks` believes it; a register without a clock was stamped by ours, right
    or wrong, so the closer of the two counts.
    """
    rows = {feeder.name: row for row, feeder in enumerate(fleet.feeders)}
    latest: dict[int, MeterReading] = {}
    for reading in inputs.meters:
        known = latest.get(reading.feeder)
        usable = reading.power_w is not None and reading.quality is not Quality.BAD
        if usable and (known is None or reading.event_ms >= known.event_ms):
            latest[reading.feeder] = reading

    memory, views = dict(memory), {}
    for meter in settings.meters:
        if (row := rows.get(meter.feeder)) is None:
            continue
        kept = memory.get(meter.feeder, MeterMemory())
        if (sample := latest.get(row)) is not None:
            age_ms = min(abs(wall - sample.event_ms) for wall in (wall_ms, inputs.wall_ms))
            kept = after(kept, sample.power_w, inputs.now_ms - age_ms - meter.delay_ms)
        memory[meter.feeder] = kept
        age_ms = inputs.now_ms - kept.true_ms
        fresh = kept.power_w is not None and age_ms <= meter.max_age_ms
        views[row] = MeterView(row, kept.power_w, kept.true_ms, fresh)
    return memory, views


def after(kept: MeterMemory, power_w: int | None, true_ms: int) -> MeterMemory:
    """What is remembered once a sample has come, true at `true_ms`, monotonic."""
    if power_w == kept.power_w:
        return replace(kept, true_ms=true_ms)
    return MeterMemory(power_w, true_ms, kept.bias_w, since_ms=true_ms)


def predicted_w(rigs: RigState, fleet: Fleet, at_ms: int, assumed_w: Ints) -> Ints:
    """What each rig takes at a time, by its last command and its firmware's course.

    Only rigs on their way are worked out: what nobody ordered, or does not obey, has no course, and
    what has arrived takes what it is counted at.
    """
    on_way = (rigs.ordered_ms > at_ms - slowest_ms(fleet)) & (rigs.from_w != UNKNOWN_W)
    rows = np.flatnonzero(on_way & _OBEYS[rigs.status])
    sleeping = rigs.ordered_w[rows] == 0
    waking = rigs.from_w[rows] <= rigs.asleep_w(fleet)[rows]

    def course(down: Ints, up: Ints, trim: Ints) -> Ints:
        return np.where(sleeping, down[rows], np.where(waking, up[rows], trim[rows]))

    dead_ms = course(fleet.down_dead_ms, fleet.up_dead_ms, fleet.trim_dead_ms)
    ramp_ms = course(fleet.down_ramp_ms, fleet.up_ramp_ms, fleet.trim_ramp_ms)
    ramp_ms = np.maximum(ramp_ms, 1)
    since_ms = np.clip(at_ms - rigs.ordered_ms[rows] - dead_ms, 0, ramp_ms)
    from_w, course_w = rigs.from_w[rows], assumed_w.copy()
    course_w[rows] = from_w + (assumed_w[rows] - from_w) * since_ms // ramp_ms
    return course_w


def slowest_ms(fleet: Fleet) -> int:
    """The longest that any course of this fleet takes."""
    kinds = fleet.firmwares
    return max(
        (
            max(
                kind.down_dead_ms + kind.down_ramp_ms,
                kind.up_dead_ms + kind.up_ramp_ms,
                kind.trim_dead_ms + kind.trim_ramp_ms,
            )
            for kind in kinds
        ),
        default=0,
    )


class Load:
    """One tick's figures per rig, summed up per feeder when asked.

    `present_w` is what each rig takes by its own witnesses, its worst where they leave a doubt;
    `before_w` what each was counted at before this tick's verdicts.
    """

    def __init__(
        self,
        rigs: RigState,
        present_w: Ints,
        before_w: Ints,
        fleet: Fleet,
        settings: Settings,
        now_ms: int,
    ) -> None:
        self.rigs, self.fleet, self.settings, self.now_ms = rigs, fleet, settings, now_ms
        self.present_w = present_w
        self.assumed_w = rigs.assumed_w(fleet)
        self.assumed_by_feeder = fleet.by_feeder(self.assumed_w)
        self.judged_by_feeder = fleet.by_feeder(self.assumed_w - before_w)
        self.rated_by_feeder = fleet.by_feeder(fleet.rated_w)
        self._predicted: dict[int, Ints] = {}
        self._devices: Ints | None = None

    def predicted_by_feeder(self, at_ms: int) -> Ints:
        if at_ms not in self._predicted:
            course_w = predicted_w(self.rigs, self.fleet, at_ms, self.assumed_w)
            self._predicted[at_ms] = self.fleet.by_feeder(course_w)
        return self._predicted[at_ms]

    def devices_by_feeder(self) -> Ints:
        if self._devices is None:
            rigs, now_ms = self.rigs, self.now_ms
            asked_early = _OBEYS[rigs.status] & (rigs.seen_ms < rigs.due_ms)
            course_w = predicted_w(rigs, self.fleet, now_ms, self.assumed_w)
            self._devices = self.fleet.by_feeder(np.where(asked_early, course_w, self.present_w))
        return self._devices

    def told_by_feeder(self) -> Ints:
        """Watts that rigs under each feeder say they take, those on their way left out."""
        rigs = self.rigs
        is_fresh = self.now_ms - rigs.seen_ms <= self.settings.telemetry_age_ms
        told = is_fresh & (rigs.seen_w != UNKNOWN_W) & (rigs.seen_ms >= rigs.due_ms)
        return self.fleet.by_feeder(np.where(told & _OBEYS[rigs.status], rigs.seen_w, 0))

    def silent_by_feeder(self) -> Ints:
        """Watts under each feeder of which nothing can be said: no telemetry, not verified."""
        silent = (self.now_ms - self.rigs.seen_ms > self.settings.telemetry_age_ms) & (
            self.rigs.status != Status.SHED
        )
        return self.fleet.by_feeder(np.where(silent, self.fleet.rated_w, 0))

    def is_dark(self, feeder: int) -> bool:
        """Whether so much under a feeder is silent that the sum of devices means nothing."""
        silent_w = int(self.silent_by_feeder()[feeder])
        return silent_w * FULL_BP > int(self.rated_by_feeder[feeder]) * DARK_BP


def thawed(
    load: Load, views: dict[int, MeterView], memory: dict[str, MeterMemory]
) -> tuple[dict[str, MeterMemory], dict[int, MeterView]]:
    """The same views, those of frozen meters no longer fresh."""
    memory, views = dict(memory), dict(views)
    for row, view in views.items():
        name = load.fleet.feeders[row].name
        kept = memory[name]
        if not view.fresh or view.power_w is None:
            continue
        predicted = int(load.predicted_by_feeder(view.true_ms)[row])
        then_w = predicted if kept.then_w is None else kept.then_w
        much_w = int(load.rated_by_feeder[row]) * FROZEN_BP // FULL_BP
        is_still = view.true_ms - kept.since_ms >= FROZEN_MS
        has_moved = abs(predicted - then_w) > much_w
        is_borne_out = abs(view.power_w - int(load.devices_by_feeder()[row])) <= much_w
        borne_ms = None
        if is_borne_out:
            borne_ms = load.now_ms if kept.borne_ms is None else kept.borne_ms
        is_frozen = kept.is_frozen or (is_still and has_moved and not is_borne_out)
        if borne_ms is not None and load.now_ms - borne_ms >= THAWED_MS:
            is_frozen, then_w = False, predicted  # it was only precise, and the course too slow
        memory[name] = replace(kept, then_w=then_w, is_frozen=is_frozen, borne_ms=borne_ms)
        views[row] = replace(view, fresh=not is_frozen)
    return memory, views


def estimate(
    load: Load, view: MeterView | None, memory: MeterMemory, feeder: int, horizon_ms: int
) -> tuple[Estimate, MeterMemory]:
    """The load under one feeder from the best witness there is."""
    assumed_w = int(load.assumed_by_feeder[feeder])
    ahead_w = int(load.predicted_by_feeder(load.now_ms + horizon_ms)[feeder])

    if view is not None and view.fresh and view.power_w is not None:
        predicted = int(load.predicted_by_feeder(view.true_ms)[feeder])
        bias_w = view.power_w - predicted
        known_w = bias_w
        if memory.bias_w is not None:
            known_w = memory.bias_w - int(load.judged_by_feeder[feeder])
        smooth_w = known_w + (bias_w - known_w) // SMOOTHING
        counted_w = max(bias_w, smooth_w, supported_w(load, feeder))
        memory = replace(memory, bias_w=smooth_w)
        return Estimate(view.power_w, "meter", assumed_w + counted_w, ahead_w + counted_w), memory

    told_w = int(load.devices_by_feeder()[feeder])
    reserve_w = told_w * load.settings.stale_meter_reserve_bp // FULL_BP
    beyond_w = max(0, told_w - int(load.predicted_by_feeder(load.now_ms)[feeder])) + reserve_w
    if load.is_dark(feeder):
        return Estimate(None, "model", assumed_w + beyond_w, ahead_w + beyond_w), memory
    return Estimate(told_w, "devices", assumed_w + beyond_w, ahead_w + beyond_w), memory


def supported_w(load: Load, feeder: int) -> int:
    """The least bias that rigs' own watts bear out: a meter that reads too little, against what
    they say, must not raise the load. Of rigs that say nothing it may be right."""
    told_w = int(load.told_by_feeder()[feeder])
    excused_w = told_w * load.settings.disagree_bp // FULL_BP
    return told_w - int(load.predicted_by_feeder(load.now_ms)[feeder]) - excused_w
