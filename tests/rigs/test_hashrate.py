"""The sliding window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.rigs.hashrate import WINDOW_S, HashrateMeter


def test_rate_starts_over_the_time_since_the_start() -> None:
    meter = HashrateMeter(100.0)
    assert meter.rate(100.0) == 0
    meter.add(102.0, 1000)
    assert meter.rate(102.0) == 500


def test_rate_forgets_what_left_the_window() -> None:
    meter = HashrateMeter(0.0)
    meter.add(1.0, 6000)
    meter.add(50.0, 600)
    assert meter.rate(60.0) == 110
    assert meter.rate(1.0 + WINDOW_S) == 10
    assert meter.rate(1000.0) == 0
    assert meter.total == 6600


@given(steps=st.lists(st.tuples(st.floats(0.001, 5), st.integers(0, 10**9)), max_size=200))
def test_rate_never_counts_more_than_was_done(steps: list[tuple[float, int]]) -> None:
    meter = HashrateMeter(0.0)
    now = 0.0
    for wait, hashes in steps:
        now += wait
        meter.add(now, hashes)
    assert meter.total == sum(hashes for _, hashes in steps)
    assert meter.rate(now) * min(now, WINDOW_S) <= meter.total * (1 + 1e-9)


def test_steady_rate_is_shown_as_it_is() -> None:
    meter = HashrateMeter(0.0)
    for tick in range(1, 1201):
        meter.add(tick * 0.1, 100)
    assert meter.rate(120.0) == pytest.approx(1000, rel=0.01)
