"""Cash against sums done by hand, with one rig model, one flat year and one price."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.plan.absorb import absorb
from stratum.power.plan.cash import Cash, cash, irr_percent, npv, payback_years, stack
from stratum.power.plan.chain import btc_per_mwh, calendar
from stratum.power.plan.draws import middle
from stratum.power.plan.inputs import Inputs
from stratum.power.plan.tariff import Bands
from tests.power.plan.question import fleet, plain_inputs, plain_money, plain_site, put, year_of

ENERGY_MWH = 0.1 * 8760  # 100 rigs of 1 kW all year
INVESTED = 100 * 1000.0


def made(inputs: Inputs, rate: float = 20.0, *, follows_price: bool = False) -> Cash:
    surplus = year_of(1.0)
    bands = Bands(np.array([rate]), np.zeros(len(surplus.mw), np.int64))
    years = stack((1.0,), ((absorb(surplus, fleet(), inputs.site, bands),),), bands.rates, ())
    when = calendar(inputs.first_month, inputs.months)
    return cash(inputs, fleet(), years, when, middle(inputs, when), follows_price=follows_price)


def test_a_year_by_hand() -> None:
    inputs = plain_inputs(years=1)
    found = made(inputs)
    when = calendar(inputs.first_month, 12)
    per_mwh = btc_per_mwh(inputs.chain, when, middle(inputs, when).course, 20.0)[0, 0]
    assert found.site_mwh.sum() == pytest.approx(ENERGY_MWH)
    assert found.coins.sum() == pytest.approx(ENERGY_MWH * per_mwh)
    assert found.revenue.sum() == pytest.approx(ENERGY_MWH * per_mwh * 73_300)
    assert found.power.sum() == pytest.approx(ENERGY_MWH * 20)
    # Rigs live five years: four fifths of their price are left after one.
    assert found.left_over == pytest.approx(0.8 * INVESTED)
    profit = found.revenue.sum() - found.power.sum()
    assert found.flow.sum() == pytest.approx(-INVESTED + profit + 0.8 * INVESTED)
    assert found.flow[0, 0] == -INVESTED


def test_what_is_lost_on_the_way_is_not_sold() -> None:
    site = put(plain_site(), stale_percent=1.0, pool_fee_percent=2.0)
    lossless, lossy = made(plain_inputs()), made(plain_inputs(site=site))
    assert lossy.coins.sum() / lossless.coins.sum() == pytest.approx(0.99 * 0.98)
    assert lossy.power.sum() == lossless.power.sum()


def test_failed_rigs_cost_their_absence_and_their_repair() -> None:
    site = put(plain_site(), failures_percent=10.0, repair_days=36.5, repair_percent=20.0)
    whole, failing = made(plain_inputs(years=1)), made(plain_inputs(years=1, site=site))
    assert failing.coins.sum() / whole.coins.sum() == pytest.approx(0.99)
    assert failing.upkeep.sum() == pytest.approx(0.10 * 0.20 * INVESTED)


def test_hall_cooling_connection_and_opex_are_per_megawatt_at_the_meter() -> None:
    money = put(plain_money(), hall=1e6, cooling=2e6, connection=3e6, opex=50_000.0)
    site = put(plain_site(), overhead=1.1)
    found = made(plain_inputs(years=1, money=money, site=site))
    assert found.invested == pytest.approx(INVESTED + 6e6 * 0.11)
    assert found.upkeep.sum() == pytest.approx(50_000 * 0.11)


def test_rigs_are_replaced_when_they_have_lived_and_not_at_the_very_end() -> None:
    money = put(plain_money(), rig_life_years=2.0, rig_residual_percent=10.0)
    found = made(plain_inputs(years=4, money=money))
    assert found.replacement[0].nonzero()[0].tolist() == [23]
    assert found.replacement.sum() == pytest.approx(0.9 * INVESTED)
    assert found.left_over == pytest.approx(0.1 * INVESTED)


def test_tax_is_paid_on_profit_after_depreciation_and_losses_are_carried() -> None:
    money = put(plain_money(), tax_percent=25.0)
    taxed = made(plain_inputs(money=money, years=2), rate=0.0)
    profit = taxed.revenue[0].reshape(2, 12).sum(axis=1) - INVESTED / 5
    paid = taxed.tax[0].reshape(2, 12).sum(axis=1)
    assert profit[0] > 0
    assert paid.tolist() == pytest.approx((0.25 * profit).tolist())
    assert taxed.tax[0].nonzero()[0].tolist() == [11, 23]

    dear = made(plain_inputs(money=money, years=2), rate=1000.0)
    assert dear.tax.sum() == 0


def test_a_loss_of_one_year_lowers_the_tax_of_the_next() -> None:
    money = put(plain_money(), tax_percent=25.0)
    inputs = plain_inputs(money=money, years=2)
    # Power that costs a little more than the first year earns, and less in the second.
    chain = put(inputs.chain, coin_growth_percent=300.0)
    inputs = dataclasses.replace(inputs, chain=chain)
    earned = made(inputs, rate=0.0).revenue[0].reshape(2, 12).sum(axis=1)
    rate = (earned[0] - INVESTED / 5 + 1000) / ENERGY_MWH
    found = made(inputs, rate=float(rate))
    profit = earned - rate * ENERGY_MWH - INVESTED / 5
    assert profit[0] == pytest.approx(-1000) and profit[1] > 1000
    assert found.tax.sum() == pytest.approx(0.25 * (profit[1] - 1000))


def test_where_price_decides_dear_hours_are_slept_through() -> None:
    dear = made(plain_inputs(), rate=500.0, follows_price=True)
    assert dear.coins.sum() == 0 and dear.power.sum() == 0
    cheap = made(plain_inputs(years=1), rate=1.0, follows_price=True)
    assert cheap.coins.sum() == made(plain_inputs(years=1), rate=1.0).coins.sum()


def test_what_price_puts_to_sleep_has_no_hours_and_draws_its_idle_power() -> None:
    site = put(plain_site(), idle_w=50.0, overhead=1.1)
    inputs = plain_inputs(years=1, site=site)
    dear = made(inputs, rate=500.0, follows_price=True)
    assert dear.hours.sum() == 0
    assert dear.site_mwh.sum() == pytest.approx(ENERGY_MWH * 1.1 * 50 / 1000)
    assert dear.tariff[0] == pytest.approx(500)
    followed = made(inputs, rate=500.0)
    assert followed.hours.sum() == 8760 and followed.site_mwh.sum() > 19 * dear.site_mwh.sum()


def test_the_tariff_shown_is_the_mean_of_the_hours_that_were_paid_for() -> None:
    surplus = year_of(1.0)
    bands = Bands(np.array([10.0, 500.0]), np.arange(8760) % 24 // 12)
    inputs = plain_inputs(years=1)
    years = stack((1.0,), ((absorb(surplus, fleet(), inputs.site, bands),),), bands.rates, ())
    when = calendar(inputs.first_month, 12)
    runs = middle(inputs, when)
    dear, cut = (
        cash(inputs, fleet(), years, when, runs, follows_price=follows) for follows in (False, True)
    )
    assert dear.tariff[0] == pytest.approx(255) and dear.hours.sum() == 8760
    assert cut.tariff[0] == pytest.approx(10) and cut.hours.sum() == 4380


def test_a_tariff_below_zero_is_income() -> None:
    assert made(plain_inputs(years=1), rate=-10.0).power.sum() == pytest.approx(-10 * ENERGY_MWH)


def test_npv_irr_and_payback_of_a_flow_that_anyone_can_check() -> None:
    flow = np.zeros((1, 25))
    flow[0, 0], flow[0, 12], flow[0, 24] = -100, 60, 60
    assert npv(flow, 0.0)[0] == 20
    assert npv(flow, 10.0)[0] == pytest.approx(-100 + 60 / 1.1 + 60 / 1.21)
    assert irr_percent(flow)[0] == pytest.approx(13.0662, abs=1e-3)
    assert payback_years(flow)[0] == 2


def test_what_never_comes_back_says_so() -> None:
    flow = np.array([[-100.0, 1.0, 1.0], [-100.0, 200.0, -150.0], [1.0, 1.0, 1.0]])
    assert payback_years(flow).tolist() == [np.inf, np.inf, 0]
    assert irr_percent(flow)[2] == np.inf
    assert irr_percent(np.array([[-100.0, -1.0]]))[0] == -np.inf


@given(st.lists(st.floats(0, 40), min_size=12, max_size=40))
def test_at_its_irr_a_flow_is_worth_nothing(flow: list[float]) -> None:
    flows = np.array([[-1500.0, *flow, 2000.0]])
    percent = float(irr_percent(flows)[0])
    assert npv(flows, percent)[0] == pytest.approx(0, abs=1e-3)
