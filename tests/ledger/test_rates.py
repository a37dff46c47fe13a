from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.ledger.rates import WINDOWS, Deltas, Rate, RateTable, poisson_limits
from stratum.units import HASHES_PER_DIFFICULTY
from tests.ledger.worksums import NOON

#: Exact limits of a Poisson mean (Garwood 1936), from its tables.
GARWOOD = {
    0: (0.0, 3.689),
    1: (0.0253, 5.572),
    2: (0.2422, 7.225),
    5: (1.623, 11.668),
    10: (4.795, 18.390),
    50: (37.111, 65.919),
    100: (81.364, 121.628),
}


def deltas(row: int, at: float, work: float, shares: int = 1) -> Deltas:
    return Deltas(
        np.array([row]), np.array([int(at) // 60]), np.array([work]), np.array([work**2 / shares])
    )


def table_at(moment: float) -> RateTable:
    table = RateTable()
    table.begin(moment)
    return table


def rate(table: RateTable, row: int, seconds: int) -> Rate:
    (rates,) = table.rates([row], [1.0])
    return rates[WINDOWS.index(seconds)]


@pytest.mark.parametrize("count", sorted(GARWOOD))
def test_poisson_limits_are_those_of_the_tables(count: int) -> None:
    low, high = poisson_limits(count)
    assert low == pytest.approx(GARWOOD[count][0], abs=0.02, rel=0.01)
    assert high == pytest.approx(GARWOOD[count][1], rel=0.01)


@given(st.floats(0.01, 1e9))
def test_poisson_limits_enclose_their_count_and_narrow_with_it(count: float) -> None:
    low, high = poisson_limits(count)
    assert 0 <= low < count < high
    low2, high2 = poisson_limits(count * 2)
    assert (high2 - low2) / (2 * count) < (high - low) / count


def test_rate_is_work_over_the_time_since_the_series_began() -> None:
    table = table_at(NOON)
    row = table.add_row(NOON + 10)
    table.advance(NOON + 40)
    table.add(deltas(row, NOON + 30, 15.0, 15))
    for seconds in WINDOWS:
        found = rate(table, row, seconds)
        assert found.seconds == pytest.approx(30)
        assert found.hashrate == pytest.approx(15 / 30 * HASHES_PER_DIFFICULTY, rel=1e-6)


@pytest.mark.parametrize("seconds", WINDOWS)
def test_window_is_its_whole_buckets_and_the_running_one(seconds: int) -> None:
    bucket = 60 if seconds <= 600 else 600
    table = table_at(NOON - 2 * 86400)
    row = table.add_row(NOON - 2 * 86400)
    table.advance(NOON + bucket / 2)
    start = NOON - seconds
    table.add(deltas(row, start, 1.0))
    assert rate(table, row, seconds).seconds == seconds + bucket / 2
    assert rate(table, row, seconds).hashrate > 0

    table.advance(NOON + bucket)  # the bucket that holds the work leaves the window
    assert rate(table, row, seconds).hashrate == 0


def test_steady_work_has_one_rate_in_every_window() -> None:
    table = table_at(NOON - 2 * 86400)
    row = table.add_row(NOON - 2 * 86400)
    for minute in range(25 * 60):
        at = NOON + minute * 60
        table.advance(at + 60)
        table.add(deltas(row, at, 20.0, 20))
    for seconds in WINDOWS:
        found = rate(table, row, seconds)
        assert found.hashrate == pytest.approx(20 / 60 * HASHES_PER_DIFFICULTY, rel=1e-4)
        assert found.low < found.hashrate < found.high


def test_confidence_counts_equal_shares_by_number_and_unequal_ones_by_their_squares() -> None:
    table = table_at(NOON)
    even, uneven = table.add_row(NOON), table.add_row(NOON)
    table.advance(NOON + 50)
    table.add(deltas(even, NOON, 100.0, 100))
    table.add(deltas(uneven, NOON, 50.0, 100))
    table.add(deltas(uneven, NOON, 50.0, 1))

    equal = rate(table, even, 60)
    low, high = poisson_limits(100)
    assert (equal.low / equal.hashrate, equal.high / equal.hashrate) == pytest.approx(
        (low / 100, high / 100), rel=1e-6
    )
    # One share as heavy as a hundred others together: a little less than four equal ones.
    low, high = poisson_limits(100.0**2 / (50.0**2 / 100 + 50.0**2))
    mixed = rate(table, uneven, 60)
    assert mixed.hashrate == equal.hashrate
    assert mixed.high / mixed.hashrate == pytest.approx(high / 3.96, rel=1e-2)


def test_nine_in_ten_rigs_of_one_hashrate_lie_inside_their_own_limits() -> None:
    generator = np.random.default_rng(20260131)
    table = table_at(NOON)
    rows = [table.add_row(NOON) for _ in range(2000)]
    table.advance(NOON + 59)
    counts = generator.poisson(12, len(rows)).astype(float)
    minutes = np.full(len(rows), NOON // 60)
    table.add(Deltas(np.array(rows), minutes, counts, counts))

    truth = 12 / 59 * HASHES_PER_DIFFICULTY
    rates = [each[0] for each in table.rates(rows, [1.0] * len(rows))]
    inside = sum(each.low <= truth <= each.high for each in rates) / len(rates)
    assert 0.94 <= inside <= 0.985  # exact limits are never below 95 %, and a little above


def test_nothing_seen_is_no_proof_of_nothing() -> None:
    table = table_at(NOON)
    row = table.add_row(NOON)
    table.advance(NOON + 30)
    found = rate(table, row, 60)
    assert (found.hashrate, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(-math.log(0.025) / 30 * HASHES_PER_DIFFICULTY, rel=1e-5)


def test_work_of_the_future_counts_now_and_forgotten_work_not_at_all() -> None:
    table = table_at(NOON)
    row = table.add_row(NOON)
    table.advance(NOON + 30)
    table.add(deltas(row, NOON + 7200, 1.0))
    table.add(deltas(row, NOON - 2 * 86400, 1e9))
    assert rate(table, row, 86400).hashrate == pytest.approx(1 / 30 * HASHES_PER_DIFFICULTY)


def test_row_given_back_is_empty_for_the_next_series() -> None:
    table = table_at(NOON)
    row = table.add_row(NOON)
    table.advance(NOON + 30)
    table.add(deltas(row, NOON, 5.0))
    table.add_lost(row, NOON // 60, 5.0)
    assert table.efficiencies([row]) == [0.5]
    table.drop_row(row)
    assert table.add_row(NOON) == row
    assert rate(table, row, 60).hashrate == 0
    assert table.efficiencies([row]) == [None]


def test_table_grows_without_losing_a_sum() -> None:
    table = table_at(NOON)
    table.advance(NOON + 30)
    rows = [table.add_row(NOON) for _ in range(300)]
    assert len(set(rows)) == 300
    table.add(deltas(rows[0], NOON, 1.0))
    rows += [table.add_row(NOON) for _ in range(700)]
    table.add(deltas(rows[-1], NOON, 2.0))
    found = table.hashrates(rows, 3600)
    assert found[-1] == pytest.approx(2 * found[0])
    assert not found[1:-1].any()


def test_twenty_thousand_series_cost_less_than_two_kilobytes_each() -> None:
    table = table_at(NOON)
    for _ in range(20_000):
        table.add_row(NOON)
    # Rows beyond the used ones are address space, which costs nothing until it is touched.
    used = table.bytes_held * 20_000 / (1 << 15)
    assert used / 20_000 < 2048


def test_beginning_anew_forgets_everything_before() -> None:
    table = table_at(NOON)
    row = table.add_row(NOON)
    table.advance(NOON + 30)
    table.add(deltas(row, NOON, 5.0))
    table.begin(NOON - 3600)
    table.advance(NOON - 3590)
    assert rate(table, row, 60).hashrate == 0
    assert table.as_of == NOON - 3590
