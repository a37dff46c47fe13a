from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from stratum.power.plan.chain import (
    Course,
    btc_per_mwh,
    calendar,
    difficulty,
    halving_day,
    heights,
    mean_subsidy_btc,
    next_halving_height,
    subsidies_btc,
)
from stratum.power.plan.inputs import Chain
from tests.power.plan.question import plain_chain, put

WHEN = calendar(date(2027, 1, 1), 60)


def course(growth: float = 0.0, follows: float = 0.0, price: float = 73_300.0) -> Course:
    return Course(
        np.array([[growth]]), np.array([[follows]]), np.array([[0.0]]), np.full((1, 60), price)
    )


def test_the_next_halving_is_at_block_1_050_000() -> None:
    assert next_halving_height(Chain()) == 1_050_000
    assert halving_day(Chain()) == date(2028, 4, 12)  # 98,076 blocks of 600 s after 2026-06-01


def test_the_block_of_the_halving_is_the_first_that_pays_half() -> None:
    assert mean_subsidy_btc(1_049_999, 1_050_000) == 3.125
    assert mean_subsidy_btc(1_050_000, 1_050_001) == 1.5625
    assert mean_subsidy_btc(1_049_990, 1_050_010) == pytest.approx((3.125 + 1.5625) / 2)
    assert mean_subsidy_btc(1_049_990, 1_260_010) == pytest.approx(
        (10 * 3.125 + 210_000 * 1.5625 + 10 * 0.78125) / 210_020
    )


def test_the_month_with_the_halving_pays_by_the_day() -> None:
    subsidies = dict(zip(WHEN.labels, subsidies_btc(Chain(), WHEN), strict=True))
    assert subsidies["2028-03"] == 3.125
    assert subsidies["2028-05"] == 1.5625
    # 98,076 blocks take 681 days and two hours: the 13th of April at 02:00.
    assert subsidies["2028-04"] == pytest.approx((12 / 30 * 3.125 + 18 / 30 * 1.5625), rel=0.03)


def test_heights_run_on_at_the_interval() -> None:
    at = heights(Chain(), WHEN)
    days = (date(2027, 1, 1) - date(2026, 6, 1)).days
    assert at[0] == 951_924 + days * 144
    assert at[1] - at[0] == 31 * 144


def test_difficulty_grows_by_its_rate_alone_where_it_follows_nothing() -> None:
    years = WHEN.years_from(date(2026, 6, 1))
    found = difficulty(plain_chain(), WHEN, course(growth=20))[0]
    assert found == pytest.approx(141.35e12 * 1.2**years)


def test_difficulty_that_follows_revenue_falls_at_the_halving_and_with_the_price() -> None:
    before, after = WHEN.labels.index("2028-03"), WHEN.labels.index("2028-05")
    found = difficulty(plain_chain(), WHEN, course(follows=0.4))[0]
    assert found[after] / found[before] == pytest.approx(0.5**0.4)
    cheap = difficulty(plain_chain(), WHEN, course(follows=0.4, price=73_300 / 2))[0]
    assert cheap / found == pytest.approx(np.full(60, 0.5**0.4))


def test_a_megawatt_hour_finds_what_the_reference_says() -> None:
    # power.md §6: D = 155e12, S = 3.125: 40.56 sat/TH/day; 41,667 TH/s for a day at 1 J/TH.
    chain = put(plain_chain(), difficulty_t=155.0)
    when = calendar(date(2026, 6, 1), 60)
    found = btc_per_mwh(chain, when, course(), 20.0)[0, 0]
    assert found == pytest.approx(40.56e-8 * 41_667 / 20, rel=2e-4)


def test_a_calendar_over_new_year_knows_its_months() -> None:
    when = calendar(date(2027, 11, 1), 4)
    assert when.labels == ["2027-11", "2027-12", "2028-01", "2028-02"]
    assert when.month_of_year == [10, 11, 0, 1]
    assert np.diff(when.edges).tolist() == [30, 31, 31, 29]
