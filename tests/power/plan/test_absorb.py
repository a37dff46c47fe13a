from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stratum.power.figures import certain
from stratum.power.plan.absorb import absorb, filled, missing_months
from stratum.power.plan.fleet import Fleet, Machine, in_merit_order, mw_for_fraction, sized
from stratum.power.plan.surplus import Surplus
from stratum.power.plan.tariff import Bands
from tests.power.plan.question import NEW_YEAR_S, fleet, plain_site, put, year_of

ONE_BAND = Bands(np.array([20.0]), np.zeros(8760, np.int64))


def one_band(surplus: Surplus) -> Bands:
    return Bands(np.array([20.0]), np.zeros(len(surplus.mw), np.int64))


def test_the_fleet_takes_the_lesser_of_surplus_and_itself_in_whole_rigs() -> None:
    mw = np.zeros(8760)
    mw[:3] = (0.0505, 5.0, 0.0009)
    taken = absorb(year_of(mw), fleet(100), plain_site(), ONE_BAND)
    assert taken.taken_mw[:4].tolist() == pytest.approx([0.050, 0.100, 0, 0])
    assert taken.rig_mwh.sum() == pytest.approx(0.150)
    assert taken.hours.sum() == 2


def test_reserve_and_overhead_are_at_the_meter() -> None:
    site = put(plain_site(), overhead=1.25, reserve_percent=50.0)
    taken = absorb(year_of(0.1), fleet(100), site, ONE_BAND)
    assert taken.taken_mw[0] == pytest.approx(0.050)  # 40 rigs of 1.25 kW
    assert taken.rig_mwh.sum() == pytest.approx(0.040 * 8760)


def test_the_efficient_model_runs_first() -> None:
    price = certain(1.0, "USD", "a test")
    old, new = Machine("old", 20.0, 1000.0, price, 50), Machine("new", 50.0, 1000.0, price, 50)
    both = in_merit_order("both", (old, new))
    taken = absorb(year_of(0.070), both, plain_site(), ONE_BAND)
    assert taken.rig_mwh.sum(axis=(0, 2)).tolist() == pytest.approx([0.050 * 8760, 0.020 * 8760])


def test_each_waking_is_counted_and_loses_its_wait() -> None:
    mw = np.tile([0.0, 1.0], 4380)
    site = put(plain_site(), restore_s=360.0)
    taken = absorb(year_of(mw), fleet(100), site, ONE_BAND)
    assert taken.cycles.sum() == 100 * 4380
    assert taken.rig_mwh.sum() == pytest.approx(0.1 * 4380 * 0.9)


def test_a_rig_that_was_shed_sleeps_its_shortest_sleep_and_no_reduction_waits() -> None:
    mw = np.ones(7 * 1440)
    mw[100] = 0.0
    surplus = Surplus("x", "x", NEW_YEAR_S, 60, mw)
    site = put(plain_site(), min_off_s=600.0)
    taken = absorb(surplus, fleet(100), site, one_band(surplus))
    assert taken.taken_mw[99:112].tolist() == pytest.approx([0.1] + [0.0] * 10 + [0.1] * 2)


def test_sleeping_rigs_draw_their_idle_power() -> None:
    site = put(plain_site(), idle_w=30.0)
    taken = absorb(year_of(0.060), fleet(100), site, ONE_BAND)
    assert taken.idle_mwh.sum() == pytest.approx(40 * 30e-6 * 8760)


def test_energy_lands_in_the_band_of_its_step() -> None:
    bands = Bands(np.array([-5.0, 20.0]), np.arange(8760) % 24 // 12)
    taken = absorb(year_of(1.0), fleet(100), plain_site(), bands)
    assert taken.rig_mwh.sum(axis=(0, 1)).tolist() == pytest.approx([0.1 * 4380, 0.1 * 4380])


def test_a_part_of_a_year_is_scaled_to_whole_months_and_the_rest_is_the_mean() -> None:
    surplus = dataclasses.replace(year_of(1.0), mw=np.ones(45 * 24))
    taken = absorb(surplus, fleet(100), plain_site(), one_band(surplus))
    missing = missing_months(surplus)
    assert missing == tuple(range(2, 12))
    months = filled(taken.hours, missing)
    assert months[:2, 0].tolist() == [744, 672]
    assert months[2:, 0].tolist() == [708] * 10


def test_a_fleet_is_sized_to_a_part_of_the_energy() -> None:
    mw = np.concatenate([np.full(4000, 100.0), np.full(4760, 0.0)])
    assert mw_for_fraction(mw, 0.5) == pytest.approx(50)
    machine = fleet().machines[0]
    assert sized(machine, 50.0, 1.25).rigs == 40_000
    assert sized(machine, 0.0, 1.25).rigs == 1


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.float64, 8760, elements=st.floats(0, 0.3), fill=st.floats(0, 0.3)),
    st.integers(1, 200),
    st.sampled_from([0.0, 7200.0, 20_000.0]),
    st.floats(0, 5),
)
def test_nothing_beyond_the_surplus_is_ever_taken(
    mw: np.ndarray, count: int, min_off_s: float, reserve: float
) -> None:
    site = put(plain_site(), min_off_s=min_off_s, reserve_percent=reserve, restore_s=600.0)
    taken = absorb(year_of(mw), fleet(count), site, ONE_BAND)
    limit = mw * (1 - reserve / 100)
    assert (taken.taken_mw <= limit + 1e-9).all()
    assert taken.taken_mw.max() <= count * 1e-3 + 1e-9
    assert -1e-9 <= taken.rig_mwh.sum() <= taken.taken_mw.sum() + 1e-6


def test_an_empty_fleet_is_no_division_by_zero() -> None:
    taken = absorb(year_of(1.0), Fleet("none", ()), plain_site(), ONE_BAND)
    assert taken.taken_mw.sum() == taken.hours.sum() == 0
