"""The score against runs whose figures can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stratum.power.brain.values import Ints
from stratum.power.simulation.goals import lines
from stratum.power.simulation.run import Run, Trace, run
from stratum.power.simulation.scenario import Scenario
from stratum.power.simulation.score import score, sheds, target_of
from tests.power.naive import decide, fresh

SECONDS = 7_200


def run_with(power: Ints, wanted: Ints, *, reserve_bp: int = 0, hours: float = 2.0) -> Run:
    """A run of a farm of 100 rigs whose trace is given, in parts of 10,000 of the fleet."""
    scenario = Scenario("by-hand", "by hand", rigs=100, hours=0.01, warm_up_s=0)
    done = run(scenario.with_settings(reserve_bp=reserve_bp), decide, fresh)
    fleet_w = done.fleet.total_w
    trace = Trace.of(len(power))
    trace.power_w[:] = power * fleet_w // 10_000
    trace.wanted_w[:] = wanted * fleet_w // 10_000
    trace.surplus_w[:] = trace.wanted_w
    scenario = replace(scenario, hours=hours)
    return replace(done, trace=trace, scenario=scenario, wakes=np.arange(100))


def level(part: int) -> Ints:
    return np.full(SECONDS, part)


def test_steady_excess_is_error_bias_and_over_consumption() -> None:
    judged = score(run_with(level(5_100), level(5_000)))
    assert judged.rmse_1min == pytest.approx(1.0, abs=0.01)
    assert judged.rmse_4s == pytest.approx(1.0, abs=0.01)
    assert judged.bias == pytest.approx(1.0, abs=0.01)
    assert judged.over == pytest.approx(100 / 51, abs=0.01)
    assert judged.missed == 0


def test_steady_lack_is_missed_energy_and_no_over_consumption() -> None:
    judged = score(run_with(level(4_900), level(5_000)))
    assert judged.missed == pytest.approx(2.0, abs=0.01)
    assert judged.over == 0
    assert judged.bias == pytest.approx(-1.0, abs=0.01)


def test_reserve_that_is_kept_is_no_error_but_is_missed() -> None:
    done = run_with(level(4_900), level(5_000), reserve_bp=100)
    judged = score(done)
    assert judged.rmse_1min == pytest.approx(0.0, abs=0.01)
    assert judged.missed == pytest.approx(2.0, abs=0.01)
    assert target_of(done)[0] == pytest.approx(done.fleet.total_w * 0.49, rel=1e-3)


def test_fast_noise_is_gone_in_a_minutes_mean_and_not_in_samples() -> None:
    # Every other sample of four seconds is high: the sign changes every four seconds.
    noise = np.where(np.arange(SECONDS) // 4 % 2 == 0, 100, -100)
    judged = score(run_with(5_000 + noise, level(5_000)))
    assert judged.rmse_4s == pytest.approx(1.0, abs=0.01)
    assert judged.rmse_1min < 0.1


def test_worst_half_hour_is_found() -> None:
    power = level(5_000)
    power[1_800:3_600] = 5_400
    judged = score(run_with(power, level(5_000)))
    assert judged.rmse_1min_worst == pytest.approx(4.0, abs=0.02)
    assert judged.rmse_1min == pytest.approx(2.0, abs=0.02)


def test_power_that_no_sleep_can_save_is_not_held_against_anyone() -> None:
    done = run_with(level(0), level(0))
    done.trace.power_w[:] = done.asleep_w
    assert 0.5 < done.asleep_w / done.fleet.idle_w.sum() < 2
    assert score(done).over == 0


def test_cycles_are_a_day() -> None:
    judged = score(run_with(level(5_000), level(5_000), hours=48.0))
    assert judged.cycles_mean == pytest.approx(49.5 / 2)
    assert judged.cycles_max == pytest.approx(99 / 2)


def test_shed_is_timed_to_ten_and_ninety_five_percent() -> None:
    wanted, power = level(8_000), level(8_000)
    wanted[100:] = 3_000
    power[102:] = 7_000
    power[107:] = 3_000
    (shed,) = sheds(wanted, power, 10_000)
    assert (shed.at_s, shed.ordered_w, shed.t10_s, shed.t95_s) == (100, 5_000, 2, 7)


def test_shed_that_never_came_has_no_time_and_misses_its_goal() -> None:
    wanted, power = level(8_000), level(8_000)
    wanted[100:] = 3_000
    (shed,) = sheds(wanted, power, 10_000)
    assert shed.t10_s is None and shed.t95_s is None
    done = run_with(power, wanted)
    missed = [line.what for line in lines(done, score(done)) if line.value == float("inf")]
    assert [what.split()[0] for what in missed] == ["10", "95"]


def test_seconds_of_an_ordered_shed_are_no_error_unless_they_are_too_many() -> None:
    wanted, power = level(8_000), level(8_000)
    wanted[3_600:] = 3_000
    power[3_604:] = 3_000
    judged = score(run_with(power, wanted))
    assert judged.rmse_4s == pytest.approx(0.0, abs=0.01)
    assert judged.rmse_1min == pytest.approx(0.0, abs=0.01)
    assert judged.over > 0, "the energy is counted all the same"

    power[3_604:3_630] = 8_000
    late = score(run_with(power, wanted))
    assert late.rmse_4s == pytest.approx(50 * (5 / 1_800) ** 0.5, rel=0.1)


def test_dip_that_is_given_back_and_a_fall_below_which_one_was_are_no_sheds() -> None:
    wanted, power = level(8_000), level(8_000)
    wanted[100:110] = 3_000
    assert sheds(wanted, power, 10_000) == ()
    wanted[100:] = 6_000
    assert sheds(wanted, level(5_000), 10_000) == ()


def test_cap_is_held_against_the_highest_second() -> None:
    scenario = Scenario("cap", "cap", surplus="steps", rigs=50, hours=0.1, cap_bp=5_000)
    judged = score(run(scenario, decide, fresh))
    assert judged.above_cap_w > 0.4 * scenario.farm.fleet(50).total_w, "naive knows no cap"
