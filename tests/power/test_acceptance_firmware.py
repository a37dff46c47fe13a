"""Acceptance (power.md §7.9, N5): six kinds of firmware, and stock alone, with liars among them.

Half of the surplus goes in minute 15: stock rigs sit out ten minutes of min-off before that.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from stratum.power.simulation.catalogue import CATALOGUE, THEN
from stratum.power.simulation.farms import Farm, Mix
from stratum.power.simulation.scenario import MINUTE
from tests.power.rehearsal import Story, play, sooner, swings

GONE = 15 * MINUTE
MIXES = {"six": Farm(Mix.SIX, 1_000), "stock": Farm(Mix.STOCK, 0)}


@pytest.fixture(scope="module", params=MIXES)
def honest(request: pytest.FixtureRequest) -> Story:
    return play(replace(sooner(CATALOGUE["half-gone"], 19, THEN - GONE), farm=MIXES[request.param]))


@pytest.fixture(scope="module", params=MIXES)
def lying(request: pytest.FixtureRequest) -> Story:
    """Three in ten lie from the start."""
    return play(replace(sooner(CATALOGUE["liars"], 19, THEN - GONE), farm=MIXES[request.param]))


def test_slow_firmware_is_down_in_ninety_seconds(honest: Story) -> None:
    shed = honest.score.sheds[-1]
    assert shed.at_s == GONE
    assert shed.t10_s is not None and shed.t10_s <= 15  # N3
    assert shed.t95_s is not None and shed.t95_s <= 90  # N5
    assert honest.over[GONE + 90 :].max() <= 0.25
    assert honest.load[GONE:].min() >= 35.0 - 7.0
    assert not honest.broken


def test_liars_on_any_firmware_are_made_up_for_once_and_not_twice(lying: Story) -> None:
    assert lying.over[GONE + 90 :].max() <= 0.5
    assert lying.load[GONE - 60 : GONE].min() >= 70.0 - 9.0
    assert lying.load[GONE:].min() >= 35.0 - 10.0
    assert swings(lying.load[GONE:], 5.0) <= 2
    assert not lying.broken


def test_no_honest_rig_is_called_a_liar_on_any_firmware(lying: Story) -> None:
    caught = lying.end.verification.caught.nonzero()[0]
    assert lying.twin.rigs.liar[caught].all()
    # Honest sleepers are proven: what is in doubt in the end is no more than what lies.
    assert lying.pictures[-1].unresponsive_w <= lying.fleet.total_w * 35 // 100
