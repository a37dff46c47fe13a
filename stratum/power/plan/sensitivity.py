"""What each figure does to the answer: one at a time to either end of its range."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from stratum.power.figures import Given
from stratum.power.plan import draws
from stratum.power.plan.chain import Calendar
from stratum.power.plan.fleet import Fleet
from stratum.power.plan.inputs import figures
from stratum.power.plan.verdict import Question, worth

#: In the chart: more bars than this are noise.
_BARS = 12


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


def sensitivity(question: Question, fleet: Fleet, when: Calendar) -> tuple[Bar, ...]:
    """One figure at a time from its low to its high end, the others as they are."""
    bars = [_price_bar(question, fleet, when)]
    for label, given, put in _movable(question, fleet):
        if given.is_certain:
            continue
        at_low, at_high = (worth(*put(value), when) for value in (given.low, given.high))
        bars.append(Bar(label, given, at_low, at_high))
    bars.sort(key=lambda bar: bar.reach, reverse=True)
    return tuple(bar for bar in bars[:_BARS] if bar.reach > 0)


def _price_bar(question: Question, fleet: Fleet, when: Calendar) -> Bar:
    """The price of every month, not the quote: that only says what difficulty belongs to it."""
    given = draws.price_reach(question.inputs)
    at_low, at_high = (
        worth(question, fleet, when, end / given.value) for end in (given.low, given.high)
    )
    return Bar("coin price", given, at_low, at_high)


_Put = Callable[[float], tuple[Question, Fleet]]


def _movable(question: Question, fleet: Fleet) -> list[tuple[str, Given, _Put]]:
    """Every figure with what puts another value in its place."""
    found: list[tuple[str, Given, _Put]] = []
    inputs = question.inputs
    for group in ("chain", "site", "money"):
        for name, label, given in figures(getattr(inputs, group)):
            if name == "coin_price":
                continue  # has a bar of its own
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
