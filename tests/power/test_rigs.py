"""What a rig of the twin makes of a command, by the kind of its firmware."""

from __future__ import annotations

import numpy as np
import pytest

from stratum.power.brain.fleet import Firmware
from stratum.power.brain.values import OUTCOMES, Outcome
from stratum.power.twin.faults import Crash, Die, Hang, Lie, Meddle, Trip, Which
from stratum.power.twin.firmware import (
    BEHAVIOURS,
    BITAXE,
    BRAIINS,
    LUXOS,
    LUXOS_TARGET,
    STOCK,
    VNISH,
    WHATSMINER,
    Behaviour,
)
from tests.power.twin_farm import FULL_W, Farm, order

ALL = [0, 1, 2, 3]
SLEEP, WAKE = 0, FULL_W
OUTLET = LUXOS.ladder.index("outlet")
PARK = LUXOS.ladder.index("park")


def asleep(farm: Farm) -> bool:
    return max(farm.watts) < 100


def running(farm: Farm) -> bool:
    return min(farm.watts) > 0.85 * FULL_W


# -- sleep and wake --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BEHAVIOURS, ids=lambda kind: kind.told.name)
def test_every_kind_sleeps_and_wakes_within_what_it_may_take(kind: Behaviour) -> None:
    farm = Farm((kind.told,) * 200)
    rigs = range(200)
    down_ms = kind.down_dead_ms[1] + kind.down_ramp_ms[1]
    farm.after(down_ms // 1_000 + 2, order(rigs, SLEEP))
    sleeps = np.array(farm.watts) < 100
    assert sleeps.mean() >= 1 - 3 * kind.deaf_bp / 10_000, "a deaf one may be left"

    up_ms = kind.up_dead_ms[1] + kind.up_ramp_ms[1]
    farm.after(up_ms // 1_000 + 2, order(rigs, WAKE, first=200))
    wakes = np.array(farm.watts) > 0.85 * FULL_W
    assert wakes.mean() >= 1 - 3 * kind.deaf_bp / 10_000


@pytest.mark.parametrize("kind", BEHAVIOURS, ids=lambda kind: kind.told.name)
def test_no_kind_reacts_before_its_dead_time(kind: Behaviour) -> None:
    farm = Farm((kind.told,) * 50)
    before = farm.watts
    seconds = kind.down_dead_ms[0] // 1_000
    if seconds:
        assert farm.after(seconds, order(range(50), SLEEP)).watts == before
    else:
        assert farm.after(1, order(range(50), SLEEP)).watts != before


def test_sleeper_draws_idle_and_nothing_else() -> None:
    farm = Farm((LUXOS,) * 100).after(10, order(range(100), SLEEP))
    assert all(18 <= watts <= 35 for watts in farm.watts)
    assert np.allclose(farm.twin.rigs.power_w, farm.twin.rigs.idle_w, rtol=0.06)
    assert not farm.twin.rigs.hashes.any()


def test_full_power_is_not_the_nameplate_and_drifts_slowly() -> None:
    farm = Farm((LUXOS,) * 500)
    first = np.array(farm.watts)
    assert 0.01 < first.std() / FULL_W < 0.04
    next_second = np.array(farm.after(1).watts)
    for minute in range(1, 121):
        farm.twin.step(minute * 60_000, order([], 0))
    later = np.array(farm.watts)
    assert np.abs(next_second / first - 1).max() <= 0.1
    assert 0.005 < (later / first).std() < 0.04
    drift = np.array(farm.watts) / farm.twin.rigs.full_w
    assert np.abs(drift - 1).max() <= 0.0501


def test_cold_braiins_preheats_before_it_rises() -> None:
    farm = Farm((BRAIINS,) * 20).after(20, order(range(20), SLEEP))
    farm.after(11 * 60)
    warm = farm.after(55, order(range(20), WAKE, first=20)).watts
    assert 0.2 * FULL_W < np.mean(warm) < 0.35 * FULL_W
    assert running(farm.after(330))


def test_warm_braiins_does_not_preheat() -> None:
    farm = Farm((BRAIINS,) * 4).after(20, order(ALL, SLEEP))
    assert running(farm.after(70, order(ALL, WAKE, first=4)))


def test_wakes_are_counted_and_new_levels_are_not() -> None:
    farm = Farm((LUXOS_TARGET,) * 4).after(20, order(ALL, 2_000))
    farm.after(20, order([0, 1], SLEEP, first=4)).after(20, order([0, 1, 2], WAKE, first=8))
    assert farm.twin.rigs.wakes.tolist() == [1, 1, 0, 0]


# -- levels ----------------------------------------------------------------------------------


def test_power_target_is_met_within_the_firmwares_own_error() -> None:
    farm = Farm((LUXOS_TARGET,) * 200).after(30, order(range(200), 2_500))
    assert abs(np.mean(farm.watts) / 2_500 - 1) < 0.03
    assert np.std(farm.watts) / 2_500 > 0.01, "a perfect target would be a lie"


def test_power_target_stays_within_floor_and_full() -> None:
    farm = Farm((LUXOS_TARGET,) * 4).after(30, order(ALL, 10))
    assert all(0.9 * 1_750 < watts < 1.1 * 1_750 for watts in farm.watts)
    assert running(farm.after(30, order(ALL, 99_999, first=4)))


def test_rig_without_levels_runs_full_whatever_level_it_is_told() -> None:
    assert running(Farm((LUXOS,) * 4).after(30, order(ALL, 2_000)))


@pytest.mark.parametrize("kind", [STOCK, BRAIINS], ids=lambda kind: kind.name)
def test_order_to_run_that_is_repeated_makes_no_rig_faster(kind: Firmware) -> None:
    farm = Farm((kind,) * 20, seed=9)
    farm.after(70, order(range(20), SLEEP)).after(11 * 60)
    for second in range(60):
        farm.after(1, order(range(20), WAKE, first=20 * (second + 1)))
    assert max(farm.watts) < 0.6 * FULL_W
    assert farm.twin.rigs.wakes.tolist() == [1] * 20


def test_order_to_sleep_that_is_repeated_changes_nothing() -> None:
    once, often = Farm((LUXOS,) * 8), Farm((LUXOS,) * 8)
    once.after(1, order(range(8), SLEEP)).after(59)
    for second in range(60):
        often.after(1, order(range(8), SLEEP, first=8 * second))
    assert once.watts == often.watts


def test_stream_of_new_levels_is_obeyed_late_and_never_starved() -> None:
    farm = Farm((LUXOS_TARGET,) * 4)
    for step in range(30):
        farm.after(1, order(ALL, 3_500 - 50 * (step + 1), first=4 * step))
    assert max(farm.watts) < 3_000
    assert min(farm.watts) > 1_900


# -- what goes wrong -------------------------------------------------------------------------


def test_liar_says_sent_claims_to_sleep_and_hashes_on() -> None:
    farm = Farm((LUXOS,) * 4)
    farm.twin.suffer(Lie(10_000))
    farm.after(60, order(ALL, SLEEP)).after(60, order(ALL, SLEEP, rung=1, first=4))
    assert running(farm)
    results = farm.twin.read(farm.second * 1_000).results
    assert [OUTCOMES[code] for code in results.outcome] == [Outcome.SENT] * 8
    assert farm.twin.rigs.claims_hashing.tolist() == [0, 0, 0, 0]
    assert max(farm.twin.rigs.claims_w) < 100


def test_liar_does_not_survive_its_outlet() -> None:
    farm = Farm((LUXOS,) * 4)
    farm.twin.suffer(Lie(10_000))
    assert farm.after(2, order(ALL, SLEEP, rung=OUTLET)).watts == [0, 0, 0, 0]
    assert max(farm.after(30, order(ALL, WAKE, first=4)).watts) < 100, "it boots first"
    assert running(farm.after(180))


def test_hanger_does_what_it_was_told_when_it_is_back() -> None:
    farm = Farm((LUXOS,) * 4)
    farm.twin.suffer(Hang(10_000, for_ms=100_000))
    farm.after(99, order(ALL, SLEEP))
    assert running(farm)
    assert len(farm.twin.read(farm.second * 1_000).results.command) == 0
    assert asleep(farm.after(10))
    assert len(farm.twin.read(farm.second * 1_000).results.command) == 4


def test_hanger_obeys_the_last_of_several_orders() -> None:
    farm = Farm((LUXOS,) * 4)
    farm.twin.suffer(Hang(10_000, for_ms=50_000))
    farm.after(10, order(ALL, SLEEP)).after(60, order(ALL, WAKE, first=4))
    assert running(farm)


@pytest.mark.parametrize(
    ("kind", "keeps"),
    [(LUXOS, True), (STOCK, True), (BITAXE, False), (BRAIINS, False), (WHATSMINER, False)],
    ids=lambda value: value.name if isinstance(value, Firmware) else "",
)
def test_crashed_sleeper_keeps_its_sleep_only_where_its_firmware_saves_it(
    kind: Firmware, keeps: bool
) -> None:
    farm = Farm((kind,) * 4).after(70, order(ALL, SLEEP))
    farm.twin.suffer(Crash(10_000, Which.ASLEEP, forget=False))
    farm.after(600)
    assert asleep(farm) if keeps else running(farm)


def test_crash_that_forgets_boots_anything_into_mining() -> None:
    farm = Farm((LUXOS,) * 4).after(10, order(ALL, SLEEP))
    farm.twin.suffer(Crash(5_000, Which.ASLEEP))
    farm.after(180)
    assert sum(watts > 3_000 for watts in farm.watts) == 2
    assert farm.twin.rigs.wakes.sum() == 0, "nobody commanded that"


def test_feeder_goes_dark_and_comes_back_mining() -> None:
    farm = Farm((LUXOS,) * 4).after(10, order(ALL, SLEEP))
    farm.twin.suffer(Trip("feeder-1", for_ms=60_000))
    assert farm.after(59).watts[1::2] == [0, 0]
    assert 0 < max(farm.after(30).watts[1::2]) < 100, "booting"
    farm.after(180)
    assert min(farm.watts[1::2]) > 3_000
    assert max(farm.watts[0::2]) < 100, "the other feeder sleeps on"


def test_command_to_a_dark_rig_is_unreachable_and_lost() -> None:
    farm = Farm((LUXOS,) * 4)
    farm.twin.suffer(Trip("site", for_ms=30_000))
    farm.after(10, order(ALL, SLEEP))
    results = farm.twin.read(farm.second * 1_000).results
    assert [OUTCOMES[code] for code in results.outcome] == [Outcome.UNREACHABLE] * 4
    assert running(farm.after(300))


def test_dead_rig_takes_nothing_says_nothing_and_stays_dead() -> None:
    farm = Farm((LUXOS,) * 4)
    farm.twin.suffer(Die(10_000))
    farm.after(60, order(ALL, WAKE))
    assert farm.watts == [0, 0, 0, 0]
    assert not farm.twin.rigs.answers_calls.any()


def test_other_controller_wakes_part_of_the_fleet_properly() -> None:
    farm = Farm((LUXOS,) * 100).after(10, order(range(60), SLEEP))
    farm.twin.suffer(Meddle(500))
    farm.after(30)
    assert sum(watts > 3_000 for watts in farm.watts) == 45
    assert farm.twin.rigs.claims_hashing.sum() == 45, "its config says so too"


def test_deaf_firmware_answers_sent_and_sometimes_does_nothing() -> None:
    farm = Farm((VNISH,) * 3_000).after(30, order(range(3_000), SLEEP))
    missed = sum(watts > 1_000 for watts in farm.watts)
    assert 10 <= missed <= 60, "one in a hundred"
    outcome = farm.twin.read(farm.second * 1_000).results.outcome
    assert [OUTCOMES[code] for code in np.unique(outcome)] == [Outcome.SENT]


def test_parking_stops_shares_and_saves_power_on_an_esp_miner_only() -> None:
    farm = Farm((LUXOS, LUXOS, BITAXE, BITAXE))
    esp_park = BITAXE.ladder.index("park")
    parked = order([0, 1], SLEEP, rung=PARK), order([2, 3], SLEEP, rung=esp_park, first=2)
    farm.after(20, parked[0]).after(20, parked[1])
    assert min(farm.watts[:2]) > 3_000
    assert max(farm.watts[2:]) < 100
    farm.twin.read(farm.second * 1_000)
    farm.after(60)
    assert farm.twin.read(farm.second * 1_000).work.shares.sum() == 0
