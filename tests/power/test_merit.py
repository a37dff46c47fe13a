"""Who runs first, what price may do to a ceiling, and how long it has to insist."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum.power.brain.dispatch import State, decide
from stratum.power.brain.fleet import Label
from stratum.power.brain.settings import DAY, MINUTE, Objective
from stratum.power.brain.values import Inputs
from stratum.power.economics.merit import PriceState, Worth
from stratum.power.economics.tariff import Tariff
from tests.power.farm import EUR, MARKET, S9, S19, S21, Farm, fleet_of, rig, settings_of

PROFIT, ABSORB = Objective.PROFIT, Objective.ABSORB


def farm(objective: Objective, tariff_eur: int = 60) -> Farm:
    rigs = fleet_of(rig("old", S9), rig("middle", S19), rig("new", S21))
    return Farm(rigs, settings_of(objective, tariff_eur))


def ranked(worth: Worth, names: str = "old middle new") -> list[str]:
    order = np.argsort(-worth.merit, kind="stable")
    return [names.split()[row] for row in order]


# -- merit -------------------------------------------------------------------------------------


def test_the_margin_of_a_mwh_is_what_the_break_even_table_says() -> None:
    """S19 95T: 95 TH/s for the 3,225 W that a wake adds, at 34.47 per PH/day, less 60."""
    merit = farm(ABSORB).look().merit
    assert merit[1] / EUR == pytest.approx(34.47 / (0.024 * 3225 / 95) - 60, abs=0.01)


def test_the_most_efficient_rig_keeps_running_longest() -> None:
    assert ranked(farm(ABSORB).look()) == ["new", "middle", "old"]


def test_without_any_price_rigs_are_ranked_by_efficiency() -> None:
    without = farm(PROFIT)
    without.market = None
    assert ranked(without.look()) == ["new", "middle", "old"]


def test_who_pays_less_for_energy_runs_longer() -> None:
    two = Farm(fleet_of(rig("a", S19, "plant"), rig("b", S19, "guest")), settings_of(ABSORB))
    two.tariff(40, "guest")
    assert ranked(two.look(), "a b") == ["b", "a"]


def test_overhead_makes_energy_dearer_at_the_rig() -> None:
    plain, lossy = farm(ABSORB), farm(ABSORB)
    lossy.settings = replace(lossy.settings, overhead_bp=10_500)
    assert plain.look().merit[1] - lossy.look().merit[1] == 3 * EUR  # 5 % of 60


def test_a_rig_that_was_woken_often_falls_behind_its_twin() -> None:
    two = Farm(fleet_of(rig("a", S19), rig("b", S19)), settings_of(ABSORB))
    two.rigs.cycles[3, 0] = 4
    worth = two.look()
    assert ranked(worth, "a b") == ["b", "a"]
    # Each of four wakes costs 15 min of what the rig earns, spread over a day's MWh.
    earned = int(worth.merit[1]) + 60 * EUR
    assert worth.merit[1] - worth.merit[0] == pytest.approx(earned * 4 * 15 / 1440, abs=2)


def test_wear_in_money_is_the_cost_of_the_cycles_over_a_days_energy() -> None:
    two = Farm(fleet_of(rig("a", S19), rig("b", S19)), settings_of(ABSORB))
    two.settings = replace(two.settings, cycle_cost_micro=EUR // 2)
    two.rigs.cycles[0, 0] = two.rigs.cycles[7, 0] = 1
    worth = two.look()
    per_mwh = 2 * 0.5 / (24 * 3225 / 1e6)
    assert (worth.merit[1] - worth.merit[0]) / EUR == pytest.approx(per_mwh, abs=0.01)


def test_where_the_plant_pays_for_every_mwh_taken_rigs_rank_by_watts() -> None:
    paid = Farm(fleet_of(rig("S9", S9), rig("S21", S21), rig("S19", S19)), settings_of(ABSORB, -20))
    assert ranked(paid.look(), "S9 S21 S19") == ["S21", "S19", "S9"]


def test_what_the_plant_pays_for_counts_without_a_coin_price() -> None:
    two = Farm(fleet_of(rig("a", S21, "plant"), rig("b", S9, "guest")), settings_of(ABSORB), None)
    two.tariff(-20, "guest")
    assert ranked(two.look(), "a b") == ["b", "a"]


def test_an_owner_who_is_paid_to_take_energy_runs_before_one_who_pays() -> None:
    two = Farm(fleet_of(rig("a", S21, "plant"), rig("b", S9, "guest")), settings_of(ABSORB, 1))
    two.tariff(-1, "guest")
    assert ranked(two.look(), "a b") == ["b", "a"]


def test_a_fresh_wake_shows_within_the_minute() -> None:
    two = Farm(fleet_of(rig("a", S19), rig("b", S19)), settings_of(ABSORB))
    two.look()
    two.rigs.cycles[0, 0] = 1
    worth = two.run(1)
    assert worth.merit[0] < worth.merit[1]


# -- ceilings: profit --------------------------------------------------------------------------


def test_price_lowers_a_ceiling_after_ten_minutes_and_not_before() -> None:
    profit = farm(PROFIT)
    profit.look()
    assert profit.run(9.9, 6_000).ceiling_w.tolist() == [1323, 3250, 3500]
    assert profit.run(0.1, 6_000).ceiling_w.tolist() == [0, 0, 3500]
    assert profit.codes() == ["price_pending", "price_ceiling"]


def test_a_wish_that_is_interrupted_begins_again() -> None:
    profit = farm(PROFIT)
    profit.run(9)
    profit.tariff(10)
    profit.run(1.5)
    profit.tariff(60)
    assert profit.run(9).ceiling_w.tolist() == [1323, 3250, 3500]
    assert profit.run(2).ceiling_w.tolist() == [0, 0, 3500]


def test_price_raises_a_ceiling_after_ten_minutes_too() -> None:
    profit = farm(PROFIT)
    profit.run(11)
    profit.tariff(30)
    assert profit.run(10).ceiling_w.tolist() == [0, 0, 3500]
    assert profit.run(2).ceiling_w.tolist() == [0, 3250, 3500]


def test_within_the_margin_nothing_moves_either_way() -> None:
    """A MWh earns 42.3 on the S19 (40.2 to 44.4 is the band of 5 %)."""
    profit = farm(PROFIT, 44)
    assert profit.run(30).ceiling_w[1] == 3250
    profit.tariff(45)
    assert profit.run(12).ceiling_w[1] == 0
    profit.tariff(41)
    assert profit.run(30).ceiling_w[1] == 0
    profit.tariff(39)
    assert profit.run(12).ceiling_w[1] == 3250


def test_only_the_blocks_that_do_not_pay_are_cut() -> None:
    """The S21's three blocks earn 93, 86 and 62 per MWh."""
    profit = Farm(fleet_of(rig("steered", S21)), settings_of(PROFIT, 80))
    assert profit.run(11).ceiling_w.tolist() == [2500]
    profit.tariff(100)
    assert profit.run(12).ceiling_w.tolist() == [0]


