"""A small farm to price: three models, two owners, and a market of late 2025."""

from __future__ import annotations

from dataclasses import replace

from stratum.power.brain.commands import Reason
from stratum.power.brain.fleet import Feeder, Firmware, Fleet, Label, Owner, Rig, RigModel
from stratum.power.brain.settings import MINUTE, Objective, Settings
from stratum.power.brain.state import RigState
from stratum.power.brain.values import Market
from stratum.power.economics.merit import PriceState, Worth, worth

WALL_MS = 1_763_596_800_000  # 2025-11-20T00:00Z, a Thursday
EUR = 10**6

S9 = RigModel("S9", ((1323, 13_500),))
S19 = RigModel("S19", ((3250, 95_000),))
#: Three levels, each of which adds less than the one before: 65, 60 and 43 TH/s for a kW.
S21 = RigModel("S21", ((1800, 115_000), (2500, 157_000), (3500, 200_000)))
MODELS = (S9, S19, S21)

SWITCHED = Firmware("switched")
STEERED = Firmware("steered", continuous=True)

#: 34.47 EUR per PH/day: a MWh earns 15 on the S9, 42 on the S19, 93, 86 and 62 on the S21.
MARKET = Market(
    difficulty=155 * 10**12,
    subsidy_sats=312_500_000,
    fees_sats=0,
    coin_price_micro=85_000 * EUR,
    coin_source="exchange",
    coin_event_ms=WALL_MS,
)


def rig(name: str, model: RigModel, owner: str = "plant", label: Label = Label.INHERIT) -> Rig:
    firmware = STEERED if len(model.curve) > 1 else SWITCHED
    return Rig(name, model.name, firmware.name, "site", owner, label)


def fleet_of(*rigs: Rig) -> Fleet:
    owners = (Owner("plant", 10**6), Owner("guest", 10**6))
    return Fleet.of(rigs, MODELS, (SWITCHED, STEERED), (Feeder("site"),), owners)


def settings_of(objective: Objective, tariff_eur: int = 60) -> Settings:
    """No overhead, no fee, no stale: figures are those of the break-even table."""
    tariffs = {"plant": tariff_eur * EUR, "guest": tariff_eur * EUR}
    return Settings(objective=objective, tariffs=tariffs, overhead_bp=10_000, stale_bp=0)


class Farm:
    """`worth` on a virtual clock; the market's price is as fresh as the clock unless set."""

    def __init__(self, fleet: Fleet, settings: Settings, market: Market | None = MARKET) -> None:
        self.fleet = fleet
        self.settings = settings
        self.market = market
        self.live_price_micro: int | None = None
        self.rigs = RigState.fresh(fleet)
        self.state = PriceState.fresh(fleet)
        self.now_ms = 0
        self.is_fresh = True
        self.reasons: list[Reason] = []

    @property
    def wall_ms(self) -> int:
        return WALL_MS + self.now_ms

    def look(self) -> Worth:
        market = self.market
        if market is not None and self.is_fresh:
            market = replace(market, coin_event_ms=self.wall_ms)
        result, self.state, reasons = worth(
            self.fleet,
            self.rigs,
            market,
            self.state,
            self.settings,
            self.now_ms,
            self.wall_ms,
            self.live_price_micro,
        )
        self.reasons += reasons
        return result

    def run(self, minutes: float, step_ms: int = 10_000) -> Worth:
        """Look every step until that much later."""
        end_ms = self.now_ms + int(minutes * MINUTE)
        while self.now_ms < end_ms:
            self.now_ms += step_ms
            result = self.look()
        return result

    def price(self, coin_price_eur: int) -> None:
        assert self.market is not None
        self.market = replace(self.market, coin_price_micro=coin_price_eur * EUR)

    def tariff(self, eur: int, owner: str = "plant") -> None:
        tariffs = {**self.settings.tariffs, owner: eur * EUR}
        self.settings = replace(self.settings, tariffs=tariffs)

    def codes(self) -> list[str]:
        return [reason.code for reason in self.reasons]
