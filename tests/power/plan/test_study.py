from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from stratum.power.plan.cash import cash, npv
from stratum.power.plan.chain import calendar
from stratum.power.plan.draws import draw, middle
from stratum.power.plan.examples import EXAMPLES, synthesise
from stratum.power.plan.inputs import Chain, Inputs, Site
from stratum.power.plan.study import Study, study
from stratum.power.plan.tariff import flat, parse
from stratum.power.plan.verdict import Question, break_even_tariffs, judge
from tests.power.plan.question import fleet, plain_inputs, plain_money, put, question, year_of


def real_question(name: str = "wind", **changes: object) -> Question:
    """An example as the command asks it, with fewer runs."""
    example = EXAMPLES[name]
    asked = Question(
        synthesise(example, 1, 2),
        (fleet(20_000, 300.0, low=100.0),),
        flat(example.tariff),
        Inputs(),
        samples=300,
    )
    return dataclasses.replace(asked, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def answered() -> Study:
    return study(real_question())


def test_percentiles_are_in_order_and_the_middle_case_is_near_the_middle(answered: Study) -> None:
    for row in answered.rows:
        assert row.values[0] <= row.values[1] <= row.values[2], row.label
    worth = next(row for row in answered.rows if row.label == "NPV")
    assert worth.values[0] < answered.best.npv < worth.values[2]
    assert answered.break_even[0] < answered.best.break_even < answered.break_even[2]


def test_the_same_seed_gives_the_same_study_and_another_one_another() -> None:
    first, again, other = (study(real_question(seed=seed)) for seed in (5, 5, 6))
    assert first.rows == again.rows
    assert first.rows != other.rows
    assert first.best.npv == other.best.npv  # the middle case is not drawn


def test_at_the_break_even_tariff_the_npv_is_zero() -> None:
    asked = real_question(inputs=dataclasses.replace(Inputs(), years=4))
    when = calendar(asked.inputs.first_month, asked.inputs.months)
    best = judge(asked, asked.fleets[0], when)
    at = dataclasses.replace(asked.prices.rate, value=best.break_even)
    there = judge(dataclasses.replace(asked, prices=flat(at)), asked.fleets[0], when)
    assert abs(there.npv) < 1e-4 * there.cash.invested
    dearer = dataclasses.replace(at, value=at.value + 1)
    assert judge(dataclasses.replace(asked, prices=flat(dearer)), asked.fleets[0], when).npv < 0


def test_each_run_has_a_break_even_of_its_own() -> None:
    asked = real_question()
    when = calendar(asked.inputs.first_month, asked.inputs.months)
    best = judge(asked, asked.fleets[0], when)
    runs = draw(asked.inputs, when, 50, 3, 2)
    found = break_even_tariffs(asked, best.fleet, best.years, when, runs)
    shift = (found - 0.0)[:, None]  # wind's tariff is 0
    made = cash(asked.inputs, best.fleet, best.years, when, runs, tariff_shift=shift)
    assert npv(made.flow, 10.0) == pytest.approx(np.zeros(50), abs=1e-4 * made.invested)


def test_a_tariff_by_time_moves_as_a_whole_and_its_mean_is_shown() -> None:
    flat_one = study(question())
    by_time = study(question(prices=parse("10,12:00-24:00=30", "USD")))
    assert by_time.best.npv == pytest.approx(flat_one.best.npv)
    assert by_time.best.break_even == pytest.approx(flat_one.best.break_even)


def test_a_break_even_by_hand() -> None:
    # Nothing is invested, taxed or discounted: what a MWh earns is what it may cost.
    asked = question(fleets=(fleet(price=0.0),))
    found = study(asked)
    earned = found.best.cash.revenue.sum() / found.best.cash.site_mwh.sum()
    assert found.best.break_even == pytest.approx(earned)
    assert found.best.is_profitable == (earned > 20)


def test_the_better_candidate_comes_first() -> None:
    cheap, dear = fleet(price=10.0), dataclasses.replace(fleet(price=5000.0), name="dear")
    found = study(question(fleets=(dear, cheap)))
    assert [verdict.fleet.name for verdict in found.candidates] == ["ours", "dear"]
    assert found.best.npv > found.candidates[1].npv


def test_the_largest_fleet_that_pays_is_where_the_last_megawatt_eats_the_profit() -> None:
    hours = np.zeros(8760)
    hours[::10] = 10.0  # a tenth of the year: 10 MW; else 1 MW
    asked = question(surplus=(year_of(hours + 1.0),), fleets=(fleet(price=300.0),))
    found = study(asked)
    assert found.richest_mw is not None and found.largest_mw is not None
    assert found.richest_mw <= 1.2 < found.largest_mw < 11
    when = found.calendar
    for factor, pays in ((0.97, True), (1.03, False)):
        grown = asked.fleets[0].scaled(factor * found.largest_mw / asked.fleets[0].rig_mw)
        assert judge(asked, grown, when).is_profitable == pays


def test_no_size_is_named_where_none_pays() -> None:
    found = study(question(rate=5000.0))
    assert (found.largest_mw, found.richest_mw) == (None, None)


def test_bars_are_sorted_and_reach_what_their_ends_are_worth(answered: Study) -> None:
    reaches = [bar.reach for bar in answered.bars]
    assert reaches == sorted(reaches, reverse=True)
    assert len(reaches) == 12
    bar = next(bar for bar in answered.bars if bar.label == "tariff")
    rate = dataclasses.replace(answered.question.prices.rate, value=bar.given.high)
    asked = dataclasses.replace(answered.question, prices=flat(rate))
    assert judge(asked, asked.fleets[0], answered.calendar).npv == pytest.approx(bar.at_high)


def test_the_coins_price_is_among_what_matters_and_leaves_the_quote_as_it_is(
    answered: Study,
) -> None:
    bar = next(bar for bar in answered.bars if bar.label == "coin price")
    price = answered.question.inputs.chain.coin_price
    assert price.is_certain and bar.given.value == price.value
    assert bar.given.low == pytest.approx(41_200, rel=0.01)
    assert bar.given.high == pytest.approx(130_500, rel=0.01)
    assert bar.at_low < answered.best.npv < bar.at_high
    assert answered.bars.index(bar) < 3


def test_a_figure_without_a_range_has_no_bar() -> None:
    assert study(question()).bars == ()


def test_what_is_kept_is_reported_as_a_reserve() -> None:
    money = put(plain_money(), kept_percent=25.0)
    found = study(question(plain_inputs(money=money)))
    rows = {row.label: row.values[1] for row in found.rows}
    assert rows["reserve of coins"] == pytest.approx(0.25 * rows["coins mined"])
    assert "reserve of coins" not in {row.label for row in study(question()).rows}


def test_co2_is_reported_where_it_is_given() -> None:
    site = put(plain_inputs().site, co2_kg_per_mwh=12.0)
    rows = {row.label: row.values[1] for row in study(question(plain_inputs(site=site))).rows}
    assert rows["CO2 of the power taken"] == pytest.approx(0.012 * rows["absorbed"])


# -- draws -------------------------------------------------------------------------------------

WHEN = calendar(Inputs().first_month, 60)


def percentiles(values: np.ndarray) -> list[float]:
    return [float(value) for value in np.percentile(values, (10, 50, 90))]


def test_what_is_drawn_has_the_percentiles_of_the_table() -> None:
    runs = draw(Inputs(), WHEN, 40_000, 1, 5)
    chain, site = Chain(), Site()
    for values, figure in (
        (runs.course.growth_percent, chain.difficulty_growth_percent),
        (100 * runs.course.fees_btc, chain.fees_btc.scaled(100, "")),
        (100 * runs.surplus_scale, site.surplus_year_percent),
        (runs.failures_percent, site.failures_percent),
    ):
        expected = [figure.low, figure.value, figure.high]
        assert percentiles(values) == pytest.approx(expected, rel=0.05, abs=0.3)


def test_prices_wander_as_far_as_their_volatility_says() -> None:
    chain = put(Chain(), coin_growth_percent=0.0, coin_volatility_percent=45.0)
    runs = draw(Inputs(chain=chain), WHEN, 20_000, 1, 5)
    logs = np.log(runs.course.price / 73_300)
    years = WHEN.years_from(chain.quoted)
    assert logs.mean(axis=0) == pytest.approx(np.zeros(60), abs=0.03)
    assert logs.std(axis=0) == pytest.approx(0.45 * np.sqrt(years), rel=0.05)


def test_every_year_of_surplus_is_drawn() -> None:
    weather = draw(Inputs(), WHEN, 500, 1, 5).weather
    assert weather is not None
    assert weather.shape == (500, 5)
    assert set(np.unique(weather).tolist()) == {0, 1, 2, 3, 4}


def test_the_middle_is_what_the_table_says() -> None:
    runs = middle(Inputs(), WHEN)
    assert runs.course.price[0].tolist() == pytest.approx([73_300] * 60)
    assert runs.weather is None
    assert math.isclose(runs.surplus_scale[0, 0], 1.0)


def test_a_richer_year_fills_no_fleet_beyond_its_own_power() -> None:
    """A flat surplus far above the fleet: a rich year adds nothing, a poor one takes nothing."""
    site = dataclasses.replace(
        plain_inputs().site, surplus_year_percent=Site().surplus_year_percent
    )
    found = study(question(plain_inputs(site=site)))
    absorbed = next(row for row in found.rows if row.label == "absorbed")
    assert absorbed.values == pytest.approx((876, 876, 876))


def test_between_its_scales_a_year_is_taken_in_proportion() -> None:
    # As much surplus as the fleet takes: a poor year shows in full, a rich one not at all.
    site = dataclasses.replace(
        plain_inputs().site, surplus_year_percent=Site().surplus_year_percent
    )
    found = study(question(plain_inputs(site=site), surplus=(year_of(0.1),), samples=2000))
    absorbed = next(row for row in found.rows if row.label == "absorbed")
    assert absorbed.values == pytest.approx((0.85 * 876, 876, 876), rel=0.02)
