"""What operators ordered, and what of it still stands (§7.6 of the reference).

    auto         nothing stands: signals rule
    hold         no higher than the load was when the order came
    max          no higher than that
    off          nothing
    estop        nothing, at once, until it is cleared

An override only narrows, whatever its scope: one for a feeder or a rig adds a limit to those of the
site. Within one scope the newest order replaces the former. Each stands for four hours unless told
otherwise, and then it does not give way to load: it lapses into a hold at its own limit, with an
alarm, and again every four hours, until somebody orders `auto`. A hold gives way to what is
lower: a plant that asks for less is obeyed.

Clearing an emergency stop starts nothing: it leaves a hold at zero, and the load returns with the
next order (ISO 13850, 4.1.4: a reset shall only permit restarting).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from stratum.power.brain.arrival import shown
from stratum.power.brain.commands import Level, Reason
from stratum.power.brain.feeders import under
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Mode, Settings
from stratum.power.brain.values import Ints, OperatorOrder, OrderKind

FEEDER = "feeder:"
RIG = "rig:"

#: What an order of each kind does to rigs: (locked, managed), None unchanged.
EFFECTS: dict[OrderKind, tuple[bool | None, bool | None]] = {
    OrderKind.LOCK: (True, None),
    OrderKind.UNLOCK: (False, None),
    OrderKind.ADOPT: (None, True),
    OrderKind.RELEASE: (None, False),
}


@dataclass(frozen=True, slots=True)
class Override:
    """An order that stands. `limit_w` is None for a hold when the load was not known: then nothing
    is woken, and nothing else is bounded."""

    kind: OrderKind  # HOLD, MAX, OFF or ESTOP
    scope: str
    limit_w: int | None
    operator: str
    reason: str
    since_ms: int
    expires_ms: int | None  # monotonic; None: latched
    has_lapsed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class OrderEffect:
    """What an order changes about rigs, by row."""

    rigs: Ints
    locked: bool | None = None
    managed: bool | None = None


@dataclass(frozen=True, slots=True)
class OverrideState:
    """At most one ordinary override and one emergency stop a scope."""

    mode: Mode = Mode.OBSERVE
    standing: tuple[Override, ...] = ()
    stops: tuple[Override, ...] = ()
    cleared: bool = False  # in this tick an operator lifted latched emergencies

    @classmethod
    def fresh(cls, settings: Settings) -> OverrideState:
        return cls(settings.mode)

    @property
    def current(self) -> Override | None:
        """The site's: its emergency stop, else its ordinary override."""
        return _of_scope(self.stops, "") or _of_scope(self.standing, "")

    @property
    def estop(self) -> bool:
        return _of_scope(self.stops, "") is not None

    def feeder_limits(self, fleet: Fleet) -> Ints:
        """Watts that each feeder may take by orders on it; -1: none."""
        limits = np.full(len(fleet.feeders), -1, np.int64)
        names = [feeder.name for feeder in fleet.feeders]
        for name, limit in self._narrow(FEEDER):
            if name in names:
                limits[names.index(name)] = limit
        return limits

    def rig_limits(self, fleet: Fleet) -> Ints:
        """Watts that each rig may take by orders on it; -1: none."""
        limits = np.full(len(fleet), -1, np.int64)
        for name, limit in self._narrow(RIG):
            if name in fleet.ids:
                limits[fleet.ids.index(name)] = limit
        return limits

    def _narrow(self, kind: str) -> Iterable[tuple[str, int]]:
        """The lowest limit of each feeder or rig that has one; it may be gone from the fleet."""
        lowest: dict[str, int] = {}
        for override in (*self.standing, *self.stops):
            if override.scope.startswith(kind) and override.limit_w is not None:
                name = override.scope.removeprefix(kind)
                lowest[name] = min(lowest.get(name, override.limit_w), override.limit_w)
        return lowest.items()


def apply(
    state: OverrideState,
    orders: Iterable[OperatorOrder],
    now_ms: int,
    settings: Settings,
    fleet: Fleet,
    *,
    load_w: int | None = None,
) -> tuple[OverrideState, tuple[OrderEffect, ...], tuple[Reason, ...]]:
    """One tick: what lapsed, then what was ordered; `load_w` is what a hold of the site holds."""
    desk = _Desk(replace(state, cleared=False), now_ms, settings, fleet, load_w)
    desk.lapse()
    for order in orders:
        desk.take(order)
    return desk.state, tuple(desk.effects), tuple(desk.reasons)


def rows_of(scope: str, fleet: Fleet) -> Ints | None:
    """The rigs that a scope means, a feeder's with those of its children; None: no such scope."""
    if scope == "":
        return np.arange(len(fleet))
    if scope.startswith(RIG):
        name = scope.removeprefix(RIG)
        return np.array([fleet.ids.index(name)]) if name in fleet.ids else None
    if not scope.startswith(FEEDER):
        return None
    names = [feeder.name for feeder in fleet.feeders]
    name = scope.removeprefix(FEEDER)
    if name not in names:
        return None
    return np.flatnonzero(under(fleet, names.index(name))[fleet.feeder])


