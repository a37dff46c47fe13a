"""Verification against a yard of rigs that obey, lie, hang and wake by themselves."""

from __future__ import annotations

import numpy as np
import pytest

from stratum.power.brain.state import Status
from stratum.power.brain.values import Outcome, OutletReadings
from tests.power.yard import (
    FULL_W,
    IDLE_W,
    MUTE,
    Yard,
    fleet_of,
    settings_of,
    settled,
)

T95_S = 5
POLL_AND_DUE_S = 8
PARK, OUTLET = 3, 4  # steps of the ladder


def rows(count: int, start: int = 0) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(start, start + count)


# -- obedience -----------------------------------------------------------------------------


def test_rig_that_obeys_is_shed_once_all_three_witnesses_agree() -> None:
    yard = settled(fleet_of(100))
    yard.order(rows(40), 0)
    yard.run(T95_S - 1)
    assert yard.count(Status.SHED) == 0, "no verdict before t95"
    yard.run(POLL_AND_DUE_S)
    assert yard.count(Status.SHED) == 40
    assert (yard.rigs.verified_ms[:40] > 0).all()
    assert not yard.tried
    assert yard.codes() == set()


def test_no_rig_is_shed_on_the_word_of_its_driver() -> None:
    yard = settled(fleet_of(10))
    yard.answers[:] = False
    yard.works_here[:] = False
    yard.order(rows(10), 0)
    yard.refuse(rows(10), Outcome.SENT)
    yard.run(600)
    assert yard.count(Status.SHED) == 0
    assert yard.count(Status.UNRESPONSIVE) == 10


def test_late_rig_becomes_shed_normally() -> None:
    yard = settled(fleet_of(20))
    yard.delay_ms[:] = 40_000
    yard.order(rows(20), 0)
    yard.run(15)
    assert yard.count(Status.UNRESPONSIVE) == 20
    yard.run(35)
    assert yard.count(Status.SHED) == 20
    assert "late_shed" in yard.codes()


def test_unresponsive_rig_is_counted_at_its_worst_in_the_tick_that_finds_it() -> None:
    yard = settled(fleet_of(10))
    yard.obeys[3] = False
    yard.order(rows(10), 0)
    while not yard.count(Status.UNRESPONSIVE):
        assert yard.now_ms < 200_000
        assert yard.rigs.assumed_w(yard.fleet)[3] == IDLE_W
        yard.tick()
    assert yard.rigs.assumed_w(yard.fleet)[3] == FULL_W
    assert yard.now.unresponsive_w == FULL_W
    assert yard.reasons[-1][1].code == "unresponsive" and yard.reasons[-1][1].subject == "r3"


def test_waking_rig_that_does_not_wake_is_dead_and_asked_twice_more() -> None:
    yard = settled(fleet_of(10))
    yard.order(rows(10), 0)
    yard.run(30)
    yard.obeys[0] = False
    yard.order(rows(10), FULL_W)
    yard.run(400)
    assert yard.count(Status.RUNNING) == 9
    assert yard.status[0] == Status.DEAD
    assert [(rig, watts) for _, rig, watts, _ in yard.tried] == [(0, FULL_W)] * 2
    assert yard.rigs.assumed_w(yard.fleet)[0] == IDLE_W


def test_dead_rig_that_comes_back_is_running() -> None:
    yard = settled(fleet_of(10))
    yard.order(rows(10), 0)
    yard.run(30)
    yard.delay_ms[:] = 60_000
    yard.order(rows(10), FULL_W)
    yard.run(30)
    assert yard.count(Status.DEAD) == 10
    yard.run(60)
    assert yard.count(Status.RUNNING) == 10


def test_cold_start_takes_what_telemetry_shows() -> None:
    yard = Yard(fleet_of(100))
    yard.force(rows(60), False)
    assert yard.rigs.assumed_w(yard.fleet).sum() == 100 * FULL_W, "unknown is never 0"
    yard.run(10)
    assert yard.count(Status.SHED) == 60 and yard.count(Status.RUNNING) == 40
    assert yard.rigs.assumed_w(yard.fleet).sum() == 40 * FULL_W + 60 * IDLE_W


