"""What holds when a source goes silent: loss never widens (N20).

    live       its last sample is believed and young enough, or its plan has an interval for now
    held       lost: its last word holds for `hold_ms`
    ramping    then it comes down in a line, within `lost_ramp_ms`
    fallback   to its fallback, and stays; where that is above its last word, the last word stays
    silent     never heard: counts as its fallback from the first tick on

This is one rule for all kinds: a cap that expires, a set-point that goes stale, a plan that ends, a
counter that stands still. A source may name another instead of a figure (`fallback_source`): then
that one's word, whatever became of it, is what it comes down to, and follows below its own last
word. A price is no limit: lost, it is simply not known.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from stratum.power.brain.arrival import FOLLOWED, PLANNED, Code, Heard, shown
from stratum.power.brain.commands import Level, Reason
from stratum.power.brain.counting import Baseline, Loads
from stratum.power.brain.line import Place, SourceView, Standing, first_view
from stratum.power.brain.settings import Settings, SourceSettings
from stratum.power.brain.slots import FOREVER, Slot, next_turn, slot_at, without_past
from stratum.power.brain.values import Kind


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


@dataclass(slots=True)
class Moment:
    """What is the same for all sources of one tick, and the reasons it gathers."""

    now_ms: int
    wall_ms: int
    settings: Settings
    total_w: int
    rejecting_wall_timed: bool
    loads: Loads
    reasons: list[Reason] = field(default_factory=list)

    def tell(self, code: str, level: Level, subject: str, text: str) -> None:
        self.reasons.append(Reason(code, f"{subject}: {text}", level, subject))


def aged(source: Source, setting: SourceSettings, goal_w: int | None, moment: Moment) -> Source:
    """The source as it stands at the end of the tick; `goal_w` is what it falls back to."""
    if moment.wall_ms >= source.turn_ms:
        source = turned(source, setting, moment)
    view, latched = source.view, source.latched_w
    if view.standing is Standing.LIVE:
        if moment.now_ms <= source.stale_ms:
            return source
        is_young = moment.now_ms <= source.born_ms + setting.max_age_ms
        source = _lost(source, "frozen" if is_young else "stale", moment)
        view = source.view
    if setting.kind is Kind.PRICE:
        return source

    assert goal_w is not None
    value, standing = goal_w, Standing.SILENT
    if view.standing is not Standing.SILENT:
        value, standing = _fallen(source, goal_w, moment)
    if latched is not None:
        value = min(value, latched)
    if (value, standing) == (view.value_w, view.standing):
        return source
    # A delta's baseline outlives a short loss, so that the same delta is not counted twice.
    baseline = None if standing is Standing.FALLBACK else source.baseline
    view = replace(view, value_w=value, standing=standing)
    return replace(source, view=view, baseline=baseline)


def turned(source: Source, setting: SourceSettings, moment: Moment) -> Source:
    """A validity has ended, or the plan has come to its next interval."""
    slots = without_past(source.slots, moment.wall_ms)
    slot = slot_at(slots, moment.wall_ms)
    turn = next_turn(slots, moment.wall_ms)
    if slot is not None:
        value = max(slot.value, 0) if setting.kind in FOLLOWED else slot.value
        view = live_view(source.view, value, None, slot.event_id, slot.priority)
        return replace(source, view=view, stale_ms=FOREVER, turn_ms=turn, slots=slots)
    source = replace(source, slots=slots, turn_ms=turn)
    # A sample without an end, of a source that also has a plan, goes by its age.
    is_timed = source.stale_ms == FOREVER or setting.kind not in PLANNED
    if source.view.standing is Standing.LIVE and is_timed:
        return _lost(source, "expired", moment)
    return source


def cleared_by_operator(
    source: Source, setting: SourceSettings, place: Place, moment: Moment
) -> Source:
    """An operator lifts the latch. A source that still says so latches again; a lost one counts as
    never heard, since the operator has just spoken for it."""
    name, view, heard = setting.name, source.view, source.heard
    is_young = moment.now_ms <= source.born_ms + setting.max_age_ms
    if heard is None or view.standing is not Standing.LIVE or not is_young:
        moment.tell("cleared", Level.INFO, name, "an operator cleared it")
        return Source(first_view(setting, place, moment.settings))

    latched = heard.value if does_latch(setting, heard.value, moment.total_w) else None
    if latched is not None:
        text = f"was cleared, and still says {shown(heard.value)}"
        moment.tell("still_latched", Level.WARNING, name, text)
    view = live_view(view, heard.value, latched, view.event_id, view.rank[2])
    return replace(source, view=view, latched_w=latched)


def with_clocks_moved(source: Source) -> Source:
    """Stamps from before say nothing of the order any more, and the plan is looked up anew."""
    heard = source.heard
    return replace(
        source,
        heard=heard and replace(heard, event_ms=None),
        turn_ms=0 if source.slots else source.turn_ms,
    )


def does_latch(setting: SourceSettings, value: int, total_w: int) -> bool:
    """An emergency that takes nothing away is none: that is how its source says all is well."""
    if setting.kind is Kind.EMERGENCY:
        return value < total_w
    return setting.latches and setting.kind is Kind.CAP


def live_view(
    view: SourceView, value: int, latched_w: int | None, event_id: str, priority: int
) -> SourceView:
    """A word of its own, below what it has latched at."""
    has_latched = latched_w is not None
    if latched_w is not None:
        value = min(value, latched_w)
    is_same = view.value_w == value and view.event_id == event_id and view.rank[2] == priority
    if is_same and view.standing is Standing.LIVE and view.latched == has_latched:
        return view  # most samples say what the one before said
    rank = (view.rank[0], view.rank[1], priority)
    return SourceView(view.name, view.kind, value, Standing.LIVE, rank, None, event_id, has_latched)


def _lost(source: Source, why: str, moment: Moment) -> Source:
    view = source.view
    if view.kind is Kind.PRICE:
        view = replace(view, value_w=None, standing=Standing.FALLBACK, why=why)
    else:
        view = replace(view, standing=Standing.HELD, held_w=view.value_w, why=why)
    return replace(source, view=view, lost_ms=moment.now_ms)


def _fallen(source: Source, goal_w: int, moment: Moment) -> tuple[int, Standing]:
    """N20: hold, then a line down to the fallback, never above what held."""
    held, settings = source.view.held_w, moment.settings
    assert held is not None
    goal_w = min(held, goal_w)
    ramped_ms = moment.now_ms - source.lost_ms - settings.hold_ms
    if ramped_ms < 0:
        return held, Standing.HELD
    if ramped_ms >= settings.lost_ramp_ms:
        return goal_w, Standing.FALLBACK
    return held - (held - goal_w) * ramped_ms // settings.lost_ramp_ms, Standing.RAMPING
