"""Ramps, confirmation and inrush."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain.commands import ORDERED, Cause
from stratum.power.brain.pacing import (
    WAKE_SLOTS,
    PacingState,
    confirmed,
    elapsed_ms,
    inrush_room,
    ramp,
    ramp_up_w,
    wake_slots,
    within_inrush,
)
from stratum.power.brain.settings import MINUTE, SECOND, Settings
from tests.power.fleets import fleet

SETTINGS = Settings(ramp_up_w_per_min=60_000, ramp_down_w_per_min=30_000)
FLEET = fleet(1_000)  # 3.5 MW: a tenth a minute would be 350 kW


def goal_after(before_w: int, target_w: int, cause: Cause, seconds: int, settled_w: int) -> int:
    state = PacingState(goal_w=before_w, at_ms=0)
    return ramp(
        state,
        target_w,
        1 << 40,
        cause,
        settled_w,
        settled_w + 10_000,
        SETTINGS,
        FLEET,
        seconds * SECOND,
    )


def test_what_the_plant_orders_falls_at_once() -> None:
    for cause in ORDERED:
        assert goal_after(1_000_000, 0, cause, 1, 1_000_000) == 0


def test_what_we_start_falls_by_the_ramp() -> None:
    for cause in set(Cause) - ORDERED:
        assert goal_after(1_000_000, 0, cause, 1, 1_000_000) == 1_000_000 - 500
        assert goal_after(1_000_000, 999_900, cause, 1, 1_000_000) == 999_900


def test_the_way_up_is_ramped_whoever_wants_it() -> None:
    for cause in Cause:
        assert goal_after(1_000_000, 2_000_000, cause, 1, 1_000_000) == 1_001_000


def test_the_goal_does_not_run_away_from_a_load_that_cannot_follow() -> None:
    assert goal_after(1_000_000, 2_000_000, Cause.PLANT, 1, 500_000) == 500_000 + 10_000 + 1_000


def test_the_fleets_tenth_bounds_a_generous_ramp() -> None:
    assert ramp_up_w(Settings(ramp_up_w_per_min=10**9), FLEET) == 350_000
    assert ramp_up_w(Settings(), FLEET) == 350_000
    assert ramp_up_w(SETTINGS, FLEET) == 60_000


def test_an_absence_counts_as_one_slow_tick() -> None:
    assert elapsed_ms(PacingState(), 5 * MINUTE) == 0
    assert elapsed_ms(PacingState(goal_w=1, at_ms=0), SECOND) == SECOND
    assert elapsed_ms(PacingState(goal_w=1, at_ms=0), 5 * MINUTE) == 4 * SECOND


@given(
    st.integers(0, 4_000_000),
    st.integers(0, 4_000_000),
    st.integers(0, 4_000_000),
    st.sampled_from(Cause),
    st.integers(0, 600),
)
def test_a_goal_never_passes_its_target(
    before_w: int, target_w: int, settled_w: int, cause: Cause, seconds: int
) -> None:
    goal_w = goal_after(before_w, target_w, cause, seconds, settled_w)
    if target_w >= before_w:
        assert goal_w <= target_w
        assert goal_w <= before_w + 1_000 * seconds
    else:
        assert target_w <= goal_w <= before_w


def lows(targets: list[int], time_ms: int) -> list[int]:
    state, found = PacingState(), []
    for second, target_w in enumerate(targets):
        state, lowest = confirmed(state, target_w, (time_ms,), second * SECOND)
        found.append(lowest[time_ms])
    return found


def test_nothing_is_confirmed_before_the_time_has_passed() -> None:
    assert lows([500] * 62, MINUTE) == [0] * 60 + [500] * 2


def test_one_low_sample_counts_for_the_whole_time() -> None:
    found = lows([500] * 70 + [100] + [500] * 70, MINUTE)
    assert found[69] == 500
    assert found[70:130] == [100] * 60
    assert found[130] == 500


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(1, 20))
def test_the_confirmed_target_is_the_lowest_of_the_window(targets: list[int], window: int) -> None:
    found = lows(targets, window * SECOND)
    for second, low in enumerate(found):
        if second >= window:
            assert low == min(targets[second - window + 1 : second + 1])
        else:
            assert low == 0


def test_every_rig_has_its_second_among_five() -> None:
    counts = np.zeros(len(FLEET), np.int64)
    for tick in range(WAKE_SLOTS):
        counts += wake_slots(FLEET, tick)
    assert (counts == 1).all()


def test_two_per_cent_of_a_feeder_wake_in_one_second() -> None:
    rows = np.arange(len(FLEET))[::-1]
    woken = rows[within_inrush(FLEET, rows, inrush_room(FLEET, Settings()))]
    assert woken.tolist() == list(range(999, 979, -1))


def test_a_small_feeder_may_wake_one_rig() -> None:
    small = fleet(3)
    rows = np.arange(3)
    assert within_inrush(small, rows, inrush_room(small, Settings())).sum() == 1
