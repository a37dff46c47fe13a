"""Watt-hours from a meter's register; integrated power only fills what the register leaves open.

Two readings of one register bound the energy between them, whatever was missed meanwhile. Three
things break that: the register rolls over, another meter takes its place, or it jumps. A step is
believed where the load could have made it; one that is not is held until the next reading sides
with the old value (then it was one bad reading) or with the new (then the register has jumped, and
power fills the stretch between).

A reading's time is the meter's own, so energy belongs to when it flowed, not to when we heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from stratum.power.brain.values import MeterReading
from stratum.power.brain.values import Quality as SampleQuality

MS_PER_HOUR = 3_600_000

#: Readings closer than this bound their energy well enough for any interval between.
CLOSE_MS = 60_000

#: So long a reading of power stands for what followed; beyond, nobody knows.
HOLD_MS = 60_000

#: Beside twice the power: registers count in steps of up to ten kilowatt-hours.
_STEP_WH = 20_000


class Quality(StrEnum):
    """As OpenADR 3's DATA_QUALITY; from best to worst, and a whole is as good as its worst part."""

    OK = "OK"
    ESTIMATED = "ESTIMATED"  # from power, or spread over a gap that the register bounds
    BAD = "BAD"  # the register contradicted itself
    MISSING = "MISSING"  # for some of the time nothing is known; the energy is of the rest


_ORDER = tuple(Quality)


