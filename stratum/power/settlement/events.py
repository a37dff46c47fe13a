"""One order from when it was received to when the next one came: how fast, how well, by whom.

An event begins where the order's cause, source or event id changes; where a signal names no event,
also where its target has moved by STEP_BP of the fleet since the last one began: a surplus that
drifts is one event, a unit that trips is another.

    t10, t95     from the decision until so much of the way from the old load to the target is done
    delivered    how far the load lay towards the target, mean over the event
    score        1 - integral |P - target| / integral target; an order to shed all but STEP_BP of
                 the fleet is held against the load that there was to shed, where that is more
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stratum.power.brain.commands import Cause, Picture
from stratum.power.brain.values import Inputs, Kind

#: Of the fleet, basis points.
STEP_BP = 500

#: A tick's figures stand for no longer than this, ms: longer is a gap.
HELD_MS = 10_000

_WHOLE = 10_000


def held_ms(from_ms: int, to_ms: int) -> int:
    """How long the figures of a tick held until the next; monotonic time begins anew at a boot."""
    return max(0, min(to_ms - from_ms, HELD_MS))


@dataclass(frozen=True, slots=True)
class Event:
    """Times are UTC, `t10_ms` and `t95_ms` are lengths; None is not known or did not happen."""

    kind: str
    source: str
    event_id: str
    received_ms: int | None
    decided_ms: int
    ended_ms: int
    target_w: int
    t10_ms: int | None
    t95_ms: int | None
    delivered_w: int | None
    score_bp: int | None
    override: str


@dataclass(frozen=True, slots=True)
class _Heard:
    kind: str
    received_ms: int
    said: tuple[object, ...]
    override: str = ""


class Events:
    """Told of every tick; answers the events that ended."""

    def __init__(self, fleet_w: int) -> None:
        self.carry(fleet_w)
        self._heard: dict[str, _Heard] = {}
        self._spoke = self._operator = ""  # last, with something new
        self._running: _Running | None = None
        self._load_w: int | None = None

    def carry(self, fleet_w: int) -> None:
        """Another inventory from now on."""
        self._step_w = fleet_w * STEP_BP // _WHOLE

    def take(self, inputs: Inputs, picture: Picture) -> Iterator[Event]:
        self._hear(inputs)
        running = self._running
        if running is None or self._is_another(running, picture):
            if running is not None:
                yield running.event(inputs.wall_ms)
            source = self._source(picture)
            heard = self._heard.get(source)
            running = self._running = _Running(
                inputs, picture, source, heard, self._load_w, self._step_w
            )
        running.take(inputs.now_ms, picture)
        self._load_w = picture.measured_w

    def finish(self, wall_ms: int) -> Iterator[Event]:
        if self._running is not None:
            yield self._running.event(wall_ms)
        self._running = None

    @property
    def running(self) -> tuple[int, str] | None:
        """When the order now in force was decided, and its id."""
        running = self._running
        return None if running is None else (running.decided_ms, running.event_id)

    def _hear(self, inputs: Inputs) -> None:
        """Who said what last; receipt is told in monotonic time."""
        to_wall = inputs.wall_ms - inputs.now_ms
        for signal in inputs.signals:
            said = (signal.kind, signal.event_id or signal.value)
            known = self._heard.get(signal.source)
            # What is repeated every second was received when it was first said.
            if known is None or known.said != said:
                received = signal.received_ms + to_wall
                self._heard[signal.source] = _Heard(signal.kind.value, received, said)
                self._spoke = self._spoke if signal.kind is Kind.PRICE else signal.source
        for order in inputs.orders:
            override = f"{order.kind.value} by {order.operator}: {order.reason}"
            self._heard[order.operator] = _Heard(order.kind.value, inputs.wall_ms, (), override)
            self._operator = order.operator

    def _source(self, picture: Picture) -> str:
        """Who is behind an order: as the tick says, else who named its event, else who spoke last
        of those that could have given it."""
        if picture.source:
            return picture.source
        if picture.cause == Cause.OPERATOR:
            return self._operator
        named = (name for name, heard in self._heard.items() if picture.event_id in heard.said)
        if picture.event_id:
            return next(named, "")
        return self._spoke if picture.cause in (Cause.PLANT, Cause.EMERGENCY) else ""

    def _is_another(self, running: _Running, picture: Picture) -> bool:
        if (picture.cause, picture.source, picture.event_id) != running.whose:
            return True
        return not running.is_named and abs(picture.target_w - running.target_w) > self._step_w


class _Running:
    """An event that has not ended."""

    def __init__(
        self,
        inputs: Inputs,
        picture: Picture,
        source: str,
        heard: _Heard | None,
        load_w: int | None,
        nothing_w: int,
    ) -> None:
        self.whose = (picture.cause, picture.source, picture.event_id)
        self.source = source
        self.event_id = picture.event_id
        self.decided_ms = inputs.wall_ms
        self.target_w = picture.target_w
        self._heard = heard
        self._sheds_all = picture.target_w <= nothing_w
        self._from_w = picture.measured_w if load_w is None else load_w
        self._began_ms = self._now_ms = inputs.now_ms
        self._last: Picture | None = None
        self._t10_ms: int | None = None
        self._t95_ms: int | None = None
        self._load = self._known_ms = self._error = self._target = 0

    @property
    def is_named(self) -> bool:
        return bool(self.event_id)

    def take(self, now_ms: int, picture: Picture) -> None:
        self._add(held_ms(self._now_ms, now_ms))
        self._last, self._now_ms = picture, now_ms
        if self._from_w is None or picture.measured_w is None:
            return
        way, gone = self.target_w - self._from_w, picture.measured_w - self._from_w
        done = gone * _WHOLE // way if way else _WHOLE
        if self._t10_ms is None and done >= 1_000:
            self._t10_ms = now_ms - self._began_ms
        if self._t95_ms is None and done >= 9_500:
            self._t95_ms = now_ms - self._began_ms

    def event(self, ended_ms: int) -> Event:
        cause = self.whose[0]
        heard = self._heard
        return Event(
            kind=heard.kind if heard else cause,
            source=self.source,
            event_id=self.event_id,
            received_ms=heard.received_ms if heard else None,
            decided_ms=self.decided_ms,
            ended_ms=ended_ms,
            target_w=self.target_w,
            t10_ms=self._t10_ms,
            t95_ms=self._t95_ms,
            delivered_w=self._delivered_w(),
            score_bp=self._score_bp(),
            override=heard.override if heard else "",
        )

    def _add(self, held: int) -> None:
        """What the last tick's figures make of the time since."""
        last = self._last
        if last is None or last.measured_w is None:
            return
        self._load += last.measured_w * held
        self._known_ms += held
        self._error += abs(last.measured_w - last.target_w) * held
        self._target += last.target_w * held

    def _delivered_w(self) -> int | None:
        if not self._known_ms or self._from_w is None:
            return None
        moved = self._load // self._known_ms - self._from_w
        return moved if self.target_w >= self._from_w else -moved

    def _score_bp(self) -> int | None:
        whole = self._target
        if self._sheds_all:
            # The order may grow again before it ends: by that little target a second of the old
            # load would count thousands of times.
            whole = max(whole, (self._from_w or 0) * self._known_ms)
        return _WHOLE - self._error * _WHOLE // whole if whole > 0 else None
