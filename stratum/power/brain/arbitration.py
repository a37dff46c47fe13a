"""Many wishes narrowed to one order.

    hi      the lowest of the site's cap, every cap and emergency signal, an operator's override
    target  the word of the first in line among those that the load follows, between floor and hi

A source in line has its word while it is live, held or ramping; once it is down at its fallback, or
was never heard, the next one leads, and never above that fallback. Of several with one rank the
lowest leads, and they are told of; a lost one bounds its equals. Where none has a word the lowest
fallback is the target. So there is no order of losses and returns in which a loss raises anything.

A farm without any source to follow runs up to what limits it. `upstream_lost`, no work to give,
brings it to the floor. An order says apart what may fall at once (`at_once_w`, the last word of
everyone) and what falls by our own ramp (from there to `target_w`): a plant's cut is not slowed
down because another source happens to be lost.

Prices are not arbitrated: `sources.price_micro`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from stratum.power.brain.arrival import FOLLOWED, shown
from stratum.power.brain.commands import Cause, Level, Reason
from stratum.power.brain.line import SourceView, Standing
from stratum.power.brain.overrides import Override, OverrideState
from stratum.power.brain.settings import Settings
from stratum.power.brain.values import Inputs, Kind, OrderKind

LIMITS = frozenset({Kind.CAP, Kind.EMERGENCY})

#: Still its own word; in the others baseload itself says what holds.
SPEAKING = frozenset({Standing.LIVE, Standing.HELD, Standing.RAMPING})
SPOKEN = frozenset({Standing.LIVE, Standing.HELD})

NOBODY = Reason("nobody_leads", "there is no source to follow: up to what limits the site")
NO_WORK = Reason("upstream_lost", "the upstream is lost, there is no work to give", Level.ALARM)
SITE_CAP = Reason("site_cap", "the cap of the site")


@dataclass(frozen=True, slots=True)
class Order:
    """What the load is to be now, in watts of consumption.

    `hi_w` is twice the fleet where nobody limits; `target_w` lies between `lo_w` and `hi_w` and
    may be more than the fleet can take. What is above `at_once_w` falls without a ramp, whatever
    the cause; from there to the target `cause` says whether it ramps.
    """

    target_w: int
    lo_w: int
    hi_w: int
    at_once_w: int
    cause: Cause
    emergency: bool
    restore: bool  # False: nothing is woken, and nothing turned up
    surplus_w: int | None  # all there is to take, our own load in it; None: not said
    event_id: str


@dataclass(frozen=True, slots=True)
class _Bound:
    """One wish or limit: at most `watts`; `word_w` is what of it was said, None where nothing."""

    watts: int
    word_w: int | None
    cause: Cause
    by: SourceView | Override | Reason  # Reason: what needs no more words than these


def arbitrate(
    views: tuple[SourceView, ...],
    overrides: OverrideState,
    measured_w: int | None,
    settings: Settings,
    total_w: int,
    inputs: Inputs,
) -> tuple[Order, tuple[Reason, ...]]:
    """One order, and the sentence that says whose it is.

    `measured_w` is only told: what counts from our own load was added up when its sample came.
    """
    in_line = sorted((view for view in views if view.kind in FOLLOWED), key=lambda v: v.rank)
    leaders, spent = _in_line(in_line)
    limits = _limits(views, overrides, settings)
    hi = min(2 * total_w, min((limit.watts for limit in limits), default=2 * total_w))
    lo = min(settings.floor_w, hi)

    wishes = [_of_view(view) for view in spent]
    if leaders:
        wishes.insert(0, _of_view(min(leaders, key=_value)))
    nobody = _Bound(hi, None, Cause.PLANT, NOBODY)
    first = min((*wishes, *limits), key=lambda bound: bound.watts, default=nobody)
    words = (bound.word_w for bound in (*wishes, *limits) if bound.word_w is not None)
    at_once = min(words, default=hi)
    if inputs.upstream_lost and first.watts > lo:
        first = _Bound(lo, None, Cause.UPSTREAM, NO_WORK)

    target = min(max(first.watts, lo), hi)
    emergency = overrides.estop or any(_is_emergency(view) for view in views)
    is_led = not in_line or any(view.standing is Standing.LIVE for view in leaders)
    is_open = overrides.current is None or overrides.current.limit_w is not None
    order = Order(
        target_w=target,
        lo_w=lo,
        hi_w=hi,
        at_once_w=max(at_once, target),
        cause=first.cause,
        emergency=emergency,
        restore=is_led and is_open and not emergency and not inputs.upstream_lost,
        surplus_w=next((v.surplus_w for v in in_line if v.surplus_w is not None), None),
        event_id=first.by.event_id if isinstance(first.by, SourceView) else "",
    )
    return order, (_told(order, first, measured_w), *_masters(leaders))


def _in_line(in_line: list[SourceView]) -> tuple[list[SourceView], list[SourceView]]:
    """Those of the first rank that has a word, and all until there that have none any more."""
    spent: list[SourceView] = []
    for _, rank in groupby(in_line, key=lambda view: view.rank):
        equals = list(rank)
        spent += [view for view in equals if view.standing not in SPEAKING]
        leaders = [view for view in equals if view.standing in SPEAKING]
        if leaders:
            return leaders, spent
    return [], spent


def _limits(
    views: tuple[SourceView, ...], overrides: OverrideState, settings: Settings
) -> list[_Bound]:
    limits = [_of_view(view) for view in views if view.kind in LIMITS]
    if settings.cap_w is not None:
        limits.append(_Bound(settings.cap_w, settings.cap_w, Cause.PLANT, SITE_CAP))
    current = overrides.current
    if current is not None and current.limit_w is not None:
        is_stop = current.kind is OrderKind.ESTOP
        cause = Cause.EMERGENCY if is_stop else Cause.OPERATOR
        limits.append(_Bound(current.limit_w, current.limit_w, cause, current))
    return limits


def _of_view(view: SourceView) -> _Bound:
    if _is_emergency(view):
        cause = Cause.EMERGENCY
    else:
        cause = Cause.PLANT if view.standing in SPOKEN else Cause.LOST_SIGNAL
    return _Bound(_value(view), view.word_w, cause, view)


def _is_emergency(view: SourceView) -> bool:
    return view.kind is Kind.EMERGENCY and view.latched


def _value(view: SourceView) -> int:
    assert view.value_w is not None  # only a price may be unknown
    return view.value_w


# -- in words ----------------------------------------------------------------------------------


def _told(order: Order, first: _Bound, measured_w: int | None) -> Reason:
    load = "not known" if measured_w is None else shown(measured_w)
    code, level, who, subject = _who(first)
    text = f"target {shown(order.target_w)}, the load is {load}: {who}"
    if order.target_w > first.watts:
        text = f"{text}; the floor is {shown(order.lo_w)}"
    return Reason(code, text, level, subject)


def _who(first: _Bound) -> tuple[str, Level, str, str]:
    """Code, level, words and subject of whose wish it is."""
    by, watts = first.by, shown(first.watts)
    if isinstance(by, SourceView):
        level = Level.INFO if by.standing is Standing.LIVE else Level.WARNING
        if _is_emergency(by):
            text = f"emergency by {by.name}, at most {watts} until an operator clears it"
            return "emergency", Level.ALARM, text, by.name
        verb = "allows at most" if by.kind in LIMITS else "asks for"
        return f"{_role(by)}_{by.standing}", level, f"{_state(by, verb)} {watts}", by.name
    if isinstance(by, Override):
        level = Level.ALARM if by.kind is OrderKind.ESTOP else Level.INFO
        text = f"{by.kind} by {by.operator or 'somebody'}, at most {watts}: {by.reason}"
        return f"override_{by.kind}", level, text, by.scope
    return by.code, by.level, f"{by.text}, {watts}", by.subject


def _role(view: SourceView) -> str:
    return "limit" if view.kind in LIMITS else "follow"


def _state(view: SourceView, verb: str) -> str:
    match view.standing:
        case Standing.LIVE:
            return f"{view.name} {verb}"
        case Standing.SILENT:
            return f"{view.name} was never heard and counts as"
        case Standing.HELD:
            return f"{view.name} is lost ({view.why}), its last word holds,"
        case Standing.RAMPING:
            return f"{view.name} is lost ({view.why}), on its way to its fallback,"
        case Standing.FALLBACK:
            return f"{view.name} is lost ({view.why}), its fallback is"


def _masters(leaders: list[SourceView]) -> tuple[Reason, ...]:
    """Sources of one rank that don't agree: the lowest is followed, and somebody should know."""
    live = [view for view in leaders if view.standing is Standing.LIVE]
    if len({view.value_w for view in live}) < 2:
        return ()
    wishes = ", ".join(f"{view.name} {shown(_value(view))}" for view in live)
    text = f"masters of one rank disagree, the lowest leads: {wishes}"
    return (Reason("two_masters", text, Level.WARNING, min(live, key=_value).name),)
