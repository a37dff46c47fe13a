"""What is asked, and the middle case of one fleet: its worth, and where its worth is nothing."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from stratum.power.plan import chain, draws
from stratum.power.plan.absorb import Absorbed, absorb, missing_months
from stratum.power.plan.cash import Cash, Runs, Years, cash, irr_percent, npv, payback_years, stack
from stratum.power.plan.fleet import Fleet
from stratum.power.plan.inputs import Inputs
from stratum.power.plan.surplus import Floats, Surplus
from stratum.power.plan.tariff import Bands, Prices

_BISECTIONS = 40

#: Tariffs between which a break-even is looked for, either side of the tariff given, per MWh.
_TARIFF_REACH = 2_000.0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: one or more years of surplus against candidate fleets."""

    surplus: tuple[Surplus, ...]
    fleets: tuple[Fleet, ...]
    prices: Prices
    inputs: Inputs
    follows_price: bool = False
    samples: int = 2000
    seed: int = 1
    #: What fleets were found to take: most figures of a plan do not change it.
    memory: dict[object, tuple[tuple[Absorbed, ...], ...]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def bands(self) -> Bands:
        return self.prices.bands(self.surplus[0].times_s)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A fleet in the middle case."""

    fleet: Fleet
    years: Years
    absorbed: tuple[Absorbed, ...]
    cash: Cash
    npv: float
    irr_percent: float
    payback_years: float
    break_even: float  # tariff per MWh, mean of what would be paid; nan: none within reach

    @property
    def is_profitable(self) -> bool:
        return self.npv > 0


def judge(question: Question, fleet: Fleet, when: chain.Calendar) -> Verdict:
    """The middle case of one fleet."""
    inputs = question.inputs
    absorbed, years = take(question, fleet)
    runs = draws.middle(inputs, when)
    made = cash(inputs, fleet, years, when, runs, follows_price=question.follows_price)
    verdict = Verdict(
        fleet,
        years,
        absorbed,
        made,
        float(npv(made.flow, inputs.money.discount_percent.value)[0]),
        float(irr_percent(made.flow)[0]),
        float(payback_years(made.flow)[0]),
        float("nan"),
    )
    break_even = break_even_tariffs(question, fleet, years, when, runs)
    return dataclasses.replace(verdict, break_even=float(break_even[0]))


def take(
    question: Question, fleet: Fleet, scales: tuple[float, ...] | None = None
) -> tuple[tuple[Absorbed, ...], Years]:
    """The years at the surplus of the table, or at each of these scales."""
    scales = scales or (question.inputs.site.surplus_year_percent.value / 100,)
    bands = question.bands
    site = question.inputs.site
    matters = (site.overhead, site.reserve_percent, site.restore_s, site.min_off_s, site.idle_w)
    key = (
        question.surplus,
        question.prices.text,  # a tariff that is moved as a whole keeps its bands
        tuple((machine.watts, machine.count) for machine in fleet.machines),
        tuple(figure.value for figure in matters),
        scales,
    )
    if key not in question.memory:
        question.memory[key] = tuple(
            tuple(absorb(surplus, fleet, site, bands, scale) for surplus in question.surplus)
            for scale in scales
        )
    absorbed = question.memory[key]
    missing = missing_months(question.surplus[0])
    return absorbed[0], stack(scales, absorbed, bands.rates, missing)


def break_even_tariffs(
    question: Question, fleet: Fleet, years: Years, when: chain.Calendar, runs: Runs
) -> Floats:
    """Per run, the mean tariff at which the NPV is zero: all bands are moved by one amount.

    nan where no tariff within reach makes it zero.
    """
    percent = question.inputs.money.discount_percent.value

    def made(shift: Floats) -> Cash:
        return cash(
            question.inputs,
            fleet,
            years,
            when,
            runs,
            follows_price=question.follows_price,
            tariff_shift=shift[:, None],
        )

    def worth(shift: Floats) -> Floats:
        return npv(made(shift).flow, percent)

    low = np.full(runs.count, -_TARIFF_REACH)
    high = np.full(runs.count, _TARIFF_REACH)
    is_within = (worth(low) > 0) & (worth(high) < 0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        pays = worth(middle) > 0
        low, high = np.where(pays, middle, low), np.where(pays, high, middle)
    return np.where(is_within, made((low + high) / 2).tariff, np.nan)


def worth(
    question: Question, fleet: Fleet, when: chain.Calendar, price_factor: float = 1.0
) -> float:
    """The NPV of the middle case; with a factor on the coin's price in all months."""
    inputs = question.inputs
    _, years = take(question, fleet)
    runs = draws.middle(inputs, when, price_factor)
    made = cash(inputs, fleet, years, when, runs, follows_price=question.follows_price)
    return float(npv(made.flow, inputs.money.discount_percent.value)[0])
