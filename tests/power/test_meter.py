"""A meter of the twin, well and ill."""

from __future__ import annotations

import numpy as np
import pytest

from stratum.power.brain.values import MeterReading
from stratum.power.twin.faults import Ailment
from stratum.power.twin.meter import Meter

POWER_W = 2_000_000.0


def meter(noise: float = 0.0, modulus_wh: int = 0) -> Meter:
    return Meter(0, np.random.default_rng(4), noise=noise, modulus_wh=modulus_wh, serial="m")


def shown(
    meter: Meter, seconds: int, power_w: float = POWER_W, first: int = 0
) -> list[MeterReading]:
    found: list[MeterReading] = []
    for second in range(first + 1, first + seconds + 1):
        meter.sample(power_w, power_w, 1_000, second * 1_000, second * 1_000 + 5)
        found += meter.read(second * 1_000)
    return found


def test_reading_comes_late_and_bears_the_time_it_was_true() -> None:
    first, *_ = shown(meter(), 3)
    assert (first.event_ms, first.received_ms) == (1_005, 2_000)


def test_noise_is_a_tenth_of_a_percent() -> None:
    values = np.array([reading.power_w for reading in shown(meter(noise=0.001), 2_000)])
    assert values.mean() == pytest.approx(POWER_W, rel=2e-4)
    assert values.std() == pytest.approx(POWER_W * 0.001, rel=0.1)


def test_register_counts_whole_watt_hours_and_loses_none() -> None:
    it = meter()
    readings = shown(it, 3_601)
    assert readings[-1].energy_wh == 2_000_000
    assert it.energy_wh == pytest.approx(POWER_W * 3_601 / 3_600)


def test_register_rolls_over() -> None:
    values = [reading.energy_wh for reading in shown(meter(modulus_wh=1_000), 10)]
    assert values == [555, 111, 666, 222, 777, 333, 888, 444, 0][: len(values)]


def test_flipped_meter_shows_minus_and_its_register_goes_on() -> None:
    it = meter()
    it.ailment = Ailment.FLIPPED
    readings = shown(it, 60)
    assert {reading.power_w for reading in readings} == {-round(POWER_W)}
    assert readings[-1].energy_wh == pytest.approx(POWER_W * 59 / 3_600, abs=1)


def test_frozen_meter_shows_old_figures_with_new_times() -> None:
    it = meter()
    last = shown(it, 5)[-1]
    it.ailment = Ailment.FROZEN
    readings = shown(it, 20, power_w=0.0, first=5)[1:]
    assert {reading.power_w for reading in readings} == {round(POWER_W)}
    assert len({reading.energy_wh for reading in readings}) == 1
    assert readings[-1].event_ms > last.event_ms + 15_000


def test_dead_meter_shows_nothing_and_still_counts() -> None:
    it = meter()
    it.ailment = Ailment.DEAD
    assert shown(it, 3_600) == []
    it.ailment = Ailment.WELL
    assert shown(it, 2, first=3_600)[0].energy_wh == pytest.approx(2_000_555, abs=1)
