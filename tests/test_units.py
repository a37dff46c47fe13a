"""Weights: one integer, one target, one spelling on the wire."""

from __future__ import annotations

import struct
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.units import (
    DIFF1_TARGET,
    HASHES_PER_DIFFICULTY,
    MAX_TARGET,
    DifficultyScale,
    power_of_two_below,
    show_hashrate,
)

MAIN = DifficultyScale(0)
TEST = DifficultyScale(32)
SCALES = st.sampled_from([MAIN, TEST])

#: The reference's table of targets (§3), `exact` lines: integers and powers of two.
EXACT_TARGETS = {
    "1": "00000000ffff0000000000000000000000000000000000000000000000000000",
    "2": "000000007fff8000000000000000000000000000000000000000000000000000",
    "3": "0000000055550000000000000000000000000000000000000000000000000000",
    "10": "0000000019998000000000000000000000000000000000000000000000000000",
    "16": "000000000ffff000000000000000000000000000000000000000000000000000",
    "1000": "00000000004188f5c28f5c28f5c28f5c28f5c28f5c28f5c28f5c28f5c28f5c28",
    "16384": "000000000003fffc000000000000000000000000000000000000000000000000",
    "42": "0000000006185b6db6db6db6db6db6db6db6db6db6db6db6db6db6db6db6db6d",
    "65535": "0000000000010000000000000000000000000000000000000000000000000000",
    "65536": "000000000000ffff000000000000000000000000000000000000000000000000",
    "100000": "000000000000a7c504816f0068db8bac710cb295e9e1b089a027525460aa64c2",
    "500000": "000000000000218dcdb37c99ae924f227d028a1dfb9389b52007dd441355475a",
    "1099511627776": "000000000000000000ffff000000000000000000000000000000000000000000",
    "0.5": "00000001fffe0000000000000000000000000000000000000000000000000000",
    "0.25": "00000003fffc0000000000000000000000000000000000000000000000000000",
}

WEIGHTS = st.integers(1, 2**63)
DIFFICULTIES = st.one_of(
    st.floats(2.0**-40, 1e30),
    st.fractions(min_value=0, max_value=2**70),
    st.integers(0, 2**70).map(Fraction),
)


@pytest.mark.parametrize(("decimal", "target"), EXACT_TARGETS.items())
def test_targets_are_those_of_the_reference(decimal: str, target: str) -> None:
    scales = [TEST] if "." in decimal else [MAIN, TEST]  # main has no difficulty below 1
    for scale in scales:
        weight = int(Fraction(decimal) * 2**scale.shift)
        assert f"{scale.target(weight):064x}" == target
        assert scale.wire(weight) == decimal


@given(SCALES, WEIGHTS)
def test_the_wire_spells_a_weight_exactly_and_without_exponent(
    scale: DifficultyScale, weight: int
) -> None:
    text = scale.wire(weight)
    assert Fraction(Decimal(text)) * 2**scale.shift == weight
    assert set(text) <= set("0123456789.")
    assert not text.endswith((".", ".0"))
    assert "." not in text or not text.endswith("0")


@pytest.mark.parametrize(
    ("weight", "text"),
    [
        (1, "0.00000000023283064365386962890625"),
        (2**31, "0.5"),
        (2**32, "1"),
        (2**32 + 1, "1.00000000023283064365386962890625"),
        (10 * 2**32, "10"),
        (2**63, "2147483648"),
    ],
)
def test_the_wire_spells_test_networks_weights_as_fractions(weight: int, text: str) -> None:
    assert TEST.wire(weight) == text


@given(SCALES, WEIGHTS)
def test_a_target_is_the_floor_of_diff1_by_the_printed_difficulty(
    scale: DifficultyScale, weight: int
) -> None:
    printed = Fraction(Decimal(scale.wire(weight)))
    assert scale.target(weight) == min(int(DIFF1_TARGET / printed), MAX_TARGET)


@given(SCALES, DIFFICULTIES)
def test_settling_never_raises_a_difficulty_but_to_one_unit(
    scale: DifficultyScale, difficulty: float | Fraction
) -> None:
    weight = scale.settle(difficulty)
    assert weight == 1 or Fraction(weight, 2**scale.shift) <= difficulty
    assert 1 <= weight <= 2**63


@given(SCALES, DIFFICULTIES)
def test_a_settled_difficulty_is_exact_in_a_32_bit_float(
    scale: DifficultyScale, difficulty: float | Fraction
) -> None:
    exact = Fraction(scale.settle(difficulty), 2**scale.shift)
    (as_float32,) = struct.unpack("<f", struct.pack("<f", float(exact)))
    assert Fraction(as_float32) == exact


