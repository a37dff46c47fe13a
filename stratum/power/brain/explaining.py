"""The tick in sentences: why the load moves, and what holds it back."""

from __future__ import annotations

import numpy as np

from stratum.power.brain.aiming import Aim
from stratum.power.brain.allocation import Allocator
from stratum.power.brain.commands import Level, Reason
from stratum.power.brain.observation import Facts
from stratum.power.brain.pacing import PacingState
from stratum.power.brain.values import JournalHealth

WATTS_A_MW = 1_000_000


JOURNAL = {
    JournalHealth.SLOW: "the journal's disk is slow: rigs are shed as ordered, none is woken",
    JournalHealth.FULL: "the journal's disk is full: rigs are shed as ordered, none is woken",
}


def explain(
    tick: Allocator, facts: Facts, goal: Aim, before: PacingState, journal: JournalHealth
) -> tuple[Reason, ...]:
    """Reasons of dispatch itself; arbitration, sources and witnesses have given theirs."""
    found: list[Reason] = []
    draft, task = tick.draft, tick.task
    slept = int((draft.wanted_w == 0).sum())
    raised = int((draft.wanted_w > 0).sum())
    if slept or raised:
        found.append(
            Reason(
                "moved",
                f"goal {mw(goal.goal_w)} ({goal.cause.value}), load will settle at "
                f"{mw(task.settled_w)}: {slept} to sleep, {raised} woken or set",
            )
        )
    for feeder in np.flatnonzero(facts.feeders.over_w):
        name = tick.fleet.feeders[feeder].name
        used_w, cap_w = int(facts.feeders.used_w[feeder]), int(facts.feeders.cap_w[feeder])
        found.append(
            Reason("over_cap", f"{mw(used_w)} under a cap of {mw(cap_w)}", Level.WARNING, name)
        )
    for feeder in np.flatnonzero(facts.feeders.blind):
        name = tick.fleet.feeders[feeder].name
        found.append(
            Reason("meter_stale", "no fresh reading: nothing is woken below it", Level.ALARM, name)
        )
    worn = int((tick.ranking.cycles >= tick.settings.cycles_alarm).sum())
    if worn and draft.told.any():
        found.append(
            Reason(
                "cycles",
                f"{worn} rigs with {tick.settings.cycles_alarm} cycles or more today",
                Level.ALARM,
            )
        )
    if journal is not JournalHealth.OK:
        found.append(Reason(f"journal_{journal.value}", JOURNAL[journal], Level.ALARM))
    if goal.start.ready_ms is None and before.goal_w is None:
        found.append(Reason("cold_start", "no rig is woken until meter and signal have been good"))
    return tuple(found)


def mw(watts: int) -> str:
    """Watts as people read them."""
    if abs(watts) < WATTS_A_MW:
        return f"{watts / 1_000:.1f} kW"
    return f"{watts / WATTS_A_MW:.3f} MW"
