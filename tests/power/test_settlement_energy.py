"""Energy: what the register says, exactly, through everything that meters do to it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain.values import MeterReading
from stratum.power.brain.values import Quality as SampleQuality
from stratum.power.settlement.energy import (
    CLOSE_MS,
    HOLD_MS,
    MS_PER_HOUR,
    Quality,
    Register,
    Stretch,
    worse,
)

MEGAWATT = 1_000_000
MODULUS = 1_000_000
QUARTER = 900_000

#: Any time of which no interval begins at once.
NOW = 1_795_176_000_000 + 123_456


class Meter:
    """One megawatt through a meter; `stretches` is what settlement makes of its readings."""

    def __init__(self, energy_wh: int = 500_000, modulus_wh: int = MODULUS) -> None:
        self.register = Register(modulus_wh, 2 * MEGAWATT)
        self.modulus_wh = modulus_wh
        self.true_wms = 0
        self.first_wh = energy_wh
        self.now_ms = NOW
        self.serial = "A"
        self.stretches: list[Stretch] = []
        self.read()

    def read(self, seconds: int = 0, power_w: int | None = MEGAWATT, **changes: object) -> None:
        """So many seconds later it is read; `changes` is what it shows instead."""
        self.now_ms += seconds * 1_000
        self.true_wms += MEGAWATT * seconds * 1_000
        shown = (self.first_wh + self.true_wms // MS_PER_HOUR) % (self.modulus_wh or 10**15)
        reading = MeterReading(0, power_w, self.now_ms, 0, shown, self.serial)
        self.stretches += self.register.take(replace(reading, **changes))  # type: ignore[arg-type]

    def run(self, seconds: int, every: int = 1, **changes: object) -> None:
        for _ in range(seconds // every):
            self.read(every, **changes)  # type: ignore[arg-type]

    @property
    def energy_wh(self) -> int:
        return sum(stretch.energy_wh or 0 for stretch in self.stretches)

    @property
    def qualities(self) -> set[Quality]:
        return {stretch.quality for stretch in self.stretches}


def assert_contiguous(stretches: list[Stretch]) -> None:
    for one, two in zip(stretches, stretches[1:], strict=False):
        assert one.to_ms == two.from_ms and one.from_ms < one.to_ms


def test_the_sum_is_the_difference_of_the_register() -> None:
    meter = Meter()
    meter.run(3_600)
    assert meter.energy_wh == 1_000_000 == meter.true_wms // MS_PER_HOUR
    assert meter.qualities == {Quality.OK}


def test_a_roll_over_is_no_loss() -> None:
    meter = Meter(MODULUS - 100_000)
    meter.run(3_600)
    assert meter.energy_wh == 1_000_000
    assert meter.qualities == {Quality.OK}


def test_without_a_modulus_a_fall_is_no_roll_over() -> None:
    meter = Meter(900_000, modulus_wh=0)
    meter.run(10)
    meter.first_wh -= 900_000
    meter.run(10)
    assert Quality.BAD in meter.qualities
    assert meter.energy_wh == pytest.approx(meter.true_wms / MS_PER_HOUR, abs=2)


@pytest.mark.parametrize("shown", [7, 10**12])
def test_one_bad_reading_costs_nothing(shown: int) -> None:
    meter = Meter()
    meter.run(100)
    meter.read(1, energy_wh=shown)
    meter.run(100)
    assert meter.energy_wh == meter.true_wms // MS_PER_HOUR
    assert meter.qualities == {Quality.OK}


def test_a_jump_that_stays_is_filled_by_power_and_says_so() -> None:
    meter = Meter(modulus_wh=0)
    meter.run(100)
    meter.first_wh += 10**9
    meter.run(100)
    assert meter.qualities == {Quality.OK, Quality.BAD}
    assert meter.energy_wh == pytest.approx(meter.true_wms / MS_PER_HOUR, abs=2)
    assert_contiguous(meter.stretches)


def test_another_meter_begins_anew_and_power_fills_the_change() -> None:
    meter = Meter(modulus_wh=0)
    meter.run(600)
    before = meter.energy_wh
    meter.run(30, energy_wh=None)  # out of its socket, power from elsewhere
    meter.serial, meter.first_wh = "B", 0
    meter.read(1)
    (change,) = [s for s in meter.stretches if s.quality is Quality.ESTIMATED]
    assert change.energy_wh is not None
    assert change.energy_wh == pytest.approx(31 * MEGAWATT / 3_600, abs=1)
    meter.run(600)
    assert (
        meter.energy_wh
        == before
        + change.energy_wh
        + (meter.true_wms // MS_PER_HOUR)
        - (meter.true_wms - 600_000 * MEGAWATT) // MS_PER_HOUR
    )


def test_a_gap_keeps_its_energy_and_follows_power_where_that_is_known() -> None:
    """A register that was silent for ten minutes, half of them at no load."""
    register = Register(0, 10 * MEGAWATT)
    stretches = []
    for minute, power, energy in [
        *((minute, MEGAWATT, minute * 16_666) for minute in range(3)),
        *((minute, MEGAWATT, None) for minute in range(3, 8)),
        *((minute, 0, None) for minute in range(8, 13)),
        (13, 0, 33_332 + 100_000),
    ]:
        stretches += register.take(MeterReading(0, power, NOW + minute * 60_000, 0, energy, "A"))
    gap = [stretch for stretch in stretches if stretch.quality is Quality.ESTIMATED]
    assert sum(stretch.energy_wh or 0 for stretch in gap) == 100_000
    early = sum(s.energy_wh or 0 for s in gap if s.to_ms <= NOW + 8 * 60_000)
    assert early == 100_000
    assert_contiguous(stretches)


def test_a_gap_without_power_is_spread_evenly() -> None:
    meter = Meter()
    meter.run(60)
    meter.read(1_800)
    (gap,) = [stretch for stretch in meter.stretches if stretch.quality is Quality.ESTIMATED]
    assert gap.to_ms - gap.from_ms == 1_800_000
    assert meter.energy_wh == meter.true_wms // MS_PER_HOUR
    halves = [energy for _, _, energy in gap.parts(QUARTER)]
    assert sum(halves) == gap.energy_wh  # type: ignore[arg-type]


def test_a_meter_without_a_register_is_integrated() -> None:
    meter = Meter()
    meter.register = Register(0, MEGAWATT)
    meter.stretches = []
    meter.run(3_601, energy_wh=None)
    assert meter.qualities == {Quality.ESTIMATED}
    assert sum(s.to_ms - s.from_ms for s in meter.stretches) == 3_600_000
    assert meter.energy_wh == 1_000_000


def test_a_register_that_stays_silent_is_filled_by_power_at_the_end() -> None:
    meter = Meter()
    meter.run(60)
    meter.run(600, energy_wh=None)
    known = meter.energy_wh
    meter.stretches += meter.register.finish()
    assert meter.energy_wh - known == pytest.approx(600 * MEGAWATT / 3_600, abs=1)
    assert meter.stretches[-1].quality is Quality.ESTIMATED
    assert_contiguous(meter.stretches)


def test_a_silence_of_everything_is_missing_and_never_nothing() -> None:
    meter = Meter()
    meter.run(60, power_w=None)
    meter.serial = "B"
    meter.read(3_600, power_w=None)
    assert meter.stretches[-1] == Stretch(NOW + 60_000, NOW + 3_660_000, None, Quality.MISSING)


def test_power_holds_no_longer_than_a_minute() -> None:
    meter = Meter()
    meter.run(60)
    meter.serial = "B"
    meter.read(3_600)
    last = meter.stretches[-1]
    assert last.quality is Quality.MISSING
    assert last.energy_wh == pytest.approx(MEGAWATT * HOLD_MS / MS_PER_HOUR, abs=1)


def test_a_wrong_sign_takes_no_energy_away() -> None:
    meter = Meter()
    meter.run(60)
    before = meter.energy_wh
    meter.run(10, energy_wh=None, power_w=-MEGAWATT)
    meter.stretches += meter.register.finish()
    assert 0 <= meter.energy_wh - before <= MEGAWATT // 3_600 + 1


def test_a_reading_that_came_late_or_twice_changes_nothing() -> None:
    meter = Meter()
    meter.run(60)
    before = list(meter.stretches)
    meter.read(0)
    meter.read(0, event_ms=NOW + 30_000, energy_wh=3)
    assert meter.stretches == before


def test_a_reading_that_the_meter_calls_bad_is_not_read() -> None:
    meter = Meter()
    meter.run(60)
    meter.read(1, energy_wh=0, quality=SampleQuality.BAD)
    meter.read(1)
    assert meter.stretches[-1].quality is Quality.ESTIMATED
    assert meter.energy_wh == meter.true_wms // MS_PER_HOUR


def test_a_whole_is_as_good_as_its_worst_part() -> None:
    assert worse(Quality.OK, Quality.BAD) is Quality.BAD
    assert worse(Quality.MISSING, Quality.BAD) is Quality.MISSING
    assert worse(Quality.ESTIMATED, Quality.OK) is Quality.ESTIMATED


# -- properties ---------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.integers(1, 400), st.integers(0, 50_000), st.booleans(), st.booleans()),
    max_size=40,
)


@given(steps=STEPS, start=st.integers(0, MODULUS - 1), length=st.sampled_from([60_000, QUARTER]))
def test_intervals_add_up_to_the_register_through_gaps_and_roll_overs(
    steps: list[tuple[int, int, bool, bool]], start: int, length: int
) -> None:
    """Whatever is missed between, the last believed reading less the first is the sum."""
    register = Register(MODULUS, MEGAWATT)
    at, energy, believed, first = NOW, start, 0, NOW
    stretches = register.take(MeterReading(0, MEGAWATT, at, 0, energy, "A"))
    told = NOW
    for seconds, step, is_shown, has_power in steps:
        at += seconds * 1_000
        energy += step * seconds // 400  # below a megawatt and the slack
        power = MEGAWATT if has_power else None
        shown = energy % MODULUS if is_shown else None
        stretches += register.take(MeterReading(0, power, at, 0, shown, "A"))
        if is_shown:
            believed, told = energy - start, at
    assert sum(stretch.energy_wh or 0 for stretch in stretches) == believed
    assert_contiguous(stretches)
    assert not stretches or (stretches[0].from_ms, stretches[-1].to_ms) == (first, told)

    parts = [part for stretch in stretches for part in stretch.parts(length)]
    assert sum(energy or 0 for _, _, energy in parts) == believed
    assert all((energy or 0) >= 0 and 0 < span <= length for _, span, energy in parts)
    assert all(start % length == 0 for start, _, _ in parts)


@given(
    span=st.integers(1, 10 * QUARTER),
    energy=st.integers(0, 10**9),
    offset=st.integers(0, QUARTER),
)
def test_parts_of_a_stretch_add_up(span: int, energy: int, offset: int) -> None:
    stretch = Stretch(NOW + offset, NOW + offset + span, energy, Quality.OK)
    parts = list(stretch.parts(QUARTER))
    assert sum(part or 0 for _, _, part in parts) == energy
    assert sum(length for _, length, _ in parts) == span


def test_a_reading_a_minute_is_close_enough() -> None:
    meter = Meter()
    meter.run(3_600, every=CLOSE_MS // 1_000)
    assert meter.qualities == {Quality.OK}
    meter.read(CLOSE_MS // 1_000 + 1)
    assert meter.qualities == {Quality.OK, Quality.ESTIMATED}
