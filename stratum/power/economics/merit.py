"""Who keeps running, up to which power, and what that earns or loses.

`merit` ranks: the margin of a MWh put into this rig rather than left to the plant, less the wear
of its cycles. A rig that was woken n times in the last 24 h has run a day's n-th part at a time,
so each MWh of it carries n · C_cyc / (24 h · ΔW). Where energy costs less than nothing every rig
earns, and they rank by the watts they take.

Price moves a ceiling under `profit` only, and only as `ceilings` says. Under `absorb` it moves
nothing: the loss is shown. A price that is bad, stale or missing moves nothing either.

The figures are made anew when the market, the live price or the minute has changed; what lies
between costs a few comparisons. A reload of settings, and a wake, are seen within the minute.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from stratum.power.brain.commands import Cause, Level, Reason
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import MINUTE, Objective, Settings
from stratum.power.brain.state import RigState
from stratum.power.brain.values import Ints, Market
from stratum.power.economics.blocks import Ladder
from stratum.power.economics.ceilings import NOT_DUE, WHOLE_BP, Ceilings, paying_levels
from stratum.power.economics.currency import show_amount
from stratum.power.economics.figures import Costs, costs, figures, hourly_micro, net_micro_per_eh
from stratum.power.economics.market import Belief, judge

#: Before any price was believed rigs still need an order. 34.47 USD per PH/day in this unit: with
#: no costs beside it any figure ranks by efficiency, this one keeps wear in proportion.
NOMINAL_MICRO_PER_EH = 400_000


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """One row a rig, for dispatch, which only reads: the arrays are those of the state."""

    merit: Ints  # micro-units per MWh where energy costs; higher: shed later, woken sooner
    ceiling_w: Ints  # nameplate watts; rated_w where price says nothing, 0 is sleep
    least_run_ms: Ints  # a wake for less time than this costs more than it earns

    #: Of all that is ordered to run, or may be running; None before a price was believed, or
    #: while a tariff is unknown. Negative: the farm loses this by running.
    margin_micro_per_h: int | None
    #: What the losing rigs among them lose: the price of following the plant. Never negative.
    loss_micro_per_h: int | None
    cause: Cause = Cause.PRICE  # of what the ceilings take away


@dataclass(frozen=True, slots=True)
class Seen:
    """What the figures were made from; made anew when it is no longer so."""

    minute: int = -1
    objective: Objective = Objective.ABSORB
    micro_per_eh: int | None = None
    doubt: str = ""  # code of what is wrong with the market now
    live_price_micro: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PriceState:
    """What was believed last, and the figures made from it."""

    ceilings: Ceilings
    merit: Ints
    least_run_ms: Ints
    margin_micro: Ints  # per MWh of each rig at full power, idle watts included
    is_money: bool = False  # False: margin_micro is an order and no more
    seen: Seen = field(default_factory=Seen)
    belief: Belief | None = None
    live_price_micro: int | None = None  # the last that was known
    due_ms: int = NOT_DUE  # when the first wish for a ceiling is confirmed
    unpriced: tuple[str, ...] = ()  # owners whose tariff is unknown, told once
    losing: int = 0  # rigs that lose money, told when it begins and ends

    @classmethod
    def fresh(cls, fleet: Fleet) -> PriceState:
        nothing = np.zeros(len(fleet), np.int64)
        return cls(Ceilings.fresh(fleet), nothing, nothing, nothing)

    def carried_to(self, old: Fleet, fleet: Fleet) -> PriceState:
        """The same for a new inventory: by id, the ceilings of rigs whose nameplate stayed."""
        before = {rig: row for row, rig in enumerate(old.ids)}
        fresh = PriceState.fresh(fleet)
        ceiling_w = fresh.ceilings.ceiling_w.copy()
        for row, rig in enumerate(fleet.ids):
            was = before.get(rig)
            if was is not None and old.rated_w[was] == fleet.rated_w[row]:
                ceiling_w[row] = self.ceilings.ceiling_w[was]
        return replace(
            fresh,
            ceilings=Ceilings(ceiling_w, ceiling_w, fresh.ceilings.since_ms),
            belief=self.belief,
            live_price_micro=self.live_price_micro,
            unpriced=self.unpriced,
            losing=self.losing,
        )


def worth(
    fleet: Fleet,
    rigs: RigState,
    market: Market | None,
    state: PriceState,
    settings: Settings,
    now_ms: int,
    wall_ms: int,
    at_price_micro: int | None,
) -> tuple[Worth, PriceState, tuple[Reason, ...]]:
    """Rank the rigs and say how high each may run. `at_price_micro` is the live PRICE per MWh."""
    verdict = judge(market, state.belief, settings, wall_ms)
    doubt = verdict if isinstance(verdict, Reason) else None
    belief = verdict if isinstance(verdict, Belief) else state.belief
    seen = Seen(
        wall_ms // MINUTE,
        settings.objective,
        belief.micro_per_eh if belief else None,
        doubt.code if doubt else "",
        at_price_micro,
    )
    reasons: list[Reason] = []
    if doubt and doubt.code != state.seen.doubt:
        reasons.append(doubt)
    if state.seen.doubt and not doubt:
        reasons.append(Reason("price_believed", "the coin price is to be believed again"))
    if seen != state.seen or now_ms >= state.due_ms:
        state = replace(state, seen=seen, belief=belief)
        state = _made_anew(fleet, rigs, state, settings, now_ms, wall_ms, reasons)
    elif belief is not state.belief:
        state = replace(state, belief=belief)

    margin, loss = None, None
    if state.is_money:
        hourly = hourly_micro(state.margin_micro, rigs, fleet)
        margin, loss = int(hourly.sum()), -int(np.minimum(hourly, 0).sum())
    result = Worth(state.merit, state.ceilings.ceiling_w, state.least_run_ms, margin, loss)
    return result, state, tuple(reasons)


def _made_anew(
    fleet: Fleet,
    rigs: RigState,
    state: PriceState,
    settings: Settings,
    now_ms: int,
    wall_ms: int,
    reasons: list[Reason],
) -> PriceState:
    live = state.seen.live_price_micro
    cost = costs(fleet, settings, wall_ms, live)
    last_live = state.live_price_micro if live is None else live

    ranked_at = cost if live == last_live else costs(fleet, settings, wall_ms, last_live)
    belief = state.belief
    if belief is not None:
        rate, cost_micro = belief.micro_per_eh, ranked_at.micro
    else:  # what is paid for taking energy is known without a coin
        rate, cost_micro = NOMINAL_MICRO_PER_EH, np.minimum(ranked_at.micro, 0)
    made = figures(fleet, rigs, settings, net_micro_per_eh(rate, settings), cost_micro)

    unpriced = _unpriced(fleet, cost)
    reasons += [_unpriced_reason(owner) for owner in unpriced if owner not in state.unpriced]
    is_money = belief is not None and bool(cost.known.all())
    losing = 0
    if is_money and settings.objective is Objective.ABSORB:
        losing = _losing(made.margin_micro, cost_micro, settings, bool(state.losing))
        reasons += _loss_reasons(state.losing, losing, made.margin_micro, fleet, settings)

    ceilings = _ceilings(fleet, rigs, state, cost, settings, now_ms)
    reasons += _ceiling_reasons(state.ceilings, ceilings, fleet, belief, settings)
    return replace(
        state,
        ceilings=ceilings,
        merit=made.merit,
        least_run_ms=made.least_run_ms,
        margin_micro=made.margin_micro,
        is_money=is_money,
        live_price_micro=last_live,
        due_ms=ceilings.due_ms(settings.price_confirm_ms),
        unpriced=unpriced,
        losing=losing,
    )


def _ceilings(
    fleet: Fleet, rigs: RigState, state: PriceState, cost: Costs, settings: Settings, now_ms: int
) -> Ceilings:
    """Where price lets each rig run now. What is doubted or unknown leaves them where they are."""
    if settings.objective is Objective.ABSORB:
        return Ceilings.fresh(fleet)
    if state.belief is None or state.seen.doubt:
        return state.ceilings.undisturbed()

    net = net_micro_per_eh(state.belief.micro_per_eh, settings)
    keep_w, rise_w = paying_levels(
        Ladder.of(fleet), fleet, rigs.full_w(fleet), net, cost.micro, settings.price_margin_bp
    )
    held_w = state.ceilings.ceiling_w
    return state.ceilings.moved(
        np.where(cost.known, keep_w, held_w),
        np.where(cost.known, rise_w, held_w),
        now_ms,
        settings.price_confirm_ms,
    )


def _unpriced(fleet: Fleet, cost: Costs) -> tuple[str, ...]:
    rows = np.unique(fleet.owner[~cost.known])
    return tuple(fleet.owners[row].name for row in rows)


def _unpriced_reason(owner: str) -> Reason:
    text = f"what {owner} pays for a MWh is not known: price leaves its rigs where they are"
    return Reason("tariff_unknown", text, Level.WARNING, owner)


def _losing(margin_micro: Ints, cost_micro: Ints, settings: Settings, before: bool) -> int:
    """How many rigs lose money; once some do, until all earn the margin."""
    band = np.abs(cost_micro) * settings.price_margin_bp // WHOLE_BP if before else 0
    return int((margin_micro < band).sum())


def _loss_reasons(
    before: int, losing: int, margin_micro: Ints, fleet: Fleet, settings: Settings
) -> list[Reason]:
    if bool(before) == bool(losing):
        return []
    if not losing:
        return [Reason("absorb_earns", "every rig earns its energy again")]
    hourly = np.minimum(margin_micro, 0) // 1000 * fleet.rated_w // 1000
    text = (
        f"{losing} of {len(fleet)} rigs lose money at this price, together up to "
        f"{show_amount(-int(hourly.sum()), settings.currency)} an hour; absorb follows the plant"
    )
    return [Reason("absorb_at_a_loss", text, Level.WARNING)]


def _ceiling_reasons(
    old: Ceilings, new: Ceilings, fleet: Fleet, belief: Belief | None, settings: Settings
) -> list[Reason]:
    reasons = []
    rate = ""
    if belief is not None:
        # 1 PH/s does 86.4 EH a day.
        rate = f"{show_amount(belief.micro_per_eh * 864 // 10, settings.currency)} per PH/day"
    minutes = settings.price_confirm_ms // MINUTE
    if moves := _moves(old.ceiling_w, new.ceiling_w):
        text = f"price, {rate}, {minutes} min beyond the margin: {moves}"
        reasons.append(Reason("price_ceiling", text))
    was_quiet = bool((old.wish_w == old.ceiling_w).all())
    if was_quiet and (moves := _moves(new.ceiling_w, new.wish_w)):
        text = f"price, {rate}: {moves}, if it stays so for {minutes} min"
        reasons.append(Reason("price_pending", text))
    return reasons


def _moves(before_w: Ints, after_w: Ints) -> str:
    """`12 rigs down by 40.2 kW, 3 up by 9.0 kW`; empty where nothing moves."""
    change_w = after_w - before_w
    parts = [
        f"{int(rows.sum())} {'rig' if rows.sum() == 1 else 'rigs'} {way} by "
        f"{abs(int(change_w[rows].sum())) / 1000:.1f} kW"
        for way, rows in (("down", change_w < 0), ("up", change_w > 0))
        if rows.any()
    ]
    return ", ".join(parts)
