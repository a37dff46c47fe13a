"""Surplus processes: they are what they say, and say where they come from."""

from __future__ import annotations

import numpy as np
import pytest

from stratum.power.processes import wander
from stratum.power.twin.plants import ISO, NUCLEAR, PLANTS, PROCESSES, SOLAR
from stratum.power.twin.surplus import DAY, HOUR, Outage, Process, Span, smooth

FLEET_W = 33_000_000
SUMMER = 190 * DAY
WINTER = 14 * DAY

each = pytest.mark.parametrize("process", PROCESSES.values(), ids=lambda process: process.name)


@each
def test_every_figure_has_an_origin_or_a_range(process: Process) -> None:
    for name, given in process.given.items():
        assert given.origin
        assert given.low <= given.value <= given.high, name
        assert not given.is_assumed or not given.is_certain, name


@each
def test_watts_are_whole_never_negative_and_of_the_fleets_size(process: Process) -> None:
    watts = process.watts(FLEET_W, Span(2 * DAY, WINTER), 3)
    assert watts.dtype == np.int64 and len(watts) == 2 * DAY
    assert watts.min() >= 0
    assert 0.1 * FLEET_W < watts.max() < 1.5 * FLEET_W


@each
def test_same_seed_gives_the_same_day_and_the_fleet_only_scales_it(process: Process) -> None:
    span = Span(2 * HOUR, WINTER)
    once, again = (process.watts(FLEET_W, span, 5) for _ in range(2))
    assert (once == again).all()
    twice = process.watts(2 * FLEET_W, span, 5)
    assert np.abs(twice - 2 * once).max() <= 2


def test_wandering_noise_has_its_sigma_and_its_memory() -> None:
    noise = wander(np.random.default_rng(1), 400_000, 5.0, 600.0)
    assert noise.std() == pytest.approx(5.0, rel=0.1)
    later = float(np.corrcoef(noise[:-600], noise[600:])[0, 1])
    assert later == pytest.approx(np.exp(-1), abs=0.08)


def test_smoothing_is_the_mean_of_the_past() -> None:
    assert smooth(np.array([2.0, 4.0, 6.0]), 2).tolist() == [2.0, 3.0, 5.0]


def test_nuclear_surplus_is_a_thing_of_winter_nights() -> None:
    def by_hour(start_s: int) -> list[float]:
        megawatts = NUCLEAR.megawatts(Span(DAY, start_s), 1)
        return [float(hour) for hour in megawatts.reshape(24, HOUR).mean(axis=1)]

    winter, summer = by_hour(WINTER), by_hour(SUMMER)
    assert min(winter[1:5]) > 150
    assert max(winter[8:22]) == 0
    assert max(summer) < max(winter) / 2


def test_unit_trip_takes_all_of_the_surplus_in_one_sample() -> None:
    megawatts = NUCLEAR.megawatts(Span(2 * HOUR, WINTER + 2 * HOUR, (Outage(HOUR, DAY),)), 1)
    assert megawatts[HOUR - 1] > 150
    assert megawatts[HOUR:].max() == 0


def test_hydro_rises_from_100_to_600() -> None:
    megawatts = PROCESSES["hydro-100-to-600"].megawatts(Span(DAY), 1)
    assert megawatts[:HOUR].mean() == pytest.approx(90, abs=30)
    assert megawatts[-HOUR:].mean() == pytest.approx(590, abs=60)


def test_geothermal_is_flat() -> None:
    megawatts = PROCESSES["geothermal"].megawatts(Span(DAY), 1)
    assert megawatts.std() / megawatts.mean() < 0.025


def test_solar_changes_by_no_more_in_a_minute_than_plants_of_its_size_do() -> None:
    """doi:10.1002/pip.2302: 0.43 of capacity at 80 MW AC, 0.53 at 48."""
    plant = SOLAR.given["plant"].value
    megawatts = SOLAR.megawatts(Span(3 * DAY, 170 * DAY), 1)
    assert 0.3 < np.abs(megawatts[60:] - megawatts[:-60]).max() / plant <= 0.53
    assert megawatts[: 5 * HOUR].max() == 0, "night"


def test_iso_points_change_every_five_minutes_and_stay_in_bounds() -> None:
    megawatts = ISO.megawatts(Span(DAY), 1)
    changes = np.flatnonzero(np.diff(megawatts)) + 1
    assert (changes % 300 == 0).all() and len(changes) > 200
    assert megawatts.min() >= 10 and megawatts.max() <= 100


def test_plants_and_tests_are_all_listed_once() -> None:
    assert {plant.name for plant in PLANTS} < PROCESSES.keys()
    assert {"ou-5", "ou-10", "sawtooth", "steps", "flat"} < PROCESSES.keys()