def test_running_rig_that_was_never_ordered_and_goes_to_sleep_is_shed() -> None:
    yard = settled(fleet_of(10))
    yard.force(rows(10), False)
    yard.run(20)
    assert yard.count(Status.SHED) == 10


# -- liars ---------------------------------------------------------------------------------


def test_thirty_percent_liars_are_found_by_their_shares() -> None:
    """Each submits every 5 s on average: half are found 4 s after t95, 99 of 100 within 23 s."""
    yard = settled(fleet_of(1_000))
    liars = rows(300)
    yard.lies[liars] = True
    yard.obeys[liars] = False
    yard.order(rows(1_000), 0)
    ordered_ms = yard.now_ms
    found_at: dict[int, int] = {}
    for _ in range(120):
        yard.tick()
        for row in np.flatnonzero(yard.status == Status.UNRESPONSIVE):
            found_at.setdefault(int(row), yard.now_ms - ordered_ms - T95_S * 1_000)
    caught = sorted(found_at[row] for row in range(300))
    assert caught[150] <= 6_000 and caught[297] <= 30_000
    assert not set(found_at) - set(range(300)), "no honest rig is called a liar"
    assert yard.count(Status.SHED) == 700
    assert (yard.rigs.verified_ms[:300] < 0).all(), "no proof that it can be shed"
    assert yard.rigs.assumed_w(yard.fleet).sum() == 300 * FULL_W + 700 * IDLE_W


def test_liars_stay_found_and_climb_the_ladder_to_the_end() -> None:
    yard = settled(fleet_of(200))
    yard.lies[:60] = True
    yard.obeys[:60] = False
    yard.order(rows(200), 0)
    yard.run(90)
    flips = 0
    for _ in range(450):
        before = yard.status.copy()
        yard.tick()
        flips += int((before != yard.status).sum())
    assert flips <= 2, "no oscillation: luck may hide a liar for 20 intervals once"
    assert yard.count(Status.UNRESPONSIVE) == 60
    climbed = [rung for _, rig, _, rung in yard.tried if rig == 7]
    # sleep twice more, second path three times, no power limit on such a rig, park, outlet once
    assert climbed == [0, 0, 1, 1, 1, 3, 3, 3, 4]
    assert "left" in yard.codes()
    outlets = [at for at, _, _, rung in yard.tried if rung == OUTLET]
    assert min(outlets) >= 90_000 + 300_000, "the outlet waits for those that merely hang"


def test_liar_that_gives_in_is_believed_after_a_long_silence() -> None:
    yard = settled(fleet_of(100))
    yard.lies[:] = True
    yard.obeys[:] = False
    yard.order(rows(100), 0)
    yard.run(12)
    caught = yard.count(Status.UNRESPONSIVE)
    assert caught > 50
    yard.force(rows(100), False)
    yard.run(60)
    assert yard.count(Status.UNRESPONSIVE) == caught
    yard.run(60)
    assert yard.count(Status.SHED) == 100
    assert max(rung for *_, rung in yard.tried) < PARK, "it was given time before more was tried"


def test_silence_of_a_parked_liar_clears_it_of_nothing() -> None:
    """Nobody takes its shares any more; it draws what it drew."""
    yard = settled(fleet_of(10))
    yard.lies[:] = True
    yard.obeys[:] = False
    yard.order(rows(10), 0)
    yard.run(450)
    assert {rung for *_, rung in yard.tried} >= {PARK, OUTLET}
    assert yard.count(Status.UNRESPONSIVE) == 10


def test_ten_percent_that_hang_for_100_s_come_in_late_and_no_outlet_is_thrown() -> None:
    yard = settled(fleet_of(500))
    yard.delay_ms[:50] = 100_000
    yard.order(rows(500), 0)
    yard.run(20)
    assert yard.count(Status.UNRESPONSIVE) == 50
    assert yard.now.unresponsive_w == 50 * FULL_W
    yard.run(100)
    assert yard.count(Status.SHED) == 500
    assert max(rung for *_, rung in yard.tried) < OUTLET


