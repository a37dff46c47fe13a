"""Each refusal with its code, and what is said about a number that cannot be."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain.arrival import Code, Heard, Refusal, band, judge, shown, suspicion
from stratum.power.brain.settings import HOUR, MINUTE, SECOND, Settings, SourceSettings
from stratum.power.brain.values import Kind, Quality, Signal
from tests.power.plant import FLEET_W, MW, NOON, source

NOW = 10 * MINUTE
SETTINGS = Settings()

#: The last good sample of most cases: 12 MW, two seconds ago, number 100.
HEARD = Heard(12 * MW, NOON - 2 * SECOND, 100, NOW - 2 * SECOND)


def sample(**more: object) -> Signal:
    signal = Signal("dispatch", Kind.SETPOINT_ABS, 12 * MW, NOON, NOW, sequence=101)
    return replace(signal, **more)  # type: ignore[arg-type]


def judged(
    signal: Signal,
    setting: SourceSettings | None = None,
    heard: Heard | None = HEARD,
    rejecting: bool = False,
) -> Refusal | None:
    setting = setting or source(kind=signal.kind)
    return judge(signal, setting, heard, NOW, NOON, SETTINGS, FLEET_W, rejecting)


def code(*arguments: object, **more: object) -> Code | None:
    refusal = judged(*arguments, **more)  # type: ignore[arg-type]
    return refusal.code if refusal else None


REFUSED = [
    (Code.WRONG_KIND, sample(kind=Kind.CAP), source()),
    (Code.NOT_A_NUMBER, sample(value=None), source()),
    (Code.BAD_QUALITY, sample(quality=Quality.BAD), source()),
    (Code.OUT_OF_RANGE, sample(value=-1), source()),
    (Code.UNIT_ERROR, sample(value=12_000 * MW), source()),
    (Code.UNIT_ERROR, sample(value=12_000), source(min_w=1 * MW)),
    (Code.LOCAL, sample(local=True), source()),
    (Code.BAD_VALIDITY, sample(valid_from_ms=NOON, valid_to_ms=NOON), source()),
    (Code.EXPIRED, sample(valid_to_ms=NOON), source()),
    (Code.NOT_YET, sample(valid_from_ms=NOON + 1), source()),
    (Code.FUTURE, sample(event_ms=NOON + 2_001), source()),
    (Code.LATE, sample(event_ms=NOON - 10_001), source()),
    (Code.LATE, sample(event_ms=NOON - 2 * HOUR), source()),
    (Code.OUT_OF_ORDER, sample(event_ms=NOON - 2_001), source()),
    (Code.OUT_OF_ORDER, sample(sequence=99), source()),
    (Code.REPEATED, sample(event_ms=NOON - 2_000, sequence=100), source()),
    (Code.NO_HEARTBEAT, sample(sequence=None), source(heartbeat=True)),
    (Code.FROZEN, sample(sequence=100), source(heartbeat=True, frozen_after_ms=1_999)),
]


@pytest.mark.parametrize(("expected", "signal", "setting"), REFUSED)
def test_sample_is_refused_with_its_code_and_a_sentence(
    expected: Code, signal: Signal, setting: SourceSettings
) -> None:
    refusal = judged(signal, setting)
    assert refusal is not None
    assert refusal.code is expected
    assert refusal.text.split()[0] in ("is", "came", "ends", "expired", "begins", "was", "doesn't")


BELIEVED = [
    (sample(), source()),
    (sample(value=0), source()),
    (sample(value=60 * MW), source()),
    (sample(quality=Quality.UNCERTAIN), source()),
    (sample(event_ms=NOON + 2_000), source()),
    (sample(event_ms=NOON - 2_000), source(max_age_ms=2_000)),
    (sample(valid_from_ms=NOON, valid_to_ms=NOON + 1), source()),
    (sample(sequence=3), source()),  # a counter that began again
    (sample(sequence=None), source()),
    (sample(sequence=99), source(heartbeat=True)),  # a bit that toggles
    (sample(sequence=100), source(heartbeat=True, frozen_after_ms=2_000)),
    (sample(local=True, kind=Kind.CAP), source(kind=Kind.CAP)),
    (sample(kind=Kind.SURPLUS_MEAS, value=-3 * MW), source(kind=Kind.SURPLUS_MEAS)),
    (sample(kind=Kind.PRICE, value=-500 * 10**6), source(kind=Kind.PRICE)),
]


@pytest.mark.parametrize(("signal", "setting"), BELIEVED)
def test_sample_is_believed(signal: Signal, setting: SourceSettings) -> None:
    assert judged(signal, setting) is None


def test_first_sample_of_a_source_has_no_order_to_keep() -> None:
    assert judged(sample(sequence=0), source(heartbeat=True), None) is None


def test_stamps_from_before_the_clocks_moved_are_no_order_to_keep() -> None:
    ahead = Heard(12 * MW, None, 100, NOW)
    assert judged(sample(), heard=ahead) is None


def test_plan_is_bounded_by_its_end_and_not_by_its_age() -> None:
    tomorrow = sample(
        kind=Kind.SCHEDULE,
        event_ms=NOON - 20 * HOUR,
        valid_from_ms=NOON + 6 * HOUR,
        valid_to_ms=NOON + 7 * HOUR,
    )
    assert judged(tomorrow, heard=None) is None
    assert code(replace(tomorrow, valid_from_ms=None, valid_to_ms=None), heard=None) is Code.LATE


def test_jumped_clock_refuses_what_the_wall_times_and_nothing_else() -> None:
    assert code(sample(valid_to_ms=NOON + HOUR), rejecting=True) is Code.CLOCK
    assert code(sample(valid_from_ms=NOON - HOUR), rejecting=True) is Code.CLOCK
    assert code(sample(), rejecting=True) is None


@pytest.mark.parametrize(
    "doubt",
    [
        {"event_ms": NOON - 2 * HOUR},
        {"event_ms": NOON + HOUR},
        {"event_ms": NOON - 3_000, "sequence": 100},
        {"valid_to_ms": NOON - HOUR},
        {"local": True},
    ],
)
def test_doubt_about_its_time_counts_for_an_emergency(doubt: dict[str, int]) -> None:
    signal = sample(kind=Kind.EMERGENCY, value=MW, **doubt)
    assert code(signal, rejecting=True) is None
    assert code(replace(signal, value=None)) is Code.NOT_A_NUMBER
    assert code(replace(signal, value=1_000 * FLEET_W)) is Code.UNIT_ERROR


def test_end_of_an_emergency_is_doubted_like_any_other_sample() -> None:
    all_well = sample(kind=Kind.EMERGENCY, value=FLEET_W, event_ms=NOON - 2 * HOUR)
    assert code(all_well) is Code.LATE


# -- what went wrong on the way ------------------------------------------------------------------


def swapped(megawatts: float) -> int:
    """What is read of a float32 register in MW when its words come in the wrong order."""
    high, low = struct.unpack(">HH", struct.pack(">f", megawatts))
    value: float = struct.unpack(">f", struct.pack(">HH", low, high))[0]
    return round(value * MW)


@pytest.mark.parametrize("megawatts", [12.337, 30.123, 41.987])
def test_swapped_words_of_a_float_are_recognised_with_what_was_meant(megawatts: float) -> None:
    refusal = judged(sample(value=swapped(megawatts)))
    assert refusal is not None and refusal.code is Code.WORD_SWAPPED
    assert f"words swapped, {shown(round(megawatts * MW))} would fit" in refusal.text


def test_swapped_float_that_reads_as_next_to_nothing_is_a_believable_zero() -> None:
    """0.7719 MW comes as -1.6e-16 W. Only the driver that saw the float can tell."""
    assert swapped(0.7719) == 0
    assert judged(sample(value=0)) is None


def test_thousandfold_is_recognised_with_what_was_meant() -> None:
    refusal = judged(sample(value=12_500 * MW))
    assert refusal is not None
    assert refusal.text == (
        "is 12,500 MW, outside 0 MW to 60 MW; likely a unit error, 1,000 times too large, "
        "12.5 MW would fit"
    )


def test_thousandth_below_the_band_is_recognised() -> None:
    refusal = judged(sample(value=12_500), source(min_w=5 * MW))
    assert refusal is not None and refusal.code is Code.UNIT_ERROR
    assert "1,000 times too small, 12.5 MW would fit" in refusal.text


def test_of_two_causes_the_one_nearer_to_the_last_good_value_is_named() -> None:
    """60,000 is 60 W in kW, or 60 MW in W, in a band from 50 W to 50 kW, or so the band thinks."""
    setting = source(min_w=50, max_w=50_000)
    high = judged(sample(value=60_000), setting, Heard(70, None, None, 0))
    assert high is not None and "1,000 times too large, 0 MW" in high.text
    low = judged(sample(value=40), setting, Heard(39_000, None, None, 0))
    assert low is not None and "1,000 times too small, 0.04 MW" in low.text


@pytest.mark.parametrize("value", [10**15, 10**400, -(10**400)])
def test_number_that_nothing_explains_is_only_out_of_range(value: int) -> None:
    assert code(sample(value=value)) is Code.OUT_OF_RANGE


@given(st.integers(), st.one_of(st.none(), st.integers(0, 2 * FLEET_W)))
def test_any_number_is_believed_in_its_band_and_refused_outside(
    value: int, last: int | None
) -> None:
    heard = None if last is None else Heard(last, None, None, 0)
    assert (judged(sample(value=value), heard=heard) is None) == (0 <= value <= 2 * FLEET_W)


@given(st.integers(1, 2 * FLEET_W // 1_000), st.sampled_from([1_000, 999, 1_015, 900, 1_100]))
def test_thousandth_inside_the_band_is_obeyed_and_told(value: int, factor: int) -> None:
    for pair in ((value, factor * value), (factor * value, value)):
        told = suspicion(pair[0], Heard(pair[1], None, None, 0))
        assert (told is not None) == (factor not in (900, 1_100))
        assert told is None or ("thousandth " in told) == (pair[0] < pair[1])


def test_nothing_is_no_thousandth() -> None:
    assert suspicion(0, HEARD) is None
    assert suspicion(12_000, None) is None
    assert suspicion(12_000, Heard(0, None, None, 0)) is None


def test_band_without_limits_is_twice_the_fleet_and_below_zero_where_that_means_something() -> None:
    assert band(source(), FLEET_W) == (0, 2 * FLEET_W)
    assert band(source(kind=Kind.SETPOINT_DELTA), FLEET_W) == (-2 * FLEET_W, 2 * FLEET_W)
    assert band(source(kind=Kind.SURPLUS_MEAS, max_w=5), FLEET_W) == (-5, 5)
    assert band(source(kind=Kind.SURPLUS_MEAS, min_w=-1, max_w=5), FLEET_W) == (-1, 5)
    assert band(source(kind=Kind.PRICE), FLEET_W) is None