def worse(one: Quality, other: Quality) -> Quality:
    return max(one, other, key=_ORDER.index)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Energy between two moments, UTC; None where nothing at all is known of it."""

    from_ms: int
    to_ms: int
    energy_wh: int | None
    quality: Quality

    def parts(self, length_ms: int) -> Iterator[tuple[int, int, int | None]]:
        """(interval's start, time in it, energy in it), adding up to the whole exactly."""
        span = self.to_ms - self.from_ms
        at, before = self.from_ms, 0
        while at < self.to_ms:
            start = at - at % length_ms
            end = min(start + length_ms, self.to_ms)
            if self.energy_wh is None:
                yield start, end - at, None
            else:
                until = self.energy_wh * (end - self.from_ms) // span
                yield start, end - at, until - before
                before = until
            at = end


@dataclass(frozen=True, slots=True)
class _Point:
    """A moment, and the integral of power up to it: watts times ms, and ms that they cover."""

    at_ms: int
    power_wms: int
    covered_ms: int


@dataclass(frozen=True, slots=True)
class _Knot:
    """A reading of the register that is believed, or that may be."""

    point: _Point
    energy_wh: int
    serial: str


class Register:
    """One meter: readings in, stretches out, in order and without a hole between them.

    `modulus_wh` is where the register rolls over, 0 never; `most_w` what may hang behind it.
    """

    def __init__(self, modulus_wh: int, most_w: int) -> None:
        self._modulus_wh = modulus_wh
        self._most_w = most_w
        self._now: _Point | None = None
        self._power_w: int | None = None
        self._knot: _Knot | None = None
        self._doubted: _Knot | None = None
        self._is_bad = False
        self._shape: list[_Point] = []  # since the last stretch: first, one a minute, last

    def take(self, reading: MeterReading) -> list[Stretch]:
        """What is now known of the time up to this reading; nothing for one that came late."""
        if self._now is not None and reading.event_ms <= self._now.at_ms:
            return []
        point = self._integrated(reading)
        if reading.energy_wh is None or reading.quality is SampleQuality.BAD:
            self._is_bad |= reading.quality is SampleQuality.BAD
            return self._by_power(point, Quality.ESTIMATED) if self._knot is None else []
        return self._registered(_Knot(point, reading.energy_wh, reading.serial))

    def finish(self) -> list[Stretch]:
        """What lies behind the last reading of the register, by power."""
        if self._now is None or self._knot is None:
            return []
        return self._by_power(self._now, Quality.BAD if self._doubted else Quality.ESTIMATED)

    def _integrated(self, reading: MeterReading) -> _Point:
        """The power that held until now counts; what this reading says holds from now on."""
        at = reading.event_ms
        last = self._now or _Point(at, 0, 0)
        held = min(at - last.at_ms, HOLD_MS) if self._power_w is not None else 0
        point = _Point(at, last.power_wms + (self._power_w or 0) * held, last.covered_ms + held)
        self._now = point
        is_known = reading.power_w is not None and reading.quality is not SampleQuality.BAD
        # What is fed back is no consumption; a sign that is wrong must not take energy away.
        self._power_w = max(0, reading.power_w or 0) if is_known else None
        self._most_w = max(self._most_w, 2 * (self._power_w or 0))

        # Two points are all that readings every second ever leave here.
        if len(self._shape) > 1 and at - self._shape[-2].at_ms < CLOSE_MS:
            self._shape[-1] = point
        else:
            self._shape.append(point)
        return point

    def _registered(self, knot: _Knot) -> list[Stretch]:
        last = self._knot
        if last is None:
            stretches = self._by_power(knot.point, Quality.ESTIMATED)
        elif knot.serial != last.serial:
            stretches = self._by_power(knot.point, Quality.ESTIMATED)
        elif (step := self._step(last, knot)) is not None:
            stretches = self._by_register(last.point, knot.point, step)
        elif self._doubted and (step := self._step(self._doubted, knot)) is not None:
            doubted = self._doubted.point
            stretches = self._by_power(doubted, Quality.BAD)
            stretches += self._by_register(doubted, knot.point, step)
        else:
            self._doubted = knot
            return []
        self._knot, self._doubted, self._is_bad = knot, None, False
        return stretches

    def _step(self, last: _Knot, knot: _Knot) -> int | None:
        """How far the register went, None where no load could have moved it so."""
        if last.serial != knot.serial:
            return None
        step = knot.energy_wh - last.energy_wh
        if step < 0 and self._modulus_wh:
            step %= self._modulus_wh
        span = knot.point.at_ms - last.point.at_ms
        most = _STEP_WH + self._most_w * span // MS_PER_HOUR
        return step if 0 <= step <= most else None

    def _by_register(self, last: _Point, point: _Point, step: int) -> list[Stretch]:
        """A step, spread over a long gap as power was, where that is known."""
        shape = self._shape_to(point)
        if point.at_ms - last.at_ms <= CLOSE_MS:
            quality = Quality.ESTIMATED if self._is_bad else Quality.OK
            return [Stretch(last.at_ms, point.at_ms, step, quality)]
        total = point.power_wms - last.power_wms
        if not total or point.covered_ms - last.covered_ms < point.at_ms - last.at_ms:
            return [Stretch(last.at_ms, point.at_ms, step, Quality.ESTIMATED)]
        shares = [(part.power_wms - last.power_wms) * step // total for part in shape]
        return [
            Stretch(one.at_ms, two.at_ms, until - before, Quality.ESTIMATED)
            for (one, two), (before, until) in zip(pairwise(shape), pairwise(shares), strict=True)
        ]

    def _by_power(self, point: _Point, quality: Quality) -> list[Stretch]:
        return [_estimated(one, two, quality) for one, two in pairwise(self._shape_to(point))]

    def _shape_to(self, point: _Point) -> list[_Point]:
        """The points from the last stretch's end to there; the next one begins there."""
        shape = [part for part in self._shape if part.at_ms < point.at_ms] + [point]
        self._shape = [point] + [part for part in self._shape if part.at_ms > point.at_ms]
        return shape


def _estimated(one: _Point, two: _Point, quality: Quality) -> Stretch:
    """Energy by power; floors of the integral itself, which add up over any time."""
    energy = two.power_wms // MS_PER_HOUR - one.power_wms // MS_PER_HOUR
    covered = two.covered_ms - one.covered_ms
    if not covered:
        return Stretch(one.at_ms, two.at_ms, None, Quality.MISSING)
    if covered < two.at_ms - one.at_ms:
        quality = Quality.MISSING
    return Stretch(one.at_ms, two.at_ms, energy, quality)