def test_the_move_made_is_the_smallest_that_was_asked_for_all_the_while() -> None:
    profit = Farm(fleet_of(rig("steered", S21)), settings_of(PROFIT, 100))
    profit.run(5)
    profit.tariff(80)
    assert profit.run(6).ceiling_w.tolist() == [2500]


def test_a_protected_rig_is_not_shed_for_a_price() -> None:
    fleet = fleet_of(rig("a", S9, label=Label.PROTECTED), rig("b", S9))
    assert Farm(fleet, settings_of(PROFIT)).run(11).ceiling_w.tolist() == [1323, 0]


def test_a_rig_that_takes_more_than_its_label_is_judged_by_what_it_takes() -> None:
    two = Farm(fleet_of(rig("a", S19), rig("b", S19)), settings_of(PROFIT, 43))
    two.rigs.learned_w[0] = 3600
    assert two.run(11).ceiling_w.tolist() == [0, 3250]


# -- ceilings: absorb --------------------------------------------------------------------------


def test_absorb_moves_no_ceiling_at_any_price_and_shows_the_loss() -> None:
    absorb = farm(ABSORB, 500)
    worth = absorb.run(60)
    assert worth.ceiling_w.tolist() == [1323, 3250, 3500]
    assert worth.loss_micro_per_h is not None and worth.margin_micro_per_h is not None
    full_kw, ths = 1.323 + 3.25 + 3.5, 13.5 + 95 + 200
    expected = full_kw / 1000 * 500 - ths / 1000 * 34.47 / 24
    assert worth.loss_micro_per_h / EUR == pytest.approx(expected, rel=1e-3)
    assert worth.margin_micro_per_h == -worth.loss_micro_per_h
    assert absorb.codes() == ["absorb_at_a_loss"]


