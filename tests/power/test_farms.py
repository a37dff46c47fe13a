"""Farms to rehearse with."""

from __future__ import annotations

import numpy as np
import pytest

from stratum.power.simulation.farms import FEEDERS, Farm, Mix


@pytest.mark.parametrize("trim_bp", [0, 1_000, 2_000, 10_000])
def test_trim_group_has_its_part_of_the_power(trim_bp: int) -> None:
    fleet = Farm(trim_bp=trim_bp).fleet(1_000)
    part = fleet.rated_w[fleet.continuous].sum() / fleet.total_w
    assert part == pytest.approx(trim_bp / 10_000, abs=0.015)


def test_feeders_and_owners_carry_about_the_same() -> None:
    fleet = Farm().fleet(1_000)
    site, *feeders = fleet.by_feeder(fleet.rated_w)
    assert site == fleet.total_w and len(feeders) == FEEDERS
    assert max(feeders) / min(feeders) < 1.1
    contracted = [owner.contracted_w for owner in fleet.owners]
    assert sum(contracted) == fleet.total_w
    assert max(contracted) / min(contracted) < 1.2


def test_trim_group_is_found_under_every_feeder() -> None:
    fleet = Farm(trim_bp=1_000).fleet(1_000)
    trim_w = fleet.by_feeder(np.where(fleet.continuous, fleet.rated_w, 0))[1:]
    assert trim_w.min() > 0


def test_six_kinds_are_six_kinds_and_a_trim_group() -> None:
    fleet = Farm(Mix.SIX, 1_000).fleet(600)
    assert {firmware.name for firmware in fleet.firmwares} == {
        *("luxos", "luxos-target", "braiins", "antminer-stock", "whatsminer", "vnish"),
        "esp-miner",
    }


def test_feeder_caps_are_a_part_of_what_hangs_under_them() -> None:
    fleet = Farm(feeder_cap_bp=8_000).fleet(800)
    below = fleet.by_feeder(fleet.rated_w)
    assert fleet.feeder_cap_w[0] == -1
    assert (np.abs(fleet.feeder_cap_w[1:] / below[1:] - 0.8) < 0.001).all()
