"""What a MWh earns, costs and wears on each rig, as arrays; and the order that follows.

Ranges, so that nothing overflows int64: a MWh holds at most 10^6 PH (`blocks`), 10^18 hashes are
worth at most 4 · 10^12 micro-units (`market`), a rig takes at most some 20 kW.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import DAY, Objective, Settings
from stratum.power.brain.state import RigState
from stratum.power.brain.values import Flags, Ints
from stratum.power.economics.blocks import MOST_PH_PER_MWH, PH_PER_GH_J
from stratum.power.economics.ceilings import WHOLE_BP

HOURS_PER_DAY = 24
MINUTES_PER_DAY = 1440
SECONDS_PER_HOUR = 3600


def net_micro_per_eh(micro_per_eh: int, settings: Settings) -> int:
    """What is left of 10^18 hashes when rejects, stales and the pool have had their part."""
    kept = (WHOLE_BP - settings.stale_bp) * (WHOLE_BP - settings.pool_fee_bp)
    return micro_per_eh * kept // WHOLE_BP**2


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """Of a MWh at each rig, the site's overhead in it; rows of the unknown carry a stand-in."""

    micro: Ints
    known: Flags


def costs(fleet: Fleet, settings: Settings, wall_ms: int, live_price_micro: int | None) -> Costs:
    """Each rig pays what its owner does: by the plan, else the flat tariff, else the live price.

    An owner of whom nothing is known ranks with the dearest: silence wins nobody an advantage.
    """
    owners = [_owner_cost(o.name, settings, wall_ms, live_price_micro) for o in fleet.owners]
    told = [cost for cost in owners if cost is not None]
    stand_in = max(told, default=0)
    micro = np.array([stand_in if cost is None else cost for cost in owners], np.int64)
    known = np.array([cost is not None for cost in owners], np.bool_)
    return Costs((micro * settings.overhead_bp // WHOLE_BP)[fleet.owner], known[fleet.owner])


def _owner_cost(owner: str, settings: Settings, wall_ms: int, live: int | None) -> int | None:
    plan = settings.tariff_plans.get(owner)
    if plan is not None:
        return plan.cost_micro(wall_ms, live)
    return settings.tariffs.get(owner, live)


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """One row a rig."""

    merit: Ints
    margin_micro: Ints  # of a MWh at full power, idle watts included; before wear
    least_run_ms: Ints


def figures(
    fleet: Fleet, rigs: RigState, settings: Settings, net_micro: int, cost_micro: Ints
) -> Figures:
    """Rank the rigs at what 10^18 hashes bring (`net_micro`) and a MWh costs each of them."""
    full_w = np.maximum(rigs.full_w(fleet), 1)
    moved_w = np.maximum(full_w - rigs.asleep_w(fleet), 1)  # what a wake adds: it idles anyway
    earned = _per_mwh(fleet.ghs, moved_w, net_micro)
    cycles = rigs.cycles.sum(axis=0)

    worn = cycles * settings.cycle_cost_minutes
    if settings.cycle_cost_micro is None:
        cycle_micro = _per_hour(earned, moved_w) * settings.cycle_cost_minutes // 60
        wear = earned * worn // MINUTES_PER_DAY
    else:
        cycle_micro = np.full(len(fleet), settings.cycle_cost_micro, np.int64)
        wear = cycle_micro * cycles * 1000 // (HOURS_PER_DAY * moved_w) * 1000

    merit = earned - cost_micro - wear
    paid = cost_micro < 0
    if paid.any():  # reference §6: then rank by the watts absorbed, above all who pay
        top = int(merit[~paid].max(initial=0))
        absorbed_w = moved_w - moved_w * worn // MINUTES_PER_DAY
        merit = np.where(paid, top + 1 + np.maximum(absorbed_w, 0), merit)

    return Figures(
        merit,
        _per_mwh(fleet.ghs, full_w, net_micro) - cost_micro,
        _least_run_ms(cycle_micro, _per_hour(earned - cost_micro, moved_w), settings.objective),
    )


def _per_mwh(ghs: Ints, watts: Ints, net_micro: int) -> Ints:
    ph: Ints = np.minimum(PH_PER_GH_J * ghs // watts, MOST_PH_PER_MWH)
    return ph * net_micro // 1000


def _per_hour(micro_per_mwh: Ints, watts: Ints) -> Ints:
    """Micro-units an hour; in thousands in between, or the product would not fit."""
    return micro_per_mwh // 1000 * watts // 1000


def _least_run_ms(cycle_micro: Ints, margin_per_hour: Ints, objective: Objective) -> Ints:
    """T_min = C_cyc / m: the run that pays for its own wake, at most a day.

    Under `absorb` none: energy missed weighs more there than a cycle.
    """
    if objective is Objective.ABSORB:
        return np.zeros_like(cycle_micro)
    seconds = cycle_micro * SECONDS_PER_HOUR // np.maximum(margin_per_hour, 1)
    return np.minimum(seconds * 1000, DAY)


def hourly_micro(margin_micro: Ints, rigs: RigState, fleet: Fleet) -> Ints:
    """Margin an hour of what runs or may be running, one row a rig.

    A rig held below its full power is taken to earn in proportion.
    """
    watts = np.where(rigs.ordered_w < 0, rigs.full_w(fleet), rigs.ordered_w)
    return _per_hour(margin_micro, watts)