def test_rig_that_hung_while_the_ladder_was_climbed_is_told_to_sleep_again() -> None:
    yard = settled(fleet_of(10))
    yard.answers[0] = yard.obeys[0] = False
    yard.order(rows(1), 0)
    yard.run(100)
    assert yard.tried[-1][3] == PARK
    yard.answers[0] = yard.obeys[0] = True
    yard.run(20)
    assert yard.tried[-1][3] == 0
    assert yard.status[0] == Status.SHED


# -- load of others ------------------------------------------------------------------------


def test_sleepers_that_reboot_into_hashing_are_foreign() -> None:
    yard = settled(fleet_of(500))
    yard.order(rows(500), 0)
    yard.run(200)
    assert yard.count(Status.SHED) == 500
    yard.force(rows(50), True)
    yard.run(6)
    assert yard.count(Status.FOREIGN) == 50
    assert list(yard.now.foreign) == list(range(50))
    assert yard.now.foreign_w == 50 * FULL_W
    assert yard.rigs.assumed_w(yard.fleet).sum() == 50 * FULL_W + 450 * IDLE_W
    assert not yard.tried, "not fought"
    assert "foreign" in yard.codes()


def test_foreign_rig_that_sleeps_again_is_shed() -> None:
    yard = settled(fleet_of(50))
    yard.order(rows(50), 0)
    yard.run(200)
    yard.force(rows(50), True)
    yard.run(60)
    assert yard.count(Status.FOREIGN) == 50
    yard.force(rows(50), False)
    yard.run(8)
    assert yard.count(Status.SHED) == 50
    assert (yard.rigs.off_ms > 280_000).all(), "it slept then, and min-off begins again"


def test_foreign_rig_is_found_by_work_alone_when_its_api_is_gone() -> None:
    yard = settled(fleet_of(50))
    yard.order(rows(50), 0)
    yard.run(200)
    yard.answers[:] = False
    yard.force(rows(5), True)
    yard.run(30)
    assert list(yard.now.foreign) == [0, 1, 2, 3, 4]


def test_foreign_rig_that_a_cap_orders_down_is_shed_as_any() -> None:
    yard = settled(fleet_of(50))
    yard.order(rows(50), 0)
    yard.run(200)
    yard.force(rows(5), True)
    yard.run(10)
    yard.order(yard.now.foreign, 0)
    yard.run(10)
    assert yard.count(Status.SHED) == 50


# -- silence -------------------------------------------------------------------------------


def test_telemetry_that_stops_altogether_makes_nobody_shed_and_nobody_zero() -> None:
    yard = settled(fleet_of(100))
    yard.order(rows(30), 0)
    yard.run(60)
    yard.answers[:] = False
    yard.order(rows(30, 30), 0)
    yard.run(120)
    assert (yard.status[:30] == Status.SHED).all(), "verified before, and no work since"
    assert (yard.status[30:60] == Status.UNRESPONSIVE).all()
    assert (yard.status[60:] == Status.RUNNING).all(), "their work is evidence"
    assumed = yard.rigs.assumed_w(yard.fleet)
    assert (assumed[30:] == FULL_W).all()
    assert yard.now.devices_w is None


def test_rigs_without_telemetry_and_work_are_unknown_not_dead() -> None:
    yard = settled(fleet_of(100))
    yard.answers[:] = False
    yard.works_here[:10] = False
    yard.run(300)
    assert (yard.status[:10] == Status.UNKNOWN).all()
    assert (yard.rigs.assumed_w(yard.fleet) == FULL_W).all()


def test_running_rig_that_draws_power_and_submits_nothing_mines_elsewhere() -> None:
    yard = settled(fleet_of(100))
    yard.works_here[5] = False
    yard.run(200)
    assert [reason.subject for _, reason in yard.reasons] == ["r5"]
    assert yard.codes() == {"elsewhere"}
    assert yard.status[5] == Status.RUNNING


