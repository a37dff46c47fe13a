"""Owners' parts of the curtailment, through `decide`, over most of a day."""

from __future__ import annotations

import numpy as np
import pytest

from stratum.power.brain import fairness
from stratum.power.brain.fleet import Fleet, Owner
from stratum.power.brain.settings import SECOND, MeterSettings, Mode, Settings, SourceSettings
from stratum.power.brain.values import Kind
from tests.power.fleets import fleet
from tests.power.obedient import SOURCE, Farm

TICK_MS = 10 * SECOND
HOUR_TICKS = 360
SETTINGS = Settings(
    mode=Mode.CONTROL,
    sources=(SourceSettings(SOURCE, Kind.SURPLUS_MEAS, max_age_ms=30 * SECOND),),
    meters=(MeterSettings("site", max_age_ms=30 * SECOND, delay_ms=0),),
)


def borne_per_mw(farm: Farm) -> list[float]:
    borne = farm.state.fairness.borne_wms(len(farm.fleet.owners))
    return [wms / owner.contracted_w for wms, owner in zip(borne, farm.fleet.owners, strict=True)]


def lived(some: Fleet, hours: int, seed: int = 1) -> Farm:
    """Hours of a surplus that wanders between a third and nine tenths of the fleet."""
    farm = Farm(some, SETTINGS, TICK_MS)
    rng = np.random.default_rng(seed)
    level = 0.6
    for _ in range(hours * HOUR_TICKS):
        level = min(0.9, max(0.33, level + rng.normal(0, 0.01)))
        farm.step(int(some.total_w * level))
    return farm


@pytest.mark.parametrize("weights", [(10_000, 10_000, 10_000), (10_000, 20_000, 10_000)])
def test_owners_bear_the_same_within_two_per_cent(weights: tuple[int, ...]) -> None:
    owners = [
        Owner(name, 3_500 * rigs, weight)
        for (name, rigs), weight in zip((("a", 20), ("b", 20), ("c", 20)), weights, strict=True)
    ]
    farm = lived(fleet(60, owners=owners), hours=8)
    per_mw = [
        borne / (weight / 10_000) for borne, weight in zip(borne_per_mw(farm), weights, strict=True)
    ]
    assert min(per_mw) > 0
    assert (max(per_mw) - min(per_mw)) / max(per_mw) <= 0.02
    assert fairness.spread_bp(farm.state.fairness, farm.fleet) <= 200
