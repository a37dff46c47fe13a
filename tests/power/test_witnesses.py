"""What the witnesses keep: the window of work, its sigma, words that arrive out of order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain import witnesses
from stratum.power.brain.learning import idle_limit_w
from stratum.power.brain.state import NEVER, RigState, Status
from stratum.power.brain.values import DeviceReadings, Ints, WorkReadings
from stratum.power.brain.witnesses import BUCKET_MS, BUCKETS, SHARES, WORK, Work
from tests.power.yard import FULL_W, GHS, IDLE_W, fleet_of, settled

FLEET = fleet_of(4, group_size=2)


def ints(*values: int) -> Ints:
    return np.array(values, np.int64)


def gathered(work: Work, now_ms: int, shares: int, difficulty: int = 1_000) -> Work:
    """Work of group 0 alone, every share alike."""
    count = [(0, shares)] if shares else []
    readings = WorkReadings(
        ints(*(group for group, _ in count)),
        ints(*(shares for _, shares in count)),
        ints(*(shares * difficulty for _, shares in count)),
        ints(*(shares * difficulty**2 for _, shares in count)),
        now_ms - 1_000,
        now_ms,
    )
    no = np.zeros(len(FLEET), np.bool_)
    return witnesses.gather(
        work, readings, RigState.fresh(FLEET), no, no, FLEET, now_ms, 2_000, is_supplied=True
    )


@given(st.lists(st.tuples(st.integers(1, 90_000), st.integers(0, 50)), max_size=60))
def test_window_holds_the_last_minute_whatever_the_pauses(history: list[tuple[int, int]]) -> None:
    work, now_ms = Work.fresh(FLEET), 0
    came = []
    for pause_ms, shares in history:
        now_ms += pause_ms
        work = gathered(work, now_ms, shares)
        came.append((now_ms // BUCKET_MS, shares))
    last = now_ms // BUCKET_MS
    expected = sum(shares for bucket, shares in came if bucket >= last - BUCKETS)
    assert work.total[SHARES, 0] == expected
    assert work.total[WORK, 0] == expected * 1_000
    assert (work.total == sum(work.buckets)).all()


def test_state_that_was_handed_out_does_not_change() -> None:
    first = gathered(Work.fresh(FLEET), 1_000, 5)
    gathered(first, 2_000, 7)
    assert first.total[SHARES, 0] == 5


def test_sigma_of_equal_shares_is_one_over_the_root_of_their_number() -> None:
    work = gathered(Work.fresh(FLEET), 1_000, 100, difficulty=5_000_000)
    assert witnesses.sigma(work.total)[0] * 10 == work.total[WORK, 0]


def test_sigma_of_unequal_shares_is_larger() -> None:
    work = gathered(Work.fresh(FLEET), 1_000, 100, difficulty=1_000_000)
    work = gathered(work, 2_000, 1, difficulty=100_000_000)
    assert abs(int(witnesses.sigma(work.total)[0]) - int(1_000_000 * 10_100**0.5)) < 2_000


def test_rig_of_200_terahash_does_46_566_units_of_difficulty_one_a_second() -> None:
    assert witnesses.rate(fleet_of(1))[0] == GHS * 10**12 // 2**32


def test_older_and_future_readings_are_no_news() -> None:
    fleet = fleet_of(3)
    rigs, slept_ms = RigState.fresh(fleet), np.full(3, NEVER, np.int64)
    rigs.seen_ms[:], rigs.seen_w[:] = 10_000, FULL_W
    readings = DeviceReadings(
        ints(0, 1, 2), ints(IDLE_W, IDLE_W, IDLE_W), ints(0, 0, 0), ints(9_000, 11_000, 99_000)
    )
    heard = witnesses.hear(rigs, slept_ms, readings, idle_limit_w(fleet), 12_000)
    assert list(heard) == [1]
    assert list(rigs.seen_w) == [FULL_W, IDLE_W, FULL_W]
    assert list(slept_ms) == [NEVER, 11_000, NEVER]


def test_word_of_sleep_at_full_power_is_no_sleep() -> None:
    fleet = fleet_of(1)
    rigs, slept_ms = RigState.fresh(fleet), np.full(1, NEVER, np.int64)
    readings = DeviceReadings(ints(0), ints(FULL_W), ints(0), ints(1_000))
    witnesses.hear(rigs, slept_ms, readings, idle_limit_w(fleet), 2_000)
    assert slept_ms[0] == NEVER


def test_work_of_a_minute_stands_for_the_load_that_runs() -> None:
    yard = settled(fleet_of(400))
    yard.order(np.arange(100), 0)
    yard.run(75)
    assert yard.count(Status.SHED) == 100
    worked_w = yard.now.worked_w
    assert worked_w is not None
    # 3,600 shares: sigma 1.7 %
    assert abs(worked_w - 300 * FULL_W) < 4 * 0.017 * 300 * FULL_W
