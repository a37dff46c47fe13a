"""Acceptance (power.md §7.9, N24): the wall clock is set, and the load goes on following.

Meters have no clock, so their samples are stamped by ours, right or wrong; the plant's are not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stratum.power.simulation.catalogue import CATALOGUE
from tests.power.rehearsal import SETTLED, Story, play, sooner, story

JUMPS = ("clock-forward", "clock-back", "leap-second")


@pytest.fixture(scope="module")
def undisturbed() -> Story:
    return play(replace(sooner(CATALOGUE["leap-second"], 9), jumps=()))


@pytest.mark.parametrize("name", JUMPS)
def test_load_follows_on_when_the_wall_clock_is_set(name: str, undisturbed: Story) -> None:
    jumped = story(name, 9)
    assert jumped.score.rmse_1min <= undisturbed.score.rmse_1min + 0.5
    assert jumped.score.over <= 0.5  # N9
    apart = jumped.load[SETTLED:] - undisturbed.load[SETTLED:]
    assert np.abs(apart).max() <= 5.0 and np.abs(apart.mean()) <= 0.5
    assert not jumped.broken


@pytest.mark.parametrize("name", JUMPS)
def test_set_clock_is_told_once_and_blamed_on_nobody_else(name: str) -> None:
    jumped = story(name, 9)
    told = jumped.alarmed.get("clock_jump", [])
    assert told == ([] if name == "leap-second" else [SETTLED])
    for code in ("meter_stale", "source_held", "meter_disagrees"):
        assert jumped.first(code, SETTLED) > jumped.run.scenario.seconds
