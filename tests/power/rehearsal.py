"""Acceptance scenarios on the virtual clock: played once, and asked about by many tests.

A scenario of the catalogue gives the load 40 minutes to settle, for the sake of its plot. A steady
farm has settled in six, so here everything happens sooner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from stratum.power.brain.commands import Level, Picture
from stratum.power.brain.dispatch import Decision, State, decide
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Settings
from stratum.power.brain.values import Inputs, Ints
from stratum.power.simulation.catalogue import CATALOGUE, THEN
from stratum.power.simulation.run import Run, run
from stratum.power.simulation.scenario import Scenario
from stratum.power.twin.world import Twin

RIGS = 120
#: The cold start and min-off are over: five minutes, and one for the ramp.
SETTLED = 400

Told = Callable[[Inputs], Inputs]


@dataclass(slots=True)
class Story:
    """One run, with what was said in each second and whom it woke."""

    played: Run
    said: dict[str, list[int]] = field(default_factory=dict)  # code: seconds it was given in
    alarmed: dict[str, list[int]] = field(default_factory=dict)  # the same, as an alarm
    texts: dict[str, list[str]] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)
    woken: list[tuple[int, int, int]] = field(default_factory=list)  # second, rig, slept for s
    broken: list[str] = field(default_factory=list)  # what no scenario excuses
    end: State | None = None
    asleep: list[Ints] = field(default_factory=list)  # of the truth, a row a second

    @property
    def fleet_w(self) -> int:
        return self.played.fleet.total_w

    @property
    def power_w(self) -> Ints:
        return self.played.trace.power_w

    @property
    def surplus_w(self) -> Ints:
        return self.played.trace.surplus_w

    def percent(self, watts: float) -> float:
        return 100.0 * watts / self.fleet_w

    @property
    def load(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """True power of each second, in per cent of the fleet."""
        return self.power_w * (100.0 / self.fleet_w)

    @property
    def over(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """What was drawn above the surplus, in per cent of the fleet."""
        return (self.power_w - self.surplus_w) * (100.0 / self.fleet_w)

    def first(self, code: str, since: int = 0) -> int:
        """The first second of it from `since` on."""
        return next(at for at in self.said.get(code, []) if at >= since)

    def alarm(self, code: str, since: int = 0) -> int:
        return next(at for at in self.alarmed.get(code, []) if at >= since)

    def woken_within(self, first: int, last: int) -> int:
        return sum(first <= at < last for at, _, _ in self.woken)


class Witness:
    """Sits beside the loop and writes down what a score can't ask for."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.slept_s = np.full(len(fleet), -1, np.int64)  # told to sleep, and when; -1: to run
        self.locked = np.zeros(len(fleet), np.bool_)
        self.said: dict[str, list[int]] = {}
        self.alarmed: dict[str, list[int]] = {}
        self.texts: dict[str, list[str]] = {}
        self.pictures: list[Picture] = []
        self.woken: list[tuple[int, int, int]] = []
        self.broken: list[str] = []
        self.end: State | None = None
        self.asleep: list[Ints] = []

    def see(self, second: int, twin: Twin, inputs: Inputs, decided: Decision) -> None:
        for reason in decided.reasons:
            self.said.setdefault(reason.code, []).append(second)
            self.texts.setdefault(reason.code, []).append(reason.text)
            if reason.level is Level.ALARM:
                self.alarmed.setdefault(reason.code, []).append(second)
        self.pictures.append(decided.picture)
        self.asleep.append(np.flatnonzero(twin.rigs.asleep).astype(np.int64))
        self.end = decided.state

        rows, power_w = decided.commands.rig, decided.commands.power_w
        if len(np.unique(rows)) != len(rows):
            self.broken.append(f"{second}: a rig is commanded twice")
        self.locked = decided.state.rigs.locked
        for rig, watts in zip(rows.tolist(), power_w.tolist(), strict=True):
            slept_s = int(self.slept_s[rig])
            if watts > 0 and slept_s >= 0:
                self.woken.append((second, rig, second - slept_s))
                if (second - slept_s) * 1_000 < self.fleet.min_off_ms[rig]:
                    self.broken.append(f"{second}: rig {rig} is woken after {second - slept_s} s")
                if self.locked[rig]:
                    self.broken.append(f"{second}: rig {rig} is locked, and is woken")
            if watts > 0:
                self.slept_s[rig] = -1
            elif slept_s < 0:
                self.slept_s[rig] = second


def play(scenario: Scenario, told: Told | None = None, *, seed: int = 1) -> Story:
    """Run it; `told` may change what the brain is told in any second."""
    witness = Witness(scenario.farm.fleet(scenario.rigs))

    def decided(state: State, inputs: Inputs, settings: Settings, fleet: Fleet) -> Decision:
        return decide(state, inputs if told is None else told(inputs), settings, fleet)

    played = run(scenario, decided, State.fresh, seed=seed, watch=witness.see)
    return Story(
        played,
        witness.said,
        witness.alarmed,
        witness.texts,
        witness.pictures,
        witness.woken,
        witness.broken,
        witness.end,
        witness.asleep,
    )


@cache
def story(name: str, minutes: int, at_s: int = SETTLED) -> Story:
    """A scenario of the catalogue, with what happens in its minute 40 happening at `at_s`."""
    return play(sooner(CATALOGUE[name], THEN - at_s, minutes))


def sooner(scenario: Scenario, by_s: int, minutes: int, rigs: int = RIGS) -> Scenario:
    """Everything but its beginning by so many seconds earlier."""

    def moved(at_s: int) -> int:
        return max(at_s - by_s, 0)

    return replace(
        scenario,
        rigs=rigs,
        hours=minutes / 60,
        outages=tuple(replace(each, at_s=moved(each.at_s)) for each in scenario.outages),
        happenings=tuple(replace(each, at_s=moved(each.at_s)) for each in scenario.happenings),
        troubles=tuple(
            replace(each, from_s=moved(each.from_s), to_s=moved(each.to_s))
            for each in scenario.troubles
        ),
        jumps=tuple(replace(each, at_s=moved(each.at_s)) for each in scenario.jumps),
        absences=tuple(replace(each, at_s=moved(each.at_s)) for each in scenario.absences),
        orders=tuple(replace(each, at_s=moved(each.at_s)) for each in scenario.orders),
        upstream_lost=tuple((moved(a), moved(b)) for a, b in scenario.upstream_lost),
    )


def steepest_fall(watts: Ints, seconds: int) -> int:
    """The most that the load came down within so many seconds."""
    return int((watts[:-seconds] - watts[seconds:]).max())


def swings(watts: Ints, least_w: float) -> int:
    """How often the load turned round after it had moved by at least so much."""
    turns, direction, extreme = 0, 0, int(watts[0])
    for watt in watts.tolist():
        if direction >= 0 and watt > extreme or direction <= 0 and watt < extreme:
            if direction:
                extreme = watt
        if not direction:
            if abs(watt - extreme) >= least_w:
                direction, extreme = (1 if watt > extreme else -1), watt
        elif (extreme - watt) * direction >= least_w:
            turns, direction, extreme = turns + 1, -direction, watt
    return turns
