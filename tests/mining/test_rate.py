"""The decaying mean of work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.mining.rate import TIME_CONSTANT, RateMeter
from stratum.units import DifficultyScale


@pytest.mark.parametrize("seconds", [10, 60, 300, 3600])
def test_steady_work_is_shown_at_its_rate_from_the_first_minute(seconds: int) -> None:
    meter = RateMeter(0.0)
    for second in range(seconds):
        meter.add(7, second + 0.5)
    assert meter.rate(float(seconds)) == pytest.approx(7, rel=0.01)


def test_rate_forgets() -> None:
    meter = RateMeter(0.0)
    meter.add(1000, 1.0)
    assert meter.rate(1.0 + 10 * TIME_CONSTANT) < 1000 / TIME_CONSTANT / 1000


def test_hashrate_is_the_same_in_any_scale() -> None:
    rates = []
    for shift in (0, 32):
        meter = RateMeter(0.0)
        meter.add(1 << shift, 1.0)
        rates.append(meter.hashrate(DifficultyScale(shift), 1.0))
    assert rates[0] == pytest.approx(rates[1]) == pytest.approx(2**32, rel=0.01)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20))
def test_clock_that_jumps_never_breaks_it_nor_makes_work(times: list[float]) -> None:
    meter = RateMeter(0.0)
    for now in times:
        meter.add(1, now)
        assert 0 <= meter.rate(now) <= 1.01 * len(times)
