"""All of it together: candidates compared, the best one drawn, its break-evens, what matters most.

The middle case, in which every figure is what the table says, chooses among candidate models;
then a few thousand runs say how sure that is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from stratum.power.plan import chain, draws
from stratum.power.plan.absorb import Absorbed, absorb, missing_months
from stratum.power.plan.cash import Cash, Runs, Years, cash, irr_percent, npv, payback_years, stack
from stratum.power.plan.fleet import Fleet
from stratum.power.plan.inputs import Given, Inputs, figures
from stratum.power.plan.surplus import Floats, Surplus
from stratum.power.plan.tariff import Bands, Prices

PERCENTILES = (10, 50, 90)

_BISECTIONS = 40

#: Sizes looked at for the best and the largest fleet that pays, each so many times the one before.
_SIZES = 12

#: Tariffs between which a break-even is looked for, either side of the tariff given, per MWh.
_TARIFF_REACH = 2_000.0

#: In the chart: more bars than this are noise.
_BARS = 12


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
    memory: dict[object, tuple[Absorbed, ...]] = field(
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


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of percentiles, P10, P50 and P90 of its own distribution."""

    label: str
    unit: str
    values: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Bar:
    """What one figure does to the middle case's NPV, from its low to its high end."""

    label: str
    given: Given
    at_low: float
    at_high: float

    @property
    def reach(self) -> float:
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True, slots=True)
class Study:
    """The whole answer."""

    question: Question
    calendar: chain.Calendar
    best: Verdict
    candidates: tuple[Verdict, ...]  # the best first
    drawn: Cash
    rows: tuple[Row, ...]
    chance_of_profit: float
    break_even: tuple[float, float, float]  # P10, P50, P90
    largest_mw: float | None  # the largest fleet with an NPV of 0 or more, at the rigs
    richest_mw: float | None  # the one with the highest NPV
    bars: tuple[Bar, ...]
    missing_months: tuple[int, ...]


def study(question: Question) -> Study:
    """Answer it. Takes a second or two."""
    inputs = question.inputs
    when = chain.calendar(inputs.first_month, inputs.months)
    verdicts = [judge(question, fleet, when) for fleet in question.fleets]
    ranked = tuple(sorted(verdicts, key=lambda verdict: verdict.npv, reverse=True))
    best = ranked[0]

    runs = draws.draw(inputs, when, question.samples, question.seed, len(question.surplus))
    drawn = cash(inputs, best.fleet, best.years, when, runs, follows_price=question.follows_price)
    worth = npv(drawn.flow, inputs.money.discount_percent.value)
    break_even = break_even_tariffs(question, best, when, runs)
    largest, richest = _sizes(question, best.fleet, when)
    return Study(
        question,
        when,
        best,
        ranked,
        drawn,
        _rows(question, best, drawn, runs, worth, break_even),
        float((worth > 0).mean()),
        _percentiles(break_even),
        largest,
        richest,
        _bars(question, best.fleet, when),
        missing_months(question.surplus[0]),
    )


def judge(question: Question, fleet: Fleet, when: chain.Calendar) -> Verdict:
    """The middle case of one fleet."""
    inputs = question.inputs
    absorbed, years = _take(question, fleet)
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
    break_even = break_even_tariffs(question, verdict, when, runs)
    return dataclasses.replace(verdict, break_even=float(break_even[0]))


def _take(question: Question, fleet: Fleet) -> tuple[tuple[Absorbed, ...], Years]:
    bands = question.bands
    site = question.inputs.site
    matters = (site.overhead, site.reserve_percent, site.restore_s, site.min_off_s, site.idle_w)
    key = (
        question.surplus,
        question.prices.text,  # a tariff that is moved as a whole keeps its bands
        tuple((machine.watts, machine.count) for machine in fleet.machines),
        tuple(figure.value for figure in matters),
    )
    if key not in question.memory:
        question.memory[key] = tuple(
            absorb(surplus, fleet, site, bands) for surplus in question.surplus
        )
    absorbed = question.memory[key]
    return absorbed, stack(absorbed, bands.rates, missing_months(question.surplus[0]))