def test_the_picture_of_a_tick_shows_what_following_the_plant_costs() -> None:
    absorb = farm(ABSORB, 500)
    state = State.fresh(absorb.fleet, absorb.settings)
    inputs = Inputs(0, 0, MARKET.coin_event_ms, market=absorb.market)
    picture = decide(state, inputs, absorb.settings, absorb.fleet).picture
    assert picture.loss_micro_per_h == absorb.look().loss_micro_per_h
    assert picture.loss_micro_per_h and picture.margin_micro_per_h == -picture.loss_micro_per_h
    unpriced = decide(state, replace(inputs, market=None), absorb.settings, absorb.fleet).picture
    assert unpriced.margin_micro_per_h is unpriced.loss_micro_per_h is None


def test_the_loss_counts_what_runs_and_not_what_sleeps() -> None:
    absorb = farm(ABSORB, 500)
    absorb.rigs.ordered_w[:] = [0, 0, 1750]
    half = absorb.look().loss_micro_per_h
    absorb.rigs.ordered_w[:] = [0, 0, 3500]
    full = absorb.look().loss_micro_per_h
    assert full is not None and half is not None
    assert full == pytest.approx(2 * half, rel=1e-3)
    assert full / EUR == pytest.approx(3.5 * 0.5 - 0.2 * 34.47 / 24, rel=1e-3)


def test_a_change_to_absorb_lifts_every_ceiling_at_once() -> None:
    profit = farm(PROFIT, 500)
    assert profit.run(11).ceiling_w.tolist() == [0, 0, 0]
    profit.settings = replace(profit.settings, objective=ABSORB)
    assert profit.look().ceiling_w.tolist() == [1323, 3250, 3500]


def test_the_end_of_the_loss_is_told_once() -> None:
    absorb = farm(ABSORB, 60)
    absorb.run(5)
    absorb.tariff(5)
    absorb.run(5)
    assert absorb.codes() == ["absorb_at_a_loss", "absorb_earns"]


# -- the shortest run worth a wake -------------------------------------------------------------


def test_a_run_must_earn_its_wake() -> None:
    """A wake costs 15 min of what the rig earns; with a third of that left, 45 min pay for it."""
    profit = Farm(fleet_of(rig("a", S19)), settings_of(PROFIT, 0))
    assert profit.look().least_run_ms[0] / MINUTE == pytest.approx(15, rel=0.001)
    profit.tariff(28)
    assert profit.run(1).least_run_ms[0] / MINUTE == pytest.approx(
        15 * 42.3 / (42.3 - 28), rel=0.01
    )


def test_a_rig_that_loses_money_has_no_run_that_pays() -> None:
    assert farm(PROFIT, 500).look().least_run_ms.tolist() == [DAY] * 3


def test_absorb_wakes_for_any_run() -> None:
    assert farm(ABSORB, 30).look().least_run_ms.tolist() == [0] * 3


# -- tariffs -----------------------------------------------------------------------------------


def test_a_live_price_is_what_an_owner_without_tariff_pays() -> None:
    profit = farm(PROFIT)
    profit.settings = replace(profit.settings, tariffs={})
    profit.live_price_micro = 60 * EUR
    assert profit.run(11).ceiling_w.tolist() == [0, 0, 3500]


def test_a_lost_live_price_leaves_ceilings_where_they_are() -> None:
    profit = farm(PROFIT)
    profit.settings = replace(profit.settings, tariffs={})
    profit.live_price_micro = 60 * EUR
    order = profit.run(11).merit
    profit.live_price_micro = None
    worth = profit.run(120)
    assert worth.ceiling_w.tolist() == [0, 0, 3500]
    assert worth.merit.tolist() == order.tolist()  # by the last that was known
    assert worth.margin_micro_per_h is None
    assert profit.codes().count("tariff_unknown") == 1


def test_an_unknown_tariff_never_lowers_a_ceiling_and_is_told_once() -> None:
    profit = farm(PROFIT)
    profit.settings = replace(profit.settings, tariffs={})
    assert profit.run(60).ceiling_w.tolist() == [1323, 3250, 3500]
    assert profit.codes() == ["tariff_unknown"]
    assert profit.reasons[0].subject == "plant"


def test_a_plan_by_the_hour_counts_before_the_flat_tariff() -> None:
    profit = farm(PROFIT, 0)
    plan = Tariff(rate_micro=100 * EUR, absorbed_micro=50 * EUR)
    profit.settings = replace(profit.settings, tariff_plans={"plant": plan})
    assert profit.run(11).ceiling_w.tolist() == [0, 0, 3500]


# -- a price that is not to be believed --------------------------------------------------------

BAD_MARKETS = {
    "price_missing": {"coin_price_micro": None},
    "price_stale": {"coin_event_ms": MARKET.coin_event_ms - 3 * 3_600_000},
    "price_future": {"coin_event_ms": MARKET.coin_event_ms + DAY},
    "price_out_of_band": {"coin_price_micro": 0},
    "market_impossible": {"difficulty": 0},
}


