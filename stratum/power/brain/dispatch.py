"""One second of control: what came in, what is now known, what is wanted, what is ordered.

    observation            whose word counts, what the signals say, which rigs obeyed, what the load
                           is; who did not obey is counted at its worst from here on
    aiming                 the target, and this second's goal
    allocation, rotation   which rigs
    sending                what is remembered of an order
    capability             what can be promised from here

A state that was handed in is never changed: live control, dry run, simulation and replay call this
and get the same answer for the same input, on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stratum.power.brain import fairness
from stratum.power.brain.aiming import Aim, StartState, aim
from stratum.power.brain.allocation import Allocator, Task
from stratum.power.brain.capability import capability
from stratum.power.brain.clocks import ClockState
from stratum.power.brain.commands import Commands, Picture, Reason
from stratum.power.brain.draft import Draft
from stratum.power.brain.estimator import MeterMemory
from stratum.power.brain.explaining import explain
from stratum.power.brain.fairness import FairnessState
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.observation import Facts, Memory, forget_old_cycles, observe
from stratum.power.brain.overrides import OverrideState
from stratum.power.brain.pacing import PacingState, ramp_up_w
from stratum.power.brain.ranking import Ranking, bands
from stratum.power.brain.rotation import RotationState, rotate
from stratum.power.brain.sending import send
from stratum.power.brain.settings import Mode, Settings
from stratum.power.brain.sources import SourceMemory
from stratum.power.brain.state import RigState
from stratum.power.brain.trim import trim_group
from stratum.power.brain.values import Inputs, Ints
from stratum.power.brain.verification import VerificationState
from stratum.power.economics.merit import PriceState


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """All that is remembered between ticks."""

    rigs: RigState
    overrides: OverrideState
    sources: SourceMemory
    verification: VerificationState
    price: PriceState
    clocks: ClockState = field(default_factory=ClockState)
    meters: dict[str, MeterMemory] = field(default_factory=dict)
    load_w: int | None = None
    owed_w: int = 0  # load that was still to come down after the last tick
    pacing: PacingState = field(default_factory=PacingState)
    fairness: FairnessState = field(default_factory=FairnessState)
    rotation: RotationState = field(default_factory=RotationState)
    start: StartState = field(default_factory=StartState)
    next_command: int = 1

    @classmethod
    def fresh(cls, fleet: Fleet, settings: Settings) -> State:
        """Nothing known, nothing ordered: the cold start of P5."""
        return cls(
            rigs=RigState.fresh(fleet),
            overrides=OverrideState.fresh(settings),
            sources=SourceMemory.fresh(settings),
            verification=VerificationState.fresh(fleet),
            price=PriceState.fresh(fleet),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What `decide` answers; `state` is what the next call is given."""

    state: State
    commands: Commands
    reasons: tuple[Reason, ...]
    picture: Picture


def decide(state: State, inputs: Inputs, settings: Settings, fleet: Fleet) -> Decision:
    """Decide one tick. Pure; nothing that came in from outside makes it raise."""
    rigs = state.rigs.copy()
    before_ms = None if state.pacing.goal_w is None else state.pacing.at_ms
    forget_old_cycles(rigs, before_ms, inputs.now_ms)

    facts = observe(memory_of(state), rigs, inputs, settings, fleet, state.owed_w)
    goal = aim(facts, rigs, state.pacing, state.start, inputs, settings, fleet)
    off_w = fairness.curtailed_w(rigs, fleet)
    tick = allocator(state, rigs, facts, goal, off_w, inputs, settings, fleet)
    turned = allocate(tick, facts, state.rotation)

    commands = tick.draft.commands(state.next_command)
    memory = facts.memory
    learned = memory.verification.learned
    send(commands, tick.draft, facts.load, learned, settings, inputs.now_ms)
    return Decision(
        state=State(
            rigs=rigs,
            clocks=memory.clocks,
            overrides=memory.overrides,
            sources=memory.sources,
            verification=memory.verification,
            price=memory.price,
            meters=memory.meters,
            load_w=memory.load_w,
            pacing=goal.pacing,
            owed_w=max(0, facts.feeders.site.settled_w - goal.goal_w),
            fairness=fairness.count(state.fairness, off_w, settings, inputs.now_ms),
            rotation=turned,
            start=goal.start,
            next_command=state.next_command + len(commands),
        ),
        commands=commands,
        reasons=facts.reasons + explain(tick, facts, goal, state.pacing, inputs.journal),
        picture=picture(tick, facts, goal),
    )


