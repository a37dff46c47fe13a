"""Is this sample to be believed?

Each refusal has a code for machines and a sentence with the figures for people; where a number is
out of its source's band the sentence names what most likely went wrong on the way: a unit taken
for another, or the two words of a float32 swapped. What is refused changes nothing: the source
ages on, and what holds when it is too old is `sources`' to say.

A sample is judged by its own time, not by when it came: one that was two hours under way is two
hours old. Emergencies are the exception. Doubt about their time counts for them, since they only
ever lower the load: a wrong clock at the plant must not cost the emergency.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from stratum.power.brain.settings import SECOND, Settings, SourceSettings
from stratum.power.brain.values import Kind, Quality, Signal

#: Kinds that the load follows; caps and emergencies only bound it, prices do neither.
FOLLOWED = frozenset({Kind.SETPOINT_ABS, Kind.SETPOINT_DELTA, Kind.SCHEDULE, Kind.SURPLUS_MEAS})

#: Kinds whose samples may speak of a time to come; with an end, that bounds them instead of age.
PLANNED = frozenset({Kind.SCHEDULE, Kind.PRICE})

#: Kinds that may be below zero where the operator has not set a band: a deficit, a step down, a
#: price for taking power.
SIGNED = frozenset({Kind.SETPOINT_DELTA, Kind.SURPLUS_MEAS, Kind.PRICE})

#: A counter that is this little behind belongs to a sample that was overtaken on the way; one that
#: began again falls further, and is believed.
OVERTAKEN = 8

#: What a float32 register may have been scaled by: W, kW, MW.
SCALES = (1, 1_000, 1_000_000)


class Code(StrEnum):
    """Why a sample is not believed."""

    WRONG_KIND = "wrong_kind"
    NOT_A_NUMBER = "not_a_number"
    BAD_QUALITY = "bad_quality"
    UNIT_ERROR = "unit_error"
    WORD_SWAPPED = "word_swapped"
    OUT_OF_RANGE = "out_of_range"
    LOCAL = "local"
    CLOCK = "clock"  # N24
    BAD_VALIDITY = "bad_validity"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    PLAN_FULL = "plan_full"
    FUTURE = "future"  # N25
    LATE = "late"
    OUT_OF_ORDER = "out_of_order"
    REPEATED = "repeated"
    NO_LOAD = "no_load"  # relative to our own load, which is not known
    NO_HEARTBEAT = "no_heartbeat"
    FROZEN = "frozen"  # N21


@dataclass(frozen=True, slots=True)
class Refusal:
    code: Code
    text: str


@dataclass(frozen=True, slots=True)
class Heard:
    """What is remembered of the last sample that was believed.

    `event_ms` is None once the clocks moved: stamps from before then say nothing of the order.
    """

    value: int
    event_ms: int | None
    sequence: int | None
    moved_ms: int  # when `sequence` last changed, monotonic


def judge(
    signal: Signal,
    source: SourceSettings,
    heard: Heard | None,
    now_ms: int,
    wall_ms: int,
    settings: Settings,
    total_w: int,
    rejecting_wall_timed: bool,
) -> Refusal | None:
    """None: it is believed. `wall_ms` is UTC as `clocks` believes it."""
    kind = source.kind
    if signal.kind is not kind:
        return Refusal(Code.WRONG_KIND, f"is a {signal.kind}, the source is a {source.kind}")
    if signal.value is None:
        return Refusal(Code.NOT_A_NUMBER, "is no number")
    if signal.quality is Quality.BAD:
        return Refusal(Code.BAD_QUALITY, "is marked bad by its source")
    refusal = _out_of_band(signal.value, source, heard, total_w)
    if refusal or (kind is Kind.EMERGENCY and signal.value < total_w):
        return refusal
    if signal.local and kind in FOLLOWED:
        return Refusal(Code.LOCAL, "doesn't count: the plant's switch stands at LOCAL")
    if signal.valid_from_ms is not None or signal.valid_to_ms is not None:
        refusal = _out_of_validity(signal, wall_ms, rejecting_wall_timed)
    refusal = refusal or _out_of_time(signal, source, wall_ms, settings)
    if heard is not None and heard.event_ms is not None:
        refusal = refusal or _out_of_order(signal, source, heard, heard.event_ms)
    if source.heartbeat:
        refusal = refusal or _without_heartbeat(signal, source, heard, now_ms)
    return refusal


def suspicion(value: int, heard: Heard | None) -> str | None:
    """A believable value that is a thousandth or a thousandfold of the one before, within 2 %.

    It is obeyed all the same: a real order to come down must not wait for a doubt about units.
    """
    if heard is None or not value or not heard.value or value == heard.value:
        return None
    small, large = sorted((abs(value), abs(heard.value)))
    if not 980 * small <= large <= 1_020 * small:
        return None
    part = "a thousandth" if abs(value) == small else "a thousandfold"
    return f"is {part} of the one before: a unit taken for another?"


def band(source: SourceSettings, total_w: int) -> tuple[int, int] | None:
    """What its values lie between, ends included; None: a price without a band."""
    high = source.max_w
    if high is None:
        if source.kind is Kind.PRICE:
            return None
        high = 2 * total_w
    is_symmetric = source.kind in SIGNED and source.min_w == 0
    return (-high if is_symmetric else source.min_w), high


def shown(value: int, kind: Kind = Kind.CAP) -> str:
    """For people: watts as MW, a price as units per MWh."""
    if abs(value) < 10**15:
        scaled = f"{value / 1_000_000:,.3f}".rstrip("0").rstrip(".")
    else:  # a swapped word can be as large as a float32 gets
        scaled = f"{'-' if value < 0 else ''}10^{value.bit_length() * 3 // 10 - 6}"
    return f"{scaled} /MWh" if kind is Kind.PRICE else f"{scaled} MW"


def frozen_ms(source: SourceSettings) -> int:
    """How long its counter may stand."""
    return source.max_age_ms if source.frozen_after_ms is None else source.frozen_after_ms


# -- the number --------------------------------------------------------------------------------


def _out_of_band(
    value: int, source: SourceSettings, heard: Heard | None, total_w: int
) -> Refusal | None:
    limits = band(source, total_w)
    if limits is None or limits[0] <= value <= limits[1]:
        return None
    low, high = (shown(limit, source.kind) for limit in limits)
    text = f"is {shown(value, source.kind)}, outside {low} to {high}"

    # So small a part of the band fits by chance: any float swapped is some float.
    least = limits[1] // 1_000
    fits = [
        guess
        for guess in _guesses(value)
        if limits[0] <= guess[1] <= limits[1] and abs(guess[1]) >= least
    ]
    if not fits:
        return Refusal(Code.OUT_OF_RANGE, text)
    code, likely, cause = min(fits, key=lambda guess: _distance(guess[1], heard))
    return Refusal(code, f"{text}; likely {cause}, {shown(likely, source.kind)} would fit")


def _guesses(value: int) -> Iterator[tuple[Code, int, str]]:
    """What the value may have been before something went wrong on the way, likeliest first."""
    if abs(value) >= 1_000:
        yield Code.UNIT_ERROR, value // 1_000, "a unit error, 1,000 times too large"
    yield Code.UNIT_ERROR, value * 1_000, "a unit error, 1,000 times too small"
    for scale in SCALES:
        swapped = _swap_words(value, scale)
        if swapped is not None and abs(swapped * scale) >= 1:
            yield Code.WORD_SWAPPED, round(swapped * scale), "a float with its words swapped"


def _swap_words(value: int, scale: int) -> float | None:
    """The float32 whose two registers were read in the wrong order; None where there is none."""
    try:
        high, low = struct.unpack(">HH", struct.pack(">f", value / scale))
    except OverflowError:
        return None
    swapped: float = struct.unpack(">f", struct.pack(">HH", low, high))[0]
    return swapped if abs(swapped) < float("inf") else None  # NaN compares false


def _distance(guess: int, heard: Heard | None) -> float:
    """How many times off the last good value; all alike without one, so the likeliest stays."""
    if heard is None or guess * heard.value <= 0:
        return float("inf")
    return max(guess / heard.value, heard.value / guess)


# -- its time ----------------------------------------------------------------------------------


def _out_of_validity(signal: Signal, wall_ms: int, rejecting: bool) -> Refusal | None:
    begins, ends = signal.valid_from_ms, signal.valid_to_ms
    if rejecting:
        return Refusal(Code.CLOCK, "is timed by a wall clock that has jumped")
    if begins is not None and ends is not None and ends <= begins:
        return Refusal(Code.BAD_VALIDITY, "ends before it begins")
    if ends is not None and ends <= wall_ms:
        return Refusal(Code.EXPIRED, f"expired {_seconds(wall_ms - ends)} ago")
    if begins is not None and begins > wall_ms and signal.kind not in PLANNED:
        wait = _seconds(begins - wall_ms)
        return Refusal(Code.NOT_YET, f"begins in {wait}, and a {signal.kind} speaks of now")
    return None


def _out_of_time(
    signal: Signal, source: SourceSettings, wall_ms: int, settings: Settings
) -> Refusal | None:
    age = wall_ms - signal.event_ms
    if -age > settings.future_ms:
        return Refusal(Code.FUTURE, f"is stamped {_seconds(-age)} ahead of the clock")
    is_planned = signal.kind in PLANNED and signal.valid_to_ms is not None
    if age > source.max_age_ms and not is_planned:
        limit = _seconds(source.max_age_ms)
        return Refusal(Code.LATE, f"came {_seconds(age)} after its time, {limit} is the limit")
    return None


def _out_of_order(
    signal: Signal, source: SourceSettings, heard: Heard, event_ms: int
) -> Refusal | None:
    if signal.event_ms < event_ms:
        older = _seconds(event_ms - signal.event_ms)
        return Refusal(Code.OUT_OF_ORDER, f"is {older} older than the one before")
    before, number = heard.sequence, signal.sequence
    # A heartbeat only has to move: many toggle between 0 and 1.
    if not source.heartbeat and before is not None and number is not None:
        if 0 < before - number <= OVERTAKEN:
            return Refusal(Code.OUT_OF_ORDER, f"is number {number}, after number {before}")
    is_same = signal.event_ms == event_ms and number == before and signal.value == heard.value
    if is_same and signal.valid_from_ms is None:
        return Refusal(Code.REPEATED, "was here before")
    return None


def _without_heartbeat(
    signal: Signal, source: SourceSettings, heard: Heard | None, now_ms: int
) -> Refusal | None:
    if signal.sequence is None:
        return Refusal(Code.NO_HEARTBEAT, "came without the counter that proves its source alive")
    if heard is None or signal.sequence != heard.sequence:
        return None
    stood = now_ms - heard.moved_ms
    if stood <= frozen_ms(source):
        return None
    text = f"is frozen: its counter has stood at {signal.sequence} for {_seconds(stood)}"
    return Refusal(Code.FROZEN, text)


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / SECOND:,.1f} s"