@dataclass(slots=True)
class _Desk:
    """Where orders are taken during one tick."""

    state: OverrideState
    now_ms: int
    settings: Settings
    fleet: Fleet
    load_w: int | None
    effects: list[OrderEffect] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)

    def lapse(self) -> None:
        """What has had its time becomes a hold at its own limit, never load."""
        standing = tuple(
            self._lapsed(override)
            if override.expires_ms is not None and self.now_ms >= override.expires_ms
            else override
            for override in self.state.standing
        )
        if standing != self.state.standing:
            self.state = replace(self.state, standing=standing)

    def _lapsed(self, override: Override) -> Override:
        limit = "what runs" if override.limit_w is None else f"at most {shown(override.limit_w)}"
        text = (
            f"{_where(override.scope)}: {override.kind} by {override.operator} has expired and "
            f"becomes a hold ({limit}); order auto to let signals rule again"
        )
        self.reasons.append(Reason("override_lapsed", text, Level.ALARM, override.scope))
        return replace(
            override,
            kind=OrderKind.HOLD,
            expires_ms=self.now_ms + self.settings.override_ms,
            has_lapsed=True,
        )

    def take(self, order: OperatorOrder) -> None:
        """Do as ordered, or say why not; an order is never an exception."""
        problem = self._problem(order)
        if problem:
            text = f"{order.kind} for {_where(order.scope)} by {order.operator or '?'}: {problem}"
            self.reasons.append(Reason("order_refused", text, Level.WARNING, order.scope))
            return
        level = Level.ALARM if order.kind is OrderKind.ESTOP else Level.INFO
        figure = f" {shown(order.value_w)}" if order.value_w is not None else ""
        text = (
            f"{order.operator or 'somebody'} ordered {order.kind}{order.mode and ' '}{order.mode}"
            f"{figure} for {_where(order.scope)}: {order.reason or 'no reason given'}"
        )
        self.reasons.append(Reason("order_taken", text, level, order.scope))
        self._do(order)

    def _problem(self, order: OperatorOrder) -> str:
        """Why it can't be done; nothing keeps an emergency stop but a scope that isn't there."""
        if rows_of(order.scope, self.fleet) is None:
            return f"there is no {order.scope}"
        if order.kind is OrderKind.ESTOP:
            return ""
        if not (order.operator and order.reason):
            return "it needs an operator's name and a reason"
        match order.kind:
            case OrderKind.MAX if order.value_w is None or order.value_w < 0:
                return f"{order.value_w} is no limit in watts"
            case OrderKind.HOLD if order.scope:
                return "only the site can hold; a feeder or a rig takes max or off"
            case OrderKind.MODE if order.mode not in tuple(Mode):
                return f"{order.mode!r} is no mode; there are {', '.join(Mode)}"
            case OrderKind.MODE if order.scope:
                return "the mode is the site's"
        return ""

    def _do(self, order: OperatorOrder) -> None:
        state, scope = self.state, order.scope
        match order.kind:
            case OrderKind.AUTO:
                self.state = replace(state, standing=_without(state.standing, scope))
            case OrderKind.HOLD:
                self._stand(order, self.load_w)
            case OrderKind.MAX:
                self._stand(order, order.value_w)
            case OrderKind.OFF:
                self._stand(order, 0)
            case OrderKind.ESTOP:
                stop = Override(
                    order.kind, scope, 0, order.operator, order.reason, self.now_ms, None
                )
                self.state = replace(state, stops=(*_without(state.stops, scope), stop))
            case OrderKind.CLEAR_ESTOP:
                self._clear(order)
            case OrderKind.MODE:
                self.state = replace(state, mode=Mode(order.mode))
            case _:
                rows = rows_of(scope, self.fleet)
                assert rows is not None
                self.effects.append(OrderEffect(rows, *EFFECTS[order.kind]))

    def _clear(self, order: OperatorOrder) -> None:
        stood = _of_scope(self.state.stops, order.scope)
        if order.scope == "":
            self.state = replace(self.state, cleared=True)
        if stood is None:
            return
        self.state = replace(self.state, stops=_without(self.state.stops, order.scope))
        self._stand(replace(order, kind=OrderKind.HOLD, expires_ms=None), 0)
        text = f"{_where(order.scope)}: the stop is cleared, held at 0 until the next order"
        self.reasons.append(Reason("estop_cleared", text, Level.WARNING, order.scope))

    def _stand(self, order: OperatorOrder, limit_w: int | None) -> None:
        expires = order.expires_ms
        override = Override(
            order.kind,
            order.scope,
            limit_w,
            order.operator,
            order.reason,
            self.now_ms,
            self.now_ms + self.settings.override_ms if expires is None else expires,
        )
        others = _without(self.state.standing, order.scope)
        self.state = replace(self.state, standing=(*others, override))


def _of_scope(overrides: tuple[Override, ...], scope: str) -> Override | None:
    return next((override for override in overrides if override.scope == scope), None)


def _without(overrides: tuple[Override, ...], scope: str) -> tuple[Override, ...]:
    return tuple(override for override in overrides if override.scope != scope)


def _where(scope: str) -> str:
    return scope or "the site"
