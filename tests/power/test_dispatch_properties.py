"""What `decide` never does, whatever comes in: small farms, sixty ticks of truth and nonsense.

Everything that the outside can send is drawn: signals, meters, device words, outlets, work,
results, orders, clocks, the journal, the upstream; in each example another part of it is nonsense.
It is all drawn from a seed, so that an example is small to print and the same again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum.power.brain.commands import CAUSES, Cause, Level
from stratum.power.brain.dispatch import Decision, State, decide
from stratum.power.brain.feeders import under
from stratum.power.brain.fleet import Feeder, Firmware, Fleet, Label, Owner, Rig, RigModel
from stratum.power.brain.settings import HOUR, MINUTE, SECOND, MeterSettings, Mode, Settings
from stratum.power.brain.settings import SourceSettings as Source
from stratum.power.brain.state import Status
from stratum.power.brain.values import (
    OUTCOMES,
    DeviceReadings,
    Inputs,
    Ints,
    JournalHealth,
    Kind,
    MeterReading,
    OperatorOrder,
    OrderKind,
    OutletReadings,
    Quality,
    Results,
    Signal,
    WorkReadings,
)

NOON = 1_795_176_000_000
MODEL = RigModel("S21", ((1_750, 110_000), (3_500, 200_000)))
OLD = RigModel("S19j", ((3_068, 104_000),), idle_w=60)
#: Quick in everything, so that a minute has room for a day's troubles.
QUICK = Firmware("switched", min_on_ms=20 * SECOND, min_off_ms=15 * SECOND, confirm_ms=3 * SECOND)
FIRMWARES = (
    QUICK,
    replace(QUICK, name="steered", continuous=True),
    replace(QUICK, name="mute", reports_watts=False, writes_per_day=3),
)
FEEDERS = ("hall", "cellar", "yard")
HARD = 1

SOURCES = (
    Source("plant", Kind.SURPLUS_MEAS, heartbeat=True),
    Source("dispatch", Kind.SETPOINT_ABS, priority=1),
    Source("grid", Kind.CAP, latches=False),
    Source("trip", Kind.EMERGENCY, on_event=True),
)


@dataclass(frozen=True)
class Farm:
    """A fleet, its settings, and a die."""

    fleet: Fleet
    settings: Settings
    seed: int
    odd: float  # part of everything that is nonsense


def some_fleet(rng: np.random.Generator, rigs: int) -> Fleet:
    """A tree of three feeders, caps on some of them, and every kind of rig."""
    is_tight = rng.random() < 0.5
    hung = rng.integers(0, len(FEEDERS), rigs).tolist()
    kinds = rng.integers(0, len(FIRMWARES), rigs).tolist()
    models = [MODEL if kind == 1 or rng.random() < 0.5 else OLD for kind in kinds]
    caps: list[int | None] = []
    for row in range(len(FEEDERS)):
        watts = sum(m.rated_w for m, at in zip(models, hung, strict=True) if at == row)
        caps.append(watts * int(rng.integers(3, 12)) // 10 + 500 if is_tight else None)
    return Fleet.of(
        [
            Rig(
                id=f"rig{row}",
                model=models[row].name,
                firmware=FIRMWARES[kinds[row]].name,
                feeder=FEEDERS[hung[row]],
                owner=("us", "guest")[row % 2],
                label=Label(int(rng.integers(0, 3))),
                group=f"group{row % 4}" if rng.random() < 0.2 else "",
                managed=rng.random() < 0.95,
            )
            for row in range(rigs)
        ],
        [MODEL, OLD],
        FIRMWARES,
        [
            Feeder("site"),
            Feeder("hall", "site", caps[0]),
            Feeder("cellar", "hall", caps[1]),
            Feeder("yard", "site", caps[2]),
        ],
        [Owner("us", 10_000), Owner("guest", 10_000)],
    )


def farm_of(
    seed: int,
    rigs: int,
    cap_bp: int | None,
    has_floor: bool,
    is_metered: bool,
    cold_s: int,
    odd: float,
) -> Farm:
    fleet = some_fleet(np.random.default_rng(seed), rigs)
    chosen = Settings(
        mode=Mode.CONTROL,
        cap_w=None if cap_bp is None else fleet.total_w * cap_bp // 10_000,
        floor_w=fleet.total_w // 10 if has_floor else 0,
        sources=SOURCES,
        meters=(MeterSettings("site"),) if is_metered else (),
        cold_start_ms=cold_s * SECOND,
        inrush_bp_per_s=5_000,
        cycles_soft=1,
        cycles_alarm=1,
        cycles_hard=HARD,
    )
    return Farm(fleet, chosen, seed, odd)


FARMS = st.builds(
    farm_of,
    seed=st.integers(0, 2**32 - 1),
    rigs=st.integers(1, 30),
    cap_bp=st.none() | st.integers(500, 12_000),
    has_floor=st.booleans(),
    is_metered=st.booleans(),
    cold_s=st.sampled_from((0, 5)),
    odd=st.sampled_from((0.0, 0.02, 0.1, 0.4)),
)


class World:
    """Rigs that obey, a plant that changes its mind; and nonsense in a part of what is said."""

    def __init__(self, farm: Farm) -> None:
        self.farm, self.fleet, self.odd = farm, farm.fleet, farm.odd
        self.rng = np.random.default_rng(farm.seed + 1)
        self.now_ms, self.skew_ms, self.tick = 0, 0, -1
        self.wish_w = farm.fleet.total_w
        self.true_w: Ints = farm.fleet.rated_w.copy()
        self.numbers: list[tuple[int, int]] = []  # commands that went out, and their rigs

    def chance(self, part: float) -> bool:
        return bool(self.rng.random() < part)

    def pick(self, *values: Any) -> Any:
        return values[int(self.rng.integers(0, len(values)))]

    @property
    def is_odd(self) -> bool:
        return self.chance(self.odd)

    @property
    def wall_ms(self) -> int:
        return NOON + self.now_ms + self.skew_ms

    def obey(self, decided: Decision) -> None:
        """Most rigs do as they are told, and some do as they please."""
        rig, power_w = decided.commands.rig, decided.commands.power_w
        self.numbers += zip(decided.commands.number.tolist(), rig.tolist(), strict=True)
        obeys = self.rng.random(len(rig)) >= self.odd
        self.true_w[rig[obeys]] = np.where(power_w > 0, power_w, self.fleet.idle_w[rig])[obeys]
        wakes = self.rows(self.odd / 20)
        self.true_w[wakes] = self.fleet.rated_w[wakes]

    def next(self) -> Inputs:
        self.tick += 1
        self.now_ms += self.pick(1, 2, 5, 20) * SECOND
        if self.chance(0.1):
            self.wish_w = int(self.rng.integers(0, self.fleet.total_w * 12 // 10 + 1))
        if self.chance(self.odd / 10):
            self.skew_ms = self.pick(0, HOUR, -HOUR, 700, -5 * SECOND)
        return Inputs(
            tick=self.tick,
            now_ms=self.now_ms,
            wall_ms=self.wall_ms,
            signals=tuple(self.signal(source) for source in SOURCES if self.speaks(source)),
            meters=self.meters(),
            devices=self.devices(),
            outlets=self.outlets(),
            work=self.work(),
            results=self.results(),
            orders=tuple(self.order() for _ in range(int(self.chance(self.odd / 3)))),
            journal=self.pick(*JournalHealth) if self.is_odd else JournalHealth.OK,
            upstream_lost=self.chance(self.odd / 5),
        )

    def silence(self) -> Inputs:
        """Time goes on, and nobody wants anything; meters and devices talk as ever."""
        self.tick += 1
        self.now_ms += self.pick(1, 10, 60, 600) * SECOND
        return Inputs(
            tick=self.tick,
            now_ms=self.now_ms,
            wall_ms=self.wall_ms,
            meters=self.meters(),
            devices=self.devices(),
            work=self.work(),
        )

    def speaks(self, source: Source) -> bool:
        if source.kind is Kind.EMERGENCY:
            return self.chance(self.odd / 20)
        return not self.is_odd

    def signal(self, source: Source) -> Signal:
        value: int | None = self.wish_w
        late_ms = 200
        if source.kind is Kind.CAP and not self.chance(0.04):
            value = self.fleet.total_w
        if self.is_odd:
            value = self.pick(None, -1, self.wish_w * 1_000, self.wish_w // 1_000, 0, 10**15)
        if self.is_odd:
            late_ms = self.pick(5_000, 2 * HOUR, -10 * MINUTE)
        return Signal(
            source=source.name,
            kind=source.kind,
            value=value,
            event_ms=NOON + self.now_ms - late_ms,
            received_ms=self.now_ms,
            valid_to_ms=NOON + self.now_ms + 30 * SECOND if self.is_odd else None,
            sequence=0 if self.is_odd else self.tick,
            quality=Quality.BAD if self.is_odd else Quality.GOOD,
            priority=int(self.is_odd),
            local=self.chance(self.odd / 10),
        )

    def meters(self) -> tuple[MeterReading, ...]:
        if not self.farm.settings.meters or self.is_odd:
            return ()
        watts = int(self.true_w.sum())
        if self.is_odd:
            watts = self.pick(None, -watts, 0, watts * 1_000, 12_345)
        return (MeterReading(0, watts, self.wall_ms, self.now_ms),)

    def devices(self) -> DeviceReadings:
        rigs = self.rows(0.6)
        odd = self.rng.random(len(rigs)) < self.odd
        nonsense = self.rng.choice(np.array([-1, 0, 40, 1_750, 3_500, 10**7]), len(rigs))
        truth = self.true_w[rigs]
        hashing = np.where(truth > self.fleet.idle_w[rigs], 1, 0)
        words = self.rng.integers(-1, 2, len(rigs))
        at_ms = self.now_ms - self.rng.integers(0, 900, len(rigs))
        return DeviceReadings(
            rigs, np.where(odd, nonsense, truth), np.where(odd, words, hashing), at_ms
        )

    def outlets(self) -> OutletReadings:
        if not self.is_odd:
            return OutletReadings()
        rigs = self.rows(0.1)
        on = self.rng.integers(0, 2, len(rigs))
        watts = np.where(on == 0, 0, self.rng.integers(-1, 4_000, len(rigs)))
        return OutletReadings(rigs, on, watts, np.full(len(rigs), self.now_ms))

    def work(self) -> WorkReadings:
        """Shares of whoever runs, and now and then of somebody who sleeps."""
        runs = (self.true_w > self.fleet.idle_w) | (self.rng.random(len(self.fleet)) < self.odd / 9)
        groups = np.unique(self.fleet.group[runs & (self.rng.random(len(self.fleet)) < 0.6)])
        shares = self.rng.integers(1, 5, len(groups))
        work = shares * self.rng.integers(1, 10**9, len(groups))
        return WorkReadings(groups, shares, work, work * 1_000, self.now_ms - SECOND, self.now_ms)

    def results(self) -> Results:
        answered = [pair for pair in self.numbers[-40:] if self.chance(0.2)]
        columns = np.array(answered, np.int64).reshape(-1, 2)
        bad = self.rng.random(len(answered)) < self.odd
        outcome = np.where(bad, self.rng.integers(0, len(OUTCOMES), len(answered)), 0)
        return Results(columns[:, 0], columns[:, 1], outcome.astype(np.int64))

    def order(self) -> OperatorOrder:
        kind = self.pick(*(kind for kind in OrderKind if kind is not OrderKind.MODE))
        scopes = ("", "feeder:hall", "feeder:yard", "feeder:nowhere", "rig:rig0", "rig:rig3")
        return OperatorOrder(
            kind,
            "anna",
            "because",
            scope=self.pick(*scopes),
            value_w=int(self.rng.integers(0, self.fleet.total_w)) if self.chance(0.9) else None,
            expires_ms=self.now_ms + self.pick(-1, 5, 30) * SECOND if self.chance(0.7) else None,
        )

    def rows(self, part: float) -> Ints:
        return np.flatnonzero(self.rng.random(len(self.fleet)) < part).astype(np.int64)


# -- what never happens ------------------------------------------------------------------------


class Watch:
    """Every rule, after every tick."""

    def __init__(self, farm: Farm) -> None:
        self.farm, self.fleet = farm, farm.fleet
        count = len(farm.fleet)
        self.slept_ms = np.full(count, -1, np.int64)
        self.wakes = np.zeros(count, np.int64)
        self.last_number = 0

    def see(self, before: State, inputs: Inputs, decided: Decision) -> None:
        self.commands_are_in_order(decided)
        self.caps_hold(decided)
        self.nobody_is_woken_too_soon(inputs, decided)
        self.disobedience_is_told(before, decided)
        self.unknown_is_never_nothing(decided)

    def commands_are_in_order(self, decided: Decision) -> None:
        commands, rigs = decided.commands, decided.state.rigs
        assert len(np.unique(commands.rig)) == len(commands)
        assert rigs.managed[commands.rig].all()
        numbers = commands.number.tolist()
        assert numbers == list(range(self.last_number + 1, self.last_number + 1 + len(numbers)))
        self.last_number += len(numbers)
        runs = commands.power_w > 0
        assert (commands.power_w >= 0).all()
        assert (commands.power_w[runs] >= self.fleet.floor_w[commands.rig[runs]] * 9 // 10).all()

    def caps_hold(self, decided: Decision) -> None:
        """Above a cap only where whoever could be ordered to sleep has been, or where the site is
        not seen at all: then the excess is our blindness, and ramps."""
        rigs, fleet, settings = decided.state.rigs, self.fleet, self.farm.settings
        assumed_w = rigs.assumed_w(fleet)
        limits_w = np.where(fleet.feeder_cap_w < 0, 1 << 50, fleet.feeder_cap_w)
        if settings.cap_w is not None and decided.picture.measured_from != "model":
            limits_w[0] = min(int(limits_w[0]), settings.cap_w)
        for feeder in range(len(fleet.feeders)):
            below = under(fleet, feeder)[fleet.feeder]
            if int(assumed_w[below].sum()) > limits_w[feeder]:
                is_asked = (rigs.ordered_w == 0) & (rigs.status == Status.UNRESPONSIVE)
                could = below & rigs.managed & ~is_asked & (assumed_w > rigs.asleep_w(fleet))
                assert not could.any(), (feeder, fleet.ids[int(np.flatnonzero(could)[0])])

    def nobody_is_woken_too_soon(self, inputs: Inputs, decided: Decision) -> None:
        commands, rigs, now_ms = decided.commands, decided.state.rigs, inputs.now_ms
        ours = commands.cause != CAUSES.index(Cause.ESCALATION)  # repeats, and lower levels
        rows, power_w = commands.rig[ours], commands.power_w[ours]
        woken = rows[(power_w > 0) & (self.slept_ms[rows] >= 0)]
        if len(woken):
            assert (now_ms - self.slept_ms[woken] >= self.fleet.min_off_ms[woken]).all()
            assert not rigs.locked[woken].any()
            assert (self.wakes[woken] < HARD).all()
            assert inputs.journal is JournalHealth.OK and not inputs.upstream_lost
            assert not decided.state.overrides.estop
        self.wakes[woken] += 1
        slept = rows[(power_w == 0) & (self.slept_ms[rows] < 0)]
        self.slept_ms[rows[power_w > 0]] = -1
        self.slept_ms[slept] = now_ms

    def disobedience_is_told(self, before: State, decided: Decision) -> None:
        is_found = decided.state.rigs.status == Status.UNRESPONSIVE
        if (is_found & (before.rigs.status != Status.UNRESPONSIVE)).any():
            alarms = {r.code for r in decided.reasons if r.level is Level.ALARM}
            assert alarms & {"unresponsive", "liar"}

    def unknown_is_never_nothing(self, decided: Decision) -> None:
        rigs, fleet = decided.state.rigs, self.fleet
        unsure = np.isin(rigs.status, [Status.UNKNOWN, Status.UNRESPONSIVE, Status.FOREIGN])
        assumed_w = rigs.assumed_w(fleet)
        assert (assumed_w[unsure] >= fleet.rated_w[unsure]).all()
        assert (assumed_w[rigs.status == Status.RUNNING] > 0).all()
        if decided.picture.measured_from == "model":
            assert decided.picture.measured_w is None


def canonical(value: Any) -> Any:
    """A value that compares by content, arrays included."""
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if is_dataclass(value):
        return (type(value), tuple(canonical(getattr(value, f.name)) for f in fields(value)))
    if isinstance(value, dict):
        return tuple((key, canonical(each)) for key, each in value.items())
    if isinstance(value, tuple | list | deque):
        return tuple(canonical(each) for each in value)
    return value


@settings(max_examples=60, deadline=None)
@given(farm=FARMS, ticks=st.integers(1, 60))
def test_whatever_comes_in_no_rule_is_broken(farm: Farm, ticks: int) -> None:
    world, watch = World(farm), Watch(farm)
    state = State.fresh(farm.fleet, farm.settings)
    for _ in range(ticks):
        inputs = world.next()
        decided = decide(state, inputs, farm.settings, farm.fleet)
        watch.see(state, inputs, decided)
        world.obey(decided)
        state = decided.state


@settings(max_examples=15, deadline=None)
@given(farm=FARMS, ticks=st.integers(1, 30))
def test_the_same_is_answered_twice_and_what_was_given_stays_as_it_was(
    farm: Farm, ticks: int
) -> None:
    world = World(farm)
    state = State.fresh(farm.fleet, farm.settings)
    for _ in range(ticks):
        inputs = world.next()
        given_state, given_inputs = canonical(state), canonical(inputs)
        first = decide(state, inputs, farm.settings, farm.fleet)
        second = decide(state, inputs, farm.settings, farm.fleet)
        assert canonical(first) == canonical(second)
        assert canonical(state) == given_state and canonical(inputs) == given_inputs
        world.obey(first)
        state = first.state


@settings(max_examples=25, deadline=None)
@given(farm=FARMS, ticks=st.integers(1, 20), quiet=st.integers(1, 30))
def test_nothing_that_expires_raises_the_target(farm: Farm, ticks: int, quiet: int) -> None:
    """Once nobody says anything any more, the target only falls, for hours."""
    world = World(farm)
    state = State.fresh(farm.fleet, farm.settings)
    for _ in range(ticks):
        inputs = replace(world.next(), upstream_lost=False)
        decided = decide(state, inputs, farm.settings, farm.fleet)
        world.obey(decided)
        state, target_w = decided.state, decided.picture.target_w
    for _ in range(quiet):
        decided = decide(state, world.silence(), farm.settings, farm.fleet)
        assert decided.picture.target_w <= target_w
        world.obey(decided)
        state, target_w = decided.state, decided.picture.target_w
