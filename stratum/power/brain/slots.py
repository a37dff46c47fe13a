"""A plan as intervals of UTC, none over another: the newer issue replaces what it covers.

Intervals are half-open, so that one ends where the next begins, and every hour of the year is as
long as any other: a local day of 23 or 25 hours is the sender's affair.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from operator import attrgetter

from stratum.power.brain.settings import HOUR

FOREVER = 1 << 60  # a time after any other

#: Ten days of quarter hours: more is no plan, and each revision walks them all.
MAX_SLOTS = 1_000

#: What has ended is kept this long: a wall clock that is set back an hour finds its plan again.
KEPT_MS = 2 * HOUR


@dataclass(frozen=True, slots=True)
class Slot:
    """One value from `begins_ms` until just before `ends_ms`, FOREVER where it is open."""

    begins_ms: int
    ends_ms: int
    value: int
    event_id: str = ""
    priority: int = 0


def with_slot(slots: tuple[Slot, ...], new: Slot) -> tuple[Slot, ...]:
    """The plan with `new` in place of whatever it covers; pieces that stick out stay."""
    if new in slots:
        return slots
    kept: list[Slot] = []
    for old in slots:
        if old.ends_ms <= new.begins_ms or old.begins_ms >= new.ends_ms:
            kept.append(old)
            continue
        if old.begins_ms < new.begins_ms:
            kept.append(replace(old, ends_ms=new.begins_ms))
        if old.ends_ms > new.ends_ms:
            kept.append(replace(old, begins_ms=new.ends_ms))
    return tuple(sorted((*kept, new), key=_begins))


def slot_at(slots: tuple[Slot, ...], wall_ms: int) -> Slot | None:
    """The interval that `wall_ms` lies in; None in a gap, before the plan and after it."""
    row = bisect_right(slots, wall_ms, key=_begins) - 1
    return slots[row] if row >= 0 and wall_ms < slots[row].ends_ms else None


def next_turn(slots: tuple[Slot, ...], wall_ms: int) -> int:
    """When `slot_at` next answers otherwise."""
    edges = (edge for slot in slots for edge in (slot.begins_ms, slot.ends_ms) if edge > wall_ms)
    return min(edges, default=FOREVER)


def without_past(slots: tuple[Slot, ...], wall_ms: int) -> tuple[Slot, ...]:
    return tuple(slot for slot in slots if slot.ends_ms > wall_ms - KEPT_MS)


_begins = attrgetter("begins_ms")
