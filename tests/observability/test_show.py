from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.observability.show import (
    show_age,
    show_bitcoin,
    show_counts,
    show_difficulty,
    show_share,
    show_span,
    show_spread,
    shown_name,
)


@given(st.text())
def test_shown_name_is_printable_short_and_always_encodable(name: str) -> None:
    shown = shown_name(name)
    assert shown.isprintable()
    assert len(shown) <= 96
    assert shown.encode().decode() == shown


def test_ordinary_name_is_shown_as_it_is() -> None:
    assert shown_name("bcrt1qfarm.rack-1 ütze") == "bcrt1qfarm.rack-1 ütze"


def test_long_name_is_cut_with_an_ellipsis() -> None:
    assert shown_name("a" * 97) == "a" * 95 + "…"


@pytest.mark.parametrize(
    ("difficulty", "shown"),
    [
        (2**-32, "2.33e-10"),
        (0.00015, "0.00015"),
        (1.0, "1"),
        (1.5, "1.50"),
        (65536.0, "65,536"),
        (2.5e6, "2.5 M"),
        (4.2e9, "4.2 G"),
        (126_271_255_279_307.0, "126.3 T"),
    ],
)
def test_difficulty_is_shown_in_the_digits_that_tell_something(
    difficulty: float, shown: str
) -> None:
    assert show_difficulty(difficulty) == shown


def test_bitcoin_is_shown_to_the_satoshi() -> None:
    assert show_bitcoin(312_500_001) == "3.12500001 BTC"
    assert show_bitcoin(7) == "0.00000007 BTC"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-3.0, "0 s"),
        (8.9, "8 s"),
        (60.0, "1 min"),
        (302.0, "5 min 2 s"),
        (12_000.0, "3 h 20 min"),
        (86_400.0 * 12 + 14_400, "12 d 4 h"),
    ],
)
def test_span_has_two_units_at_most(seconds: float, shown: str) -> None:
    assert show_span(seconds) == shown


@pytest.mark.parametrize(
    ("limits", "shown"),
    [
        ((100.0, 88.0, 113.0), "±13 %"),
        ((100.0, 91.0, 105.0), "±9 %"),
        ((100.0, 99.2, 100.8), "±0.8 %"),
        ((100.0, 0.0, 370.0), "±100 % or more"),
        ((0.0, 0.0, 3.7), ""),
    ],
)
def test_spread_is_the_wider_side_in_percent(
    limits: tuple[float, float, float], shown: str
) -> None:
    assert show_spread(*limits) == shown


@pytest.mark.parametrize(
    ("part", "shown"), [(1.0, "100 %"), (0.999999, "99.99 %"), (0.9951, "99.51 %"), (0.0, "0.00 %")]
)
def test_share_is_whole_only_where_nothing_is_missing(part: float, shown: str) -> None:
    assert show_share(part) == shown


def test_counts_are_told_the_most_first_and_without_zeros() -> None:
    counts = {"stale": 10, "low_difficulty": 2000, "malformed": 0}
    assert show_counts(counts) == "low difficulty 2,000, stale 10"
    assert show_counts({}) == ""


def test_age_of_what_never_happened_is_never() -> None:
    assert show_age(None, 5.0) == "never"
    assert show_age(3.0, 5.0) == "2 s ago"
