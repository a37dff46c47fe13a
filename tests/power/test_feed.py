"""The plant's signal, and what can befall it."""

from __future__ import annotations

import numpy as np
import pytest

from stratum.power.brain.values import Kind, Quality, Signal
from stratum.power.simulation.feed import AHEAD_MS, DELAY_MS, LATE_MS, Feed, Mishap, Trouble

WALL_MS = 1_800_000_000_000
WATTS = np.arange(10_000) * 1_000 + 20_000_000


def sample(second: int, mishap: Mishap | None = None) -> Signal:
    troubles = () if mishap is None else (Trouble(100, 200, mishap),)
    feed = Feed("plant", Kind.SURPLUS_MEAS, WATTS, troubles)
    (signal,) = feed.samples(second, second * 1_000, WALL_MS + second * 1_000)
    return signal


def test_sample_is_the_truth_a_moment_ago_with_a_counter() -> None:
    signal = sample(50)
    assert signal.value == int(WATTS[50])
    assert signal.event_ms == WALL_MS + 50_000 - DELAY_MS
    assert signal.sequence == 50 and signal.quality is Quality.GOOD


def test_lost_signal_sends_nothing_and_comes_back() -> None:
    feed = Feed("plant", Kind.SURPLUS_MEAS, WATTS, (Trouble(100, 200, Mishap.GONE),))
    assert feed.samples(150, 0, 0) == ()
    assert len(feed.samples(200, 0, 0)) == 1


def test_frozen_heartbeat_repeats_value_and_counter_with_new_times() -> None:
    first, later = sample(100, Mishap.FROZEN), sample(180, Mishap.FROZEN)
    assert (first.value, first.sequence) == (later.value, later.sequence) == (int(WATTS[100]), 100)
    assert later.event_ms - first.event_ms == 80_000


def test_value_that_is_no_number_is_none_and_never_zero() -> None:
    assert sample(150, Mishap.NAN).value is None


def test_thousandfold_and_swapped_words_are_far_off() -> None:
    assert sample(150, Mishap.THOUSANDFOLD).value == int(WATTS[150]) * 1_000
    swapped = sample(150, Mishap.SWAPPED).value
    assert swapped is None or not 0.5 < swapped / int(WATTS[150]) < 2


@pytest.mark.parametrize(("mishap", "by_ms"), [(Mishap.LATE, -LATE_MS), (Mishap.FUTURE, AHEAD_MS)])
def test_stamp_is_off_by_as_much_as_it_says(mishap: Mishap, by_ms: int) -> None:
    assert sample(150, mishap).event_ms - sample(150).event_ms == by_ms


def test_bad_quality_is_said() -> None:
    assert sample(150, Mishap.BAD).quality is Quality.BAD


def test_slow_source_speaks_at_its_period() -> None:
    feed = Feed("iso", Kind.SETPOINT_ABS, WATTS, period_s=4)
    assert [second for second in range(9) if feed.samples(second, 0, 0)] == [0, 4, 8]
