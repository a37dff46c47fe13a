"""What time it is: UTC as far as it can be believed, and when it cannot (N24).

Every timer of the brain runs on `now_ms`, which no one can set. The wall clock only places samples
and schedules in the day, and it can be stepped: by NTP after a long outage, by a hand, by a virtual
machine that slept. So it is held against the monotonic clock each tick:

    in step                the wall is believed as it stands
    off by more than 1 s   an event; believed at once, since ages of samples err by as much anyway
    off by more than 30 s  an alarm; wall-timed commands are refused, and the plan goes on by the
                           old reckoning, carried forward by the monotonic clock
    in step for a minute   the new wall is believed, unless the plant's own stamps still agree with
                           the old reckoning: then it is our clock that is wrong, and it stays so

The sum of small steps over five minutes counts like one large one: a wall that runs twice as fast
never jumps. Leap seconds and daylight saving are nothing here: UTC has no summer, and a leap second
is a step of one second, which is not more than one second.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stratum.power.brain.commands import Level, Reason
from stratum.power.brain.settings import MINUTE, SECOND, Settings

#: How long a stepped wall must keep in step before it is believed. As long as N20 holds a lost
#: signal by default, so that one step of the clock ends before anything held begins to ramp.
STEADY_MS = MINUTE

#: N24 looks at the NTP offset this often; small steps are added up over the same time.
DRIFT_MS = 5 * MINUTE

#: The two clocks are read one after the other and rounded; a leap second must not become 1,001 ms.
APART_MS = 10


@dataclass(frozen=True, slots=True)
class ClockState:
    """`wall_ms` is UTC as believed: all that is timed by the wall goes by it, not by the input."""

    wall_ms: int = 0
    reject_wall_timed: bool = False
    offset_ms: int | None = None  # believed wall minus monotonic; None before the first tick
    mark_ms: int = 0  # since when steps are added up; rejecting: since when it keeps in step
    mark_offset_ms: int = 0  # the wall's own offset then


def watch(
    state: ClockState,
    now_ms: int,
    wall_ms: int,
    settings: Settings,
    stamps: Iterable[int] = (),
) -> tuple[ClockState, tuple[Reason, ...]]:
    """One tick's look at both clocks; `stamps` are the times that samples brought along, UTC."""
    offset = wall_ms - now_ms
    if state.offset_ms is None:
        return ClockState(wall_ms, False, offset, now_ms, offset), ()
    if state.reject_wall_timed:
        return _distrust(state, now_ms, offset, settings, stamps)

    step, drift = offset - state.offset_ms, offset - state.mark_offset_ms
    if max(abs(step), abs(drift)) > settings.clock_reject_ms:
        jump = step if abs(step) > settings.clock_reject_ms else drift
        text = (
            f"the wall clock moved {jump / SECOND:+.1f} s against the monotonic one: wall-timed "
            f"commands are refused and the plan goes on by the old time until it keeps in step "
            f"for {STEADY_MS // SECOND} s"
        )
        believed = now_ms + state.offset_ms
        doubtful = ClockState(believed, True, state.offset_ms, now_ms, offset)
        return doubtful, (Reason("clock_jump", text, Level.ALARM),)

    is_due = now_ms - state.mark_ms >= DRIFT_MS
    mark = (now_ms, offset) if is_due else (state.mark_ms, state.mark_offset_ms)
    told: tuple[Reason, ...] = ()
    if abs(step) > settings.clock_event_ms + APART_MS:
        text = f"the wall clock moved {step / SECOND:+.1f} s against the monotonic one"
        told = (Reason("clock_step", text, Level.WARNING),)
    return ClockState(wall_ms, False, offset, *mark), told


def _distrust(
    state: ClockState, now_ms: int, offset: int, settings: Settings, stamps: Iterable[int]
) -> tuple[ClockState, tuple[Reason, ...]]:
    """While it is not believed: wait until it has kept in step for long enough."""
    assert state.offset_ms is not None
    believed = now_ms + state.offset_ms
    reach_ms = settings.clock_reject_ms
    back_in_step = abs(offset - state.offset_ms) <= reach_ms
    agree_with_old = any(abs(stamp - believed) <= reach_ms for stamp in stamps)
    moved = abs(offset - state.mark_offset_ms) > settings.clock_event_ms + APART_MS
    if moved or (agree_with_old and not back_in_step):
        return ClockState(believed, True, state.offset_ms, now_ms, offset), ()
    if now_ms - state.mark_ms < STEADY_MS:
        mark = (state.mark_ms, state.mark_offset_ms)
        return ClockState(believed, True, state.offset_ms, *mark), ()

    text = (
        f"the wall clock kept in step for {STEADY_MS // SECOND} s and is believed again, "
        f"{(offset - state.offset_ms) / SECOND:+.1f} s from the time before"
    )
    trusted = ClockState(now_ms + offset, False, offset, now_ms, offset)
    return trusted, (Reason("clock_believed", text, Level.WARNING),)
