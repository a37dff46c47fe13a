"""Watts, times and factors that the site teaches, and the bands they stay in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain import learning
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.learning import Calm, Learned
from stratum.power.brain.state import RigState, Status
from stratum.power.brain.values import UNKNOWN_W, Ints
from tests.power.yard import FULL_W, IDLE_W, MUTE, fleet_of, settled

NOW_MS = 1_000_000


def ints(*values: int) -> Ints:
    return np.array(values, np.int64)


def running(fleet: Fleet) -> RigState:
    rigs = RigState.fresh(fleet)
    rigs.status[:], rigs.ordered_w[:], rigs.hashing[:] = Status.RUNNING, FULL_W, 1
    return rigs


def teach(rigs: RigState, fleet: Fleet, *watts: int) -> None:
    for reading in watts:
        rigs.seen_w[:] = reading
        learning.learn_watts(rigs, np.arange(len(fleet)), fleet, NOW_MS)


# -- watts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("true_w", [3_320, 3_500, 3_690])
def test_watts_at_full_power_are_learned_to_the_watts_of_rounding(true_w: int) -> None:
    fleet = fleet_of(1)
    rigs = running(fleet)
    teach(rigs, fleet, FULL_W, *[true_w] * 100)
    assert abs(int(rigs.learned_w[0]) - true_w) <= 8


@given(st.lists(st.integers(-1, 100_000), max_size=80), st.sampled_from(list(Status)))
def test_what_is_learned_stays_in_its_band(watts: list[int], status: Status) -> None:
    fleet = fleet_of(1)
    rigs = running(fleet)
    rigs.status[:] = status
    rigs.hashing[:] = 0 if status is Status.SHED else 1
    teach(rigs, fleet, *watts)
    full_w, idle_w = int(rigs.learned_w[0]), int(rigs.learned_idle_w[0])
    assert full_w == UNKNOWN_W or FULL_W * 0.8 <= full_w <= FULL_W * 1.2
    assert idle_w == UNKNOWN_W or 0 <= idle_w <= learning.idle_limit_w(fleet)[0]


@pytest.mark.parametrize(
    ("status", "hashing", "ordered_w", "due_ms"),
    [
        (Status.WAKING, 1, FULL_W, NOW_MS),
        (Status.UNRESPONSIVE, 1, 0, NOW_MS),
        (Status.FOREIGN, 1, 0, NOW_MS),
        (Status.RUNNING, 0, FULL_W, NOW_MS),
        (Status.RUNNING, 1, FULL_W - 200, NOW_MS),  # a level, not full
        (Status.RUNNING, 1, FULL_W, NOW_MS + 1),  # not there yet
    ],
)
def test_rig_in_doubt_or_not_at_full_power_teaches_nothing(
    status: Status, hashing: int, ordered_w: int, due_ms: int
) -> None:
    fleet = fleet_of(1)
    rigs = running(fleet)
    rigs.status[:], rigs.hashing[:] = status, hashing
    rigs.ordered_w[:], rigs.due_ms[:] = ordered_w, due_ms
    teach(rigs, fleet, FULL_W)
    assert rigs.learned_w[0] == UNKNOWN_W


# -- times ---------------------------------------------------------------------------------


def learned_from(took_ms: Ints, poll_ms: int = 5_000) -> tuple[Learned, float, float]:
    """Rigs that take these times, each asked every `poll_ms` from a random moment on: what is
    learned, and where t50 and t95 stayed during the last third."""
    fleet, random = fleet_of(1), np.random.default_rng(1)
    learned = Learned.fresh(fleet)
    course = []
    for took in took_ms.tolist():
        for age_ms in range(int(random.integers(1, poll_ms)), 16_000, poll_ms):
            done = np.array([age_ms >= took])
            learned = learning.learn_times(learned, fleet, ints(0), ints(age_ms), done, down=True)
        course.append((learned.t50_ms[0, 0], learned.t95_ms[0, 0]))
    middle, most = np.mean(course[-len(course) // 3 :], axis=0)
    return learned, float(middle), float(most)


def test_table_holds_until_something_is_learned() -> None:
    fleet = fleet_of(1)
    learned = Learned.fresh(fleet)
    assert list(learned.settle_ms(fleet, down=True)) == [5_000]
    assert list(learned.settle_ms(fleet, down=False)) == [10_000]


@pytest.mark.parametrize("typical_ms", [3_000, 6_000])
@pytest.mark.parametrize("poll_ms", [2_000, 10_000])
def test_t95_becomes_the_time_within_which_95_of_100_respond(typical_ms: int, poll_ms: int) -> None:
    took_ms = np.random.default_rng(1).uniform(0.5, 1.5, 2_000) * typical_ms
    _, middle_ms, most_ms = learned_from(took_ms.astype(np.int64), poll_ms)
    # Those asked a little earlier or later count as well, which errs by little and upwards.
    assert 0.97 <= most_ms / np.quantile(took_ms, 0.95) <= 1.1
    assert 0.9 <= middle_ms / np.quantile(took_ms, 0.5) <= 1.1


@pytest.mark.parametrize(
    ("took_ms", "low_ms", "high_ms"), [(1, 1_250, 2_600), (60_000, 14_900, 15_000)]
)
def test_t95_stays_between_a_quarter_and_three_times_the_table(
    took_ms: int, low_ms: int, high_ms: int
) -> None:
    learned, *_ = learned_from(np.full(3_000, took_ms))
    assert low_ms <= learned.t95_ms[0, 0] <= high_ms


def test_yard_that_answers_in_two_seconds_is_learned() -> None:
    yard = settled(fleet_of(200))
    for _ in range(24):
        yard.order(np.arange(200), 0)
        yard.run(30)
        yard.order(np.arange(200), FULL_W)
        yard.run(30)
    learned = yard.state.learned
    assert 2_000 <= learned.t95_ms[0, 0] <= 4_000
    assert 2_000 <= learned.t95_ms[1, 0] <= 7_000
    assert yard.count(Status.RUNNING) == 200 and "unresponsive" not in yard.codes()


# -- models without watts ------------------------------------------------------------------


def calm(at_ms: int, meter_w: int, nominal_w: int) -> tuple[Calm, ...]:
    return (Calm(0, at_ms, meter_w, 0, (nominal_w,)),)


def test_step_of_the_meter_gives_the_factor_of_the_model_that_moved() -> None:
    learned = Learned.fresh(fleet_of(1))
    calms: tuple[Calm, ...] = ()
    for turn in range(20):
        nominal_w = 100_000 + 20_000 * (turn % 2)
        learned, calms = learning.learn_models(
            learned, calms, calm(turn * 10_000, nominal_w * 106 // 100 + 5_000, nominal_w)
        )
    assert abs(int(learned.model_bp[0]) - 10_600) <= 8


@pytest.mark.parametrize(
    ("later_ms", "meter_w", "nominal_w"),
    [
        (61_000, 126_000, 120_000),  # too long ago: the base may have moved
        (10_000, 101_060, 101_000),  # too small a step for the meter
        (10_000, 150_000, 120_000),  # a factor of 2.5 is something else
    ],
)
def test_step_that_proves_nothing_changes_nothing(
    later_ms: int, meter_w: int, nominal_w: int
) -> None:
    learned, calms = learning.learn_models(
        Learned.fresh(fleet_of(1)), (), calm(0, 100_000, 100_000)
    )
    learned, _ = learning.learn_models(learned, calms, calm(later_ms, meter_w, nominal_w))
    assert learned.model_bp[0] == 10_000


def test_yard_of_rigs_without_watts_learns_from_its_meter() -> None:
    yard = settled(fleet_of(100, firmware=MUTE))
    yard.base_w = 20_000
    yard.real_full_w = FULL_W * 108 // 100
    for _ in range(12):
        yard.order(np.arange(20), 0)
        yard.run(20)
        yard.order(np.arange(20), FULL_W)
        yard.run(20)
    assert abs(int(yard.state.learned.model_bp[0]) - 10_800) <= 60
    assert (yard.rigs.learned_w > FULL_W * 107 // 100).all()
    assert (yard.rigs.learned_idle_w == UNKNOWN_W).all() and IDLE_W == 25
