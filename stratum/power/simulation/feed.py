"""The plant's surplus as a signal, once a second; and what can befall a signal on its way.

A `Feed` knows the true surplus of each second and what its source would put on the wire. Mishaps
are windows of the run, so that one scenario can have several.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from enum import StrEnum

from stratum.power.brain.values import Ints, Kind, Quality, Signal

SECOND = 1_000
MEGAWATT = 1_000_000

#: A gateway's own delay, from its measurement to our socket (assumed, 50-1000 ms).
DELAY_MS = 200


class Mishap(StrEnum):
    """What happens to samples."""

    GONE = "gone"  # none arrives
    FROZEN = "frozen"  # the same value and counter for ever, freshly stamped (N21)
    NAN = "nan"
    SWAPPED = "swapped"  # float32 with its two words in the wrong order
    THOUSANDFOLD = "x1000"  # kW read as MW
    LATE = "late"  # true once, two hours ago
    FUTURE = "future"  # its clock runs ten minutes ahead (N25)
    BAD = "bad"  # its own quality bit says so


LATE_MS = 2 * 3_600 * SECOND
AHEAD_MS = 600 * SECOND


@dataclass(frozen=True, slots=True)
class Trouble:
    """From second to second of the run, this happens to what the source sends."""

    from_s: int
    to_s: int
    mishap: Mishap


@dataclass(frozen=True, slots=True)
class Feed:
    """One source. `watts[k]` is what it measures in second k of the run."""

    source: str
    kind: Kind
    watts: Ints
    troubles: tuple[Trouble, ...] = ()
    period_s: int = 1

    def samples(self, second: int, now_ms: int, wall_ms: int) -> tuple[Signal, ...]:
        """What arrives in this second; `wall_ms` is the source's own time, which never jumps."""
        if second % self.period_s:
            return ()
        trouble = next((t for t in self.troubles if t.from_s <= second < t.to_s), None)
        mishap = trouble.mishap if trouble else None
        if mishap is Mishap.GONE:
            return ()

        measured_s, event_ms, quality = second, wall_ms - DELAY_MS, Quality.GOOD
        if mishap is Mishap.FROZEN and trouble is not None:
            measured_s = trouble.from_s
        elif mishap is Mishap.LATE:
            event_ms -= LATE_MS
            measured_s = max(second - LATE_MS // SECOND, 0)
        elif mishap is Mishap.FUTURE:
            event_ms += AHEAD_MS
        elif mishap is Mishap.BAD:
            quality = Quality.BAD
        value = mangled(int(self.watts[measured_s]), mishap)
        signal = Signal(
            source=self.source,
            kind=self.kind,
            value=value,
            event_ms=event_ms,
            received_ms=now_ms,
            sequence=measured_s,
            quality=quality,
        )
        return (signal,)


def mangled(value_w: int, mishap: Mishap | None) -> int | None:
    """The value as it would be read; None where it is no number."""
    if mishap is Mishap.NAN:
        return None
    if mishap is Mishap.THOUSANDFOLD:
        return value_w * 1_000
    if mishap is Mishap.SWAPPED:
        word = struct.pack(">f", value_w / MEGAWATT)
        (megawatts,) = struct.unpack(">f", word[2:] + word[:2])
        return round(megawatts * MEGAWATT) if math.isfinite(megawatts) else None
    return value_w
