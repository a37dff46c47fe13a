"""Acceptance scenarios on the virtual clock: played once, and asked about by many tests.

A scenario of the catalogue gives the load 40 minutes to settle, for the sake of its plot. A steady
farm has settled in six, so here everything happens sooner. Loads are in per cent of the fleet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from stratum.power.brain.commands import CAUSES, Cause, Level, Picture
from stratum.power.brain.dispatch import Decision, State, decide
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Settings
from stratum.power.brain.values import Flags, Inputs, Ints
from stratum.power.simulation.catalogue import CATALOGUE, THEN
from stratum.power.simulation.run import Decided, Run, run
from stratum.power.simulation.scenario import MINUTE, Scenario
from stratum.power.simulation.score import Score, score
from stratum.power.twin.world import Twin

RIGS = 120
BLOCK = 100 / RIGS  # a rig, about

#: When things happen: the cold start and the first min-off are over, and what was shed too much at
#: the start has been woken again.
SETTLED = 400

#: N14, N20: per cent of the fleet a minute.
RAMP = 10.0
#: N13: fast firmware.
CONFIRM_S = 60
#: N20: too old after 10 s, held for 60 s, at the floor 300 s later.
OLD_S, HOLD_S, LOST_RAMP_S = 10, 60, 300

Told = Callable[[Inputs], Inputs]


@dataclass(frozen=True, slots=True)
class Order:
    """A command that went out."""

    second: int
    rig: int
    power_w: int
    rung: int
    cause: Cause


@dataclass(slots=True, eq=False)
class Story:
    """Sits beside the loop and writes down what a score can't ask for."""

    fleet: Fleet
    run: Run = field(init=False)
    end: State = field(init=False)
    twin: Twin = field(init=False)
    said: dict[str, list[int]] = field(default_factory=dict)  # code: seconds it was given in
    alarmed: dict[str, list[int]] = field(default_factory=dict)  # the same, as an alarm
    pictures: list[Picture] = field(default_factory=list)  # a second each
    orders: list[Order] = field(default_factory=list)
    wakes: list[tuple[int, int]] = field(default_factory=list)  # second, rig
    broken: list[str] = field(default_factory=list)  # what no scenario excuses
    _slept_s: Ints = field(init=False)  # when each was told to sleep; -1: it was told to run

    def __post_init__(self) -> None:
        self._slept_s = np.full(len(self.fleet), -1, np.int64)

    def see(self, second: int, twin: Twin, inputs: Inputs, decided: Decided[State]) -> None:
        self.twin, self.end = twin, decided.state
        for reason in decided.reasons:
            self.said.setdefault(reason.code, []).append(second)
            if reason.level is Level.ALARM:
                self.alarmed.setdefault(reason.code, []).append(second)
        self.pictures.append(decided.picture)
        commands = decided.commands
        if len(np.unique(commands.rig)) != len(commands):
            self.broken.append(f"{second}: a rig is commanded twice")
        columns = (commands.rig, commands.power_w, commands.rung, commands.cause)
        for rig, power_w, rung, cause in zip(*(c.tolist() for c in columns), strict=True):
            order = Order(second, rig, power_w, rung, CAUSES[cause])
            self.orders.append(order)
            if order.cause is not Cause.ESCALATION:  # the ladder only repeats what was ordered
                self._follow(order, decided.state.rigs.locked)

    def _follow(self, order: Order, locked: Flags) -> None:
        slept_s = int(self._slept_s[order.rig])
        if order.power_w > 0 and slept_s >= 0:
            self.wakes.append((order.second, order.rig))
            slept = order.second - slept_s
            if slept * 1_000 < self.fleet.min_off_ms[order.rig]:
                self.broken.append(f"{order.second}: rig {order.rig} is woken after {slept} s")
            if locked[order.rig]:
                self.broken.append(f"{order.second}: rig {order.rig} is locked, and is woken")
        if order.power_w > 0:
            self._slept_s[order.rig] = -1
        elif slept_s < 0:
            self._slept_s[order.rig] = order.second

    # -- what is true -------------------------------------------------------------------------

    @property
    def load(self) -> NDArray[np.float64]:
        """True power of each second."""
        return self.percent(self.run.trace.power_w)

    @property
    def surplus(self) -> NDArray[np.float64]:
        return self.percent(self.run.trace.surplus_w)

    def percent(self, watts: Ints) -> NDArray[np.float64]:
        return watts.astype(np.float64) * (100.0 / self.fleet.total_w)

    @property
    def over(self) -> NDArray[np.float64]:
        """What is drawn above the surplus, or above what sleeping rigs draw where that is more."""
        return self.load - np.maximum(self.surplus, self.asleep)

    @property
    def asleep(self) -> float:
        """The load with every rig asleep."""
        return self.run.asleep_w * 100.0 / self.fleet.total_w

    @property
    def score(self) -> Score:
        return score(self.run)

    def runs(self, rig: int) -> bool:
        """At the end, in truth."""
        return bool(self.twin.rigs.hashes[rig])

    # -- what was said ------------------------------------------------------------------------

    def first(self, code: str, since: int = 0) -> int:
        """The first second of it from `since` on; far away where there is none."""
        return next((at for at in self.said.get(code, []) if at >= since), 1 << 30)

    def alarm(self, code: str, since: int = 0) -> int:
        return next((at for at in self.alarmed.get(code, []) if at >= since), 1 << 30)

    def woken(self, first: int, last: int) -> int:
        """How many rigs were woken from second to second."""
        return sum(first <= at < last for at, _ in self.wakes)

    def told_to_sleep(self, first: int, last: int) -> set[int]:
        return {o.rig for o in self.orders if first <= o.second < last and o.power_w == 0}


