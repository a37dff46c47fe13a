"""The price of a megawatt-hour by hour of the day, also below zero.

A plan's tariff is a rate and windows that replace it, in UTC, written as `25` or as
`25,23:00-06:00=-5,12:00-14:00=10`. The controller's own tariff knows zones, seasons and holidays;
a plan that needs them brings its history of surplus by season.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from stratum.errors import ConfigError, Problem
from stratum.power.economics.tariff import Tariff, Window
from stratum.power.figures import Given, certain
from stratum.power.plan.surplus import Floats, Ints

_MICRO = 1_000_000
_WINDOW = re.compile(r"(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)=(.+)", re.ASCII)
_EXAMPLE = "write it like 25, or 25,23:00-06:00=-5 (UTC)"
_DAY_MINUTES = 1440
_DAY_S = 86_400

#: A price beyond it is a price per kWh, or in cents, or a slip of the finger.
_MOST = 100_000.0


@dataclass(frozen=True, slots=True)
class Bands:
    """Each step's price as a place in `rates`: a few distinct prices, per MWh at the meter."""

    rates: Floats
    band: Ints


@dataclass(frozen=True, slots=True)
class Prices:
    """A tariff, the middle of it as a figure with origin and range, and how it is written."""

    tariff: Tariff
    rate: Given
    text: str

    def bands(self, times_s: Ints) -> Bands:
        if not self.tariff.windows:
            return Bands(np.array([self.rate.value]), np.zeros(len(times_s), np.int64))
        # Windows are the same every day: a day's worth of moments is asked, not a year's.
        moments, place = np.unique(times_s % _DAY_S, return_inverse=True)
        costs = [self.tariff.cost_micro(1000 * moment) or 0 for moment in moments.tolist()]
        rates, band = np.unique(np.array(costs, np.int64), return_inverse=True)
        return Bands(rates / _MICRO, band[place])


def flat(rate: Given) -> Prices:
    """One price at all hours."""
    return Prices(Tariff(rate_micro=round(rate.value * _MICRO)), rate, f"{rate.value:g}")


def parse(text: str, currency: str, key: str = "--tariff") -> Prices:
    """Read it as the operator wrote it. Raises ConfigError with every problem."""
    problems: list[Problem] = []
    first, *parts = (part.strip() for part in text.split(","))
    rate = _price(first, key, problems)
    windows = [window for part in parts if (window := _window(part, key, problems))]
    if problems:
        raise ConfigError(problems)
    given = certain(rate, f"{currency}/MWh", key)
    tariff = Tariff(rate_micro=round(rate * _MICRO), windows=tuple(windows))
    return Prices(tariff, given, text.strip())


def _price(text: str, key: str, problems: list[Problem]) -> float:
    try:
        price = float(text)
    except ValueError:
        problems.append(Problem(key, f"{text!r} is no price", _EXAMPLE))
        return 0.0
    if not abs(price) <= _MOST:  # also catches nan
        problems.append(Problem(key, f"{text} is no price per MWh", _EXAMPLE))
        return 0.0
    return price


def _window(text: str, key: str, problems: list[Problem]) -> Window | None:
    match = _WINDOW.fullmatch(text)
    if not match:
        problems.append(Problem(key, f"{text!r} is no window", _EXAMPLE))
        return None
    first, last = (60 * int(match[place]) + int(match[place + 1]) for place in (1, 3))
    price = _price(match[5], key, problems)
    if not (first < _DAY_MINUTES and 0 < (last or _DAY_MINUTES) <= _DAY_MINUTES) or first == last:
        problems.append(Problem(key, f"{text!r} is no part of a day", _EXAMPLE))
        return None
    return Window(round(price * _MICRO), first, last or _DAY_MINUTES)
