"""What a sample means that counts from our own load: deltas, and surplus beside our load.

Each is added up once, when it comes, with the load as it was when the sample was true. Were it
added up anew each tick, a surplus measured every half minute would be taken up thirty times, and
one that stopped being measured would chase the load that it caused.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from stratum.power.brain.settings import MINUTE, SECOND, SourceSettings
from stratum.power.brain.values import Kind

#: A load this far in time from a sample is not the load that the sample saw (a meter's max_age).
APART_MS = 5 * SECOND

#: At most so many loads are remembered: two minutes of seconds.
LOADS = 120

#: A delta that has said zero for as long is over: the next one counts from the load of its day.
OVER_MS = MINUTE

Loads = tuple[tuple[int, int], ...]  # (monotonic ms, watts), oldest first


@dataclass(frozen=True, slots=True)
class Baseline:
    """The load that a delta counts from."""

    load_w: int
    event_id: str
    zero_ms: int | None  # since when the delta has been zero, monotonic


def counts_from_load(setting: SourceSettings) -> bool:
    return setting.kind is Kind.SETPOINT_DELTA or (
        setting.kind is Kind.SURPLUS_MEAS and setting.includes_our_load
    )


def with_load(loads: Loads, at_ms: int, load_w: int, reach_ms: int) -> Loads:
    """One more, without what no sample can reach any more."""
    if loads and loads[-1][0] >= at_ms:
        return loads
    oldest = bisect_left(loads, (at_ms - reach_ms - APART_MS, 0))
    return (*loads[max(oldest, len(loads) + 1 - LOADS) :], (at_ms, load_w))


def load_at(loads: Loads, at_ms: int) -> int | None:
    """Our load then, None where it wasn't measured at about that time."""
    row = bisect_left(loads, (at_ms, 0))
    near = loads[max(row - 1, 0) : row + 1]
    if not near:
        return None
    nearest = min(near, key=lambda load: abs(load[0] - at_ms))
    return nearest[1] if abs(nearest[0] - at_ms) <= APART_MS else None


def with_delta(
    held: Baseline | None, delta_w: int, event_id: str, loads: Loads, now_ms: int
) -> Baseline | None:
    """What this delta counts from: the load at its receipt, held for as long as the event lasts,
    so that one that is sent again adds nothing. None where that load is not known."""
    if held is not None and held.event_id == event_id:
        if delta_w == 0:
            since = now_ms if held.zero_ms is None else held.zero_ms
            return Baseline(held.load_w, event_id, since)
        if held.zero_ms is None or now_ms - held.zero_ms < OVER_MS:
            return Baseline(held.load_w, event_id, None)
    load_w = load_at(loads, now_ms)
    return None if load_w is None else Baseline(load_w, event_id, None if delta_w else now_ms)