def test_running_rig_without_power_is_dead_by_its_watts() -> None:
    yard = settled(fleet_of(100))
    yard.order(rows(100), FULL_W)
    yard.run(60)
    yard.obeys[5] = False
    yard.force(rows(1, 5), False)
    yard.run(10)
    assert yard.status[5] == Status.DEAD
    assert yard.rigs.assumed_w(yard.fleet)[5] == IDLE_W


def test_lost_upstream_kills_nobody() -> None:
    yard = settled(fleet_of(100, firmware=MUTE))
    yard.upstream_lost = True
    yard.works_here[:] = False
    yard.run(400)
    assert yard.count(Status.RUNNING) == 100
    yard.upstream_lost = False
    yard.works_here[:] = True
    yard.run(60)
    assert yard.count(Status.RUNNING) == 100 and yard.codes() == set()


def test_work_that_stops_everywhere_is_a_lost_witness_and_no_dead_rigs() -> None:
    yard = settled(fleet_of(100, firmware=MUTE))
    yard.works_here[:] = False
    yard.run(600)
    assert yard.count(Status.RUNNING) == 100
    assert [reason.code for _, reason in yard.reasons] == ["work_lost"]


# -- rigs without watts of their own -------------------------------------------------------


def test_rigs_without_watts_are_shed_by_the_drop_of_their_feeder() -> None:
    yard = settled(fleet_of(200, firmware=MUTE))
    yard.base_w = 30_000
    yard.run(120)
    yard.order(rows(50), 0)
    yard.run(12)
    assert yard.count(Status.SHED) == 50


def test_rigs_without_watts_are_not_shed_when_the_feeder_does_not_drop() -> None:
    """They stop hashing and go on heating: the meter sees it, nobody else does."""
    yard = settled(fleet_of(200, firmware=MUTE))
    yard.obeys[:50] = False
    yard.lies[:50] = True
    yard.works_here[:50] = False
    yard.order(rows(50), 0)
    yard.run(60)
    assert yard.count(Status.UNRESPONSIVE) == 50
    assert not yard.tried, "no rung of the ladder makes a meter finer"


def test_drop_that_the_meter_cannot_see_proves_nothing() -> None:
    yard = settled(fleet_of(1_000, firmware=MUTE))
    yard.order(rows(2), 0)
    yard.run(30)
    assert yard.count(Status.UNRESPONSIVE) == 2
    yard.order(rows(60, 2), 0)
    yard.run(20)
    assert yard.count(Status.SHED) == 62, "together they are seen"


def test_open_outlet_is_a_word_of_its_own() -> None:
    yard = settled(fleet_of(10))
    yard.obeys[:] = False
    yard.order(rows(1), 0)
    yard.run(20)
    assert yard.status[0] == Status.UNRESPONSIVE
    yard.force(rows(1), False)
    yard.answers[0] = False
    one = np.ones(1, np.int64)
    yard.outlets = OutletReadings(rows(1), 0 * one, 0 * one, one * (yard.now_ms + 1_000))
    yard.run(2)
    assert yard.status[0] == Status.SHED


# -- shared names --------------------------------------------------------------------------


def test_liars_under_a_shared_name_are_counted_by_its_work() -> None:
    """Two hundred rigs of one name, all ordered down, sixty of them lie."""
    yard = settled(fleet_of(200, group_size=200))
    yard.lies[:60] = True
    yard.obeys[:60] = False
    yard.order(rows(200), 0)
    yard.run(150)
    assert abs(yard.count(Status.UNRESPONSIVE) - 60) <= 12
    assert yard.count(Status.SHED) + yard.count(Status.UNRESPONSIVE) == 200


def test_liars_among_working_rigs_of_one_name_are_counted_with_their_sigma() -> None:
    yard = settled(fleet_of(400, group_size=400))
    yard.lies[:60] = True
    yard.obeys[:60] = False
    yard.order(rows(200), 0)
    yard.run(240)
    assert 30 <= yard.count(Status.UNRESPONSIVE) <= 90
    assert (yard.status[200:] == Status.RUNNING).all()


