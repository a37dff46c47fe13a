"""Acceptance (power.md §7.9, N23): the site's meter dies, is turned round, or freezes.

Each is ill from minute 7 to 17; a minute in, half of the surplus goes. The load must follow as if
nothing were wrong with the meter, by the sum of devices and a wider reserve, and no rig is woken
above what was last verified.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from stratum.power.simulation.catalogue import CATALOGUE
from stratum.power.simulation.scenario import Happening
from stratum.power.twin.faults import Ailment, Meter
from stratum.power.twin.surplus import DAY, Outage
from tests.power.rehearsal import RAMP, SETTLED, Story, play, sooner, steepest_fall, story, swings

GONE = SETTLED + 60
WELL = SETTLED + 600

#: N23: steering by the sum of devices keeps 5 % below it.
WIDER = 5.0


@pytest.fixture(scope="module", params=[Ailment.DEAD, Ailment.FLIPPED, Ailment.FROZEN])
def ill(request: pytest.FixtureRequest) -> Story:
    ailment: Ailment = request.param
    scenario = sooner(CATALOGUE["half-gone"], 21)
    happenings = (
        Happening(SETTLED, Meter("site", ailment)),
        Happening(WELL, Meter("site", Ailment.WELL)),
    )
    return play(replace(scenario, outages=(Outage(GONE, DAY),), happenings=happenings))


def test_shed_is_as_fast_and_complete_without_the_meter(ill: Story) -> None:
    (shed,) = ill.score.sheds
    assert shed.at_s == GONE
    assert shed.t95_s is not None and shed.t95_s <= 10
    assert ill.over[GONE + 15 :].max() <= 0.5
    assert ill.over[SETTLED:GONE].max() <= 0.0


def test_load_does_not_run_down_while_nobody_sees_it(ill: Story) -> None:
    """Each order that a stale figure answers with another one would end at nothing."""
    assert ill.load[SETTLED:GONE].min() >= 70.0 * (1 - WIDER / 100) - 3.0
    assert ill.load[GONE:].min() >= 35.0 * (1 - WIDER / 100) - 7.0
    assert ill.load[GONE + 60 :].min() >= 35.0 * (1 - WIDER / 100) - 3.0
    assert swings(ill.load[GONE + 30 : WELL], 3.0) <= 1


def test_illness_is_told_and_nobody_is_woken_while_it_lasts(ill: Story) -> None:
    told = ill.alarm("meter_stale", SETTLED)
    assert told <= GONE + 30  # a frozen one shows once the load has moved
    assert ill.woken(told, WELL) == 0
    if ill.run.scenario.happenings[0].fault == Meter("site", Ailment.FLIPPED):
        assert SETTLED < ill.alarm("meter_flipped") <= SETTLED + 3
    blind = [picture.measured_from for picture in ill.pictures[told + 5 : WELL]]
    assert "meter" not in blind


def test_load_comes_back_with_the_meter(ill: Story) -> None:
    assert ill.alarm("meter_stale", WELL + 10) > 21 * 60
    assert ill.load[WELL + 180 :].min() >= 35.0 - 2.0
    assert not ill.broken


def test_noisy_surplus_is_stood_below_while_the_meter_is_frozen() -> None:
    """The load follows the surplus down, and not up: no restores above the last verified load."""
    noisy = story("meter-frozen", 20)
    told = noisy.alarm("meter_stale", SETTLED)
    assert told <= SETTLED + 120
    assert noisy.over[told + 10 : WELL].max() <= 1.0
    # Up to the goal of the second in which it was found, and never above that.
    goal = 100 * noisy.pictures[told].goal_w / noisy.fleet.total_w
    assert noisy.load[told + 10 : WELL].max() <= goal + 3.0  # as far as devices are right
    low = noisy.surplus[told:WELL].min()
    assert noisy.load[told:WELL].min() >= low * (1 - WIDER / 100) - 4.0
    assert noisy.alarm("meter_disagrees") > noisy.run.scenario.seconds
    assert steepest_fall(noisy.load[WELL:], 60) <= RAMP
    assert noisy.load[WELL + 180 :].mean() >= noisy.surplus[WELL + 180 :].mean() - 3.5
    assert not noisy.broken
