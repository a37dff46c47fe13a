"""Numbers and the answer, in words: the same on the page and in the terminal."""

from __future__ import annotations

import math

from stratum.power.figures import Given
from stratum.power.plan import running
from stratum.power.plan.examples import EXAMPLES
from stratum.power.plan.study import Row, Study
from stratum.power.plan.verdict import Verdict
from stratum.power.words import counted

#: Real minus and thin things: U+2212 lines up with digits, a hyphen does not.
_MINUS = "\N{MINUS SIGN}"

_PREFIXES = ((1e9, " bn"), (1e6, " M"), (1e3, " k"))


def number(value: float, digits: int | None = None) -> str:
    """`12,300`, `0.036`; three or four digits unless told how many decimals."""
    if math.isnan(value):
        return "none"
    if math.isinf(value):
        return "never" if value > 0 else f"below {_MINUS}99"
    if digits is None:
        size = abs(value)
        if 0 < size < 1:
            return f"{value:.3g}".replace("-", _MINUS)
        digits = 0 if size >= 1000 or value == int(value) else 1 if size >= 100 else 2
    return f"{value:,.{digits}f}".replace("-", _MINUS)


def compact(value: float) -> str:
    """`12.3 M`; money and energies of a plan need no more than three digits."""
    if not math.isfinite(value):
        return number(value)
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return number(value / size, 2 if abs(value) < 10 * size else 1) + prefix
    return number(value)


def money(value: float, code: str) -> str:
    return f"{compact(value)} {code}"


def row_value(row: Row, value: float) -> str:
    """As the table of percentiles shows it."""
    if row.label == "payback":
        return number(value, 1)
    if row.label == "IRR":
        return "above 1,000" if value == math.inf else number(value, 1)
    if abs(value) >= 1e6:
        return compact(value)
    return number(value)


def span(given: Given) -> str:
    """`80,000 to 400,000`, or nothing for what is certain."""
    return "" if given.is_certain else f"{number(given.low)} to {number(given.high)}"


def fleet_in_words(verdict: Verdict) -> str:
    """`57,653 x S19j Pro+ (185.5 MW)`."""
    parts = [f"{number(machine.count)} x {machine.model}" for machine in verdict.fleet.machines]
    return f"{' and '.join(parts)} ({number(verdict.fleet.rig_mw, 1)} MW)"


def answer(study: Study) -> str:
    """Whether it is profitable, and at what tariff it stops being so, in one sentence."""
    best, code = study.best, study.question.inputs.currency
    years = counted(study.question.inputs.years, "year")
    rate = f"{number(float(best.cash.tariff[0]), 1)} {code}/MWh"
    low, _, high = study.break_even
    reach = f"P10 to P90: {number(low, 1)} to {number(high, 1)}"
    limit = f"{number(best.break_even, 1)} {code}/MWh"
    chance = f"{100 * study.chance_of_profit:.0f} % of the runs are profitable"
    what = fleet_in_words(best)
    if best.is_profitable:
        back = f"{number(best.payback_years, 1)} years"
        return (
            f"Yes: at {rate}, {what} earn an NPV of {money(best.npv, code)} in {years} and "
            f"are paid back after {back}; it stops being profitable at {limit} ({reach}), "
            f"and {chance}."
        )
    others = ", the best of the fleets compared," if len(study.candidates) > 1 else ""
    if math.isnan(best.break_even):
        end = "no tariff makes it profitable"
    else:
        end = f"it stops being profitable at {limit} ({reach})"
        if best.break_even < 0:
            end += ", so the plant would have to pay for it"
    return (
        f"No: at {rate}, {what}{others} lose "
        f"{money(-best.npv, code)} (NPV of {years}); {end}; {chance}."
    )


def caveats(study: Study) -> tuple[str, ...]:
    """What the answer rests on and a reader of the answer alone would not suspect."""
    question = study.question
    surplus = question.surplus[0]
    found = list(surplus.notes)
    example = EXAMPLES.get(surplus.name)
    if example is not None:
        found.append("the surplus is made by rules, not measured")
        found += [example.left_out] if example.left_out else []
    if study.missing_months:
        there = counted(round(surplus.days), "day")
        found.append(
            f"{len(study.missing_months)} of 12 months are the mean of the others: the history "
            f"covers {there}"
        )
    found.append(f"network and price are as of {question.inputs.chain.quoted}")
    return tuple(found)


def earnings_in_words(study: Study) -> str:
    """What power may cost where rigs and site are paid for already."""
    made, code = study.best.cash, study.question.inputs.currency
    first, last = (
        number(float(made.revenue[0, part].sum() / max(made.site_mwh[0, part].sum(), 1e-9)), 1)
        for part in (slice(0, 12), slice(-12, None))
    )
    return (
        f"A MWh at the meter earns {first} {code} in the first year and {last} in the last: "
        "what power and upkeep may cost where rigs and site are paid for already."
    )


def running_in_words(study: Study) -> str:
    """Which rig earns its power, at the mean tariff of the best fleet."""
    inputs = study.question.inputs
    tariff = float(study.best.cash.tariff[0])
    prices = running.hashprices(inputs, study.calendar)
    first, last = (running.pays_up_to(inputs, tariff, float(prices[place])) for place in (0, -1))
    if math.isinf(first):
        return "At this tariff every rig earns its power, however old."
    return (
        f"At {number(tariff, 1)} {inputs.currency}/MWh a rig earns its power up to "
        f"{number(first, 1)} J/TH in the first month and {number(last, 1)} in the last."
    )


def size_in_words(study: Study) -> str:
    """How large the fleet may be."""
    if study.largest_mw is None:
        return "No size of this fleet is profitable at this tariff."
    richest = study.richest_mw or study.largest_mw
    return (
        f"It stays profitable up to {number(study.largest_mw, 1)} MW of rigs; "
        f"the highest NPV of the sizes tried is at {number(richest, 1)} MW."
    )