def break_even_tariffs(
    question: Question, verdict: Verdict, when: chain.Calendar, runs: Runs
) -> Floats:
    """Per run, the mean tariff at which the NPV is zero: all bands are moved by one amount.

    nan where no tariff within reach makes it zero.
    """
    percent = question.inputs.money.discount_percent.value

    def worth(shift: Floats) -> Floats:
        made = cash(
            question.inputs,
            verdict.fleet,
            verdict.years,
            when,
            runs,
            follows_price=question.follows_price,
            tariff_shift=shift[:, None],
        )
        return npv(made.flow, percent)

    low = np.full(runs.count, -_TARIFF_REACH)
    high = np.full(runs.count, _TARIFF_REACH)
    is_within = (worth(low) > 0) & (worth(high) < 0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        pays = worth(middle) > 0
        low, high = np.where(pays, middle, low), np.where(pays, high, middle)
    return np.where(is_within, mean_tariff(verdict) + (low + high) / 2, np.nan)


def mean_tariff(verdict: Verdict) -> float:
    """What a MWh costs on the mean of a year, weighed by what is taken."""
    taken = verdict.years.rig_mwh.sum(axis=(0, 1, 2))
    return float((taken * verdict.years.rates).sum() / max(taken.sum(), 1e-9))


def _sizes(
    question: Question, fleet: Fleet, when: chain.Calendar
) -> tuple[float | None, float | None]:
    """The largest fleet of this mixture that pays, and the one that pays most; MW at the rigs."""

    def worth(mw: float) -> float:
        grown = fleet.scaled(mw / fleet.rig_mw)
        _, years = _take(question, grown)
        made = cash(question.inputs, grown, years, when, draws.middle(question.inputs, when),
                    follows_price=question.follows_price)  # fmt: skip
        return float(npv(made.flow, question.inputs.money.discount_percent.value)[0])

    peak = max(float(surplus.mw.max()) for surplus in question.surplus)
    sizes = np.geomspace(peak / 200, peak, _SIZES).tolist()
    worths = [worth(mw) for mw in sizes]
    if max(worths) <= 0:
        return None, None
    richest = sizes[int(np.argmax(worths))]
    last = max(place for place, value in enumerate(worths) if value > 0)
    if last == len(sizes) - 1:
        return sizes[-1], richest
    low, high = sizes[last], sizes[last + 1]
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (middle, high) if worth(middle) > 0 else (low, middle)
    return low, richest


# -- percentiles -------------------------------------------------------------------------------


def _percentiles(values: Floats) -> tuple[float, float, float]:
    """Of the values themselves, never between two: one of them may be infinite."""
    known = values[~np.isnan(values)]
    if not len(known):
        return (float("nan"),) * 3
    low, middle, high = np.percentile(known, PERCENTILES, method="inverted_cdf")
    return float(low), float(middle), float(high)


def _rows(
    question: Question, best: Verdict, drawn: Cash, runs: Runs, worth: Floats, break_even: Floats
) -> tuple[Row, ...]:
    inputs = question.inputs
    years, code = inputs.years, inputs.currency
    hours = best.years.hours.sum(axis=1)
    if runs.weather is not None:
        hours = hours[runs.weather].mean(axis=1)
    rig_mwh = drawn.site_mwh.sum(axis=1) / years
    cycles = best.years.cycles.sum(axis=(1, 2)) / best.fleet.rigs / 365
    kept = inputs.money.kept_percent.value / 100
    profit = (drawn.revenue - drawn.power - drawn.upkeep - drawn.tax).sum(axis=1)
    reserve = kept * drawn.coins.sum(axis=1)
    last_price = runs.course.price[:, -1]
    made: list[tuple[str, str, Floats]] = [
        ("absorbed", "MWh a year", rig_mwh),
        ("hours with rigs running", "h a year", hours),
        ("cycles of a rig", "a day", cycles[runs.weather].mean(axis=1)
         if runs.weather is not None else cycles),
        ("coins mined", f"BTC, {years} years", drawn.coins.sum(axis=1)),
        ("revenue", f"{code}, {years} years", drawn.revenue.sum(axis=1)),
        ("operating profit after tax", f"{code}, {years} years", profit),
        ("NPV", code, worth),
        ("IRR", "% a year", irr_percent(drawn.flow)),
        ("payback", "years", payback_years(drawn.flow)),
        ("break-even tariff", f"{code}/MWh", break_even),
        ("reserve of coins", "BTC at the end", reserve),
        ("reserve's worth", f"{code} at the end", reserve * last_price),
    ]  # fmt: skip
    co2 = inputs.site.co2_kg_per_mwh.value
    if co2:
        made.append(("CO2 of the power taken", "t a year", rig_mwh * co2 / 1000))
    if not kept:
        made = [row for row in made if not row[0].startswith("reserve")]
    return tuple(Row(label, unit, _percentiles(values)) for label, unit, values in made)


# -- what matters most -------------------------------------------------------------------------


def _bars(question: Question, fleet: Fleet, when: chain.Calendar) -> tuple[Bar, ...]:
    """One figure at a time from its low to its high end, the others as they are."""
    bars = []
    for label, given, put in _movable(question, fleet):
        if given.is_certain:
            continue
        at_low, at_high = (_worth(put(value), when) for value in (given.low, given.high))
        bars.append(Bar(label, given, at_low, at_high))
    bars.sort(key=lambda bar: bar.reach, reverse=True)
    return tuple(bar for bar in bars[:_BARS] if bar.reach > 0)


_Put = Callable[[float], tuple[Question, Fleet]]


def _movable(question: Question, fleet: Fleet) -> list[tuple[str, Given, _Put]]:
    """Every figure with what puts another value in its place."""
    found: list[tuple[str, Given, _Put]] = []
    inputs = question.inputs
    for group in ("chain", "site", "money"):
        for name, label, given in figures(getattr(inputs, group)):
            found.append((label, given, _put_figure(question, fleet, group, name)))
    rate = question.prices.rate
    found.append(("tariff", rate, lambda value: (_with_rate(question, value), fleet)))
    for place, machine in enumerate(fleet.machines):
        label = f"price of {machine.model}"
        found.append((label, machine.price, _put_price(question, fleet, place)))
    return found


def _put_figure(question: Question, fleet: Fleet, group: str, name: str) -> _Put:
    def put(value: float) -> tuple[Question, Fleet]:
        old = getattr(question.inputs, group)
        given = dataclasses.replace(getattr(old, name), value=value)
        changes = {group: dataclasses.replace(old, **{name: given})}
        inputs = dataclasses.replace(question.inputs, **changes)
        return dataclasses.replace(question, inputs=inputs), fleet

    return put


def _put_price(question: Question, fleet: Fleet, place: int) -> _Put:
    def put(value: float) -> tuple[Question, Fleet]:
        machines = list(fleet.machines)
        price = dataclasses.replace(machines[place].price, value=value)
        machines[place] = dataclasses.replace(machines[place], price=price)
        return question, dataclasses.replace(fleet, machines=tuple(machines))

    return put


def _with_rate(question: Question, value: float) -> Question:
    """All bands moved so that the tariff's own rate is this one."""
    prices = question.prices
    by = round((value - prices.rate.value) * 1e6)
    tariff = dataclasses.replace(
        prices.tariff,
        rate_micro=prices.tariff.rate_micro + by,
        windows=tuple(
            dataclasses.replace(window, rate_micro=window.rate_micro + by)
            for window in prices.tariff.windows
        ),
    )
    rate = dataclasses.replace(prices.rate, value=value)
    return dataclasses.replace(
        question, prices=dataclasses.replace(prices, tariff=tariff, rate=rate)
    )


def _worth(asked: tuple[Question, Fleet], when: chain.Calendar) -> float:
    question, fleet = asked
    inputs = question.inputs
    _, years = _take(question, fleet)
    made = cash(inputs, fleet, years, when, draws.middle(inputs, when),
                follows_price=question.follows_price)  # fmt: skip
    return float(npv(made.flow, inputs.money.discount_percent.value)[0])
