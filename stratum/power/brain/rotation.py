"""Exchanges that leave the load as it is: one rig to sleep, an equal one awake.

Two reasons: an owner has borne more than its part of the curtailment, or a rig has slept, and
another run, for half a day. Only among rigs whose merit lies in one band, only in quiet (the load
is where it should be and nothing holds restores back), a few rigs every ten minutes, and never a
rig that has its cycles for today or is inside its min-on or min-off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratum.power.brain.allocation import Allocator
from stratum.power.brain.commands import Cause
from stratum.power.brain.fairness import QUANTUM_BP
from stratum.power.brain.feeders import fitting
from stratum.power.brain.fleet import Label
from stratum.power.brain.pacing import inrush_room, within_inrush
from stratum.power.brain.settings import HOUR
from stratum.power.brain.state import Status
from stratum.power.brain.values import Ints

FULL_BP = 10_000
REST_MS = 12 * HOUR  # two cycles a day at most come from rotation
PART_BP = 50  # of the fleet, exchanged at a time


@dataclass(frozen=True, slots=True)
class RotationState:
    """When the last exchange was ordered, monotonic."""

    at_ms: int | None = None


def rotate(state: RotationState, tick: Allocator) -> RotationState:
    """Order an exchange if it is time and there is reason."""
    now_ms = tick.task.now_ms
    if state.at_ms is not None and now_ms - state.at_ms < tick.settings.rotation_period_ms:
        return state
    if not tick.task.may_wake or tick.task.is_emergency or tick.draft.told.any():
        return state

    asleep, running = resting(tick), tireless(tick)
    sleep_rows, wake_rows = pairs(tick, running, asleep)
    if len(wake_rows):
        tick.draft.set(sleep_rows, 0, Cause.ROTATION)
        tick.draft.set(wake_rows, tick.ceiling_w[wake_rows], Cause.ROTATION)
    return RotationState(now_ms)


def resting(tick: Allocator) -> Ints:
    """Rigs that may be woken in an exchange, those of the most burdened owner first."""
    able = tick.wakeable() & (tick.ranking.cycles < tick.settings.cycles_soft)
    rows = np.flatnonzero(able)
    return rows[np.lexsort((tick.rigs.off_ms[rows], -burden(tick)[rows]))]


def tireless(tick: Allocator) -> Ints:
    """Rigs that may be put to sleep in an exchange, those of the least burdened owner first."""
    able = (
        tick.rigs.managed
        & (tick.rigs.status == Status.RUNNING)
        & (tick.fleet.label != Label.PROTECTED)
        & (tick.task.now_ms - tick.rigs.on_ms >= tick.fleet.min_on_ms)
        & (tick.ranking.cycles < tick.settings.cycles_soft)
    )
    rows = np.flatnonzero(able)
    return rows[np.lexsort((tick.rigs.on_ms[rows], burden(tick)[rows]))]


def burden(tick: Allocator) -> Ints:
    """Per rig, how far its owner has more off than its wish, in quanta of its contract."""
    ranking, fleet = tick.ranking, tick.fleet
    contracted = np.array([max(1, owner.contracted_w) for owner in fleet.owners], np.int64)
    beyond = (ranking.off_w - ranking.wish_w) * FULL_BP // contracted // QUANTUM_BP
    return beyond[fleet.owner]


def pairs(tick: Allocator, running: Ints, asleep: Ints) -> tuple[Ints, Ints]:
    """Equals to exchange, row against row: to sleep, to wake; empty where nothing is gained."""
    band, matched = tick.ranking.band, []
    for each in np.intersect1d(band[running], band[asleep]):
        sleepers, runners = asleep[band[asleep] == each], running[band[running] == each]
        count = min(len(sleepers), len(runners))
        matched.append((runners[:count], sleepers[:count]))
    if not matched:
        return running[:0], asleep[:0]
    running = np.concatenate([runners for runners, _ in matched])
    asleep = np.concatenate([sleepers for _, sleepers in matched])

    heavier, now_ms = burden(tick), tick.task.now_ms
    fairer = heavier[asleep] > heavier[running] + 1
    off_ms, on_ms = tick.rigs.off_ms[asleep], tick.rigs.on_ms[running]
    rested = (now_ms - off_ms >= REST_MS) & (now_ms - on_ms >= REST_MS)
    gain_w = (tick.draft.assumed_w - tick.draft.asleep_w)[running]
    cost_w = tick.wake_cost_w()[asleep]
    good = np.flatnonzero((fairer | rested) & (cost_w <= gain_w))
    good = good[: max(1, len(tick.fleet) * PART_BP // FULL_BP)]

    running, asleep, cost_w = running[good], asleep[good], cost_w[good]
    fits = within_inrush(tick.fleet, asleep, inrush_room(tick.fleet, tick.settings))
    fits &= fitting(tick.fleet, asleep, cost_w, tick.room_w())
    return running[fits], asleep[fits]
