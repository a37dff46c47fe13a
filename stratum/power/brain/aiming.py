"""The second step of a tick: one goal for the site, whose wish it is, and whether rigs may wake.

The target is what was ordered, less the reserve, less what no rig would earn its power with (under
`profit`). The goal goes towards it as fast as whoever moved it may (`pacing`). Rigs are woken only
when nothing speaks against it: the first minute is over and meter and signal have been good once
(P5), the journal is written, devices answer, no emergency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratum.power.brain import pacing
from stratum.power.brain.commands import Cause
from stratum.power.brain.feeders import NO_CAP_W, through
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.observation import Facts
from stratum.power.brain.pacing import PacingState
from stratum.power.brain.settings import MINUTE, Mode, Settings
from stratum.power.brain.state import RigState, Status
from stratum.power.brain.values import Inputs, JournalHealth

FULL_BP = 10_000


@dataclass(frozen=True, slots=True)
class StartState:
    """The cold start: when it began, and since when there has been reason to trust what is seen."""

    began_ms: int | None = None
    ready_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Aim:
    """Where the load is steered in this tick. Watts."""

    target_w: int
    goal_w: int
    cause: Cause
    lowest_w: dict[int, int]  # target held for each confirmation time
    may_rise: bool  # nothing speaks against more load
    may_wake: bool  # the same, and rigs are ours to command
    blind_drop_w: int  # our own ramp's part of this tick
    pacing: PacingState
    start: StartState


def aim(
    facts: Facts,
    rigs: RigState,
    before: PacingState,
    start: StartState,
    inputs: Inputs,
    settings: Settings,
    fleet: Fleet,
) -> Aim:
    """Choose this second's goal."""
    now_ms = inputs.now_ms
    start = begun(start, facts, settings, now_ms)
    target_w, cause = wanted(facts, settings, fleet)
    times_ms = tuple(int(time_ms) for time_ms in np.unique(fleet.confirm_ms))
    pace, lowest_w = pacing.confirmed(before, target_w, times_ms, now_ms)
    may_rise = start.ready_ms is not None and rise_allowed(facts, inputs)
    if not may_rise and before.goal_w is not None:
        target_w = min(target_w, before.goal_w)  # nothing is woken, and nothing turned up
    elapsed_ms = pacing.elapsed_ms(before, now_ms)
    at_once_w = with_reserve(facts.order.at_once_w, settings)
    settled_w = facts.feeders.site.settled_w
    slack_w = 2 * max(
        fleet.total_w * settings.deadband_bp // FULL_BP, int(fleet.rated_w.max(initial=0))
    )
    # Rigs that sleep faster than their table make the meter read low for seconds: what they were
    # ordered counts too.
    counted_w = max(settled_w, int(facts.load.assumed_by_feeder[0]))
    reach_w = counted_w + headroom_w(facts, rigs, fleet) + slack_w
    goal_w = pacing.ramp(
        before, target_w, at_once_w, cause, settled_w, reach_w, settings, fleet, elapsed_ms
    )
    return Aim(
        target_w=target_w,
        goal_w=goal_w,
        cause=cause,
        lowest_w=lowest_w,
        may_rise=may_rise,
        may_wake=may_rise and facts.memory.overrides.mode is Mode.CONTROL,
        blind_drop_w=pacing.ramp_down_w(settings, fleet) * elapsed_ms // MINUTE,
        pacing=PacingState(goal_w, now_ms, pace.lows),
        start=start,
    )


def headroom_w(facts: Facts, rigs: RigState, fleet: Fleet) -> int:
    """What running rigs with a power target could take more in a few seconds, caps allowing."""
    running = fleet.continuous & rigs.managed & (rigs.status == Status.RUNNING)
    spare_w = np.maximum(rigs.full_w(fleet) - facts.load.assumed_w, 0)
    own_w = np.bincount(fleet.feeder, np.where(running, spare_w, 0), len(fleet.feeders))
    feeders = facts.feeders
    room_w = np.maximum(feeders.cap_w - feeders.used_w, 0)
    room_w[0] = NO_CAP_W  # the site's own limit is in the target
    return through(fleet, own_w.astype(np.int64), room_w)


def wanted(facts: Facts, settings: Settings, fleet: Fleet) -> tuple[int, Cause]:
    """What the load should be in the end, and whose wish that is."""
    order = facts.order
    target_w = max(order.lo_w, with_reserve(order.target_w, settings))
    ceiling_w = facts.worth.ceiling_w
    if (ceiling_w < fleet.rated_w).any() and not order.emergency:
        worth_w = max(order.lo_w, int(np.maximum(ceiling_w, fleet.idle_w).sum()))
        if worth_w < target_w:
            return worth_w, Cause.PRICE
    return target_w, Cause.EMERGENCY if order.emergency else order.cause


def with_reserve(watts: int, settings: Settings) -> int:
    """What is steered to below an order: consuming more than there is costs more than less."""
    return watts - watts * settings.reserve_bp // FULL_BP


def begun(start: StartState, facts: Facts, settings: Settings, now_ms: int) -> StartState:
    """Count the first minute, and wait for the first good meter and the first good signal."""
    began_ms = now_ms if start.began_ms is None else start.began_ms
    ready_ms = start.ready_ms
    seen = facts.feeders.site.source != "model" and not facts.feeders.blind[0]
    rested = now_ms - began_ms >= settings.cold_start_ms
    if ready_ms is None and rested and seen and facts.order.restore:
        ready_ms = now_ms
    return StartState(began_ms, ready_ms)


def rise_allowed(facts: Facts, inputs: Inputs) -> bool:
    """Whether anything may be woken or turned up. N23: blind, nothing above what was seen last."""
    return (
        facts.order.restore
        and not facts.feeders.blind[0]
        and not facts.order.emergency
        and not facts.verified.restores_frozen
        and inputs.journal is JournalHealth.OK
    )
