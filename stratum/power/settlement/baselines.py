"""What the load would have been: four ways that contracts know, each from the journal alone.

    meter-before[:MINUTES]   the mean of the minutes before the event was decided (15)
    high-X-of-Y              the mean, at that time of day, of the X days of highest energy among
                             the last Y that had no named event
    schedule                 what the schedule's own messages said
    declared:SOURCE          what that signal declared; it was journaled when it was received

A baseline that cannot be known, before the first day or without an event, is None.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from stratum.power.brain.values import Inputs, Kind, Signal
from stratum.power.settlement.energy import MS_PER_HOUR, Stretch

MINUTE_MS = 60_000
DAY_MS = 24 * MS_PER_HOUR

#: Minutes of metered energy that are remembered: an event is settled within them.
_REMEMBERED = 26 * 60

_NAMES = re.compile(
    r"meter-before(?::(?P<minutes>[1-9]\d?))?|high-(?P<x>[1-9]\d?)-of-(?P<y>[1-9]\d?)"
    r"|(?P<schedule>schedule)|declared:(?P<source>.+)"
)


@dataclass(frozen=True, slots=True)
class Metered:
    """An interval as far as baselines care; `event` is when its order was decided, and its id."""

    start_ms: int
    end_ms: int
    energy_wh: int | None
    event: tuple[int, str] | None


class Baseline(Protocol):
    """Is told everything in its order, and asked once for each interval, oldest first."""

    def hear(self, inputs: Inputs) -> None: ...

    def meter(self, stretch: Stretch) -> None: ...

    def watts(self, metered: Metered) -> int | None: ...


def baseline(text: str) -> Baseline:
    """The baseline of a name as above. Raises ValueError."""
    match = _NAMES.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r}, expected meter-before, high-X-of-Y, schedule or declared:SOURCE"
        )
    if match["x"]:
        best, days = int(match["x"]), int(match["y"])
        if best > days:
            raise ValueError(f"{text!r}, expected no more than {days} of {days} days")
        return HighDays(best, days)
    if match["schedule"]:
        return Stated(None)
    if match["source"]:
        return Stated(match["source"])
    return MeterBefore(int(match["minutes"] or 15))


@dataclass(slots=True)
class MeterBefore:
    minutes: int
    _energy: dict[int, int] = field(default_factory=dict)  # of a minute, by its start
    _unknown: set[int] = field(default_factory=set)
    _from_ms: int | None = None  # the first minute that was metered from its beginning

    def hear(self, inputs: Inputs) -> None:
        pass

    def meter(self, stretch: Stretch) -> None:
        if self._from_ms is None:
            self._from_ms = -(-stretch.from_ms // MINUTE_MS) * MINUTE_MS
        for minute, _, energy in stretch.parts(MINUTE_MS):
            self._energy[minute] = self._energy.get(minute, 0) + (energy or 0)
            if energy is None:
                self._unknown.add(minute)
        for old in list(self._energy)[: max(0, len(self._energy) - _REMEMBERED)]:
            del self._energy[old]
            self._unknown.discard(old)

    def watts(self, metered: Metered) -> int | None:
        if metered.event is None:
            return None
        decided, _ = metered.event
        end = decided - decided % MINUTE_MS
        minutes = range(end - self.minutes * MINUTE_MS, end, MINUTE_MS)
        if self._from_ms is None or minutes[0] < self._from_ms:
            return None
        if any(m not in self._energy or m in self._unknown for m in minutes):
            return None
        return sum(self._energy[m] for m in minutes) * 60 // self.minutes


@dataclass(slots=True)
class _Day:
    start_ms: int
    energy: dict[int, int] = field(default_factory=dict)  # by time of day
    total_wh: int = 0
    has_event: bool = False


@dataclass(slots=True)
class HighDays:
    best: int
    days: int
    _past: deque[_Day] = field(default_factory=deque)
    _today: _Day = field(default_factory=lambda: _Day(0))

    def hear(self, inputs: Inputs) -> None:
        pass

    def meter(self, stretch: Stretch) -> None:
        pass

    def watts(self, metered: Metered) -> int | None:
        day = metered.start_ms - metered.start_ms % DAY_MS
        if day != self._today.start_ms:
            if self._today.energy and not self._today.has_event:
                self._past.append(self._today)
            self._today = _Day(day)
            while len(self._past) > self.days:
                self._past.popleft()
        time = metered.start_ms - day
        if metered.energy_wh is not None:
            self._today.energy[time] = metered.energy_wh
            self._today.total_wh += metered.energy_wh
        self._today.has_event |= bool(metered.event and metered.event[1])
        return self._mean(time, metered.end_ms - metered.start_ms)

    def _mean(self, time: int, length_ms: int) -> int | None:
        if len(self._past) < self.days:
            return None
        highest = sorted(self._past, key=lambda day: day.total_wh, reverse=True)[: self.best]
        energies = [day.energy[time] for day in highest if time in day.energy]
        if len(energies) < self.best:
            return None
        return sum(energies) * MS_PER_HOUR // (length_ms * self.best)


@dataclass(slots=True)
class Stated:
    """What messages said: those of one source, or every schedule's. The last word counts."""

    source: str | None
    _words: deque[Signal] = field(default_factory=deque)

    def hear(self, inputs: Inputs) -> None:
        for signal in inputs.signals:
            is_ours = (
                signal.kind is Kind.SCHEDULE
                if self.source is None
                else signal.source == self.source
            )
            if is_ours and signal.value is not None and not self._repeats(signal):
                self._words.append(signal)

    def meter(self, stretch: Stretch) -> None:
        pass

    def watts(self, metered: Metered) -> int | None:
        """The mean over the interval's minutes, None where one of them was never spoken of."""
        while len(self._words) > 1 and self._is_over(metered.start_ms):
            self._words.popleft()
        minutes = range(metered.start_ms, metered.end_ms, MINUTE_MS)
        values = [self._at(minute) for minute in minutes]
        known = [value for value in values if value is not None]
        return sum(known) // len(known) if known and len(known) == len(values) else None

    def _repeats(self, signal: Signal) -> bool:
        if not self._words:
            return False
        last = self._words[-1]
        return (last.value, last.valid_from_ms, last.valid_to_ms) == (
            signal.value,
            signal.valid_from_ms,
            signal.valid_to_ms,
        )

    def _is_over(self, start_ms: int) -> bool:
        """Whether nobody will ask for the oldest word again."""
        to_ms = self._words[0].valid_to_ms
        return (_from(self._words[1]) if to_ms is None else to_ms) <= start_ms

    def _at(self, at_ms: int) -> int | None:
        for word in reversed(self._words):
            if _from(word) <= at_ms and (word.valid_to_ms is None or at_ms < word.valid_to_ms):
                return word.value
        return None


def _from(signal: Signal) -> int:
    return signal.event_ms if signal.valid_from_ms is None else signal.valid_from_ms
