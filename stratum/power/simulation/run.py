"""Second by second: read, decide, step. The loop of production, with the twin for a farm.

`decide` and `fresh` are handed in with the shape of `brain.dispatch`; a run is as good a test of a
naive controller as of ours. The brain gets `Inputs`, and the twin gets its commands back; nothing
else passes between the two.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass
from time import process_time
from typing import Protocol, TypeVar

import numpy as np

from stratum.power.brain.commands import Commands, Level, Picture, Reason
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Settings
from stratum.power.brain.values import Inputs, Ints
from stratum.power.simulation.feed import Feed
from stratum.power.simulation.scenario import Absence, Scenario
from stratum.power.twin.rigs import MOST_DRIFT
from stratum.power.twin.world import Twin

SECOND = 1_000

MOST_W = 1 << 62

#: The reason that tells of a new goal, and the part of the fleet by which one is worth telling
#: though the goal moved in the second before as well.
MOVED = "moved"
STEP_BP = 500

#: Reasons kept of one run; a storm of them would outgrow what it tells of.
MOST_EVENTS = 5_000

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class Decided(Protocol[S_co]):
    """What `brain.dispatch.Decision` is to the simulation."""

    @property
    def state(self) -> S_co: ...
    @property
    def commands(self) -> Commands: ...
    @property
    def reasons(self) -> tuple[Reason, ...]: ...
    @property
    def picture(self) -> Picture: ...


Decide = Callable[[S, Inputs, Settings, Fleet], Decided[S]]
Fresh = Callable[[Fleet, Settings], S]
Watch = Callable[[int, Twin, Inputs, Decided[S]], None]


@dataclass(frozen=True, slots=True)
class Event:
    """A reason, when it was first given after a second without it, or with a new goal."""

    second: int
    code: str
    text: str
    level: Level
    subject: str
    step_w: int = 0  # by which the goal moved in that second, of a reason that tells of it


@dataclass(slots=True)
class Trace:
    """One figure a second; watts. The first four are true, the others what the brain thought."""

    surplus_w: Ints  # what the plant had
    wanted_w: Ints  # what a perfect load would take of it: surplus, cap and fleet
    power_w: Ints
    asleep: Ints  # rigs
    target_w: Ints
    goal_w: Ints
    measured_w: Ints  # -1: not known
    settled_w: Ints
    sheddable_w: Ints
    absorb_5min_w: Ints
    foreign_w: Ints
    unresponsive_w: Ints
    commands: Ints
    decide_us: Ints

    @classmethod
    def of(cls, seconds: int) -> Trace:
        return cls(*(np.zeros(seconds, np.int64) for _ in cls.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class Run:
    """What happened."""

    scenario: Scenario
    seed: int
    fleet: Fleet
    settings: Settings
    trace: Trace
    wakes: Ints  # of each rig, from sleep, by command
    events: tuple[Event, ...]
    alarms: dict[str, int]  # code of a reason: seconds in which it was given as an alarm
    energy_wh: int  # by the site's register
    asleep_w: int  # what the farm draws at most with every rig asleep
    cpu_s: float  # of this process: what others do on the machine is not counted
    decide_s: float  # of that, within `decide`
    memory_mb: float

    @property
    def speed(self) -> float:
        """Times real time, on one core."""
        return self.scenario.seconds / self.cpu_s if self.cpu_s else float("inf")


def run(
    scenario: Scenario,
    decide: Decide[S],
    fresh: Fresh[S],
    *,
    seed: int = 1,
    progress: Callable[[int], None] | None = None,
    watch: Watch[S] | None = None,
) -> Run:
    """Drive `decide` through a scenario.

    `progress` is told the seconds done, once a simulated minute; `watch` sees each second with the
    twin's truth, for tests that ask what a score can't.
    """
    began = process_time()
    fleet = scenario.farm.fleet(scenario.rigs)
    settings = scenario.made_settings(fleet)
    feeds = scenario.feeds(fleet, seed)
    twin = _twin(scenario, fleet, seed)
    world = _Outside(scenario, feeds)
    trace = Trace.of(scenario.seconds)
    log = Log(fleet.total_w * STEP_BP // 10_000)

    state = fresh(fleet, settings)
    commands = Commands()
    decide_s = 0.0
    for second in range(scenario.seconds):
        now_ms = second * SECOND
        if second:
            # A register has no clock of its own: whoever read it stamped it with ours.
            twin.step(now_ms, commands, world.wall_ms(second))
        for happening in scenario.happenings:
            if happening.at_s == second:
                twin.suffer(happening.fault)
        _record_truth(trace, second, twin, feeds, settings)

        commands = Commands()
        inputs = world.inputs(second, now_ms, twin)
        absence = world.absence(second)
        if absence is not None:
            if absence.forgets:
                state = fresh(fleet, settings)
        else:
            before = process_time()
            decided = decide(state, inputs, settings, fleet)
            took = process_time() - before
            decide_s += took
            state, commands = decided.state, decided.commands
            _record_thought(trace, second, decided, took)
            log.note(second, decided.reasons, decided.picture.goal_w)
            if watch is not None:
                watch(second, twin, inputs, decided)
        if progress is not None and second % 60 == 59:
            progress(second + 1)

    return Run(
        scenario=scenario,
        seed=seed,
        fleet=fleet,
        settings=settings,
        trace=trace,
        wakes=twin.rigs.wakes,
        events=tuple(log.events),
        alarms=log.alarms,
        energy_wh=int(twin.meters[0].energy_wh),
        asleep_w=round(float(twin.rigs.idle_w.sum()) * (1.0 + MOST_DRIFT)),
        cpu_s=process_time() - began,
        decide_s=decide_s,
        memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _twin(scenario: Scenario, fleet: Fleet, seed: int) -> Twin:
    twin = Twin(
        fleet,
        seed,
        share_rate_per_min=scenario.share_rate_per_min,
        deaths_per_rig_day=scenario.deaths_per_rig_day,
    )
    twin.lull(scenario.asleep_bp)
    return twin


class _Outside:
    """What the controller is surrounded by that is no farm: signals, clocks, its own absences."""

    def __init__(self, scenario: Scenario, feeds: tuple[Feed, ...]) -> None:
        self._scenario = scenario
        self._feeds = feeds

    def true_wall_ms(self, second: int) -> int:
        return self._scenario.start_ms + second * SECOND

    def wall_ms(self, second: int) -> int:
        """As our own clock shows it."""
        jumped = sum(jump.by_ms for jump in self._scenario.jumps if jump.at_s <= second)
        return self.true_wall_ms(second) + jumped

    def absence(self, second: int) -> Absence | None:
        return next(
            (a for a in self._scenario.absences if a.at_s <= second < a.at_s + a.for_s), None
        )

    def inputs(self, second: int, now_ms: int, twin: Twin) -> Inputs:
        scenario, true_ms = self._scenario, self.true_wall_ms(second)
        readings = twin.read(now_ms)
        return Inputs(
            tick=second,
            now_ms=now_ms,
            wall_ms=self.wall_ms(second),
            signals=tuple(
                signal for feed in self._feeds for signal in feed.samples(second, now_ms, true_ms)
            ),
            meters=readings.meters,
            devices=readings.devices,
            work=readings.work,
            results=readings.results,
            orders=tuple(said.order for said in scenario.orders if said.at_s == second),
            upstream_lost=any(first <= second < last for first, last in scenario.upstream_lost),
        )


class Log:
    """Reasons, each when it begins; and how long each alarm lasted."""

    def __init__(self, step_w: int) -> None:
        self._step_w = step_w
        self._goal_w: int | None = None
        self.events: list[Event] = []
        self.alarms: dict[str, int] = {}
        self._standing: set[tuple[str, str]] = set()

    def note(self, second: int, reasons: tuple[Reason, ...], goal_w: int) -> None:
        goal_step_w = 0 if self._goal_w is None else goal_w - self._goal_w
        self._goal_w = goal_w
        standing = {(reason.code, reason.subject) for reason in reasons}
        for reason in reasons:
            if reason.level is Level.ALARM:
                self.alarms[reason.code] = self.alarms.get(reason.code, 0) + 1
            step_w = goal_step_w if reason.code == MOVED else 0
            is_new = (reason.code, reason.subject) not in self._standing
            is_new = is_new or abs(step_w) > self._step_w
            if is_new and len(self.events) < MOST_EVENTS:
                self.events.append(
                    Event(second, reason.code, reason.text, reason.level, reason.subject, step_w)
                )
        self._standing = standing


def _record_truth(
    trace: Trace, second: int, twin: Twin, feeds: tuple[Feed, ...], settings: Settings
) -> None:
    surplus_w = int(feeds[0].watts[second])
    cap_w = settings.cap_w if settings.cap_w is not None else twin.fleet.total_w
    trace.surplus_w[second] = surplus_w
    trace.wanted_w[second] = max(min(surplus_w, cap_w, twin.fleet.total_w), settings.floor_w)
    trace.power_w[second] = round(twin.power_w)
    trace.asleep[second] = int(np.count_nonzero(twin.rigs.asleep))


def _record_thought(trace: Trace, second: int, decided: Decided[S], took_s: float) -> None:
    picture = decided.picture
    # A controller that believes a swapped word has a target beyond int64.
    trace.target_w[second] = max(min(picture.target_w, MOST_W), -MOST_W)
    trace.goal_w[second] = max(min(picture.goal_w, MOST_W), -MOST_W)
    trace.measured_w[second] = -1 if picture.measured_w is None else picture.measured_w
    trace.settled_w[second] = picture.settled_w
    trace.sheddable_w[second] = picture.sheddable_w
    trace.absorb_5min_w[second] = picture.absorb_5min_w
    trace.foreign_w[second] = picture.foreign_w
    trace.unresponsive_w[second] = picture.unresponsive_w
    trace.commands[second] = len(decided.commands)
    trace.decide_us[second] = int(took_s * 1e6)