@pytest.mark.parametrize("code", BAD_MARKETS)
def test_a_bad_price_sheds_nobody_and_says_why_once(code: str) -> None:
    profit = farm(PROFIT, 500)
    profit.market = replace(MARKET, **BAD_MARKETS[code])  # type: ignore[arg-type]
    profit.is_fresh = False
    assert profit.run(60).ceiling_w.tolist() == [1323, 3250, 3500]
    assert profit.codes() == [code]


def test_a_price_that_dies_leaves_the_ceilings_decided_before() -> None:
    profit = farm(PROFIT)
    profit.run(11)
    profit.is_fresh = False
    assert profit.market is not None
    profit.market = replace(profit.market, coin_event_ms=profit.wall_ms)
    profit.tariff(1)
    profit.run(9)
    assert profit.run(180).ceiling_w.tolist() == [1323, 3250, 3500]  # old news, still believed
    profit.tariff(500)
    assert profit.run(600).ceiling_w.tolist() == [1323, 3250, 3500]
    assert profit.codes()[-1] == "price_stale"


def test_a_price_in_the_wrong_unit_is_not_believed_after_a_right_one() -> None:
    profit = farm(PROFIT, 10)
    profit.run(5)
    profit.price(850)
    assert profit.run(110).ceiling_w.tolist() == [1323, 3250, 3500]
    assert profit.codes() == ["price_leap"]


def test_a_true_collapse_is_believed_when_the_old_price_is_too_old_to_compare_with() -> None:
    profit = farm(PROFIT, 10)
    profit.run(5)
    profit.price(8_500)
    assert profit.run(140, 60_000).ceiling_w.tolist() == [0, 0, 0]


def test_a_price_outside_the_band_is_not_believed_even_as_the_first() -> None:
    profit = farm(PROFIT, 10)
    profit.settings = replace(profit.settings, coin_price_band=(20_000 * EUR, 500_000 * EUR))
    profit.price(850)
    assert profit.run(60).ceiling_w.tolist() == [1323, 3250, 3500]
    assert profit.codes() == ["price_out_of_band"]
    assert "20000.00 EUR to 500000.00 EUR" in profit.reasons[0].text


prices = st.one_of(st.none(), st.integers(-(10**12), 10**20), st.just(MARKET.coin_price_micro))


@settings(max_examples=60, deadline=None)
@given(
    tape=st.lists(
        st.tuples(prices, st.integers(-10 * DAY, 10 * DAY), st.integers(0, 10**15)), max_size=30
    )
)
def test_no_bad_price_ever_lowers_a_ceiling(
    tape: list[tuple[int | None, int, int]],
) -> None:
    """At 10 EUR per MWh every rig pays at the true price; whatever else comes in is disbelieved."""
    profit = farm(PROFIT, 10)
    profit.settings = replace(
        profit.settings, coin_price_band=(80_000 * EUR, 90_000 * EUR), currency="EUR"
    )
    profit.is_fresh = False
    for price, age_ms, difficulty in tape:
        profit.market = replace(
            MARKET,
            coin_price_micro=price,
            coin_event_ms=profit.wall_ms - age_ms,
            difficulty=min(difficulty, MARKET.difficulty),
        )
        assert profit.run(7, 60_000).ceiling_w.tolist() == [1323, 3250, 3500]


def test_a_price_that_comes_back_is_told() -> None:
    profit = farm(PROFIT, 10)
    market, profit.market = profit.market, None
    profit.run(5)
    profit.market = market
    profit.run(5)
    assert profit.codes() == ["price_missing", "price_believed"]


# -- state -------------------------------------------------------------------------------------


def test_nothing_is_made_anew_while_nothing_changes() -> None:
    absorb = farm(ABSORB)
    first = absorb.look()
    absorb.now_ms += 1000
    assert absorb.look().merit is first.merit


def test_ceilings_follow_their_rigs_into_a_new_inventory() -> None:
    profit = farm(PROFIT)
    profit.run(11)
    new = fleet_of(rig("newcomer", S9), rig("new", S21), rig("old", S9))
    state = profit.state.carried_to(profit.fleet, new)
    assert state.ceilings.ceiling_w.tolist() == [1323, 3500, 0]
    assert state.belief == profit.state.belief


def test_a_fresh_state_limits_nobody() -> None:
    fleet = fleet_of(rig("a", S9), rig("b", S21))
    assert PriceState.fresh(fleet).ceilings.ceiling_w.tolist() == [1323, 3500]
