"""Surplus against fleet: what is taken in each step, the hours of running, the cycles.

The rule of a step is `power taken = min(surplus less reserve, fleet)`, in whole rigs, the most
efficient model first. Three things of the controller are kept, at the given step:

    min-off     a rig that was shed sleeps at least so many steps; at 15 minutes that is one
    restore     each waking loses the wait for confirmation and the start, as missed energy
    rotation    cycles are shared out: what is reported is the mean of all rigs of a model

Min-on is not: it never holds back what the plant orders, and nothing else is ordered here. Trim
rigs, ramps, noise within a step and rigs that do not answer are the simulator's subject
(`baseload power simulate`); they cost 1 to 5 % of the energy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratum.power.plan.fleet import Fleet
from stratum.power.plan.inputs import Site
from stratum.power.plan.surplus import Floats, Ints, Surplus
from stratum.power.plan.tariff import Bands

MONTHS = 12

#: Of a month, in a year that is no leap year.
_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


@dataclass(frozen=True, slots=True)
class Absorbed:
    """A year of it, per month of the year (12) and model, in energy per price band.

    `rig_mwh` is [month, model, band] at the rigs; `site_mwh` the same at the meter, idle rigs not
    included; `idle_mwh` [month, band] what sleeping rigs draw, at the meter. `taken_mw` is each
    step's power at the meter.
    """

    taken_mw: Floats
    surplus_mwh: Floats  # [month]
    rig_mwh: Floats
    idle_mwh: Floats
    hours: Floats  # [month, band], in which at least one rig runs
    cycles: Floats  # [month, model], wakings of all rigs


def absorb(
    surplus: Surplus, fleet: Fleet, site: Site, bands: Bands, scale: float = 1.0
) -> Absorbed:
    """One history, each step of it so many times as rich, against one fleet.

    Months count once, where the history covers more or less of them.
    """
    step_h = surplus.step_s / 3600
    month = months_of(surplus)
    weight = _weights(surplus, month)
    shape = (MONTHS, len(fleet.machines), len(bands.rates))

    there_mw = surplus.mw * scale
    left_mw = there_mw * (1 - site.reserve_percent.value / 100)
    taken_mw = np.zeros(len(surplus.mw))
    idle_rigs = np.zeros(len(surplus.mw))
    rig_mwh, cycles = np.zeros(shape), np.zeros(shape[:2])
    for place, machine in enumerate(fleet.machines):
        rig_mw = machine.watts / 1e6
        site_mw = rig_mw * site.overhead.value
        wanted = np.minimum(np.floor(left_mw / site_mw + 1e-9), machine.count).astype(np.int64)
        running = _rested(wanted, machine.count, site.min_off_s.value, surplus.step_s)
        woken = np.maximum(np.diff(running, prepend=running[:1]), 0)

        taken_mw += running * site_mw
        left_mw = np.maximum(left_mw - running * site_mw, 0.0)
        idle_rigs += machine.count - running
        lost_h = np.minimum(woken * site.restore_s.value / 3600, running * step_h)
        energy = (running * step_h - lost_h) * rig_mw * weight
        rig_mwh[:, place, :] = _by_month_and_band(energy, month, bands)
        cycles[:, place] = _by_month(woken * weight, month)

    idle_mw = idle_rigs * site.idle_w.value / 1e6 * site.overhead.value
    return Absorbed(
        taken_mw,
        _by_month(there_mw * step_h * weight, month),
        rig_mwh,
        _by_month_and_band(idle_mw * step_h * weight, month, bands),
        _by_month_and_band((taken_mw > 0) * step_h * weight, month, bands),
        cycles,
    )


def _rested(wanted: Ints, count: int, min_off_s: float, step_s: int) -> Ints:
    """Rigs running where none that was shed wakes before its rest is over."""
    rest = -(-int(min_off_s) // step_s)
    if rest <= 1:  # the step in which it sleeps is rest enough
        return wanted
    running = np.empty_like(wanted)
    shed = [0] * len(wanted)
    before = int(wanted[0]) if len(wanted) else 0
    resting = 0
    for step, wish in enumerate(wanted.tolist()):
        if step >= rest:
            resting -= shed[step - rest]
        now = min(wish, max(count - resting, 0))
        if now < before:
            shed[step] = before - now
            resting += before - now
        running[step] = before = now
    return running


# -- months ------------------------------------------------------------------------------------


def months_of(surplus: Surplus) -> Ints:
    """Month of the year of each step, 0 to 11, UTC."""
    stamps = surplus.times_s.astype("datetime64[s]")
    return np.asarray(stamps.astype("datetime64[M]").astype(np.int64) % MONTHS)


def missing_months(surplus: Surplus) -> tuple[int, ...]:
    """Months of the year of which the history has not a single step."""
    seen = set(np.unique(months_of(surplus)).tolist())
    return tuple(month for month in range(MONTHS) if month not in seen)


def _weights(surplus: Surplus, month: Ints) -> Floats:
    """What makes each month of the year count once, however often the history has it.

    Missing months are left at nothing here; `filled` gives them the mean of the others.
    """
    steps = np.bincount(month, minlength=MONTHS)
    due = _DAYS * 86_400 / surplus.step_s
    return np.asarray((due / np.maximum(steps, 1))[month])


def filled(values: Floats, missing: tuple[int, ...]) -> Floats:
    """The same with missing months (first axis) set to the mean of those that are there."""
    if not missing:
        return values
    there = [month for month in range(MONTHS) if month not in missing]
    whole = values.copy()
    whole[list(missing)] = values[there].mean(axis=0)
    return whole


def _by_month(values: Floats | Ints, month: Ints) -> Floats:
    return np.bincount(month, weights=values, minlength=MONTHS).astype(np.float64)


def _by_month_and_band(values: Floats, month: Ints, bands: Bands) -> Floats:
    width = len(bands.rates)
    sums = np.bincount(month * width + bands.band, weights=values, minlength=MONTHS * width)
    return sums.astype(np.float64).reshape(MONTHS, width)
