"""The first half of a tick: everything that is known before anything is wanted.

Writes on the copy of the rigs' arrays that `decide` made: operators' locks, what the witnesses say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from stratum.power.brain import clocks, overrides, sources
from stratum.power.brain.arbitration import Order, arbitrate
from stratum.power.brain.commands import Reason
from stratum.power.brain.estimator import Load, MeterMemory, read_meters, thawed
from stratum.power.brain.feeders import Feeders, read_feeders
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import HOUR, Settings
from stratum.power.brain.state import HOURS, RigState, Status
from stratum.power.brain.trim import horizon_ms
from stratum.power.brain.values import Inputs
from stratum.power.brain.verification import VerificationState, Verified, verify
from stratum.power.economics.merit import PriceState, Worth, worth


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What observing remembers from tick to tick."""

    clocks: clocks.ClockState
    overrides: overrides.OverrideState
    sources: sources.SourceMemory
    verification: VerificationState
    price: PriceState
    meters: dict[str, MeterMemory]
    load_w: int | None  # as measured last, by whatever witness


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """One tick as it stands: the load, the plant's order, what each rig is worth."""

    memory: Memory
    load: Load
    feeders: Feeders
    order: Order
    verified: Verified
    worth: Worth
    reasons: tuple[Reason, ...]


def observe(
    memory: Memory,
    rigs: RigState,
    inputs: Inputs,
    settings: Settings,
    fleet: Fleet,
    owed_w: int,
) -> Facts:
    """Read one process image. `owed_w`: load that was still to come down after the last tick."""
    now_ms = inputs.now_ms
    clock, of_clocks = clocks.watch(
        memory.clocks, now_ms, inputs.wall_ms, settings, stamps_of(inputs)
    )
    meters, views = read_meters(memory.meters, inputs, settings, fleet, clock.wall_ms)
    site = views.get(0)
    is_seen = site is not None and site.fresh and not memory.verification.balance.flipped[0]
    load_w = site.power_w if site is not None and is_seen else memory.load_w
    orders, effects, of_orders = overrides.apply(
        memory.overrides, inputs.orders, now_ms, settings, fleet, load_w=load_w
    )
    for effect in effects:
        obey(rigs, effect)
    heard, of_sources = sources.advance(
        memory.sources,
        inputs.signals,
        now_ms,
        clock.wall_ms,
        settings,
        fleet.total_w,
        clock.reject_wall_timed,
        load_w=load_w,
        load_ms=site.true_ms if site is not None and is_seen else None,
        cleared=orders.cleared,
    )

    before_w = rigs.assumed_w(fleet)
    believed = tuple(
        replace(view, fresh=view.fresh and not meters[fleet.feeders[row].name].is_frozen)
        for row, view in views.items()
    )
    verified = verify(rigs, memory.verification, inputs, settings, fleet, believed, owed_w=owed_w)
    views = {
        row: replace(view, fresh=view.fresh and not verified.disbelieved[row])
        for row, view in views.items()
    }
    load = Load(rigs, verified.present_w, before_w, fleet, settings, now_ms)
    meters, views = thawed(load, views, meters)
    feeders, meters = read_feeders(load, fleet, views, meters, horizon_ms(fleet))
    order, of_arbitration = arbitrate(
        heard.views, orders, feeders.site.measured_w, settings, fleet.total_w, inputs
    )
    value, price, of_price = worth(
        fleet,
        rigs,
        inputs.market,
        memory.price,
        settings,
        now_ms,
        clock.wall_ms,
        sources.price_micro(heard.views),
    )
    return Facts(
        memory=Memory(clock, orders, heard, verified.state, price, meters, feeders.site.measured_w),
        load=load,
        feeders=feeders.capped(order.hi_w, orders.feeder_limits(fleet)),
        order=order,
        verified=verified,
        worth=value,
        reasons=(
            *of_clocks,
            *of_orders,
            *of_sources,
            *verified.reasons,
            *of_arbitration,
            *of_price,
        ),
    )


def obey(rigs: RigState, effect: overrides.OrderEffect) -> None:
    """What an operator's order says of rigs themselves; one that is adopted begins anew."""
    if effect.locked is not None:
        rigs.locked[effect.rigs] = effect.locked
    if effect.managed is not None:
        rigs.managed[effect.rigs] = effect.managed
    if effect.managed:
        left = effect.rigs[rigs.status[effect.rigs] == Status.UNRESPONSIVE]
        rigs.status[left] = Status.UNKNOWN
        rigs.rung[left] = rigs.tries[left] = 0


def stamps_of(inputs: Inputs) -> tuple[int, ...]:
    """What the plant's clocks said in this tick, UTC. A register has none."""
    return tuple(signal.event_ms for signal in inputs.signals)


def forget_old_cycles(rigs: RigState, before_ms: int | None, now_ms: int) -> None:
    """Empty the hours of the day's ring that have come round since the last tick."""
    if before_ms is None:
        return
    passed = min(HOURS, now_ms // HOUR - before_ms // HOUR)
    for hour in range(passed):
        rigs.cycles[(now_ms // HOUR - hour) % HOURS] = 0
