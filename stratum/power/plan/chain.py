"""Difficulty, subsidy with its halvings, and coin price, month by month.

The height runs on from a known one at a steady interval; the subsidy of a month is the mean of
its blocks, so a month with a halving in it pays by the day. Difficulty grows at a rate of its
own and follows what the network earns: where revenue per block halves, at a halving or because
the price does, it falls by a part (`follows` is the exponent). A plan without that would let
every rig on earth mine at a loss for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from stratum.bitcoin.networks import COIN, MAIN, subsidy
from stratum.power.economics.hashprice import btc_per_th_day
from stratum.power.plan.inputs import Chain
from stratum.power.plan.surplus import Floats

_DAY_S = 86_400
_YEAR_DAYS = 365.25


@dataclass(frozen=True, slots=True)
class Calendar:
    """The months of a plan: edges as days since 1970-01-01, one more than there are months."""

    first: date
    edges: Floats

    @property
    def months(self) -> int:
        return len(self.edges) - 1

    @property
    def month_of_year(self) -> list[int]:
        """0 to 11."""
        return [(self.first.month - 1 + place) % 12 for place in range(self.months)]

    @property
    def labels(self) -> list[str]:
        """`2027-01` and so on."""
        start = np.datetime64(self.first, "M")
        return [str(start + place) for place in range(self.months)]

    def years_from(self, moment: date) -> Floats:
        """From a day to the middle of each month, in years."""
        middle = (self.edges[:-1] + self.edges[1:]) / 2
        return np.asarray((middle - _day_number(moment)) / _YEAR_DAYS)


def calendar(first: date, months: int) -> Calendar:
    start = np.datetime64(first, "M")
    days = (start + np.arange(months + 1)).astype("datetime64[D]").astype(np.int64)
    return Calendar(first, days.astype(np.float64))


def heights(chain: Chain, when: Calendar) -> Floats:
    """Block height at each edge of the calendar."""
    elapsed_s = (when.edges - _day_number(chain.quoted)) * _DAY_S
    return np.asarray(chain.height.value + elapsed_s / chain.block_interval_s.value)


def subsidies_btc(chain: Chain, when: Calendar) -> Floats:
    """Mean subsidy of each month's blocks."""
    edges = heights(chain, when).tolist()
    return np.array(
        [mean_subsidy_btc(low, high) for low, high in zip(edges, edges[1:], strict=False)]
    )


def mean_subsidy_btc(
    low: float, high: float, halving_interval: int = MAIN.halving_interval
) -> float:
    """Mean subsidy of the blocks between two heights, halvings weighed by block."""
    total, at = 0.0, low
    while at < high:
        until = min(high, (int(at) // halving_interval + 1) * halving_interval)
        total += (until - at) * subsidy(int(at), halving_interval)
        at = until
    return total / (high - low) / COIN


def halving_day(chain: Chain, halving_interval: int = MAIN.halving_interval) -> date:
    """When the next halving after `chain.height` is due."""
    blocks = halving_interval - chain.height.value % halving_interval
    days = blocks * chain.block_interval_s.value / _DAY_S
    return date.fromordinal(chain.quoted.toordinal() + int(days))


def next_halving_height(chain: Chain, halving_interval: int = MAIN.halving_interval) -> int:
    """1,050,000 for every height from 840,000 on."""
    return (int(chain.height.value) // halving_interval + 1) * halving_interval


@dataclass(frozen=True, slots=True)
class Course:
    """What may differ between runs, one row a run: shape [runs, 1] or [runs, months]."""

    growth_percent: Floats
    follows: Floats
    fees_btc: Floats
    price: Floats


def difficulty(chain: Chain, when: Calendar, course: Course) -> Floats:
    """[runs, months]."""
    years = when.years_from(chain.quoted)
    now_btc = mean_subsidy_btc(chain.height.value, chain.height.value + 1)
    revenue = course.price * (subsidies_btc(chain, when) + course.fees_btc)
    revenue_now = chain.coin_price.value * (now_btc + chain.fees_btc.value)
    own = (1 + course.growth_percent / 100) ** years
    pull = np.maximum(revenue / revenue_now, 1e-9) ** course.follows
    return np.asarray(chain.difficulty_t.value * 1e12 * own * pull)


def btc_per_mwh(chain: Chain, when: Calendar, course: Course, j_per_th: float) -> Floats:
    """Coins that one MWh at the rigs finds before fees and stale work, [runs, months]."""
    reward_btc = subsidies_btc(chain, when) + course.fees_btc
    # The formula is linear in reward over difficulty: 1 TH/s for a day takes e · 24 Wh.
    per_th_day = btc_per_th_day(1.0, 1.0) * reward_btc / difficulty(chain, when, course)
    return np.asarray(per_th_day * 1e6 / (24 * j_per_th))


def _day_number(moment: date) -> float:
    return float(np.datetime64(moment, "D").astype(np.int64))
