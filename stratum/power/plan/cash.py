"""Coins and money of each month, for many runs at once; NPV, IRR and payback.

Axes are [run, month], with [model] and [band] behind them where they matter. A month's coins are
counted at that month's price, kept or sold: a coin kept is a coin bought. Before the first month
rigs and site are paid; a rig is replaced by its like at the end of its life; what is left of
either at the end of the plan is sold at its book value. Tax is paid once a year on profit after
depreciation, losses are carried forward, and a site alone in the world gets nothing back for
them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratum.power.plan.absorb import Absorbed, filled
from stratum.power.plan.chain import Calendar, Course, btc_per_mwh
from stratum.power.plan.fleet import Fleet
from stratum.power.plan.inputs import Inputs
from stratum.power.plan.surplus import Floats, Ints

_BISECTIONS = 60

#: Yearly rates between which an IRR is looked for; beyond them it tells nothing.
_IRR_LOW, _IRR_HIGH = -0.99, 10.0


@dataclass(frozen=True, slots=True)
class Years:
    """Several years of surplus, poor to rich, against one fleet: [scale, year, 12 months, ...].

    A fleet takes less than a tenth more of a tenth more surplus; so it is reckoned at a few
    scales, and between them by proportion.
    """

    scales: Floats  # [scale], rising
    rig_mwh: Floats  # [scale, year, 12, model, band]
    idle_mwh: Floats  # [scale, year, 12, band]
    cycles: Floats  # [scale, year, 12, model]
    hours: Floats  # [scale, year, 12, band]
    surplus_mwh: Floats  # [scale, year, 12]
    rates: Floats  # [band]


def stack(
    scales: tuple[float, ...],
    years: tuple[tuple[Absorbed, ...], ...],
    rates: Floats,
    missing: tuple[int, ...],
) -> Years:
    """Months that the history does not have are given the mean of the others."""

    def whole(name: str) -> Floats:
        return np.stack(
            [np.stack([filled(getattr(year, name), missing) for year in row]) for row in years]
        )

    return Years(
        np.array(scales),
        whole("rig_mwh"),
        whole("idle_mwh"),
        whole("cycles"),
        whole("hours"),
        whole("surplus_mwh"),
        rates,
    )


@dataclass(frozen=True, slots=True)
class Runs:
    """What differs between runs.

    `weather` is [run, plan year], a place among the years of surplus; None: their mean.
    """

    course: Course
    surplus_scale: Floats  # [run, 1]
    failures_percent: Floats  # [run, 1]
    weather: Ints | None = None

    @property
    def count(self) -> int:
        return len(self.surplus_scale)


@dataclass(frozen=True, slots=True)
class Cash:
    """What came of it, [run, month] unless it says otherwise. Costs are positive."""

    absorbed_mwh: Floats  # of the surplus, at the meter
    hours: Floats  # in which at least one rig runs
    site_mwh: Floats  # that and what sleeping rigs draw
    coins: Floats  # after stale work and pool fee
    revenue: Floats
    power: Floats
    upkeep: Floats  # opex, repairs, wear
    tax: Floats
    replacement: Floats
    invested: float  # before the first month
    left_over: float  # after the last
    flow: Floats  # of cash, [run, 1 + months]: investment first
    tariff: Floats  # [run], mean of what is paid for a MWh


def cash(
    inputs: Inputs,
    fleet: Fleet,
    years: Years,
    when: Calendar,
    runs: Runs,
    *,
    follows_price: bool = False,
    tariff_shift: Floats | None = None,
) -> Cash:
    """`follows_price`: rigs sleep in bands that cost more than they earn (objective "profit").
    Their starts are not counted: wear is that of following the surplus at any price.

    `tariff_shift` [run, 1] is added to every band's rate.
    """
    site, money = inputs.site, inputs.money
    kappa = site.overhead.value
    shift = np.zeros((runs.count, 1)) if tariff_shift is None else tariff_shift
    rate = years.rates + shift[:, :, None]  # [run, 1, band]

    up = 1 - runs.failures_percent / 100 * site.repair_days.value / 365
    scale = up.clip(0, 1)[:, :, None]
    kept_work = (1 - site.stale_percent.value / 100) * (1 - site.pool_fee_percent.value / 100)
    zero = np.zeros((runs.count, when.months))
    rig_mwh, coins, power, upkeep = zero.copy(), zero.copy(), zero.copy(), zero.copy()
    idle_mwh = picked(years, years.idle_mwh, when, runs)
    hours = picked(years, years.hours, when, runs)
    for place, machine in enumerate(fleet.machines):
        per_mwh = kept_work * btc_per_mwh(
            inputs.chain, when, runs.course, machine.efficiency_j_per_th
        )
        energy = picked(years, years.rig_mwh[:, :, :, place], when, runs) * scale
        if follows_price:
            pays = (per_mwh * runs.course.price)[:, :, None] > kappa * rate
            idle_mwh = idle_mwh + energy * ~pays * kappa * site.idle_w.value / machine.watts
            energy = energy * pays
            if place == 0:  # the most efficient: where it sleeps, all do
                hours = hours * pays
        rig_mwh += energy.sum(axis=2)
        coins += energy.sum(axis=2) * per_mwh
        power += (energy * kappa * rate).sum(axis=2)
        cycles = picked(years, years.cycles[:, :, :, place], when, runs)
        upkeep += cycles * site.cycle_cost.value
        repairs = runs.failures_percent / 100 * site.repair_percent.value / 100
        upkeep += repairs * machine.price.value * machine.count / 12

    power += (idle_mwh * rate).sum(axis=2)
    site_mw = fleet.rig_mw * kappa
    upkeep += money.opex.value * site_mw / 12

    revenue = coins * runs.course.price
    rigs = sum(machine.price.value * machine.count for machine in fleet.machines)
    building = (money.hall.value + money.cooling.value + money.connection.value) * site_mw
    life = max(1, round(12 * money.rig_life_years.value))
    replacement = _replacements(rigs, life, money.rig_residual_percent.value / 100, when.months)
    depreciation = _depreciation(inputs, rigs, building, life, when.months)
    profit = revenue - power - upkeep
    tax = _tax(profit - depreciation, money.tax_percent.value / 100)
    left_over = float(rigs + building + replacement.sum() - depreciation.sum())

    flow = np.empty((runs.count, when.months + 1))
    flow[:, 0] = -(rigs + building)
    flow[:, 1:] = profit - tax - replacement
    flow[:, -1] += left_over
    site_mwh = rig_mwh * kappa + idle_mwh.sum(axis=2)
    used = site_mwh.sum(axis=1)
    return Cash(
        rig_mwh * kappa,
        hours.sum(axis=2),
        site_mwh,
        coins,
        revenue,
        power,
        upkeep,
        tax,
        np.broadcast_to(replacement, zero.shape),
        float(rigs + building),
        left_over,
        flow,
        # Who sleeps at all hours and draws nothing would have paid the mean of the bands.
        np.where(used > 0, power.sum(axis=1) / np.maximum(used, 1e-9), rate.mean(axis=(1, 2))),
    )


def picked(years: Years, table: Floats, when: Calendar, runs: Runs) -> Floats:
    """A table of `years` as [run, month, ...]: each run's own weather and scale, or the means."""
    month = np.array(when.month_of_year)

    def at(scale: Ints) -> Floats:
        if runs.weather is None:
            return np.asarray(table.mean(axis=1)[:, month][scale])
        year = np.repeat(runs.weather, 12, axis=1)[:, : when.months]
        return np.asarray(table[scale[:, None], year, month[None, :]])

    place = np.interp(runs.surplus_scale[:, 0], years.scales, np.arange(len(years.scales)))
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, len(years.scales) - 1)
    part = (place - below).reshape(-1, *[1] * (table.ndim - 2))
    return at(below) * (1 - part) + at(above) * part


