from __future__ import annotations

import pytest

from stratum.power.economics.currency import (
    MINOR_UNITS,
    SUCCESSORS,
    problem_of,
    show_amount,
)


def test_every_active_code_with_a_minor_unit_is_there() -> None:
    """List One of 2024-06-25 has 166 of them; amendments took ANG, BGN, CUC, brought XCG, XAD."""
    assert len(MINOR_UNITS) == 166 - 3 + 2
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in MINOR_UNITS)
    assert not SUCCESSORS.keys() & MINOR_UNITS.keys()
    assert set(SUCCESSORS.values()) <= MINOR_UNITS.keys()


@pytest.mark.parametrize(
    ("code", "digits"),
    [("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("ISK", 0), ("XCG", 2)],
)
def test_amounts_have_the_decimals_of_their_code(code: str, digits: int) -> None:
    assert problem_of(code) is None
    assert MINOR_UNITS[code] == digits


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("eur", "did you mean EUR?"),
        ("Euro", "did you mean EUR?"),
        ("€", "did you mean EUR?"),
        ("RMB", "did you mean CNY?"),
        ("BGN", "replaced by EUR"),
        ("HRK", "replaced by EUR"),
        ("ZWL", "replaced by ZWG"),
        ("UDS", "USD"),
        ("CHE1", "CHE"),
        ("XAU", "XAF"),  # a metal: nothing is priced in it
        ("qqqq", "three letters"),
    ],
)
def test_a_wrong_code_is_refused_with_a_suggestion(wrong: str, meant: str) -> None:
    problem = problem_of(wrong, "power.currency")
    assert problem is not None
    assert problem.key == "power.currency"
    assert meant in problem.remedy


def test_what_is_no_text_is_no_currency() -> None:
    problem = problem_of(978)
    assert problem is not None
    assert "978" in problem.fault


@pytest.mark.parametrize(
    ("micro", "code", "shown"),
    [
        (1_234_500_000, "EUR", "1234.50 EUR"),
        (-1_234_500_000, "EUR", "-1234.50 EUR"),
        (-4_000, "EUR", "0.00 EUR"),
        (5_000, "EUR", "0.01 EUR"),
        (1_500_000, "JPY", "2 JPY"),
        (1_234_567, "KWD", "1.235 KWD"),
        (123_456, "CLF", "0.1235 CLF"),
        (1_234_567, "no code", "1.23 no code"),
    ],
)
def test_an_amount_is_shown_with_the_decimals_of_its_currency(
    micro: int, code: str, shown: str
) -> None:
    assert show_amount(micro, code) == shown
