"""What a sample changes: a word in force, an interval of the plan, or only what is told.

Every word is kept as watts to follow or not to exceed, whatever it counted from on the wire. An
emergency latches at its lowest until an operator clears it.
"""

from __future__ import annotations

from dataclasses import replace

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
from stratum.power.brain.commands import Level
from stratum.power.brain.counting import Baseline, counts_from_load, load_at, with_delta
from stratum.power.brain.holding import Doubt, Moment, Source, does_latch, live_view, turned
from stratum.power.brain.settings import MINUTE, SourceSettings
from stratum.power.brain.slots import FOREVER, MAX_SLOTS, Slot, next_turn, with_slot
from stratum.power.brain.values import Kind, Signal

#: A refusal that repeats is told this often, with its count.
TELL_MS = MINUTE

NO_LOAD = Refusal(Code.NO_LOAD, "counts from our own load, which is not known")
PLAN_FULL = Refusal(
    Code.PLAN_FULL, f"is one interval more than the {MAX_SLOTS} that a plan may have"
)


def hear(source: Source, setting: SourceSettings, signal: Signal, moment: Moment) -> Source:
    """The source after one more sample, believed or not."""
    refusal = judge(
        signal,
        setting,
        source.heard,
        moment.now_ms,
        moment.wall_ms,
        moment.settings,
        moment.total_w,
        moment.rejecting_wall_timed,
    )
    if refusal is not None:
        return _refused(source, setting, refusal, moment)
    assert signal.value is not None
    doubt = suspicion(signal.value, source.heard)
    if doubt and setting.kind is not Kind.PRICE:
        moment.tell("unit_suspect", Level.WARNING, setting.name, f"{shown(signal.value)} {doubt}")

    heard = _heard(source.heard, signal, signal.value, moment.now_ms)
    if setting.kind in PLANNED and signal.valid_to_ms is not None:
        return _planned(source, setting, signal, heard, moment)
    return _spoken(source, setting, signal, heard, moment)


def _heard(last: Heard | None, signal: Signal, value: int, now_ms: int) -> Heard:
    has_moved = last is None or signal.sequence != last.sequence
    moved_ms = now_ms if last is None or has_moved else last.moved_ms
    return Heard(value, signal.event_ms, signal.sequence, moved_ms)


def _spoken(
    source: Source, setting: SourceSettings, signal: Signal, heard: Heard, moment: Moment
) -> Source:
    """A word that is in force from now on."""
    born_ms = moment.now_ms - max(0, moment.wall_ms - signal.event_ms)
    counted = _counted(source, setting, signal, heard.value, born_ms, moment)
    if counted is None:
        return _refused(source, setting, NO_LOAD, moment)
    value, baseline = counted

    latched = source.latched_w
    if does_latch(setting, value, moment.total_w):
        latched = value if latched is None else min(latched, value)
    stale_ms = FOREVER if setting.on_event else born_ms + setting.max_age_ms
    if setting.heartbeat:
        stale_ms = min(stale_ms, heard.moved_ms + frozen_ms(setting))
    turn_ms = FOREVER if signal.valid_to_ms is None else signal.valid_to_ms
    if stale_ms < moment.now_ms or turn_ms <= moment.wall_ms:
        return _latched(source, signal, value)
    if source.slots:
        turn_ms = min(turn_ms, next_turn(source.slots, moment.wall_ms))
    return Source(
        live_view(source.view, value, latched, signal.event_id, signal.priority),
        heard,
        born_ms,
        stale_ms,
        turn_ms,
        0,
        source.slots,
        baseline,
        latched,
        source.doubt,
    )


def _latched(source: Source, signal: Signal, value: int) -> Source:
    """Only an emergency is believed when its time is over: it latches, and keeps nothing alive."""
    view = source.view
    assert view.value_w is not None
    latched = value if source.latched_w is None else min(value, source.latched_w)
    seen = min(view.value_w, latched)
    view = replace(view, value_w=seen, event_id=signal.event_id, latched=True)
    return replace(source, view=view, latched_w=latched)


def _counted(
    source: Source,
    setting: SourceSettings,
    signal: Signal,
    value: int,
    born_ms: int,
    moment: Moment,
) -> tuple[int, Baseline | None] | None:
    """The word in watts, and what it was counted from; None where that is not known."""
    if setting.kind is Kind.SETPOINT_DELTA:
        held, now_ms = source.baseline, moment.now_ms
        baseline = with_delta(held, value, signal.event_id, moment.loads, now_ms)
        return None if baseline is None else (max(baseline.load_w + value, 0), baseline)
    if counts_from_load(setting):
        load_w = load_at(moment.loads, born_ms)
        return None if load_w is None else (max(load_w + value, 0), None)
    return (max(value, 0) if setting.kind in FOLLOWED else value), None


def _planned(
    source: Source, setting: SourceSettings, signal: Signal, heard: Heard, moment: Moment
) -> Source:
    """An interval more in the plan, in force at once where it is its time."""
    assert signal.valid_to_ms is not None
    begins_ms = signal.event_ms if signal.valid_from_ms is None else signal.valid_from_ms
    slot = Slot(begins_ms, signal.valid_to_ms, heard.value, signal.event_id, signal.priority)
    slots = with_slot(source.slots, slot)
    if len(slots) > MAX_SLOTS:
        return _refused(source, setting, PLAN_FULL, moment)
    return turned(replace(source, heard=heard, slots=slots), setting, moment)


def _refused(source: Source, setting: SourceSettings, refusal: Refusal, moment: Moment) -> Source:
    """Nothing changes but what is told: a refusal once, then each minute with its count."""
    is_usual = refusal.code is Code.REPEATED or (
        refusal.code is Code.EXPIRED and setting.kind in PLANNED
    )
    if is_usual:  # polled faster than it speaks; a plan that is sent again from its beginning
        return source
    doubt, count = source.doubt, 1
    if doubt is not None and doubt.code is refusal.code:
        count = doubt.count + 1
        if moment.now_ms - doubt.told_ms < TELL_MS:
            return replace(source, doubt=Doubt(doubt.code, doubt.told_ms, count))
    often = "" if count == 1 else f" ({count} such samples since it was last told)"
    text = f"the sample {refusal.text}{often}"
    moment.tell(refusal.code, Level.WARNING, setting.name, text)
    return replace(source, doubt=Doubt(refusal.code, moment.now_ms, 0))
