"""The break-even table of the reference row by row, and what break-even means."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.economics.breakeven import (
    Losses,
    breakeven_j_per_th,
    breakeven_tariff,
    revenue_per_mwh,
)
from stratum.power.economics.models import find, parse_models

SHIPPED = Path(__file__).parents[2] / "config" / "models.toml"

HASHPRICES = (35, 45, 55)

#: reference/power.md §6, USD per MWh at those hashprices. The table writes S19 Pro and S19j Pro
#: 104 on one line; its figures are the S19 Pro's.
TABLE = {
    "Antminer S9": (15, 19, 23),
    "Avalon 1246": (38, 49, 60),
    "Antminer S19 95T": (43, 55, 67),
    "Whatsminer M30S++ 106T": (45, 57, 70),
    "Antminer S19 Pro 110T": (49, 63, 78),
    "Whatsminer M50 118T": (50, 65, 79),
    "Antminer S19j Pro+ 117T": (53, 68, 83),
    "Antminer S19k Pro 120T": (63, 82, 100),
    "Whatsminer M50S++ 140T": (66, 85, 104),
    "Whatsminer M56S++ 242T": (66, 85, 104),
    "Antminer S19 XP 140T": (68, 87, 107),
    "Whatsminer M60 172T": (73, 94, 115),
    "Whatsminer M66 282T": (73, 94, 115),
    "Avalon A1566 185T": (79, 101, 124),
    "Whatsminer M66S 298T": (79, 101, 124),
    "Whatsminer M63S 390T": (79, 101, 124),
    "Antminer S21 200T": (83, 107, 131),
    "Antminer S21+ 216T": (88, 114, 139),
    "Antminer S21 Pro 234T": (97, 125, 153),
    "Antminer S21 XP 270T": (108, 139, 170),
    "Antminer S21e XP Hyd 3U 860T": (112, 144, 176),
    "Antminer S21 XP Hyd 473T": (122, 156, 191),
    "Antminer S23 Hyd 580T": (154, 197, 241),
}

losses = st.builds(
    Losses, stale=st.floats(0, 0.5), pool_fee=st.floats(0, 0.5), overhead=st.floats(1, 2)
)


@pytest.mark.parametrize("name", TABLE)
def test_a_row_of_the_reference_comes_out_within_half_a_unit(name: str) -> None:
    row = find(parse_models(SHIPPED.read_text()), name)
    for hashprice, expected in zip(HASHPRICES, TABLE[name], strict=True):
        assert breakeven_tariff(hashprice, row.j_per_th) == pytest.approx(expected, abs=0.5)


def test_the_s19j_pro_is_the_one_figure_in_which_the_reference_is_off() -> None:
    """At 45 the table has 63 for both rigs of its line; 29.5 J/TH gives 63.56."""
    row = find(parse_models(SHIPPED.read_text()), "Antminer S19j Pro 104T")
    found = [round(breakeven_tariff(hashprice, row.j_per_th), 2) for hashprice in HASHPRICES]
    assert found == [49.44, 63.56, 77.68]


@given(hashprice=st.floats(1, 500), j_per_th=st.floats(5, 300), losses=losses)
def test_at_the_break_even_tariff_nothing_is_left(
    hashprice: float, j_per_th: float, losses: Losses
) -> None:
    tariff = breakeven_tariff(hashprice, j_per_th, losses)
    earned = revenue_per_mwh(hashprice, j_per_th, losses)
    assert earned == pytest.approx(losses.overhead * tariff)


@given(hashprice=st.floats(1, 500), tariff=st.floats(0.1, 500), losses=losses)
def test_both_break_evens_are_the_same_point(
    hashprice: float, tariff: float, losses: Losses
) -> None:
    j_per_th = breakeven_j_per_th(hashprice, tariff, losses)
    assert breakeven_tariff(hashprice, j_per_th, losses) == pytest.approx(tariff)


def test_where_energy_is_free_every_rig_pays() -> None:
    assert breakeven_j_per_th(35, 0) == float("inf")
    assert breakeven_j_per_th(35, -10) == float("inf")


def test_overhead_rejects_and_fee_each_lower_the_break_even() -> None:
    plain = breakeven_tariff(45, 20)
    assert breakeven_tariff(45, 20, Losses(overhead=1.05)) == pytest.approx(plain / 1.05)
    assert breakeven_tariff(45, 20, Losses(stale=0.01)) == pytest.approx(plain * 0.99)
    assert breakeven_tariff(45, 20, Losses(pool_fee=0.02)) == pytest.approx(plain * 0.98)


@pytest.mark.parametrize(
    "wrong", [{"stale": 1.0}, {"stale": -0.1}, {"pool_fee": 1.5}, {"overhead": 0.0}]
)
def test_losses_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected about 1.05|parts of 1"):
        Losses(**wrong)
