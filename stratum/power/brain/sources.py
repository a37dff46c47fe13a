"""What each source says now, and what holds when it goes silent: loss never widens (N20).

    live       its last sample is believed and young enough, or its plan has an interval for now
    held       lost: its last word holds for `hold_ms`
    ramping    then it comes down in a line, within `lost_ramp_ms`
    fallback   to its fallback, and stays; where that is above its last word, the last word stays
    silent     never heard: counts as its fallback from the first tick on

This is one rule for all kinds: a cap that expires, a set-point that goes stale, a plan that ends, a
counter that stands still. A source may name another instead of a figure (`fallback_source`): then
that one's word, whatever became of it, is what it comes down to, and follows below its own last
word. A price is no limit: lost, it is simply not known.

Every word is kept as watts to follow or not to exceed. What is relative to our own load is added up
once, when the sample comes, with the load as it was when the sample was true; so a surplus that
stops being measured does not chase the load that it caused. An emergency latches at its lowest
until an operator clears it.

Words change hands rarely and are read every tick, so what has not changed is handed on as it is:
twenty sources at rest cost a few microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from stratum.power.brain.arrival import (
    FOLLOWED,
    PLANNED,
    Code,
    Heard,
    Refusal,
    frozen_ms,
    judge,
    shown,
    suspicion,
)
from stratum.power.brain.commands import Level, Reason
from stratum.power.brain.counting import (
    Baseline,
    Loads,
    counts_from_load,
    load_at,
    with_delta,
    with_load,
)
from stratum.power.brain.line import (
    Place,
    SourceView,
    Standing,
    change_told,
    fallback_w,
    first_view,
    places,
)
from stratum.power.brain.settings import MINUTE, Settings, SourceSettings
from stratum.power.brain.slots import (
    FOREVER,
    MAX_SLOTS,
    Slot,
    next_turn,
    slot_at,
    with_slot,
    without_past,
)
from stratum.power.brain.values import Kind, Signal

#: A refusal that repeats is told this often, with its count.
TELL_MS = MINUTE


@dataclass(frozen=True, slots=True)
class Doubt:
    """A refusal that was told, and how often it came since."""

    code: Code
    told_ms: int
    count: int


@dataclass(frozen=True, slots=True)
class Source:
    """What is remembered of one source. Times are monotonic but for `turn_ms`, which is UTC."""

    view: SourceView
    heard: Heard | None = None
    born_ms: int = 0  # when the word in force was true
    stale_ms: int = FOREVER  # when it will be too old, or its counter will have stood too long
    turn_ms: int = FOREVER  # when its validity ends, or an interval of its plan begins or ends
    lost_ms: int = 0  # since when it is lost
    slots: tuple[Slot, ...] = ()
    baseline: Baseline | None = None
    latched_w: int | None = None
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class SourceMemory:
    """All sources, in the order of the settings."""

    settings: tuple[SourceSettings, ...]
    places: tuple[Place, ...]
    order: tuple[int, ...]  # rows, fallbacks before those that name them
    sources: tuple[Source, ...]
    views: tuple[SourceView, ...]
    loads: Loads = ()
    offset_ms: int | None = None  # UTC minus monotonic at the last tick

    @classmethod
    def fresh(cls, settings: Settings) -> SourceMemory:
        return cls((), (), (), (), ()).fitted(settings)

    def fitted(self, settings: Settings) -> SourceMemory:
        """For these settings; a source that is still there and of its kind keeps its memory."""
        known = {setting.name: row for row, setting in enumerate(self.settings)}
        line = places(settings.sources)
        sources = tuple(
            self._carried(known.get(setting.name, -1), setting, place, settings)
            for setting, place in zip(settings.sources, line, strict=True)
        )
        return SourceMemory(
            settings=settings.sources,
            places=line,
            order=tuple(sorted(range(len(line)), key=lambda row: -line[row].depth)),
            sources=sources,
            views=tuple(source.view for source in sources),
            loads=self.loads,
            offset_ms=self.offset_ms,
        )

    def _carried(
        self, row: int, setting: SourceSettings, place: Place, settings: Settings
    ) -> Source:
        if row < 0 or self.settings[row].kind is not setting.kind:
            return Source(first_view(setting, place, settings))
        source = self.sources[row]
        rank = (place.priority, place.depth, source.view.rank[2])
        return replace(source, view=replace(source.view, rank=rank))


def advance(
    memory: SourceMemory,
    signals: tuple[Signal, ...],
    now_ms: int,
    wall_ms: int,
    settings: Settings,
    total_w: int,
    rejecting_wall_timed: bool,
    *,
    load_w: int | None = None,
    load_ms: int | None = None,
    cleared: bool = False,
) -> tuple[SourceMemory, tuple[Reason, ...]]:
    """One tick: hear what came, age what did not.

    `wall_ms` is UTC as `clocks` believes it; `load_w` the load as last measured, true at `load_ms`
    (None: now); `cleared` is an operator's word that latched emergencies are over.
    """
    if memory.settings != settings.sources:
        memory = memory.fitted(settings)
    loads = memory.loads
    reach = max((s.max_age_ms for s in memory.settings if counts_from_load(s)), default=None)
    if load_w is not None and reach is not None:
        loads = with_load(loads, now_ms if load_ms is None else load_ms, load_w, reach)
    offset = wall_ms - now_ms
    has_stepped = (
        memory.offset_ms is not None and abs(offset - memory.offset_ms) > settings.clock_event_ms
    )
    tick = _Tick(memory, loads, now_ms, wall_ms, settings, total_w, rejecting_wall_timed)

    spoken: dict[str, list[Signal]] = {}
    for signal in signals:
        spoken.setdefault(signal.source, []).append(signal)
    sources = list(memory.sources)
    for row in memory.order:
        setting, before = memory.settings[row], sources[row]
        source = _with_clocks_moved(before) if has_stepped else before
        if cleared and source.latched_w is not None:
            source = tick.clear(setting, source)
        for signal in spoken.pop(setting.name, ()):
            source = tick.hear(setting, source, signal)
        source = tick.age(row, setting, source)
        if source is not before:
            tick.reasons += change_told(setting, before.view, source.view, settings)
            sources[row], tick.views[row] = source, source.view

    tick.tell_strangers(spoken)
    done = SourceMemory(
        memory.settings,
        memory.places,
        memory.order,
        tuple(sources),
        tuple(tick.views),
        loads,
        offset,
    )
    return done, tuple(tick.reasons)


def price_micro(views: Iterable[SourceView]) -> int | None:
    """The price of a MWh now, of the first in rank that knows it; None: it decides nothing."""
    live = (view for view in views if view.kind is Kind.PRICE and view.standing is Standing.LIVE)
    first = min(live, key=lambda view: view.rank, default=None)
    return None if first is None else first.value_w


class _Tick:
    """What one tick knows, and the reasons it gathers; `views` of fallbacks are this tick's."""

    __slots__ = (
        "loads",
        "now_ms",
        "places",
        "reasons",
        "rejecting",
        "settings",
        "total_w",
        "views",
        "wall_ms",
    )

    def __init__(
        self,
        memory: SourceMemory,
        loads: Loads,
        now_ms: int,
        wall_ms: int,
        settings: Settings,
        total_w: int,
        rejecting: bool,
    ) -> None:
        self.places = memory.places
        self.views = list(memory.views)
        self.loads = loads
        self.now_ms = now_ms
        self.wall_ms = wall_ms
        self.settings = settings
        self.total_w = total_w
        self.rejecting = rejecting
        self.reasons: list[Reason] = []

    # -- what came -----------------------------------------------------------------------------

    def hear(self, setting: SourceSettings, source: Source, signal: Signal) -> Source:
        """The source after one more sample, believed or not."""
        refusal = judge(
            signal,
            setting,
            source.heard,
            self.now_ms,
            self.wall_ms,
            self.settings,
            self.total_w,
            self.rejecting,
        )
        if refusal is not None:
            return self._refuse(setting, source, refusal)
        assert signal.value is not None
        heard = self._heard(source, signal, signal.value)
        if (doubt := suspicion(signal.value, source.heard)) and setting.kind is not Kind.PRICE:
            text = f"{setting.name}: {shown(signal.value)} {doubt}"
            self.reasons.append(Reason("unit_suspect", text, Level.WARNING, setting.name))

        if setting.kind in PLANNED and signal.valid_to_ms is not None:
            return self._plan(setting, source, signal, signal.value, heard)
        counted = self._counted(setting, source, signal, signal.value)
        if isinstance(counted, Refusal):
            return self._refuse(setting, source, counted)
        value, baseline = counted

        latched = source.latched_w
        if _does_latch(setting, value, self.total_w):
            latched = value if latched is None else min(latched, value)
        born = self.now_ms - max(0, self.wall_ms - signal.event_ms)
        stale = born + setting.max_age_ms
        if setting.heartbeat:
            stale = min(stale, heard.moved_ms + frozen_ms(setting))
        if setting.on_event:
            stale = FOREVER
        ends = FOREVER if signal.valid_to_ms is None else signal.valid_to_ms
        return Source(
            self._live(source.view, value, latched, signal.event_id, signal.priority),
            heard,
            born,
            stale,
            min(ends, next_turn(source.slots, self.wall_ms)) if source.slots else ends,
            0,
            source.slots,
            baseline,
            latched,
            source.doubt,
        )

    def _heard(self, source: Source, signal: Signal, value: int) -> Heard:
        last = source.heard
        has_moved = last is None or signal.sequence != last.sequence
        moved_ms = self.now_ms if last is None or has_moved else last.moved_ms
        return Heard(value, signal.event_ms, signal.sequence, moved_ms)

    def _counted(
        self, setting: SourceSettings, source: Source, signal: Signal, value: int
    ) -> tuple[int, Baseline | None] | Refusal:
        """The sample in watts to follow or not to exceed, and what it was counted from."""
        if setting.kind is Kind.SETPOINT_DELTA:
            baseline = with_delta(source.baseline, value, signal.event_id, self.loads, self.now_ms)
            if baseline is None:
                return _NO_LOAD
            return max(baseline.load_w + value, 0), baseline
        if counts_from_load(setting):
            load_w = load_at(self.loads, self.now_ms - max(0, self.wall_ms - signal.event_ms))
            return _NO_LOAD if load_w is None else (max(load_w + value, 0), None)
        if setting.kind in FOLLOWED:
            return max(value, 0), None
        return value, None

    def _plan(
        self, setting: SourceSettings, source: Source, signal: Signal, value: int, heard: Heard
    ) -> Source:
        """An interval more in the plan, in force at once where it is its time."""
        assert signal.valid_to_ms is not None
        begins = signal.event_ms if signal.valid_from_ms is None else signal.valid_from_ms
        slot = Slot(begins, signal.valid_to_ms, value, signal.event_id, signal.priority)
        slots = with_slot(source.slots, slot)
        if len(slots) > MAX_SLOTS:
            text = f"is one interval more than the {MAX_SLOTS} that a plan may have"
            return self._refuse(setting, source, Refusal(Code.PLAN_FULL, text))
        source = replace(source, heard=heard, slots=slots)
        return self._turn(setting, source)

    def _refuse(self, setting: SourceSettings, source: Source, refusal: Refusal) -> Source:
        """Nothing changes but what is told: a refusal once, then each minute with its count."""
        is_usual = refusal.code is Code.REPEATED or (
            refusal.code is Code.EXPIRED and setting.kind in PLANNED
        )
        if is_usual:  # polled faster than it speaks; a plan that is sent again from its beginning
            return source
        doubt, count = source.doubt, 1
        if doubt is not None and doubt.code is refusal.code:
            count = doubt.count + 1
            if self.now_ms - doubt.told_ms < TELL_MS:
                return replace(source, doubt=Doubt(doubt.code, doubt.told_ms, count))
        often = "" if count == 1 else f" ({count} such samples since it was last told)"
        text = f"{setting.name}: the sample {refusal.text}{often}"
        self.reasons.append(Reason(refusal.code, text, Level.WARNING, setting.name))
        return replace(source, doubt=Doubt(refusal.code, self.now_ms, 0))

    # -- what did not come ---------------------------------------------------------------------

    def age(self, row: int, setting: SourceSettings, source: Source) -> Source:
        """The source as it stands at the end of the tick."""
        if self.wall_ms >= source.turn_ms:
            source = self._turn(setting, source)
        view = source.view
        if view.standing is Standing.LIVE:
            if self.now_ms <= source.stale_ms:
                return source
            is_frozen = self.now_ms <= source.born_ms + setting.max_age_ms
            source = self._lose(source, "frozen" if is_frozen else "stale")
            view = source.view
        if setting.kind is Kind.PRICE:
            return source

        named = self.places[row].fallback
        goal = fallback_w(setting, self.settings) if named < 0 else self.views[named].value_w
        assert goal is not None
        if view.standing is Standing.SILENT:
            return source if goal == view.value_w else _seen(source, goal, Standing.SILENT)
        value, standing = self._lost(source, view.held_w, goal)
        if (value, standing) == (view.value_w, view.standing):
            return source
        source = _seen(source, value, standing)
        return source if standing is not Standing.FALLBACK else replace(source, baseline=None)

    def _turn(self, setting: SourceSettings, source: Source) -> Source:
        """A validity has ended, or the plan has come to its next interval."""
        slots = without_past(source.slots, self.wall_ms)
        slot = slot_at(slots, self.wall_ms)
        turn = next_turn(slots, self.wall_ms)
        if slot is not None:
            value = max(slot.value, 0) if setting.kind in FOLLOWED else slot.value
            return replace(
                source,
                view=self._live(source.view, value, None, slot.event_id, slot.priority),
                stale_ms=FOREVER,
                turn_ms=turn,
                slots=slots,
            )
        source = replace(source, slots=slots, turn_ms=turn)
        is_timed = source.stale_ms == FOREVER or setting.kind not in PLANNED
        if source.view.standing is Standing.LIVE and is_timed:
            return self._lose(source, "expired")
        return source

    def _lose(self, source: Source, why: str) -> Source:
        view = source.view
        if view.kind is Kind.PRICE:
            lost = replace(view, value_w=None, standing=Standing.FALLBACK, why=why)
        else:
            lost = replace(view, standing=Standing.HELD, held_w=view.value_w, why=why)
        return replace(source, view=lost, lost_ms=self.now_ms)

    def _lost(self, source: Source, held: int | None, goal: int) -> tuple[int, Standing]:
        """N20: hold, then a line down to the fallback, never above what held."""
        assert held is not None
        goal = min(held, goal)
        ramped_ms = self.now_ms - source.lost_ms - self.settings.hold_ms
        if ramped_ms < 0:
            return held, Standing.HELD
        if ramped_ms >= self.settings.lost_ramp_ms:
            return goal, Standing.FALLBACK
        fallen = (held - goal) * ramped_ms // self.settings.lost_ramp_ms
        return held - fallen, Standing.RAMPING

    def _live(
        self, view: SourceView, value: int, latched: int | None, event_id: str, priority: int
    ) -> SourceView:
        if latched is not None:
            value = min(value, latched)
        rank = (view.rank[0], view.rank[1], priority)
        return SourceView(
            view.name, view.kind, value, Standing.LIVE, rank, None, event_id, latched is not None
        )

    # -- an operator's word --------------------------------------------------------------------

    def clear(self, setting: SourceSettings, source: Source) -> Source:
        """Lift the latch. A source that still says so latches again; a lost one counts as never
        heard, since the operator has just spoken for it."""
        name, view, heard = setting.name, source.view, source.heard
        assert heard is not None
        is_young = self.now_ms <= source.born_ms + setting.max_age_ms
        if view.standing is Standing.LIVE and is_young:
            latched = heard.value if _does_latch(setting, heard.value, self.total_w) else None
            if latched is not None:
                text = f"{name} was cleared, and still says {shown(heard.value)}"
                self.reasons.append(Reason("still_latched", text, Level.WARNING, name))
            live = self._live(view, heard.value, latched, view.event_id, view.rank[2])
            return replace(source, view=live, latched_w=latched)
        self.reasons.append(Reason("cleared", f"{name}: an operator cleared it", subject=name))
        place = Place(view.rank[0], view.rank[1], -1)
        return Source(first_view(setting, place, self.settings))

    def tell_strangers(self, spoken: dict[str, list[Signal]]) -> None:
        for name, signals in spoken.items():
            text = f"{len(signals)} samples of {name!r}, which no setting names"
            self.reasons.append(Reason("unknown_source", text, Level.WARNING, name))


_NO_LOAD = Refusal(Code.NO_LOAD, "counts from our own load, which is not known")


def _does_latch(setting: SourceSettings, value: int, total_w: int) -> bool:
    """An emergency that takes nothing away is none: that is how its source says all is well."""
    if setting.kind is Kind.EMERGENCY:
        return value < total_w
    return setting.latches and setting.kind is Kind.CAP


def _seen(source: Source, value_w: int, standing: Standing) -> Source:
    return replace(source, view=replace(source.view, value_w=value_w, standing=standing))


def _with_clocks_moved(source: Source) -> Source:
    """Stamps from before say nothing of the order any more, and the plan is looked up anew."""
    heard = source.heard
    return replace(
        source,
        heard=heard and replace(heard, event_ms=None),
        turn_ms=0 if source.slots else source.turn_ms,
    )
