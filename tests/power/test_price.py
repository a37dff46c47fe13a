"""Price through `decide`: what it may lower, how late, how slowly, and what a bad price does."""

from __future__ import annotations

from dataclasses import replace

from stratum.power.brain.commands import CAUSES, Cause
from stratum.power.brain.settings import (
    MINUTE,
    SECOND,
    MeterSettings,
    Mode,
    Objective,
    Settings,
    SourceSettings,
)
from stratum.power.brain.values import Kind, Market
from tests.power.fleets import fleet
from tests.power.obedient import SOURCE, WALL, Farm

TICK_MS = 4 * SECOND
FLEET = fleet(60)
#: 17.5 J/TH: at 34.47 per PH/day a MWh earns 82 (reference §6).
MARKET = Market(155_000_000_000_000, 312_500_000, 0, 85_000_000_000, "test", WALL)
DEAR, CHEAP = 120_000_000, 40_000_000


def settings(objective: Objective, tariff_micro: int) -> Settings:
    return Settings(
        mode=Mode.CONTROL,
        objective=objective,
        sources=(SourceSettings(SOURCE, Kind.SURPLUS_MEAS),),
        meters=(MeterSettings("site", delay_ms=0),),
        tariffs={"us": tariff_micro},
        overhead_bp=10_000,
    )


def farm_at(objective: Objective, tariff_micro: int, market: Market | None = MARKET) -> Farm:
    return Farm(FLEET, settings(objective, tariff_micro), TICK_MS, market=market)


def loads(farm: Farm, minutes: float, market_moves: bool = True) -> list[int]:
    found = []
    for _ in range(int(minutes * MINUTE / TICK_MS)):
        if market_moves and farm.market is not None:
            now_ms = WALL + farm.tick * TICK_MS
            farm.market = replace(farm.market, coin_event_ms=now_ms)
        farm.step(2 * FLEET.total_w)
        found.append(farm.load_w)
    return found


def test_absorb_follows_the_plant_at_any_price_and_tells_the_loss() -> None:
    farm = farm_at(Objective.ABSORB, DEAR)
    told = set()
    for _ in range(300):
        told |= {reason.code for reason in farm.step(2 * FLEET.total_w).reasons}
    assert farm.load_w == FLEET.total_w
    assert "absorb_at_a_loss" in told


def test_profit_waits_ten_minutes_and_comes_down_by_the_ramp() -> None:
    farm = farm_at(Objective.PROFIT, DEAR)
    load_w = loads(farm, 9.5)
    assert min(load_w) == FLEET.total_w
    load_w += loads(farm, 25)
    assert load_w[-1] == len(FLEET) * 25
    a_minute = MINUTE // TICK_MS
    falls = [load_w[i] - load_w[i + a_minute] for i in range(len(load_w) - a_minute)]
    assert max(falls) <= FLEET.total_w // 10 + 3_500  # N14's tenth, and the rig that makes it whole
    assert farm.state.rigs.cause[0] == CAUSES.index(Cause.PRICE)


def test_profit_with_a_tariff_that_pays_follows_the_plant() -> None:
    farm = farm_at(Objective.PROFIT, CHEAP)
    assert min(loads(farm, 20)) == FLEET.total_w


def test_a_price_that_nobody_can_believe_sheds_nobody() -> None:
    for market in (
        None,
        replace(MARKET, coin_price_micro=None),
        replace(MARKET, coin_event_ms=WALL - 100 * 60 * MINUTE),
    ):
        farm = farm_at(Objective.PROFIT, DEAR, market)
        assert min(loads(farm, 15, market_moves=False)) == FLEET.total_w


def test_a_price_never_raises_the_load_above_the_plants_order() -> None:
    farm = farm_at(Objective.PROFIT, -50_000_000)
    for _ in range(400):
        farm.step(FLEET.total_w // 2)
    assert farm.load_w <= FLEET.total_w // 2
