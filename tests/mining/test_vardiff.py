"""Vardiff against simulated rigs: Poisson arrivals, a clock that is a number, printed seeds."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.mining.session import LOOK_SHARES
from stratum.mining.vardiff import (
    LATEST_LOOK,
    MAX_RAISE,
    SHARE_INTERVAL,
    SOONEST_LOOK,
    Vardiff,
    on_grid,
)
from stratum.units import DifficultyScale

#: So many shares at once must be enough for the first adjustment (wire.md §3.2).
FIRST_SHARES = 8

MAIN = DifficultyScale(0)
TEST = DifficultyScale(32)

START = 16384
MAX = 2**63

#: What a grid of m·2^k can do to the rate, and what a power of two can.
FINE = (0.8, 1.2)
COARSE = (0.7, 1.42)


class Mine:
    """A rig and its Vardiff. `ideal` is the weight at which it would find 0.2 share/s."""

    def __init__(self, ideal: float, seed: int, weight: int = START, scale: DifficultyScale = MAIN):
        print(f"ideal {ideal}, seed {seed}")  # pytest shows it where a test fails
        self.ideal = ideal
        self.now = 0.0
        self.shares = 0
        self.changes = 0
        self.vardiff = Vardiff(scale, weight, 1, MAX, 0.0)
        self._look_at = 0.0
        self._look_shares = 0
        self._random = random.Random(seed)

    def run(self, seconds: int) -> None:
        """Share by share; looked at as the session does it."""
        for _ in range(seconds):
            self._second()

    def run_until(self, is_done: Callable[[], bool], limit: int = 3600) -> float:
        """Seconds until then."""
        began = self.now
        while not is_done() and self.now - began < limit:
            self._second()
        return self.now - began

    @property
    def rate(self) -> float:
        """Times 0.2 share/s, at the difficulty now in force."""
        return self.ideal / self.vardiff.weight

    def is_within(self, limits: tuple[float, float]) -> bool:
        return limits[0] <= self.rate <= limits[1]

    def _second(self) -> None:
        end = self.now + 1.0
        while self.ideal:
            pause = self._random.expovariate(self.rate / SHARE_INTERVAL)
            if self.now + pause >= end:
                break
            self.now += pause
            self.shares += 1
            self.vardiff.work(self.vardiff.weight)
        self.now = end
        if self.now < self._look_at and self.shares < self._look_shares:
            return
        self._look_shares = self.shares + LOOK_SHARES
        wish = self.vardiff.wish(self.now)
        if wish is not None:
            self.vardiff.changed(wish, self.now)
            self.changes += 1
        self._look_at = self.now + self.vardiff.patience(self.now)


# -- convergence ---------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1 / 300, 1 / 16, 0.62, 1, 1.3, 16, 20_000])
def test_rate_converges_to_one_share_in_five_seconds(factor: float) -> None:
    rates = []
    for seed in range(5):
        mine = Mine(START * factor, seed)
        mine.run(900)
        mine.shares = 0
        mine.run(3600)
        rates.append(mine.shares / 3600 * SHARE_INTERVAL)
    assert all(FINE[0] <= rate <= FINE[1] for rate in rates), rates
    assert 0.92 <= mean(rates) <= 1.12


@pytest.mark.parametrize("factor", [1.0, 1.19, 1.38])
def test_rate_below_difficulty_one_is_as_close_as_powers_of_two_allow(factor: float) -> None:
    for seed in range(3):
        mine = Mine(2**20 * factor, seed, 2**28, TEST)
        mine.run(900)
        mine.shares = 0
        mine.run(3600)
        assert COARSE[0] <= mine.shares / 3600 * SHARE_INTERVAL <= COARSE[1]


def test_new_asic_on_a_low_port_is_served_within_seconds() -> None:
    """200 TH/s at 16384: 2.8 shares a second."""
    times = [_time_to_settle(Mine(14.2 * START, seed)) for seed in range(20)]
    assert median(times) <= 6


def test_small_rig_on_a_high_port_gets_there_by_time_alone() -> None:
    times = [_time_to_settle(Mine(START / 300, seed)) for seed in range(20)]
    assert median(times) <= 270


def test_halved_hashrate_is_followed_within_three_minutes() -> None:
    """Blind: nobody tells. Six of seven are within 180 s, and nobody waits for a quarter hour."""
    times = []
    for seed in range(60):
        mine = Mine(1.1e6, seed, 1_048_576)
        mine.run(1200)
        mine.ideal /= 2
        times.append(_time_to_settle(mine))
    assert median(times) <= 120
    assert sum(time <= 180 for time in times) >= 0.75 * len(times)
    assert max(times) <= 900


def test_doubled_hashrate_is_followed_as_fast() -> None:
    times = []
    for seed in range(30):
        mine = Mine(1.1e6, seed, 1_048_576)
        mine.run(1200)
        mine.ideal *= 2
        times.append(_time_to_settle(mine))
    assert median(times) <= 120


def test_steady_rig_is_not_bothered_all_the_time() -> None:
    changes = []
    for seed in range(5):
        mine = Mine(START, seed)
        mine.run(3600)
        changes.append(mine.changes)
    assert mean(changes) <= 24, "a change in two and a half minutes at most"


def _time_to_settle(mine: Mine) -> float:
    return mine.run_until(lambda: mine.is_within(COARSE))


# -- when to look --------------------------------------------------------------------------


def test_a_rig_that_may_have_slowed_down_is_looked_at_more_often() -> None:
    vardiff = Vardiff(MAIN, START, 1, MAX, 0.0)
    vardiff.work(START)
    waits = [vardiff.patience(float(now)) for now in range(60)]
    assert waits == sorted(waits, reverse=True)
    assert (waits[0], waits[-1]) == (LATEST_LOOK, SOONEST_LOOK)
    vardiff.work(6 * START)
    assert vardiff.patience(40.0) == LATEST_LOOK


# -- single decisions ----------------------------------------------------------------------


def test_quiet_rig_falls_by_time_alone_and_keeps_falling() -> None:
    mine = Mine(0, 0)
    weights = []
    for _ in range(6):
        mine.run(30)
        weights.append(mine.vardiff.weight)
    assert weights == sorted(weights, reverse=True)
    assert len(set(weights)) >= 5 and weights[-1] < START / 500


def test_first_look_is_after_twenty_seconds_without_a_share() -> None:
    vardiff = Vardiff(MAIN, START, 1, MAX, 0.0)
    assert vardiff.wish(19.9) is None
    assert (vardiff.wish(20.0) or START) <= START / 4


def test_first_raise_is_after_eight_shares() -> None:
    vardiff = Vardiff(MAIN, START, 1, MAX, 0.0)
    for count in range(FIRST_SHARES):
        assert vardiff.wish(count * 0.1) is None
        vardiff.work(START)
    assert (vardiff.wish(FIRST_SHARES * 0.1) or 0) > 4 * START


def test_burst_after_a_reconnect_raises_by_one_bounded_step() -> None:
    """A rig that found 24 shares in two minutes of broken line submits them at once."""
    vardiff = Vardiff(MAIN, START, 1, MAX, 0.0)
    for _ in range(24):
        vardiff.work(START)
    wish = vardiff.wish(0.01)
    assert wish == START * MAX_RAISE
    vardiff.changed(wish, 0.01)
    for _ in range(24):
        vardiff.work(START)  # the rest of the burst: a sixteenth of the new weight each
    assert vardiff.wish(0.02) is None

    mine = Mine(START, 1)
    mine.vardiff = vardiff
    assert _time_to_settle(mine) <= 300


def test_late_share_of_an_easier_job_counts_for_what_it_proves() -> None:
    lazy, honest = (Vardiff(MAIN, START, 1, MAX, 0.0) for _ in range(2))
    for _ in range(16):
        lazy.work(START // 16)
    honest.work(START)
    for now in (1.0, 10.0, 19.0, 25.0, 40.0):
        assert lazy.wish(now) == honest.wish(now)


def test_weight_keeps_within_its_bounds() -> None:
    vardiff = Vardiff(MAIN, START, 8192, 32768, 0.0)
    for _ in range(100):
        vardiff.work(START)
    assert vardiff.wish(1.0) == 32768
    vardiff.restart(START, 0.0)
    assert vardiff.wish(1000.0) == 8192
    vardiff.restart(8192, 0.0)
    assert vardiff.wish(1000.0) is None


def test_clock_that_is_set_back_neither_raises_nor_stops_the_fall_of_a_quiet_rig() -> None:
    vardiff = Vardiff(MAIN, START, 1, MAX, 10_000.0)
    for _ in range(4):
        vardiff.work(START)
    assert vardiff.wish(0.0) is None
    assert (vardiff.wish(60.0) or START) < START


@given(
    st.lists(
        st.tuples(st.sampled_from(["share", "look"]), st.floats(0, 1e4)), min_size=1, max_size=60
    ),
    st.integers(1, 2**50),
    st.integers(1, 2**40),
)
def test_any_history_gives_a_weight_on_the_grid_and_in_bounds(
    history: list[tuple[str, float]], weight: int, floor: int
) -> None:
    vardiff = Vardiff(MAIN, weight, floor, 2**62, 0.0)
    now = 0.0
    for what, seconds in history:
        now += seconds
        if what == "share":
            vardiff.work(vardiff.weight)
        wish = vardiff.wish(now)
        if wish is not None:
            assert floor <= wish <= 2**62
            assert wish == on_grid(wish, MAIN) or wish == floor
            vardiff.changed(wish, now)


# -- the grid ------------------------------------------------------------------------------


@given(st.floats(1, 2**62))
def test_grid_is_fine_above_one_and_powers_of_two_below(weight: float) -> None:
    fine, coarse = on_grid(weight, MAIN), on_grid(weight, TEST)
    mantissa = fine >> max(fine.bit_length() - 4, 0)
    assert fine < 16 or (8 <= mantissa < 16 and fine % (fine // mantissa) == 0)
    assert coarse >= 2**32 or coarse & (coarse - 1) == 0
    if weight >= 8:
        assert 0.94 <= fine / weight <= 1.07
    assert 0.5 <= coarse / weight <= 1.42


@given(st.integers(1, 2**62))
def test_what_is_on_the_grid_stays_there(weight: int) -> None:
    for scale in (MAIN, TEST):
        once = on_grid(weight, scale)
        assert on_grid(once, scale) == once