def play(scenario: Scenario, told: Told | None = None, *, seed: int = 1) -> Story:
    """Run it; `told` may change what the brain is told in any second."""
    story = Story(scenario.farm.fleet(scenario.rigs))

    def decided(state: State, inputs: Inputs, settings: Settings, fleet: Fleet) -> Decision:
        return decide(state, inputs if told is None else told(inputs), settings, fleet)

    story.run = run(scenario, decided, State.fresh, seed=seed, watch=story.see)
    return story


@cache
def story(name: str, minutes: int, surplus: str = "") -> Story:
    """A scenario of the catalogue; what happens in its minute 40 happens at SETTLED."""
    scenario = sooner(CATALOGUE[name], minutes)
    return play(replace(scenario, surplus=surplus) if surplus else scenario)


def sooner(scenario: Scenario, minutes: int, by_s: int = THEN - SETTLED) -> Scenario:
    """Everything but its beginning by so many seconds earlier, on a small farm."""

    def moved(at_s: int) -> int:
        return max(at_s - by_s, 0)

    return replace(
        scenario,
        rigs=RIGS,
        hours=minutes / 60,
        warm_up_s=min(SETTLED, minutes * MINUTE // 2),
        outages=tuple(replace(each, at_s=moved(each.at_s)) for each in scenario.outages),
        happenings=tuple(replace(each, at_s=moved(each.at_s)) for each in scenario.happenings),
        troubles=tuple(
            replace(each, from_s=moved(each.from_s), to_s=moved(each.to_s))
            for each in scenario.troubles
        ),
        jumps=tuple(replace(each, at_s=moved(each.at_s)) for each in scenario.jumps),
        upstream_lost=tuple((moved(a), moved(b)) for a, b in scenario.upstream_lost),
    )


def steepest_fall(load: NDArray[np.float64], seconds: int) -> float:
    """The most that the load came down within so many seconds."""
    return float((load[:-seconds] - load[seconds:]).max())


def steepest_rise(load: NDArray[np.float64], seconds: int) -> float:
    return steepest_fall(-load, seconds)


def swings(load: NDArray[np.float64], least: float) -> int:
    """How often the load turned round after it had moved by at least so much."""
    turns, direction = 0, 0
    extreme = low = high = float(load[0])
    for value in load.tolist():
        if not direction:
            low, high = min(low, value), max(high, value)
            if high - low >= least:
                direction = 1 if value == high else -1
                extreme = value
        elif (value - extreme) * direction > 0:
            extreme = value
        elif (extreme - value) * direction >= least:
            turns, direction, extreme = turns + 1, -direction, value
    return turns
