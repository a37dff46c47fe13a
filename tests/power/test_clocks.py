"""The wall clock against the monotonic one: what is an event, what is refused, when it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain.clocks import STEADY_MS, ClockState, watch
from stratum.power.brain.commands import Level
from stratum.power.brain.settings import HOUR, MINUTE, SECOND, Settings
from tests.power.plant import NOON, utc

SETTINGS = Settings()


class Clocks:
    """Two clocks and what is made of them; `offset_ms` is what the wall is off by."""

    def __init__(self, start_ms: int = NOON) -> None:
        self.now_ms = 5_000_000
        self.start_ms = start_ms - self.now_ms
        self.offset_ms = 0
        self.state = ClockState()
        self.codes: list[str] = []

    @property
    def true_ms(self) -> int:
        return self.start_ms + self.now_ms

    def tick(self, step_ms: int = SECOND) -> ClockState:
        self.now_ms += step_ms
        wall = self.true_ms + self.offset_ms
        self.state, told = watch(self.state, self.now_ms, wall, SETTINGS)
        self.codes += [reason.code for reason in told]
        return self.state

    def run(self, seconds: int) -> ClockState:
        for _ in range(seconds):
            self.tick()
        return self.state


def test_clocks_in_step_are_no_news() -> None:
    clocks = Clocks()
    state = clocks.run(3600)
    assert (clocks.codes, state.reject_wall_timed) == ([], False)
    assert state.wall_ms == clocks.true_ms


@pytest.mark.parametrize(
    ("step_ms", "codes", "rejects"),
    [
        (1_000, [], False),
        (-1_000, [], False),  # a leap second
        (1_100, ["clock_step"], False),
        (-29_900, ["clock_step"], False),
        (30_000, ["clock_step"], False),
        (30_001, ["clock_jump"], True),
        (-HOUR, ["clock_jump"], True),
    ],
)
def test_step_is_nothing_an_event_or_an_alarm(
    step_ms: int, codes: list[str], rejects: bool
) -> None:
    clocks = Clocks()
    clocks.run(10)
    clocks.offset_ms += step_ms
    state = clocks.tick()
    assert (clocks.codes, state.reject_wall_timed) == (codes, rejects)
    assert state.wall_ms == clocks.true_ms + (0 if rejects else step_ms)


@pytest.mark.parametrize("jump_ms", [HOUR, -HOUR])
def test_jump_is_believed_once_the_wall_kept_in_step_for_a_minute(jump_ms: int) -> None:
    clocks = Clocks()
    clocks.run(10)
    clocks.offset_ms = jump_ms
    for _ in range(STEADY_MS // SECOND):
        state = clocks.tick()
        assert state.reject_wall_timed and state.wall_ms == clocks.true_ms
    state = clocks.tick()
    assert not state.reject_wall_timed and state.wall_ms == clocks.true_ms + jump_ms
    assert clocks.codes == ["clock_jump", "clock_believed"]


def test_wall_that_jumps_back_waits_as_long_and_then_nothing_has_changed() -> None:
    clocks = Clocks()
    clocks.run(10)
    clocks.offset_ms = HOUR
    clocks.run(30)
    clocks.offset_ms = 0
    assert clocks.run(STEADY_MS // SECOND).reject_wall_timed
    state = clocks.tick()
    assert not state.reject_wall_timed and state.wall_ms == clocks.true_ms


def test_wall_that_never_keeps_in_step_is_never_believed() -> None:
    clocks = Clocks()
    clocks.run(10)
    for turn in range(40):
        clocks.offset_ms = HOUR if turn % 2 else -HOUR
        state = clocks.run(30)
        assert state.reject_wall_timed and state.wall_ms == clocks.true_ms
    assert clocks.codes == ["clock_jump"]


def test_wall_that_runs_twice_as_fast_is_found_by_the_sum_of_its_steps() -> None:
    clocks = Clocks()
    clocks.run(10)
    for _ in range(40):
        clocks.offset_ms += SECOND
        clocks.tick()
    assert clocks.codes == ["clock_jump"]


def test_slow_slew_is_followed_without_a_word() -> None:
    """NTP's 500 ppm for a day: 43 s, of which no five minutes have more than 0.15 s."""
    clocks = Clocks()
    for minute in range(24 * 60):
        clocks.offset_ms = 30 * minute
        state = clocks.tick(MINUTE)
    assert (clocks.codes, state.reject_wall_timed) == ([], False)
    assert state.wall_ms == clocks.true_ms + clocks.offset_ms


def test_leap_second_at_the_end_of_2016_is_no_event() -> None:
    """Unix time says the last second of the day twice."""
    clocks = Clocks(utc(2016, 12, 31, 23, 59, 30))
    clocks.run(30)
    clocks.offset_ms -= SECOND
    state = clocks.run(600)
    assert (clocks.codes, state.reject_wall_timed) == ([], False)


def test_process_that_was_stopped_for_an_hour_sees_no_jump() -> None:
    clocks = Clocks()
    clocks.run(10)
    assert not clocks.tick(HOUR).reject_wall_timed
    assert clocks.codes == []


def test_jump_is_an_alarm_with_its_figure() -> None:
    state, _ = watch(ClockState(), 0, NOON, SETTINGS)
    _, told = watch(state, SECOND, NOON + SECOND + HOUR, SETTINGS)
    assert told[0].level is Level.ALARM and "+3600.0 s" in told[0].text


@given(st.lists(st.tuples(st.integers(500, 4_000), st.integers(-2 * HOUR, 2 * HOUR)), max_size=80))
def test_believed_time_is_never_more_than_a_step_from_the_wall_or_from_the_old_reckoning(
    ticks: list[tuple[int, int]],
) -> None:
    clocks = Clocks()
    before = clocks.tick()
    for step_ms, jump_ms in ticks:
        if jump_ms % 3 == 0:  # else the wall stays where it is
            clocks.offset_ms = jump_ms
        state = clocks.tick(step_ms)
        carried_on = before.wall_ms + step_ms
        wall = clocks.true_ms + clocks.offset_ms
        assert state.wall_ms == (carried_on if state.reject_wall_timed else wall)
        before = state
