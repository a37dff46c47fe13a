"""How fast the load may move: ramps, confirmation of restores, inrush.

Down at once where the plant orders it, by the ramp where we started it; up always by the ramp, and
only as far as the target has held for the time of confirmation (N13): the lowest target of the
last minute or two, not a timer that a noisy signal resets. The ramp starts from what the load can
be brought to, not from where the goal ran away to while rigs sat out their min-off.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from stratum.power.brain.commands import ORDERED, Cause
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import MINUTE, Settings
from stratum.power.brain.values import Flags, Ints

FULL_BP = 10_000
RAMP_BP_PER_MIN = 1_000  # N14: 10 % of the fleet a minute
SLOWEST_TICK_MS = 4_000  # P1: a cycle is 0.5 to 4 s
WAKE_SLOTS = 5  # a rig may be woken in one second of five: N16's jitter, without a die
SLOT_STEP = 7_919  # a prime: neighbours on one feeder fall into different seconds


@dataclass(frozen=True, slots=True)
class PacingState:
    """The ramped goal, and the targets of the last minutes as falling minima (time, watts)."""

    goal_w: int | None = None
    at_ms: int = 0
    lows: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = ()  # one a confirmation time


def ramp(
    state: PacingState,
    target_w: int,
    at_once_w: int,
    cause: Cause,
    settled_w: int,
    reach_w: int,
    settings: Settings,
    fleet: Fleet,
    elapsed_ms: int,
) -> int:
    """The next goal: towards the target, no faster than allowed. Watts.

    What is above `at_once_w` is somebody's order and falls now, whatever the rest is for. On the
    way up the goal does not leave behind what the running rigs could be brought to, `reach_w`.
    """
    # The first tick goes from where the load is, by the same rules.
    before_w = settled_w if state.goal_w is None else state.goal_w
    if target_w >= before_w:
        start_w = min(before_w, max(reach_w, 0))
        return min(target_w, start_w + ramp_up_w(settings, fleet) * elapsed_ms // MINUTE)
    if cause in ORDERED:
        return target_w
    before_w = min(before_w, max(at_once_w, target_w))
    return max(target_w, before_w - ramp_down_w(settings, fleet) * elapsed_ms // MINUTE)


def elapsed_ms(state: PacingState, now_ms: int) -> int:
    """The time that ramps count since the last tick: of an absence only one slow tick.

    A controller that was away for five minutes must not step by five minutes' ramp.
    """
    if state.goal_w is None:
        return 0
    return min(max(0, now_ms - state.at_ms), SLOWEST_TICK_MS)


def ramp_up_w(settings: Settings, fleet: Fleet) -> int:
    """Watts a minute: the site's own figure, never above N14's share of the fleet."""
    by_fleet = fleet.total_w * RAMP_BP_PER_MIN // FULL_BP
    own = settings.ramp_up_w_per_min
    return by_fleet if own is None else min(own, by_fleet)


def ramp_down_w(settings: Settings, fleet: Fleet) -> int:
    own = settings.ramp_down_w_per_min
    return fleet.total_w * RAMP_BP_PER_MIN // FULL_BP if own is None else own


def confirmed(
    state: PacingState, target_w: int, times_ms: tuple[int, ...], now_ms: int
) -> tuple[PacingState, dict[int, int]]:
    """The lowest target of the last `times_ms`, for each; the whole time must have been seen."""
    known = dict(state.lows)
    lows, lowest = [], {}
    for time_ms in times_ms:
        window = deque(known.get(time_ms, ((now_ms, 0),)))
        while window and window[-1][1] >= target_w:
            window.pop()
        window.append((now_ms, target_w))
        # The head stays until the one after it has held for the whole time.
        while len(window) > 1 and window[0][0] <= now_ms - time_ms:
            window.popleft()
        lows.append((time_ms, tuple(window)))
        lowest[time_ms] = window[0][1]
    return PacingState(state.goal_w, state.at_ms, tuple(lows)), lowest


def wake_slots(fleet: Fleet, tick: int) -> Flags:
    """Rigs whose second it is."""
    slots: Ints = np.arange(len(fleet), dtype=np.int64) * SLOT_STEP % WAKE_SLOTS
    return np.equal(slots, tick % WAKE_SLOTS)


def inrush_room(fleet: Fleet, settings: Settings) -> Ints:
    """How many rigs may be woken under each leaf feeder in one second; at least one."""
    below = np.bincount(fleet.feeder, minlength=len(fleet.feeders)).astype(np.int64)
    return np.maximum(1, below * settings.inrush_bp_per_s // FULL_BP)


def within_inrush(fleet: Fleet, rigs: Ints, room: Ints) -> Flags:
    """Which of these rigs, in their order, are among the first few of their feeder."""
    feeders = fleet.feeder[rigs]
    by_feeder = np.argsort(feeders, kind="stable")
    ordered = feeders[by_feeder]
    starts = np.searchsorted(ordered, ordered)
    rank = np.empty(len(rigs), np.int64)
    rank[by_feeder] = np.arange(len(rigs), dtype=np.int64) - starts
    return rank < room[feeders]