@given(SCALES, DIFFICULTIES)
def test_settling_twice_changes_nothing(
    scale: DifficultyScale, difficulty: float | Fraction
) -> None:
    weight = scale.settle(difficulty)
    assert scale.settle(Fraction(weight, 2**scale.shift)) == weight


@given(SCALES, DIFFICULTIES, DIFFICULTIES)
def test_settling_keeps_the_order(
    scale: DifficultyScale, one: float | Fraction, other: float | Fraction
) -> None:
    low, high = sorted([Fraction(one), Fraction(other)])
    assert scale.settle(low) <= scale.settle(high)


@given(st.integers(1, 2**24))
def test_whole_numbers_up_to_2_24_settle_as_they_are(difficulty: int) -> None:
    assert MAIN.settle(difficulty) == difficulty
    assert TEST.settle(difficulty) == difficulty << 32


@given(st.floats(min_value=2.0**25, max_value=2.0**62))
def test_beyond_that_a_difficulty_loses_less_than_one_part_in_512(difficulty: float) -> None:
    assert difficulty * 511 / 512 < MAIN.settle(difficulty) <= difficulty


@pytest.mark.parametrize(
    ("difficulty", "weight"),
    [
        (1.999, 1 << 32),
        (0.75, 1 << 31),
        (0.001, 1 << 22),
        (0, 1),
        (2.0**-33, 1),
        (1e300, 1 << 63),
    ],
)
def test_settling_on_a_test_network(difficulty: float, weight: int) -> None:
    assert TEST.settle(difficulty) == weight


@pytest.mark.parametrize("difficulty", [-1, -0.001, Fraction(-1, 3)])
def test_a_negative_difficulty_does_not_settle(difficulty: float | Fraction) -> None:
    with pytest.raises(ValueError, match="expected a positive number"):
        MAIN.settle(difficulty)


@pytest.mark.parametrize("difficulty", [float("nan"), float("inf"), float("-inf")])
def test_a_difficulty_that_is_no_number_does_not_settle(difficulty: float) -> None:
    with pytest.raises(ValueError, match="expected a finite number"):
        MAIN.settle(difficulty)


@given(SCALES, st.integers(1, MAX_TARGET))
def test_the_weight_of_a_target_is_its_difficulty_rounded_down(
    scale: DifficultyScale, target: int
) -> None:
    exact = Fraction(DIFF1_TARGET << scale.shift, target)
    weight = scale.weight_of_target(target)
    assert weight == max(1, int(exact))


@given(SCALES, st.integers(1, 2**63))
def test_a_weight_survives_the_way_over_its_target_as_at_least_itself(
    scale: DifficultyScale, weight: int
) -> None:
    assert scale.weight_of_target(scale.target(weight)) >= weight


def test_a_share_at_difficulty_1_costs_2_32_hashes_and_a_bit() -> None:
    assert Fraction(2**256, DIFF1_TARGET) == pytest.approx(HASHES_PER_DIFFICULTY, rel=1e-15)
    assert pytest.approx(2**32, rel=2e-5) == HASHES_PER_DIFFICULTY


def test_a_weight_as_people_know_it() -> None:
    assert MAIN.difficulty(16384) == 16384.0
    assert TEST.difficulty(1 << 31) == 0.5


@given(st.integers(2, 2**300))
def test_the_power_of_two_below_is_at_most_half_too_small(number: int) -> None:
    power = power_of_two_below(number)
    assert power <= number < 2 * power
    assert power & (power - 1) == 0


@pytest.mark.parametrize("number", [-5, 0, 1])
def test_below_2_the_power_of_two_is_1(number: int) -> None:
    assert power_of_two_below(number) == 1


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (0, "0 H/s"),
        (1, "1 H/s"),
        (999.4, "999 H/s"),
        (999.6, "1 kH/s"),
        (1_500, "1.5 kH/s"),
        (1.23e12, "1.23 TH/s"),
        (999_900_000_000_000, "1 PH/s"),
        (9.5e20, "950 EH/s"),
        (1.2345e21, "1234 EH/s"),
        (1.5e22, "15000 EH/s"),
    ],
)
def test_a_hashrate_is_shown_with_three_digits_and_its_prefix(rate: float, shown: str) -> None:
    assert show_hashrate(rate) == shown


@given(st.floats(0.5, 1e25))
def test_a_hashrate_is_never_shown_with_an_exponent(rate: float) -> None:
    assert "e" not in show_hashrate(rate)
