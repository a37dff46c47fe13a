"""Every figure of a plan: its value, how far off it may be, and where it comes from.

A figure that nobody published is called "assumed" and carries a range all the same. Ranges are
read as P10 and P90: one case in ten lies below `low`, one in ten above `high`. What the
operator writes in a file replaces the figure, and its origin then names that file.

Money is in US dollars here, because that is what sources quote; `in_currency` converts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from stratum.power.figures import ASSUMED, Given

#: The currency of the figures below.
USD = "USD"

_Group = TypeVar("_Group", "Chain", "Site", "Money")


def _figure(
    label: str, value: float, low: float, high: float, unit: str, origin: str = ASSUMED
) -> Any:  # a field's default is typed by the field
    return field(default=Given(value, unit, origin, low, high), metadata={"label": label})


_JUNE_2026 = "bt-miners.com, 1 June 2026"


@dataclass(frozen=True, slots=True)
class Chain:
    """The network and the coin, as they were on `quoted`, and where they may go from there."""

    quoted: date = field(
        default=date(2026, 6, 1), metadata={"label": "figures of the network as of"}
    )
    height: Given = _figure("block height", 951_924, 951_924, 951_924, "blocks", _JUNE_2026)
    block_interval_s: Given = _figure(
        "block interval", 600, 595, 600, "s", "the protocol's target; growth makes it a little less"
    )
    difficulty_t: Given = _figure(
        "difficulty", 141.35, 141.35, 141.35, "T", f"{_JUNE_2026}: 1,011.8 EH/s x 600 s / 2^32"
    )
    difficulty_growth_percent: Given = _figure(
        "difficulty growth at constant revenue",
        10,
        -3,
        25,
        "% a year",
        "assumed; +35 % in 2025 (btc-newswire.com), -9 % from November 2025 (155 T) to June 2026",
    )
    difficulty_follows: Given = _figure(
        "difficulty follows network revenue",
        0.4,
        0.0,
        0.8,
        "exponent",
        "assumed; 0.4: where revenue halves, difficulty falls by a quarter",
    )
    fees_btc: Given = _figure(
        "fees", 0.036, 0.01, 0.15, "BTC a block", "mean of 2025, hashlabs.io; range assumed"
    )
    coin_price: Given = _figure("coin price", 73_300, 73_300, 73_300, USD, _JUNE_2026)
    coin_growth_percent: Given = _figure(
        "coin price growth", 0, -15, 20, "% a year", "assumed: no opinion"
    )
    coin_volatility_percent: Given = _figure(
        "coin price volatility", 45, 40, 55, "% a year", "realised over one year, 2025: 44 to 46 %"
    )


@dataclass(frozen=True, slots=True)
class Site:
    """How a farm turns megawatts into work."""

    overhead: Given = _figure(
        "site power over rig power",
        1.05,
        1.02,
        1.10,
        "ratio",
        "cooling, transformers, network: 1.02 to 1.10",
    )
    reserve_percent: Given = _figure(
        "kept below the surplus", 1, 0, 3, "% of surplus", "the controller's default"
    )
    restore_s: Given = _figure(
        "wait before a rig is woken, and its start",
        120,
        60,
        300,
        "s a cycle",
        "the controller's goal N13 (docs/power.md): 60 s fast, 120 s stock",
    )
    min_off_s: Given = _figure(
        "shortest sleep",
        600,
        300,
        900,
        "s",
        "the controller's goal N11 (docs/power.md): 5 min fast, 10 min stock",
    )
    idle_w: Given = _figure(
        "power of a rig asleep", 25, 10, 60, "W", "Luxor's figure for LuxOS; range assumed"
    )
    pool_fee_percent: Given = _figure("pool fee", 0, 0, 2, "% of coins", "the operator's own pool")
    stale_percent: Given = _figure("stale and rejected work", 1, 0.2, 2, "% of work")
    failures_percent: Given = _figure(
        "rigs that fail",
        5,
        3,
        20,
        "% a year",
        "about 5 %, one bad series 20 to 30 % (Cointelegraph, 26 April 2020)",
    )
    repair_days: Given = _figure("a repair takes", 30, 10, 60, "days")
    repair_percent: Given = _figure("a repair costs", 20, 10, 40, "% of the rig")
    cycle_cost: Given = _figure("wear of one stop and start", 0.02, 0.0, 0.2, f"{USD} a rig")
    surplus_year_percent: Given = _figure(
        "surplus of a year against the history", 100, 85, 115, "%"
    )
    co2_kg_per_mwh: Given = _figure(
        "CO2 of the surplus", 0, 0, 0, "kg/MWh", "not given: nothing is counted"
    )


@dataclass(frozen=True, slots=True)
class Money:
    """What it costs besides power, and how an investor counts."""

    hall: Given = _figure(
        "hall",
        150_000,
        80_000,
        400_000,
        f"{USD}/MW",
        "assumed; all but rigs: Gedu about 200,000 (The Bhutanese, 2023), "
        "250,000 to 500,000 (CBRE, 2022), 700,000 to 1,000,000 (CoinShares, 2026)",
    )
    cooling: Given = _figure("cooling", 50_000, 20_000, 200_000, f"{USD}/MW", "assumed; see hall")
    connection: Given = _figure(
        "grid connection", 100_000, 30_000, 300_000, f"{USD}/MW", "assumed; see hall"
    )
    opex: Given = _figure("staff, upkeep, insurance", 25_000, 10_000, 60_000, f"{USD}/MW a year")
    discount_percent: Given = _figure("discount rate", 10, 6, 15, "% a year")
    tax_percent: Given = _figure("tax on profit", 20, 0, 30, "%")
    rig_life_years: Given = _figure("life of a rig", 5, 4, 7, "years")
    rig_residual_percent: Given = _figure("a rig's value at the end", 5, 0, 15, "% of its price")
    site_residual_percent: Given = _figure("the site's value at the end", 30, 0, 60, "% of cost")
    kept_percent: Given = _figure(
        "coins kept as a reserve", 20, 0, 100, "% of coins", "assumed: the owner decides"
    )


#: What a rig costs by its efficiency: (below so many J/TH, USD for one TH/s, low, high).
#: Classes by J/TH as Luxor's ASIC Price Index has them (hashrateindex.com), with finer ones for
#: newer rigs; the prices are assumed.
RIG_PRICES = (
    (12.0, 22.0, 16.0, 28.0),
    (19.0, 14.0, 10.0, 18.0),
    (25.0, 7.0, 4.0, 10.0),
    (38.0, 3.5, 2.0, 6.0),
    (float("inf"), 1.5, 0.5, 3.0),
)
_RIG_PRICE_ORIGIN = "assumed by J/TH, in classes like those of Luxor's ASIC Price Index"


@dataclass(frozen=True, slots=True)
class Inputs:
    """All figures but surplus, fleet and tariff, which have shapes of their own."""

    first_month: date = date(2027, 1, 1)
    years: int = 5
    currency: str = USD
    per_usd: float = 1.0  # how much of `currency` one US dollar is
    chain: Chain = Chain()
    site: Site = Site()
    money: Money = Money()

    @property
    def months(self) -> int:
        return 12 * self.years


def in_currency(inputs: Inputs, code: str, per_usd: float) -> Inputs:
    """The same figures in another currency, given how much of it one US dollar is."""
    return dataclasses.replace(
        inputs,
        currency=code,
        per_usd=per_usd,
        chain=_converted(inputs.chain, code, per_usd),
        site=_converted(inputs.site, code, per_usd),
        money=_converted(inputs.money, code, per_usd),
    )


def _converted(group: _Group, code: str, per_usd: float) -> _Group:
    changes: dict[str, Any] = {
        name: given.scaled(per_usd, given.unit.replace(USD, code))
        for name, _, given in figures(group)
        if USD in given.unit
    }
    return dataclasses.replace(group, **changes)


def figures(group: Chain | Site | Money) -> Iterator[tuple[str, str, Given]]:
    """Name, label and figure, in the order of the class."""
    for entry in dataclasses.fields(group):
        value = getattr(group, entry.name)
        if isinstance(value, Given):
            yield entry.name, entry.metadata["label"], value


def rig_price(efficiency_j_per_th: float, inputs: Inputs) -> Given:
    """What one TH/s of a rig costs, for a model whose price nobody gave."""
    price, low, high = next(row[1:] for row in RIG_PRICES if efficiency_j_per_th < row[0])
    unit = f"{USD} a TH/s"
    given = Given(price, unit, _RIG_PRICE_ORIGIN, low, high)
    return given.scaled(inputs.per_usd, unit.replace(USD, inputs.currency))