def _replacements(rigs: float, life: int, residual: float, months: int) -> Floats:
    """New rigs when the old ones have lived, less what those still bring; not in the last month."""
    cost = np.zeros(months)
    cost[life - 1 : months - 1 : life] = rigs * (1 - residual)
    return cost


def _depreciation(inputs: Inputs, rigs: float, building: float, life: int, months: int) -> Floats:
    """Straight lines: rigs over their life, the site over the plan."""
    money = inputs.money
    monthly = rigs * (1 - money.rig_residual_percent.value / 100) / life
    monthly += building * (1 - money.site_residual_percent.value / 100) / months
    return np.full(months, monthly)


def _tax(profit: Floats, rate: float) -> Floats:
    """Once a year, in its last month; losses are carried forward."""
    tax = np.zeros_like(profit)
    carried = np.zeros(len(profit))
    for last in range(11, profit.shape[1], 12):
        carried = carried + profit[:, last - 11 : last + 1].sum(axis=1)
        tax[:, last] = np.maximum(carried, 0.0) * rate
        carried = np.minimum(carried, 0.0)
    return tax


# -- what an investor asks ---------------------------------------------------------------------


def npv(flow: Floats, percent: float) -> Floats:
    """Per run, at a yearly rate; a month's cash comes at its end."""
    years = np.arange(flow.shape[1]) / 12
    return np.asarray(flow @ (1 + percent / 100) ** -years)


def irr_percent(flow: Floats) -> Floats:
    """Per run; minus infinity where not even a loss of all but a hundredth a year explains it."""
    low = np.full(len(flow), np.log1p(_IRR_LOW))
    high = np.full(len(flow), np.log1p(_IRR_HIGH))
    years = np.arange(flow.shape[1]) / 12

    def worth(rate: Floats) -> Floats:
        return np.asarray((flow * np.exp(-rate[:, None] * years)).sum(axis=1))

    is_hopeless = worth(low) < 0
    is_boundless = worth(high) > 0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        is_more = worth(middle) > 0
        low, high = np.where(is_more, middle, low), np.where(is_more, high, middle)
    percent = 100 * np.expm1((low + high) / 2)
    return np.where(is_hopeless, -np.inf, np.where(is_boundless, np.inf, percent))


def payback_years(flow: Floats) -> Floats:
    """Per run, from the first month on and without interest; infinite where never."""
    total = flow.cumsum(axis=1)
    is_back = total >= 0
    # What is sold at the end pays back too, but a sum that falls again was not back yet.
    stays = np.flip(np.logical_and.accumulate(np.flip(is_back, axis=1), axis=1), axis=1)
    first = stays.argmax(axis=1)
    return np.where(stays.any(axis=1), first / 12, np.inf)
