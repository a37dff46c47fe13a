"""Four years of surplus that are made, not measured, and the rules they are made by.

Each example is a handful of published figures and a few lines that turn them into a year at 15
minutes. What was published says where; what was not is assumed, with a range. Several years are
drawn, because the next one will not be the last one's copy: weather, outages and trips differ.
They show what a plan looks like; a decision wants a history of one's own as CSV.

The twin has plants of the same names (`stratum.power.twin.plants`): a day of them second by
second, scaled to a fleet, to try a controller on. A plan wants a whole year's energy, so the two
are made by rules of their own, and differ where a day and a year do:

    nuclear      the twin takes off the quarter of the electric boilers that it assumes in use
                 (of 916 MW), where here the surplus is what boilers and rigs would share; must-run
                 is 2,400 MW of cogeneration there, 2,200 and 500 of reserve here; mean load 4,692
                 MW there (2023), 4,850 here (2026)
    hydro        the twin presses the rise of a season into a day
    geothermal   90 MW there, a quarter of a plant; 76 here, what Kenya curtailed
    wind         one farm of 200 MW on a line of 100 there; here 300 MW of which a stated share is
                 curtailed, whatever line that takes
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType

import numpy as np

from stratum.power.figures import ASSUMED, Given, certain
from stratum.power.plan.surplus import Floats, Surplus
from stratum.power.processes import normal_below, wander

STEP_S = 900

#: 2025-01-01 00:00 UTC: a year of 365 days that begins on a Wednesday.
_START_S = 1_735_689_600
_FIRST_WEEKDAY = 2
_HOURS = 8760
_STEPS = _HOURS * 3600 // STEP_S
_STEPS_A_DAY = _STEPS // 365

Rules = Mapping[str, Given]


@dataclass(frozen=True, slots=True)
class Example:
    """A kind of surplus: its rules by name, and what makes a year of them."""

    name: str
    about: str
    co2_kg_per_mwh: Given
    tariff: Given  # USD/MWh, what the plant might ask
    rules: Rules
    make: Callable[[Rules, np.random.Generator], Floats]
    left_out: str = ""  # what competes for this surplus and is not in the rules


def synthesise(example: Example, seed: int, years: int = 1) -> tuple[Surplus, ...]:
    """So many years, the same ones for the same seed."""
    seeds = np.random.SeedSequence(seed).spawn(years)
    origin = f"made by the rules of {example.name}, not measured"
    return tuple(
        Surplus(
            example.name,
            origin,
            _START_S,
            STEP_S,
            np.maximum(example.make(example.rules, np.random.default_rng(own)), 0.0),
        )
        for own in seeds
    )


# -- pieces ------------------------------------------------------------------------------------


def _rule(value: float, low: float, high: float, unit: str, origin: str = ASSUMED) -> Given:
    return Given(value, unit, origin, low, high)


def _day_of_year() -> Floats:
    return np.arange(_STEPS) / _STEPS_A_DAY


def _local_hour(offset: float) -> Floats:
    return np.mod(np.arange(_STEPS) * STEP_S / 3600 + offset, 24.0)


def _is_weekend(offset: float) -> Floats:
    day = np.floor((np.arange(_STEPS) * STEP_S / 3600 + offset) / 24)
    return np.asarray(np.mod(day + _FIRST_WEEKDAY, 7) >= 5, np.float64)


def _winter(coldest_day: float) -> Floats:
    """1 on the coldest day of the year, 0 half a year away."""
    return np.asarray((1 + np.cos(2 * np.pi * (_day_of_year() - coldest_day) / 365)) / 2)


def _wander(rng: np.random.Generator, hours: float) -> Floats:
    """Mean 0 and deviation 1, forgotten in so many hours."""
    levels = wander(rng, _HOURS + 1, 1.0, hours)
    per_hour = 3600 // STEP_S
    return np.interp(np.arange(_STEPS) / per_hour, np.arange(_HOURS + 1), levels)


def _away(rng: np.random.Generator, times: float, days: float) -> Floats:
    """1 while something is broken: so many times a year, so many days on average."""
    broken = np.zeros(_STEPS)
    for _ in range(rng.poisson(times)):
        start = int(rng.integers(_STEPS))
        broken[start : start + 1 + int(rng.exponential(days) * _STEPS_A_DAY)] = 1.0
    return broken


def _outage(first_day: float, days: float) -> Floats:
    """1 during a planned outage, which may reach over New Year."""
    return np.asarray(np.mod(_day_of_year() - first_day, 365) < days, np.float64)


def _uniform(rng: np.random.Generator, given: Given) -> float:
    return float(rng.uniform(given.low, given.high))


# -- two nuclear units -------------------------------------------------------------------------

_NUCLEAR: Rules = MappingProxyType(
    {
        "units": certain(2, "units", "two VVER-1200, as at Ostrovets (BelTA)"),
        "net power of a unit": _rule(
            1110, 1100, 1150, "MW", "1,194 MW (BelTA) less 7 % for its own use, assumed"
        ),
        "mean load": _rule(
            4850, 4700, 5100, "MW", "17 TWh of the units are 40 % of consumption (news.by, 2026)"
        ),
        "load of a winter day over the mean": _rule(1.13, 1.08, 1.18, "ratio"),
        "load of a summer day over the mean": _rule(0.90, 0.86, 0.94, "ratio"),
        "night over the day's mean": _rule(
            0.82, 0.78, 0.86, "ratio",
            "assumed; the record day's mean is 0.874 of its peak of 7,325 MW (ecopress.by, 2026)",
        ),
        "weekend over workday": _rule(0.93, 0.90, 0.96, "ratio"),
        "weather's share in load": _rule(0.03, 0.02, 0.05, "deviation"),
        "heat-led plants, winter": _rule(
            2200, 1800, 2600, "MW",
            "assumed; half of thermal power is heat-led (atomic-energy.ru, 29 March 2019), "
            "some 13 TWh a year, most of it in the heating season",
        ),
        "heat-led plants, summer": _rule(600, 400, 800, "MW", "assumed: hot water only"),
        "other must-run": _rule(500, 300, 700, "MW", "assumed: reserve for the loss of a unit"),
        "refuelling": _rule(45, 35, 60, "days", "assumed; 18-month cycle (World Nuclear News)"),
        "refuellings": _rule(4 / 3, 1, 2, "a year", "two units, every 18 months"),
        "trips": _rule(1.0, 0.3, 2.0, "a year, both units"),
        "a trip lasts": _rule(2.0, 0.5, 5.0, "days"),
    }
)  # fmt: skip


def _nuclear(rules: Rules, rng: np.random.Generator) -> Floats:
    winter = _winter(20)
    summer_load = rules["load of a summer day over the mean"].value
    season = (
        summer_load + (rules["load of a winter day over the mean"].value - summer_load) * winter
    )
    # A cosine around 03:30, cut off below and above: a flat night and a flat day.
    hour = _local_hour(3.0)
    valley = (0.5 + 0.9 * np.cos(2 * np.pi * (hour - 3.5) / 24)).clip(0, 1)
    depth = 1 - rules["night over the day's mean"].value
    day = 1 + depth * (valley.mean() - valley) / (1 - valley.mean())
    weekend = 1 - (1 - rules["weekend over workday"].value) * _is_weekend(3.0)
    cold = _wander(rng, 72)
    load = (
        rules["mean load"].value * season * day * weekend
        * (1 + rules["weather's share in load"].value * cold * (0.5 + winter))
    )  # fmt: skip

    heat_summer = rules["heat-led plants, summer"].value
    heat_led = heat_summer + (rules["heat-led plants, winter"].value - heat_summer) * winter
    heat_led *= 1 + 0.05 * cold  # a cold spell runs heat-led plants harder

    units = np.full(_STEPS, float(rules["units"].value))
    # Every 18 months each: one outage each year in autumn, a second one in spring in one of three.
    units -= _outage(279 + rng.normal(0, 10), _uniform(rng, rules["refuelling"]))
    if rng.random() < rules["refuellings"].value - 1:
        units -= _outage(95 + rng.normal(0, 10), _uniform(rng, rules["refuelling"]))
    units -= _away(rng, rules["trips"].value, rules["a trip lasts"].value)
    nuclear = rules["net power of a unit"].value * np.maximum(units, 0.0)
    return np.asarray(nuclear + heat_led + rules["other must-run"].value - load)


# -- a river in its wet season -----------------------------------------------------------------

_HYDRO: Rules = MappingProxyType(
    {
        "spill at the edge of the season": _rule(
            100, 50, 200, "MW", "Gedu in Bhutan, 100 MW (Kuensel, August 2023)"
        ),
        "spill at its height": _rule(
            600, 400, 700, "MW",
            "the same project in full, 600 MW (The Bhutanese, 2023); Nepal spilled 200 to 600 MW "
            "a day in 2021 (Spotlight) and 700 MW at midnight in 2024 (Nepal Energy Forum)",
        ),
        "season begins": _rule(163, 150, 180, "day of year", "12 June (Annapurna Express, 2023)"),
        "season ends": _rule(319, 305, 334, "day of year", "assumed: mid November"),
        "midday over midnight": _rule(
            0.65, 0.5, 0.8, "ratio", "400 to 500 MW off peak against 700 MW at midnight (Nepal)"
        ),
        "weather's share": _rule(0.15, 0.10, 0.25, "deviation"),
        "outages": _rule(3.0, 1.0, 6.0, "a year"),
        "an outage lasts": _rule(1.0, 0.3, 3.0, "days"),
    }
)  # fmt: skip


def _hydro(rules: Rules, rng: np.random.Generator) -> Floats:
    first = rules["season begins"].value + rng.normal(0, 7)
    last = rules["season ends"].value + rng.normal(0, 7)
    progress = (_day_of_year() - first) / (last - first)
    is_wet = (progress >= 0) & (progress <= 1)
    edge, height = (
        rules[name].value for name in ("spill at the edge of the season", "spill at its height")
    )
    season = np.where(is_wet, edge + (height - edge) * np.sin(np.pi * progress.clip(0, 1)), 0.0)
    night = (1 + np.cos(2 * np.pi * (_local_hour(6.0) - 1.0) / 24)) / 2
    least = rules["midday over midnight"].value
    flow = 1 + rules["weather's share"].value * _wander(rng, 120)
    running = 1 - _away(rng, rules["outages"].value, rules["an outage lasts"].value)
    spill = season * (least + (1 - least) * night) * flow * running
    return np.asarray(np.minimum(spill, height * (1 + rules["weather's share"].value)))


# -- a geothermal field ------------------------------------------------------------------------

_GEOTHERMAL: Rules = MappingProxyType(
    {
        "power without a customer": _rule(
            76, 40, 93, "MW", "Kenya curtailed 668.7 GWh in the year to June 2025 (Nation, EPRA)"
        ),
        "availability": _rule(0.92, 0.85, 0.96, "ratio", "capacity factor of EIA: 92 %"),
        "overhaul": _rule(14, 10, 21, "days a year, half the field"),
        "warm season's loss": _rule(0.03, 0.0, 0.08, "ratio"),
        "an outage lasts": _rule(3.0, 1.0, 7.0, "days"),
    }
)


def _geothermal(rules: Rules, rng: np.random.Generator) -> Floats:
    season = 1 - rules["warm season's loss"].value * (1 - _winter(200))
    overhaul = 0.5 * _outage(rng.uniform(0, 365), rules["overhaul"].value)
    # What overhaul and season leave of the unavailable share are outages of a quarter of it.
    lost = 1 - rules["availability"].value
    lost -= rules["overhaul"].value / 365 / 2 + rules["warm season's loss"].value / 2
    days = rules["an outage lasts"].value
    broken = 0.25 * sum(_away(rng, max(lost, 0.0) * 365 / days, days) for _ in range(4))
    flicker = 1 + 0.004 * _wander(rng, 12)
    power = rules["power without a customer"].value
    return np.asarray(power * season * flicker * np.maximum(1 - overhaul - broken, 0.0))


# -- wind behind a bottleneck ------------------------------------------------------------------

_WIND: Rules = MappingProxyType(
    {
        "wind farms": _rule(300, 250, 350, "MW", "assumed: a group behind one line"),
        "capacity factor before curtailment": _rule(0.35, 0.28, 0.42, "ratio"),
        "share that is curtailed": _rule(
            0.39, 0.15, 0.40, "ratio",
            "northern Scotland, 2025: 61 % reached the grid (Montel EnAppSys); "
            "all of Scotland 2015 to 2021: 13 to 19 % (REF)",
        ),
        "wind forgets in": _rule(18, 10, 30, "hours", "assumed; ramps last 8 h (Cheneka, 2020)"),
        "winter over summer": _rule(2.0, 1.5, 2.5, "ratio", "Britain 2011-2014 (Carbon Counter)"),
    }
)  # fmt: skip


def _wind(rules: Rules, rng: np.random.Generator) -> Floats:
    season = (_winter(15) - 0.5) * 2
    level = _wander(rng, rules["wind forgets in"].value)
    swing = _swing(rules["winter over summer"].value)
    chance = normal_below(level * sqrt(1 - swing * swing / 2) + swing * season)
    mean = rules["capacity factor before curtailment"].value
    output = rules["wind farms"].value * chance ** ((1 - mean) / mean)  # E[U^k] = 1/(1+k)
    return np.asarray(
        np.maximum(output - _limit(output, rules["share that is curtailed"].value), 0.0)
    )


def _swing(ratio: float) -> float:
    """The shift of the season that makes winter's output so many times summer's, near enough."""
    return float(np.log(ratio) / 2)


def _limit(output: Floats, share: float) -> float:
    """The line's limit beyond which that share of the energy lies."""
    low, high = 0.0, float(output.max())
    for _ in range(40):
        limit = (low + high) / 2
        lost = np.maximum(output - limit, 0.0).sum() / output.sum()
        low, high = (limit, high) if lost > share else (low, limit)
    return (low + high) / 2