def test_honest_rigs_of_a_shared_name_come_and_go_without_suspicion() -> None:
    yard = settled(fleet_of(300, group_size=100), seed=3)
    for round_ in range(12):
        yard.order(rows(60, 60 * (round_ % 4)), 0 if round_ % 2 else FULL_W)
        yard.run(40)
    assert yard.codes() <= {"back"}
    assert yard.count(Status.UNRESPONSIVE) == 0


def test_missing_work_of_a_shared_name_is_told_with_its_sigma() -> None:
    yard = settled(fleet_of(100, group_size=100))
    yard.works_here[:50] = False
    yard.run(120)
    told = [reason for _, reason in yard.reasons if reason.code == "work_missing"]
    assert len(told) == 1 and told[0].subject == "w0"
    assert "±" in told[0].text


# -- storms --------------------------------------------------------------------------------


def test_storm_of_failures_freezes_restores_and_ends_a_minute_later() -> None:
    yard = settled(fleet_of(100))
    yard.refuse(rows(9), Outcome.UNREACHABLE)
    yard.tick()
    assert not yard.now.restores_frozen
    yard.refuse(rows(1, 50), Outcome.REFUSED)
    yard.tick()
    assert yard.now.restores_frozen
    assert [reason.code for reason in yard.now.reasons] == ["storm"]
    yard.run(61)
    assert not yard.now.restores_frozen


def test_storm_escalates_only_for_the_load_that_is_owed() -> None:
    yard = settled(fleet_of(100))
    yard.obeys[:] = False
    yard.order(rows(40), 0)
    yard.owed_w = 3 * FULL_W
    yard.refuse(rows(40), Outcome.UNREACHABLE)
    yard.run(20)
    assert {rig for _, rig, _, _ in yard.tried} == {0, 1, 2}


def test_command_that_could_not_be_delivered_is_judged_at_once() -> None:
    yard = settled(fleet_of(100))
    yard.obeys[0] = False
    yard.order(rows(1), 0)
    yard.refuse(rows(1), Outcome.REFUSED)
    yard.tick()
    assert yard.status[0] == Status.UNRESPONSIVE


def test_spent_budget_of_writes_goes_straight_to_the_next_rung() -> None:
    yard = settled(fleet_of(10))
    yard.obeys[0] = False
    yard.order(rows(1), 0)
    yard.refuse(rows(1), Outcome.BUDGET)
    yard.run(5)
    assert [rung for *_, rung in yard.tried][0] == 1


# -- meters --------------------------------------------------------------------------------


def test_meter_whose_sign_is_turned_round_is_recognised_and_not_believed() -> None:
    yard = settled(fleet_of(100))
    yard.meter_sign = -1
    yard.tick()
    assert yard.now.disbelieved[0]
    assert [reason.code for reason in yard.now.reasons] == ["meter_flipped"]
    yard.meter_sign = 1
    yard.tick()
    assert not yard.now.disbelieved[0]


def test_meter_and_devices_apart_for_five_minutes_alarm_and_recalibrate() -> None:
    yard = settled(fleet_of(100))
    yard.base_w = 100 * FULL_W * 8 // 100
    yard.run(299)
    assert "meter_disagrees" not in yard.codes()
    yard.run(3)
    assert "meter_disagrees" in yard.codes()
    devices_w = yard.now.devices_w
    assert devices_w == pytest.approx(100 * FULL_W * 1.08, rel=0.001)
    yard.run(400)
    assert [reason.code for _, reason in yard.reasons] == ["meter_disagrees"]


def test_settings_decide_how_often_a_command_is_repeated() -> None:
    yard = settled(fleet_of(10), settings_of(retry_ms=()))
    yard.obeys[0] = False
    yard.order(rows(1), 0)
    yard.run(40)
    assert [rung for *_, rung in yard.tried][:2] == [1, 3]
