"""Acceptance (power.md §7.9 and the issue's own): rigs that lie, hang, reboot, or are meddled with.

Whatever they do, the load is back below the surplus within seconds, since what does not obey is
counted at its worst and made up for by others; what nobody here ordered is seen, told of, made up
for, and left alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stratum.power.brain.state import Status
from stratum.power.simulation.catalogue import CATALOGUE
from stratum.power.simulation.farms import FEEDERS
from stratum.power.simulation.scenario import Happening
from stratum.power.twin.faults import Crash, Which
from tests.power.rehearsal import BLOCK, RIGS, SETTLED, Story, play, sooner, story, swings

#: A device's word is 11 s old at most; a boot takes 150 s at most.
ASKED_S, BOOT_S = 11, 150


# -- 30 % liars ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def liars() -> Story:
    return story("liars", 14)


def lying(told: Story) -> set[int]:
    """Liars that were put to the proof."""
    asked = told.told_to_sleep(0, SETTLED + 60)
    return {rig for rig in np.flatnonzero(told.twin.rigs.liar).tolist() if rig in asked}


def test_liars_are_found_by_their_work_and_each_is_escalated(liars: Story) -> None:
    assert lying(liars)
    assert liars.alarm("liar") <= 15  # t95, and work that a sleeper can't have done
    again = min(liars.alarm("liar", SETTLED), liars.alarm("unresponsive", SETTLED))
    assert again <= SETTLED + 30
    tried = {order.rig for order in liars.orders if order.rung > 0}
    assert lying(liars) <= tried


def test_what_liars_take_is_made_up_for_at_once(liars: Story) -> None:
    assert liars.over[20:SETTLED].max() <= 0.5
    assert liars.over[SETTLED + 25 :].max() <= 0.5
    assert liars.load[SETTLED + 60 :].min() >= 35.0 - 5.0


def test_liars_make_no_load_oscillate(liars: Story) -> None:
    assert swings(liars.load[30:SETTLED], 5.0) <= 1
    assert swings(liars.load[SETTLED + 30 :], 4.0) <= 1
    assert liars.score.cycles_max <= 2
    assert not liars.broken


def test_no_honest_rig_is_called_a_liar(liars: Story) -> None:
    caught = np.flatnonzero(liars.end.verification.caught)
    assert liars.twin.rigs.liar[caught].all()


# -- 10 % hang -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hangers() -> Story:
    """The minute before half of the surplus goes, for a hundred seconds."""
    return story("hangers", 14)


def test_hanging_rigs_are_made_up_for_within_the_same_order(hangers: Story) -> None:
    assert hangers.over[SETTLED + 25 :].max() <= 0.5
    assert hangers.load[SETTLED:].min() >= 35.0 - 10.0 - 5.0
    assert hangers.load[SETTLED + 240 :].min() >= 35.0 - 3.0
    assert swings(hangers.load[SETTLED:], 5.0) <= 2


def test_hanging_rigs_sleep_once_they_are_back(hangers: Story) -> None:
    rigs = hangers.end.rigs
    ordered_off = np.flatnonzero(rigs.ordered_w == 0).tolist()
    assert ordered_off and not any(hangers.runs(rig) for rig in ordered_off)
    assert not hangers.broken


# -- load that nobody here ordered ----------------------------------------------------------------


def test_sleepers_that_reboot_into_mining_are_seen_and_made_up_for() -> None:
    reboots = story("reboots", 14)
    booted = SETTLED + BOOT_S + ASKED_S
    assert SETTLED < reboots.alarm("foreign") <= booted
    foreign = np.flatnonzero(reboots.end.rigs.status == Status.FOREIGN).tolist()
    assert len(foreign) == 4  # a tenth of the 30 % that sleep
    assert reboots.pictures[-1].foreign_w > 0
    assert reboots.over.max() <= 30.5 and reboots.over[30:].max() <= 2 * BLOCK
    assert reboots.over[booted + 20 :].max() <= 0.0
    # Not fought: none of them is told to sleep.
    assert not reboots.told_to_sleep(SETTLED, 14 * 60) & set(foreign)
    assert not reboots.broken


def test_another_controller_that_wakes_rigs_is_seen_and_made_up_for_but_not_fought() -> None:
    meddler = story("meddler", 10)
    assert SETTLED < meddler.alarm("foreign") <= SETTLED + 10 + ASKED_S
    foreign = np.flatnonzero(meddler.end.rigs.status == Status.FOREIGN).tolist()
    assert len(foreign) == RIGS // 20
    assert meddler.over[30:].max() <= 5.0
    assert meddler.over[SETTLED + 20 :].max() <= BLOCK
    assert meddler.over[SETTLED + 45 :].max() <= 0.0
    assert meddler.load[SETTLED + 60 :].min() >= 70.0 - 3.0
    assert not meddler.told_to_sleep(SETTLED, 10 * 60) & set(foreign)
    assert not meddler.broken


def test_under_a_cap_foreign_load_is_fought() -> None:
    """The cap leaves nothing to give up elsewhere: everything that may run sleeps already."""
    scenario = replace(
        sooner(CATALOGUE["reboots"], 14),
        figures={"level": 100.0},
        cap_bp=500,
        happenings=(Happening(SETTLED, Crash(2_000, Which.ASLEEP)),),
    )
    capped = play(scenario)
    assert capped.alarm("foreign", SETTLED) <= SETTLED + BOOT_S + ASKED_S
    assert capped.load[SETTLED + BOOT_S + ASKED_S + 60 :].max() <= 5.0 + 0.2
    assert not capped.broken


# -- a feeder --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tripped() -> Story:
    """Feeder 3 is dark for a minute; then all of it boots into mining, sleepers too."""
    return story("feeder-trip", 15)


def test_what_a_feeder_took_is_given_to_others_and_taken_back_when_it_recloses(
    tripped: Story,
) -> None:
    dark = 100 / FEEDERS
    assert tripped.load[SETTLED + 1 : SETTLED + 6].min() >= 70.0 - dark - 2.0
    over = tripped.over[30:]
    assert over.max() <= 5 * BLOCK
    assert np.count_nonzero(over > 0.5) <= 60
    end = tripped.load[SETTLED + 60 + BOOT_S + 60 :]
    assert end.min() >= 70.0 - 3.0 and end.max() <= 70.0
    assert not tripped.broken


def test_feeder_that_trips_is_told_of_and_swings_nothing(tripped: Story) -> None:
    assert tripped.alarm("storm", SETTLED) <= SETTLED + 90  # N26
    assert tripped.alarm("foreign", SETTLED + 60) <= SETTLED + 60 + BOOT_S + ASKED_S
    assert swings(tripped.load[SETTLED + 10 :], 6.0) <= 1


# -- silence ---------------------------------------------------------------------------------------


def test_rigs_without_telemetry_are_not_taken_for_nothing() -> None:
    """A fifth says no word for ten minutes: the load stands where it was, firm load does not."""
    silent = story("silence", 18)
    before, after = silent.pictures[SETTLED - 1], silent.pictures[SETTLED + 120]
    assert after.sheddable_w < before.sheddable_w  # N27
    while_silent = silent.load[SETTLED : SETTLED + 600]
    assert while_silent.max() <= 70.0 and while_silent.min() >= 70.0 - 3.0
    assert after.ordered_w >= before.ordered_w - silent.fleet.total_w // 50
    assert silent.load[-60:].min() >= 70.0 - 2.0
    assert not silent.broken