_IPCC = "IPCC AR5 WG III, annex III, life-cycle median"

EXAMPLES: Mapping[str, Example] = MappingProxyType(
    {
        example.name: example
        for example in (
            Example(
                "nuclear-2x1200",
                "two nuclear units in a system of 7 GW: nights of the heating season",
                _rule(12, 4, 110, "kg/MWh", _IPCC),
                _rule(15, 0, 35, "USD/MWh", "assumed; miners in Ethiopia pay 32 for hydro power"),
                _NUCLEAR,
                _nuclear,
                "electric boilers of 916 MW, built for this surplus, are left out: what they take "
                "is not there for rigs",
            ),
            Example(
                "hydro-100-to-600",
                "a river that spills from June to November, up to 600 MW",
                _rule(24, 1, 200, "kg/MWh", _IPCC),
                _rule(10, 0, 32, "USD/MWh",
                      "assumed; miners in Ethiopia pay 32 (Crypto-News-Flash)"),
                _HYDRO,
                _hydro,
            ),
            Example(
                "geothermal",
                "a geothermal field whose output has no customer",
                _rule(38, 6, 79, "kg/MWh", _IPCC),
                _rule(30, 15, 45, "USD/MWh", "assumed; Riot paid 34 in 2024 (8-K)"),
                _GEOTHERMAL,
                _geothermal,
            ),
            Example(
                "wind",
                "300 MW of wind behind a line that is too thin",
                _rule(11, 7, 56, "kg/MWh", _IPCC),
                _rule(0, -45, 20, "USD/MWh",
                      "assumed; curtailment cost 363 M GBP for 10 TWh in 2025 (Montel EnAppSys)"),
                _WIND,
                _wind,
            ),
        )
    }
)  # fmt: skip
