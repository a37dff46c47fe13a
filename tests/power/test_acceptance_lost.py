"""Acceptance (power.md §7.9, N20): what the plant says is lost or nonsense, and rigs are behind it.

`test_acceptance_signals` looks at the order that is made of it; here it is the load itself. What
baseload starts by itself falls by the ramp and never in a step, and it falls all the way.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from stratum.power.brain.commands import Cause
from stratum.power.simulation.scenario import MINUTE
from tests.power.rehearsal import (
    BLOCK,
    CONFIRM_S,
    HOLD_S,
    LOST_RAMP_S,
    OLD_S,
    RAMP,
    SETTLED,
    Story,
    steepest_fall,
    steepest_rise,
    story,
    swings,
)

WORD = 70.0  # what the plant had said
HELD_UNTIL = SETTLED + HOLD_S
BACK = SETTLED + 600
#: N20 gives the word five minutes to come down to the floor; the load takes seven, by our own ramp.
FELL_AT = SETTLED + OLD_S + HOLD_S + LOST_RAMP_S
DOWN_AT = SETTLED + OLD_S + HOLD_S + round(WORD / RAMP * MINUTE)

#: How far the load may be from a goal that ramps: three blocks.
APART = 3 * BLOCK

#: What happens to the signal, and what it is called.
LOSSES = {
    "signal-lost": "source_held",
    "frozen": "frozen",
    "nan": "not_a_number",
    "x1000": "unit_error",
    "late": "late",
}


def assert_ramps_down(told: Story, first: int, last: int) -> None:
    """The goal comes down by the ramp to a watt, and the load with it: no step, no way back."""
    goal_w = np.array([picture.goal_w for picture in told.pictures[first:last]])
    assert np.diff(goal_w).min() >= -told.fleet.total_w * RAMP / 100 / MINUTE - 1
    assert np.diff(goal_w).max() <= 0
    load = told.load[first:last]
    goal = np.maximum(goal_w * (100.0 / told.fleet.total_w), told.asleep)
    assert np.abs(load - goal).max() <= APART
    assert steepest_fall(load, MINUTE) <= RAMP + 2 * APART
    assert swings(load, 2.0) == 0


@cache
def lost(name: str) -> Story:
    """Ten minutes of it. One of them is followed until it is over and the load is back."""
    return story(name, 26 if name == "signal-lost" else 13, "flat")


@pytest.mark.parametrize(("name", "code"), LOSSES.items())
def test_loss_is_told_and_the_load_held(name: str, code: str) -> None:
    gone = lost(name)
    assert SETTLED <= gone.first(code) <= SETTLED + OLD_S + 2
    assert gone.alarm("source_fallback") <= FELL_AT + 2
    held = gone.load[SETTLED:HELD_UNTIL]
    assert WORD - 2.0 <= held.min() and held.max() <= WORD


@pytest.mark.parametrize("name", LOSSES)
def test_lost_load_ramps_down_and_never_in_a_step(name: str) -> None:
    gone = lost(name)
    assert_ramps_down(gone, HELD_UNTIL, BACK)
    assert gone.load[FELL_AT] <= WORD - (FELL_AT - HELD_UNTIL - OLD_S) * RAMP / MINUTE + APART
    assert gone.woken(HELD_UNTIL, BACK) == 0
    assert not gone.broken


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_of_nonsense_ever_raises_the_load(name: str) -> None:
    assert lost(name).load[SETTLED:BACK].max() <= WORD


def test_lost_load_ends_at_the_floor() -> None:
    gone = lost("signal-lost")
    assert gone.load[DOWN_AT + 30 : BACK].max() <= gone.asleep + BLOCK


def test_load_returns_with_the_signal_confirmed_and_by_the_ramp() -> None:
    back = lost("signal-lost")
    assert back.woken(BACK, BACK + CONFIRM_S - 1) == 0
    assert steepest_rise(back.load[BACK:], MINUTE) <= RAMP + 3 * BLOCK
    assert back.load[BACK + CONFIRM_S + 7 * MINUTE + 30 :].min() >= WORD - 2.5
    assert back.over.max() <= 30.5 and back.over[SETTLED:].max() <= 0.0  # it begins at full


def test_the_lower_of_two_masters_is_followed_and_both_are_told_of() -> None:
    masters = story("two-masters", 10)
    assert masters.first("two_masters") == 0
    assert masters.score.over <= 0.5  # N9
    error = masters.load[SETTLED:] - masters.surplus[SETTLED:]
    assert np.abs(error.mean()) <= 2.0
    assert not masters.broken


# -- no work to give ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def idle() -> Story:
    """Ten minutes without an upstream."""
    return story("upstream-lost", 27)


def test_lost_upstream_brings_the_load_down_by_the_ramp_and_never_in_a_step(idle: Story) -> None:
    assert idle.alarm("upstream_lost") == SETTLED
    assert_ramps_down(idle, SETTLED, BACK)
    assert idle.load[SETTLED + 7 * MINUTE + 30 : BACK].max() <= idle.asleep + BLOCK
    assert idle.woken(SETTLED, BACK) == 0


def test_missing_work_accuses_no_rig(idle: Story) -> None:
    """Without work there are no shares, and that says nothing of whoever has none."""
    for code in ("elsewhere", "dead", "liar", "work_missing"):
        assert idle.first(code, SETTLED) > idle.run.scenario.seconds
    while_lost = [order for order in idle.orders if SETTLED <= order.second < BACK]
    causes = {order.cause for order in while_lost if order.power_w == 0}
    assert causes <= {Cause.UPSTREAM, Cause.ROTATION}


def test_load_returns_with_the_work(idle: Story) -> None:
    assert steepest_rise(idle.load[BACK:], MINUTE) <= RAMP + 3 * BLOCK
    assert idle.load[BACK + CONFIRM_S + 7 * MINUTE + 30 :].min() >= WORD - 2.5
    assert not idle.broken
