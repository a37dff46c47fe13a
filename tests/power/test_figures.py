"""The arrays against exact fractions, also at the ends of what is believed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain.fleet import Feeder, Fleet, Owner, RigModel
from stratum.power.brain.settings import DAY, Objective, Settings
from stratum.power.brain.state import RigState
from stratum.power.economics.blocks import MOST_PH_PER_MWH
from stratum.power.economics.figures import Figures, costs, figures, net_micro_per_eh
from stratum.power.economics.market import MOST_MICRO_PER_EH
from tests.power.farm import EUR, S9, SWITCHED, Farm, fleet_of, rig, settings_of


def figures_of(
    watts: int, ghs: int, rate: int, cost: int, cycles: int, objective: Objective
) -> Figures:
    model = RigModel("one", ((watts, ghs),), idle_w=25)
    fleet = Fleet.of([rig("a", model)], [model], [SWITCHED], [Feeder("site")], [Owner("plant", 1)])
    rigs = RigState.fresh(fleet)
    rigs.cycles[5, 0] = cycles
    return figures(fleet, rigs, settings_of(objective), rate, np.array([cost]))


@given(
    watts=st.integers(1_000, 20_000),
    j_per_th=st.integers(4, 100),
    rate=st.integers(10_000, MOST_MICRO_PER_EH),
    cost_part=st.fractions(0, 3),
    cycles=st.integers(0, 48),
)
def test_merit_is_the_margin_less_the_wear(
    watts: int, j_per_th: int, rate: int, cost_part: Fraction, cycles: int
) -> None:
    """Up to a hash worth 4 million of the currency a EH nothing overflows."""
    ghs = watts * 1000 // j_per_th
    earned = Fraction(3600 * ghs, watts - 25) * rate / 1000
    cost = int(earned * cost_part)
    made = figures_of(watts, ghs, rate, cost, cycles, Objective.PROFIT)
    exact = earned - cost - earned * cycles * 15 / 1440
    # One PH in the tens of thousands of a MWh is lost to whole numbers.
    assert abs(int(made.merit[0]) - exact) <= earned / 10_000 + 2
    at_full = Fraction(3600 * ghs, watts) * rate / 1000 - cost
    assert abs(int(made.margin_micro[0]) - at_full) <= earned / 10_000 + 2


@given(watts=st.integers(1_000, 20_000), cost_part=st.fractions(0, Fraction(9, 10)))
def test_the_shortest_run_earns_what_the_wake_costs(watts: int, cost_part: Fraction) -> None:
    ghs, rate = watts * 50, 400_000
    earned = Fraction(3600 * ghs, watts - 25) * rate / 1000
    made = figures_of(watts, ghs, rate, int(earned * cost_part), 0, Objective.PROFIT)
    assert made.least_run_ms[0] == pytest.approx(float(15 * 60_000 / (1 - cost_part)), rel=0.01)
    assert made.least_run_ms[0] <= DAY


def test_a_curve_that_promises_the_impossible_is_held_to_the_possible() -> None:
    made = figures_of(100, 10**9, MOST_MICRO_PER_EH, 0, 0, Objective.ABSORB)
    assert made.merit[0] == MOST_PH_PER_MWH * MOST_MICRO_PER_EH // 1000


def test_fee_and_stale_work_come_off_what_a_hash_earns() -> None:
    settings = Settings(stale_bp=100, pool_fee_bp=200)
    assert net_micro_per_eh(1_000_000, settings) == 970_200


def test_an_owner_of_whom_nothing_is_known_ranks_with_the_dearest() -> None:
    fleet = fleet_of(rig("a", S9, "plant"), rig("b", S9, "guest"))
    cost = costs(fleet, Settings(tariffs={"plant": 70 * EUR}, overhead_bp=10_000), 0, None)
    assert cost.micro.tolist() == [70 * EUR, 70 * EUR]
    assert cost.known.tolist() == [True, False]


def test_a_farm_without_rigs_has_no_figures() -> None:
    worth = Farm(fleet_of(), settings_of(Objective.PROFIT)).run(11)
    assert worth.merit.tolist() == worth.ceiling_w.tolist() == []
    assert worth.margin_micro_per_h == 0
