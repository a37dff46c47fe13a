"""Each example keeps within the figures it names, and is the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from stratum.power.plan.absorb import months_of
from stratum.power.plan.examples import EXAMPLES, synthesise
from stratum.power.plan.surplus import Floats, Surplus

YEARS = 4


@pytest.fixture(scope="module")
def made() -> dict[str, tuple[Surplus, ...]]:
    return {name: synthesise(example, 7, YEARS) for name, example in EXAMPLES.items()}


def by_month(surplus: Surplus) -> Floats:
    """Mean MW of each month."""
    month = months_of(surplus)
    return np.array([surplus.mw[month == place].mean() for place in range(12)])


def by_hour(surplus: Surplus, offset_h: int) -> Floats:
    """Mean MW of each local hour."""
    hour = (surplus.times_s // 3600 + offset_h) % 24
    return np.array([surplus.mw[hour == place].mean() for place in range(24)])


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_year_is_whole_never_negative_and_repeats_with_its_seed(
    name: str, made: dict[str, tuple[Surplus, ...]]
) -> None:
    again = synthesise(EXAMPLES[name], 7, YEARS)
    other = synthesise(EXAMPLES[name], 8, YEARS)
    for surplus, same, different in zip(made[name], again, other, strict=True):
        assert (surplus.days, surplus.step_s) == (365, 900)
        assert surplus.mw.min() >= 0
        assert np.array_equal(surplus.mw, same.mw)
        assert not np.array_equal(surplus.mw, different.mw)
    assert not np.array_equal(made[name][0].mw, made[name][1].mw)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_rule_has_an_origin_and_a_range_around_it(name: str) -> None:
    example = EXAMPLES[name]
    for given in (*example.rules.values(), example.tariff, example.co2_kg_per_mwh):
        assert given.low <= given.value <= given.high
        assert given.origin
        assert not given.is_assumed or not given.is_certain


def test_nuclear_has_its_surplus_in_nights_of_the_heating_season(
    made: dict[str, tuple[Surplus, ...]],
) -> None:
    for surplus in made["nuclear-2x1200"]:
        month, hour = by_month(surplus), by_hour(surplus, 3)
        assert month[[0, 1, 11]].sum() > 0.5 * month.sum()
        assert month[[5, 6, 7]].max() < 0.1 * month.max()
        assert hour[3] > 20 * hour[12]
        # No more than the electric boilers that were built against it: 916 MW (BelTA).
        assert 600 < surplus.mw.max() < 1000
        assert 300_000 < surplus.energy_mwh < 900_000


def test_a_unit_that_trips_takes_its_surplus_in_one_step() -> None:
    drops = [
        float(-np.diff(surplus.mw).min())
        for surplus in synthesise(EXAMPLES["nuclear-2x1200"], 3, 8)
    ]
    assert max(drops) > 200


def test_hydro_spills_in_the_wet_season_only_between_its_bounds(
    made: dict[str, tuple[Surplus, ...]],
) -> None:
    for surplus in made["hydro-100-to-600"]:
        month, hour = by_month(surplus), by_hour(surplus, 6)
        assert month[:5].max() == 0
        assert 400 < month[8] < 620
        assert hour.argmax() in (0, 1, 2) and 0.6 < hour.min() / hour.max() < 0.75
        assert surplus.mw.max() <= 600 * 1.15


def test_geothermal_is_flat_at_its_availability(made: dict[str, tuple[Surplus, ...]]) -> None:
    for surplus in made["geothermal"]:
        share = surplus.mw.mean() / 76
        assert 0.85 < share < 0.97
        assert np.median(surplus.mw) > 0.92 * surplus.mw.max()


def test_wind_loses_the_share_it_is_said_to_lose(made: dict[str, tuple[Surplus, ...]]) -> None:
    energy = np.mean([surplus.energy_mwh for surplus in made["wind"]])
    there = 300 * 8760 * 0.35
    assert energy / there == pytest.approx(0.39, abs=0.06)
    month = np.mean([by_month(surplus) for surplus in made["wind"]], axis=0)
    assert month[[0, 1, 11]].mean() > 1.3 * month[[5, 6, 7]].mean()
