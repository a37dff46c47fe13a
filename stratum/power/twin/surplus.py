"""What a plant has to give, second by second, and where each figure of it comes from.

A `Process` makes megawatts as the plant has them, and says how many of them stand for the whole
fleet: a farm of 33 MW is a scale model of what would take all of it. Every figure is a `Given`: a
source, or "assumed" with the range it may lie in. `outages` are hours in which one unit is away.

The plants are in `plants`; the processes that only a test knows are at the end here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from stratum.power.brain.values import Ints, Kind
from stratum.power.figures import Given, certain
from stratum.power.processes import wander
from stratum.power.twin.rigs import Floats

HOUR = 3_600
DAY = 24 * HOUR
YEAR = 365 * DAY


@dataclass(frozen=True, slots=True)
class Outage:
    """One unit is away from that second of the run on, in one sample."""

    at_s: int
    for_s: int


@dataclass(frozen=True, slots=True)
class Span:
    """Which seconds: `seconds` from `start_s` of the year on, and what is away in them."""

    seconds: int
    start_s: int = 0
    outages: Sequence[Outage] = ()
    of_run: Floats = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "of_run", np.arange(self.seconds, dtype=np.float64))

    @property
    def hour(self) -> Floats:
        """Of the day, with its fraction."""
        return (self.start_s + self.of_run) % DAY / HOUR

    @property
    def winter(self) -> Floats:
        """1 in mid-January, -1 in mid-July (northern)."""
        season: Floats = np.cos(2.0 * np.pi * (self.start_s + self.of_run - 15 * DAY) / YEAR)
        return season

    @property
    def away(self) -> Ints:
        """How many units are out."""
        count = np.zeros(self.seconds, np.int64)
        for outage in self.outages:
            count[outage.at_s : outage.at_s + outage.for_s] += 1
        return count


Maker = Callable[[Mapping[str, float], Span, np.random.Generator], Floats]


@dataclass(frozen=True, slots=True)
class Process:
    """A plant. `full_mw` of its surplus stand for the rated power of the fleet."""

    name: str
    title: str
    full_mw: float
    given: Mapping[str, Given]
    make: Maker
    kind: Kind = Kind.SURPLUS_MEAS

    def given_as(self, figures: Mapping[str, float]) -> Process:
        """The same with other figures, by name; KeyError for one that it does not have."""
        changed = {name: replace(self.given[name], value=value) for name, value in figures.items()}
        return replace(self, given={**self.given, **changed})

    def megawatts(self, span: Span, seed: int) -> Floats:
        """As the plant has them."""
        values = {name: figure.value for name, figure in self.given.items()}
        return np.maximum(self.make(values, span, np.random.default_rng(seed)), 0.0)

    def watts(self, fleet_w: int, span: Span, seed: int) -> Ints:
        """Scaled to a fleet."""
        scaled = self.megawatts(span, seed) * (fleet_w / self.full_mw)
        return np.rint(scaled).astype(np.int64)


def smooth(values: Floats, seconds: int) -> Floats:
    """Mean over the last `seconds`: a plant that is wider than a cloud is fast."""
    total = np.cumsum(np.concatenate([np.full(seconds, values[0]), values]))
    means: Floats = (total[seconds:] - total[:-seconds]) / seconds
    return means


# -- what only a test knows: in per cent of the fleet -----------------------------------------


def _level(given: Mapping[str, float], span: Span) -> Floats:
    """A day's profile, lowest at 15 h, highest at 3 h: surplus is a thing of the night."""
    night: Floats = np.cos(2.0 * np.pi * (span.hour - 3.0) / 24.0)
    level: Floats = given["level"] + given["swing"] * night
    return level


def _noisy(given: Mapping[str, float], span: Span, rng: np.random.Generator) -> Floats:
    return _level(given, span) + wander(rng, span.seconds, given["sigma"], given["tau"])


def _flat(given: Mapping[str, float], span: Span, rng: np.random.Generator) -> Floats:
    level = np.full(span.seconds, given["level"])
    return level * (1.0 - np.minimum(span.away, 1) * given["share of a unit"])


def _sawtooth(given: Mapping[str, float], span: Span, rng: np.random.Generator) -> Floats:
    part = span.of_run % given["period"] / given["period"]
    return given["level"] + given["height"] * (part - 0.5)


def _steps(given: Mapping[str, float], span: Span, rng: np.random.Generator) -> Floats:
    return np.where(span.of_run // given["period"] % 2 == 0, given["high"], given["low"])


def _ou(name: str, sigma: float, origin: str, tau: Given) -> Process:
    return Process(
        name,
        f"test: a day's profile with noise of {sigma:g} % and a memory of {tau.value / 60:g} min",
        100.0,
        {
            "level": Given(60.0, "% of the fleet", "assumed", 40.0, 80.0),
            "swing": Given(20.0, "% of the fleet", "assumed", 0.0, 30.0),
            "sigma": certain(sigma, "% of the fleet", origin),
            "tau": tau,
        },
        _noisy,
    )


_JUMPY = "the jumpiest of the reference's surpluses: σ 10 %, τ 3 min"

TESTS: tuple[Process, ...] = (
    _ou(
        "ou-5",
        5.0,
        "a noisy surplus of the acceptance scenarios",
        Given(600.0, "s", "assumed", 180.0, 1_800.0),
    ),
    _ou("ou-10", 10.0, _JUMPY, certain(180.0, "s", _JUMPY)),
    Process(
        "flat",
        "test: nothing changes, unless a unit goes",
        100.0,
        {
            "level": Given(70.0, "% of the fleet", "assumed", 0.0, 100.0),
            "share of a unit": certain(0.5, "of the level", "two equal units"),
        },
        _flat,
    ),
    Process(
        "sawtooth",
        "test: up within four seconds and down at once, for ever",
        100.0,
        {
            "level": Given(60.0, "% of the fleet", "assumed", 40.0, 80.0),
            "height": Given(20.0, "% of the fleet", "assumed", 5.0, 40.0),
            "period": certain(4.0, "s", "the acceptance scenario; the grid of aFRR"),
        },
        _sawtooth,
    ),
    Process(
        "steps",
        "test: all and nothing in turn",
        100.0,
        {
            "high": certain(100.0, "% of the fleet", "the acceptance scenario"),
            "low": certain(0.0, "% of the fleet", "the acceptance scenario"),
            "period": Given(1_800.0, "s", "assumed", 600.0, 7_200.0),
        },
        _steps,
    ),
)