def memory_of(state: State) -> Memory:
    return Memory(
        clocks=state.clocks,
        overrides=state.overrides,
        sources=state.sources,
        verification=state.verification,
        price=state.price,
        meters=state.meters,
        load_w=state.load_w,
    )


def allocator(
    state: State,
    rigs: RigState,
    facts: Facts,
    goal: Aim,
    off_w: Ints,
    inputs: Inputs,
    settings: Settings,
    fleet: Fleet,
) -> Allocator:
    """Everything the allocation of this tick reads, and the draft it writes."""
    site = facts.feeders.site
    ceiling_w = ceilings_w(facts, rigs, fleet)
    wish_w = fairness.wishes_w(state.fairness, off_w, site.settled_w - goal.goal_w, fleet)
    return Allocator(
        fleet=fleet,
        rigs=rigs,
        settings=settings,
        feeders=facts.feeders,
        ranking=Ranking(
            fleet=fleet,
            rigs=rigs,
            band=bands(facts.worth.merit, settings),
            cycles=rigs.cycles.sum(axis=0),
            off_w=off_w,
            wish_w=wish_w,
            over_price=facts.load.assumed_w > np.maximum(ceiling_w, fleet.idle_w),
        ),
        ceiling_w=ceiling_w,
        limit_w=facts.memory.overrides.rig_limits(fleet),
        task=Task(
            goal_w=goal.goal_w,
            settled_w=site.settled_w,
            ahead_w=site.ahead_w,
            lowest_w=goal.lowest_w,
            cause=goal.cause,
            is_emergency=facts.order.emergency,
            may_wake=goal.may_wake,
            blind_drop_w=goal.blind_drop_w,
            tick=inputs.tick,
            now_ms=inputs.now_ms,
        ),
        draft=Draft(fleet, rigs, facts.load.assumed_w),
    )


def ceilings_w(facts: Facts, rigs: RigState, fleet: Fleet) -> Ints:
    """How high each rig may run: what it can, what price leaves, what an operator said of it.

    A price ceiling is in nameplate watts, and at nameplate it is none: a rig that takes more than
    its label says is not cut for that.
    """
    full_w, limit_w = rigs.full_w(fleet), facts.memory.overrides.rig_limits(fleet)
    priced_w = facts.worth.ceiling_w
    ceiling_w = np.where(priced_w >= fleet.rated_w, full_w, np.minimum(priced_w, full_w))
    return np.where(limit_w < 0, ceiling_w, np.minimum(ceiling_w, limit_w))


def allocate(tick: Allocator, facts: Facts, rotation: RotationState) -> RotationState:
    """Decide which rigs; in observe mode none."""
    if facts.memory.overrides.mode is not Mode.CONTROL:
        return rotation
    tick.run(trim_group(tick.fleet, tick.rigs, facts.load.assumed_w, tick.ceiling_w))
    turned = rotate(rotation, tick)
    retries = facts.verified.retries
    sent = (retries.power_w == 0) | (retries.rung > 0) | tick.task.may_wake
    tick.draft.again(retries.rig[sent], retries.power_w[sent], retries.rung[sent])
    return turned


def picture(tick: Allocator, facts: Facts, goal: Aim) -> Picture:
    """The tick in figures."""
    site, order = facts.feeders.site, facts.order
    able = capability(
        tick.fleet,
        tick.rigs,
        tick.settings,
        order,
        tick.task.now_ms,
        tick.room_w(),
        ramp_up_w(tick.settings, tick.fleet),
        facts.memory.verification.learned,
    )
    return Picture(
        target_w=order.target_w,
        goal_w=goal.goal_w,
        measured_w=site.measured_w,
        measured_from=site.source,
        settled_w=site.settled_w,
        ordered_w=int(tick.draft.assumed_w.sum()),
        surplus_w=order.surplus_w,
        sheddable_w=able.sheddable_w,
        absorb_1min_w=able.absorb_1min_w if goal.may_rise else 0,
        absorb_5min_w=able.absorb_5min_w if goal.may_rise else 0,
        absorb_15min_w=able.absorb_15min_w if goal.may_rise else 0,
        foreign_w=facts.verified.foreign_w,
        unresponsive_w=facts.verified.unresponsive_w,
        cause=order.cause.value,
        event_id=order.event_id,
        margin_micro_per_h=facts.worth.margin_micro_per_h,
        loss_micro_per_h=facts.worth.loss_micro_per_h,
    )
