"""Owners' parts of the curtailment."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain.fairness import (
    FairnessState,
    count,
    curtailed_w,
    order_to_shed,
    order_to_wake,
    spread_bp,
    wishes_w,
)
from stratum.power.brain.fleet import Owner
from stratum.power.brain.settings import DAY, HOUR, SECOND, Settings
from stratum.power.brain.state import RigState, Status
from tests.power.fleets import fleet

SETTINGS = Settings()
TWO = (Owner("a", 3_500 * 30), Owner("b", 3_500 * 10))


def test_only_what_we_hold_down_counts_as_curtailed() -> None:
    few = fleet(6)
    rigs = RigState.fresh(few)
    rigs.status[:] = [Status.SHED, Status.RUNNING, Status.SHED, Status.DEAD, Status.RUNNING, 0]
    rigs.ordered_w[:] = [0, 3_500, 0, 3_500, -1, -1]
    rigs.locked[2] = True  # in repair: nobody curtails it
    assert curtailed_w(rigs, few).tolist() == [3_500]


def test_wishes_follow_the_contracts() -> None:
    four = fleet(4, owners=TWO)
    assert wishes_w(FairnessState(), np.array([0, 0]), 4_000, four).tolist() == [3_000, 1_000]


def test_weights_change_the_contracts_parts() -> None:
    four = fleet(4, owners=(Owner("a", 1_000), Owner("b", 1_000, weight_bp=30_000)))
    assert wishes_w(FairnessState(), np.array([0, 0]), 4_000, four).tolist() == [1_000, 3_000]


def test_who_bore_too_much_is_relieved_within_the_hour() -> None:
    four = fleet(4, owners=TWO)
    borne = FairnessState(buckets=((0, 4_000 * HOUR),), at_ms=0)
    assert wishes_w(borne, np.array([0, 4_000]), 0, four).tolist() == [6_000, -2_000]


def test_the_oldest_bucket_falls_out_whole() -> None:
    state, off_w = FairnessState(), np.array([1_000])
    for day in range(31):
        state = count(state, off_w, SETTINGS, day * DAY)
    assert len(state.buckets) == 30
    assert state.borne_wms(1) == [30 * 1_000 * DAY]  # of 30 intervals, the first bucket was empty
    state = count(state, np.array([0]), SETTINGS, 60 * DAY)
    assert state.borne_wms(1) == [0]


def test_spread_is_of_energy_per_contracted_watt() -> None:
    four = fleet(4, owners=TWO)
    assert spread_bp(FairnessState(), four) == 0
    fair = FairnessState(buckets=((30 * 3_500 * 100, 10 * 3_500 * 100),), at_ms=0)
    assert spread_bp(fair, four) == 0
    unfair = FairnessState(buckets=((30 * 3_500 * 100, 10 * 3_500 * 90),), at_ms=0)
    assert spread_bp(unfair, four) == 1_000


@given(
    st.integers(1, 200),
    st.integers(0, 200),
    st.lists(st.integers(0, 400_000), min_size=3, max_size=3),
    st.booleans(),
)
def test_an_order_keeps_every_rig_and_merit_inside_an_owner(
    rows: int, need: int, off: list[int], sheds: bool
) -> None:
    owners = [Owner(name, 3_500 * part) for name, part in (("a", 30), ("b", 20), ("c", 50))]
    many = fleet(200, owners=owners)
    ranked = np.random.default_rng(rows).permutation(200)[:rows].astype(np.int64)
    watts = np.full(rows, 3_475, np.int64)
    off_w = np.array(off, np.int64)
    wish_w = wishes_w(FairnessState(), off_w, (need if sheds else -need) * 3_475, many)
    order = order_to_shed if sheds else order_to_wake
    found = order(many, ranked, watts, off_w, wish_w)
    assert sorted(found) == sorted(ranked)
    for owner in range(3):
        mine = many.owner[ranked] == owner
        assert found[many.owner[found] == owner].tolist() == ranked[mine].tolist()


def test_owners_come_to_their_wishes_together() -> None:
    owners = [Owner("a", 3_500 * 100), Owner("b", 3_500 * 100)]
    many = fleet(200, owners=owners)
    ranked = np.argsort(many.owner, kind="stable")  # merit would take all of a first
    watts = np.full(200, 3_475, np.int64)
    off_w = np.zeros(2, np.int64)
    wish_w = wishes_w(FairnessState(), off_w, 100 * 3_475, many)
    first = order_to_shed(many, ranked, watts, off_w, wish_w)[:100]
    assert abs(int((many.owner[first] == 0).sum()) - 50) <= 1


def test_time_that_stands_still_bears_nothing() -> None:
    state = count(FairnessState(), np.array([1_000]), SETTINGS, 5 * SECOND)
    assert count(state, np.array([1_000]), SETTINGS, 5 * SECOND).borne_wms(1) == [0]
