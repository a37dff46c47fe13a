"""All of it together: candidates compared, the best one drawn, how large it may be.

The middle case, in which every figure is what the table says, chooses among candidate models;
then a few thousand runs say how sure that is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratum.power.plan import chain, draws
from stratum.power.plan.absorb import missing_months
from stratum.power.plan.cash import Cash, Runs, Years, cash, irr_percent, npv, payback_years, picked
from stratum.power.plan.fleet import Fleet
from stratum.power.plan.sensitivity import Bar, sensitivity
from stratum.power.plan.surplus import Floats
from stratum.power.plan.verdict import Question, Verdict, break_even_tariffs, judge, take, worth
from stratum.power.words import counted

PERCENTILES = (10, 50, 90)

#: Sizes looked at for the best and the largest fleet that pays, each so many times the one before.
_SIZES = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of percentiles, P10, P50 and P90 of its own distribution."""

    label: str
    unit: str
    values: tuple[float, float, float]


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
    _, years = take(question, best.fleet, draws.scales(inputs))
    drawn = cash(inputs, best.fleet, years, when, runs, follows_price=question.follows_price)
    worths = npv(drawn.flow, inputs.money.discount_percent.value)
    break_even = break_even_tariffs(question, best.fleet, years, when, runs)
    largest, richest = _sizes(question, best.fleet, when)
    return Study(
        question,
        when,
        best,
        ranked,
        drawn,
        _rows(question, best.fleet, years, when, drawn, runs, worths, break_even),
        float((worths > 0).mean()),
        _percentiles(break_even),
        largest,
        richest,
        sensitivity(question, best.fleet, when),
        missing_months(question.surplus[0]),
    )


def _sizes(
    question: Question, fleet: Fleet, when: chain.Calendar
) -> tuple[float | None, float | None]:
    """The largest fleet of this mixture that pays, and the one that pays most; MW at the rigs."""

    def worth_of(mw: float) -> float:
        return worth(question, fleet.scaled(mw / fleet.rig_mw), when)

    peak = max(float(surplus.mw.max()) for surplus in question.surplus)
    sizes = np.geomspace(peak / 200, peak, _SIZES).tolist()
    worths = [worth_of(mw) for mw in sizes]
    if max(worths) <= 0:
        return None, None
    richest = sizes[int(np.argmax(worths))]
    last = max(place for place, value in enumerate(worths) if value > 0)
    if last == len(sizes) - 1:
        return sizes[-1], richest
    low, high = sizes[last], sizes[last + 1]
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (middle, high) if worth_of(middle) > 0 else (low, middle)
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
    question: Question,
    fleet: Fleet,
    years: Years,
    when: chain.Calendar,
    drawn: Cash,
    runs: Runs,
    worths: Floats,
    break_even: Floats,
) -> tuple[Row, ...]:
    inputs = question.inputs
    length, code = inputs.years, inputs.currency
    in_all = counted(length, "year")
    cycles = picked(years, years.cycles.sum(axis=3), when, runs).sum(axis=1)
    kept = inputs.money.kept_percent.value / 100
    profit = (drawn.revenue - drawn.power - drawn.upkeep - drawn.tax).sum(axis=1)
    reserve = kept * drawn.coins.sum(axis=1)
    last_price = runs.course.price[:, -1]
    made: list[tuple[str, str, Floats]] = [
        ("absorbed", "MWh a year", drawn.absorbed_mwh.sum(axis=1) / length),
        ("hours with rigs running", "h a year", drawn.hours.sum(axis=1) / length),
        ("cycles of a rig", "a day", cycles / fleet.rigs / (365 * length)),
        ("coins mined", f"BTC, {in_all}", drawn.coins.sum(axis=1)),
        ("revenue", f"{code}, {in_all}", drawn.revenue.sum(axis=1)),
        ("operating profit after tax", f"{code}, {in_all}", profit),
        ("NPV", code, worths),
        ("IRR", "% a year", irr_percent(drawn.flow)),
        ("payback", "years", payback_years(drawn.flow)),
        ("break-even tariff", f"{code}/MWh", break_even),
        ("reserve of coins", "BTC at the end", reserve),
        ("reserve's worth", f"{code} at the end", reserve * last_price),
    ]  # fmt: skip
    co2 = inputs.site.co2_kg_per_mwh.value
    if co2:
        made.append(
            ("CO2 of the power taken", "t a year", drawn.site_mwh.sum(axis=1) / length * co2 / 1000)
        )
    if not kept:
        made = [row for row in made if not row[0].startswith("reserve")]
    if question.follows_price:  # how often price stops and starts a rig is not reckoned
        made = [row for row in made if row[0] != "cycles of a rig"]
    return tuple(Row(label, unit, _percentiles(values)) for label, unit, values in made)
