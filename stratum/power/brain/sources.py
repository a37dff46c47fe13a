"""All sources, tick by tick: each hears what came for it (`hearing`) and ages (`holding`).

Words change rarely and are read every tick, so what has not changed is handed on as it is: twenty
sources at rest cost a dozen microseconds, and five more each that speaks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from stratum.power.brain.commands import Level, Reason
from stratum.power.brain.counting import Loads, counts_from_load, with_load
from stratum.power.brain.hearing import hear
from stratum.power.brain.holding import Moment, Source, aged, cleared_by_operator, with_clocks_moved
from stratum.power.brain.line import (
    Place,
    SourceView,
    Standing,
    change_told,
    fallback_w,
    first_view,
    places,
)
from stratum.power.brain.settings import Settings, SourceSettings
from stratum.power.brain.values import Kind, Signal


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
    """One tick. `wall_ms` is UTC as `clocks` believes it; `load_w` the load as last measured, true
    at `load_ms` (None: now); `cleared` is an operator's word that latched emergencies are over.
    """
    if memory.settings != settings.sources:
        memory = memory.fitted(settings)
    loads = _with_load(memory, now_ms if load_ms is None else load_ms, load_w)
    moment = Moment(now_ms, wall_ms, settings, total_w, rejecting_wall_timed, loads)
    offset, before_ms = wall_ms - now_ms, memory.offset_ms
    has_stepped = before_ms is not None and abs(offset - before_ms) > settings.clock_event_ms

    spoken: dict[str, list[Signal]] = {}
    for signal in signals:
        spoken.setdefault(signal.source, []).append(signal)
    sources, views = list(memory.sources), list(memory.views)
    for row in memory.order:
        setting, place, before = memory.settings[row], memory.places[row], sources[row]
        source = with_clocks_moved(before) if has_stepped else before
        if cleared and source.latched_w is not None:
            source = cleared_by_operator(source, setting, place, moment)
        for signal in spoken.pop(setting.name, ()):
            source = hear(source, setting, signal, moment)
        named = place.fallback
        goal = fallback_w(setting, settings) if named < 0 else views[named].value_w
        source = aged(source, setting, goal, moment)
        if source is before:
            continue
        sources[row] = source
        if source.view is not before.view:
            moment.reasons += change_told(setting, before.view, source.view, settings)
            views[row] = source.view

    for name, samples in spoken.items():
        text = f"{len(samples)} samples of a source that no setting names"
        moment.tell("unknown_source", Level.WARNING, name, text)
    done = SourceMemory(
        memory.settings, memory.places, memory.order, tuple(sources), tuple(views), loads, offset
    )
    return done, tuple(moment.reasons)


def price_micro(views: Iterable[SourceView]) -> int | None:
    """The price of a MWh now, of the first in rank that knows it; None: it decides nothing."""
    live = (view for view in views if view.kind is Kind.PRICE and view.standing is Standing.LIVE)
    first = min(live, key=lambda view: view.rank, default=None)
    return None if first is None else first.value_w


def _with_load(memory: SourceMemory, at_ms: int, load_w: int | None) -> Loads:
    """What our load was, for as far back as a sample that counts from it may reach."""
    reach = max((s.max_age_ms for s in memory.settings if counts_from_load(s)), default=None)
    if reach is None or load_w is None:
        return memory.loads
    return with_load(memory.loads, at_ms, load_w, reach)
