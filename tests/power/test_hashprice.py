"""The worked example of the reference, exactly and as people quote it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.economics.hashprice import (
    btc_per_th_day,
    hashes_per_block,
    micro_per_eh,
    price_per_ph_day,
)

# reference/power.md §6: a difficulty of late 2025, the subsidy since 2024, no fees, 85,000 USD.
DIFFICULTY = 155 * 10**12
SUBSIDY_SATS = 312_500_000


def test_the_worked_example_gives_40_56_sat_per_th_and_day() -> None:
    assert round(btc_per_th_day(DIFFICULTY, 3.125) * 1e8, 2) == 40.56


def test_the_worked_example_gives_34_47_usd_per_ph_and_day() -> None:
    assert round(price_per_ph_day(DIFFICULTY, 3.125, 85_000), 2) == 34.47


def test_a_block_takes_a_65535th_more_than_two_to_the_32_hashes_per_difficulty() -> None:
    assert hashes_per_block(1) / 2**32 == Fraction(65536, 65535)
    assert hashes_per_block(65535) == 2**48


def test_the_integer_of_the_brain_is_the_same_hashprice() -> None:
    worth = micro_per_eh(DIFFICULTY, SUBSIDY_SATS, 0, 85_000 * 10**6)
    # A PH/s does 86.4 EH a day.
    assert worth * 86.4 / 1e6 == pytest.approx(price_per_ph_day(DIFFICULTY, 3.125, 85_000), 1e-5)


def test_fees_count_like_subsidy() -> None:
    assert micro_per_eh(DIFFICULTY, SUBSIDY_SATS, 500, 85_000 * 10**6) == micro_per_eh(
        DIFFICULTY, SUBSIDY_SATS + 500, 0, 85_000 * 10**6
    )


@given(
    difficulty=st.integers(1, 10**18),
    subsidy=st.integers(0, 50 * 10**8),
    fees=st.integers(0, 50 * 10**8),
    price=st.integers(0, 10**13),
)
def test_integer_and_float_agree(difficulty: int, subsidy: int, fees: int, price: int) -> None:
    exact = micro_per_eh(difficulty, subsidy, fees, price)
    quoted = price_per_ph_day(difficulty, (subsidy + fees) / 1e8, price / 1e6) * 1e6 / 86.4
    assert exact == pytest.approx(quoted, rel=1e-9, abs=1.0)
