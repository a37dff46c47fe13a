"""Intervals, events, rigs and baselines, from seconds of a small site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain.commands import Commands, Picture
from stratum.power.brain.fleet import Feeder, Firmware, Fleet, Owner, Rig
from stratum.power.brain.settings import MeterSettings, Settings
from stratum.power.brain.values import (
    DeviceReadings,
    Inputs,
    Ints,
    Kind,
    MeterReading,
    OperatorOrder,
    OrderKind,
    Signal,
    WorkReadings,
)
from stratum.power.settlement.baselines import Baseline, HighDays, MeterBefore, Metered, baseline
from stratum.power.settlement.energy import Quality, Stretch
from stratum.power.settlement.events import Event, Events
from stratum.power.settlement.intervals import (
    Interval,
    Intervals,
    delivered_w,
    settled_feeders,
    work_energy_nj,
)
from stratum.power.settlement.rigs import RigRow, Rigs
from tests.power.journals import MODELS, NOON_MS, SETTINGS, fleet_of, ints

MINUTE = 60_000
HOUR = 60 * MINUTE
MEGAWATT = 1_000_000

FLEET = fleet_of(300)


def picture(target_w: int, load_w: int | None = None, **changes: object) -> Picture:
    made = Picture(
        target_w=target_w,
        goal_w=target_w,
        measured_w=target_w if load_w is None else load_w,
        measured_from="meter",
        settled_w=target_w,
        ordered_w=target_w,
        surplus_w=None,
        sheddable_w=0,
        absorb_1min_w=0,
        absorb_5min_w=0,
        absorb_15min_w=0,
        foreign_w=0,
        unresponsive_w=0,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


class Books:
    """A site of one meter, told second by second what its load and its orders are."""

    def __init__(self, length_ms: int = MINUTE, would: str = "meter-before") -> None:
        self.baseline: Baseline = baseline(would)
        self.intervals = Intervals(length_ms, FLEET, SETTINGS, self.baseline)
        self.events = Events(FLEET.total_w)
        self.tick = 0
        self.energy_wms = 0
        self.rows: list[Interval] = []
        self.done: list[Event] = []
        self.signals: tuple[Signal, ...] = ()
        self.orders: tuple[OperatorOrder, ...] = ()
        self.is_metered = True

    @property
    def wall_ms(self) -> int:
        return NOON_MS + self.tick * 1_000

    def inputs(self, load_w: int) -> Inputs:
        meter = MeterReading(
            0, load_w, self.wall_ms, 0, self.energy_wms // HOUR if self.is_metered else None, "A"
        )
        inputs = Inputs(
            self.tick,
            5_000 + self.tick * 1_000,
            self.wall_ms,
            meters=(meter,),
            signals=self.signals,
            orders=self.orders,
        )
        self.signals = self.orders = ()
        return inputs

    def run(self, seconds: int, target_w: int, load_w: int | None = None, **more: object) -> None:
        for _ in range(seconds):
            seen = picture(target_w, load_w, **more)
            assert seen.measured_w is not None
            inputs = self.inputs(seen.measured_w)
            self.done += self.events.take(inputs, seen)
            self.rows += self.intervals.take(inputs, seen, self.events.running)
            self.tick += 1
            self.energy_wms += seen.measured_w * 1_000

    def finish(self) -> None:
        self.done += self.events.finish(self.wall_ms)
        self.rows += self.intervals.finish()


# -- intervals ----------------------------------------------------------------------------------


def test_an_interval_has_its_means_and_its_energy() -> None:
    books = Books()
    books.run(30, 600_000)
    books.run(31, 1_200_000)
    (row,) = books.rows
    assert (row.start_ms, row.end_ms) == (NOON_MS, NOON_MS + MINUTE)
    assert row.ordered_w == 900_000
    assert row.energy_wh == 15_000 and row.metered_w == 900_000
    assert row.quality is Quality.OK
    assert (row.inside_wh, row.outside_wh, row.event_id) == (None, None, "")


@given(
    loads=st.lists(st.integers(0, 2 * MEGAWATT), min_size=70, max_size=300),
    length=st.sampled_from([MINUTE, 5 * MINUTE, 15 * MINUTE]),
)
def test_energy_is_neither_made_nor_lost(loads: list[int], length: int) -> None:
    books = Books(length)
    for load in loads:
        books.run(1, MEGAWATT, load, surplus_w=MEGAWATT)
    books.finish()
    register = (books.energy_wms - loads[-1] * 1_000) // HOUR  # as last read
    assert sum(row.energy_wh or 0 for row in books.rows) == register
    for row in books.rows:
        if row.inside_wh is not None and row.outside_wh is not None:
            assert row.inside_wh + row.outside_wh == row.energy_wh
            assert 0 <= row.inside_wh <= (row.energy_wh or 0)


def test_what_the_surplus_covered_second_by_second_is_inside() -> None:
    """Half the time twice the surplus, half the time half of it: a third lies outside."""
    books = Books()
    books.run(30, 0, MEGAWATT, surplus_w=500_000)
    books.run(31, 0, 500_000, surplus_w=MEGAWATT)
    (row,) = books.rows
    assert row.energy_wh == 12_500
    assert (row.inside_wh, row.outside_wh) == (12_500 * 2 // 3, 12_500 - 12_500 * 2 // 3)


def test_while_the_surplus_is_unknown_nothing_is_inside() -> None:
    books = Books()
    books.run(30, MEGAWATT, surplus_w=MEGAWATT)
    books.run(31, MEGAWATT, surplus_w=None)
    (row,) = books.rows
    assert row.inside_wh == row.outside_wh


def test_the_first_and_last_interval_are_missing_what_was_not_seen() -> None:
    books = Books()
    books.tick = 20
    books.run(100, MEGAWATT)
    books.finish()
    assert [row.quality for row in books.rows] == [Quality.MISSING] + [Quality.OK] * (
        len(books.rows) - 2
    ) + [Quality.MISSING]
    assert books.rows[0].metered_w is None
    assert books.rows[0].energy_wh == pytest.approx(40 * MEGAWATT / 3_600, abs=1)


def test_a_time_without_ticks_is_metered_and_marked() -> None:
    books = Books()
    books.run(60, MEGAWATT)
    books.tick += 600
    books.energy_wms += 600_000 * MEGAWATT
    books.run(61, MEGAWATT)
    assert [row.quality for row in books.rows] == [Quality.ESTIMATED] * 11 + [Quality.OK]
    assert {row.metered_w for row in books.rows[1:11]} <= {999_960, 1_000_020, 1_000_000}
    assert [row.ordered_w for row in books.rows[2:11]] == [None] * 9


def test_a_stamp_of_tomorrow_does_not_end_the_metering() -> None:
    books = Books()
    books.run(30, MEGAWATT)
    inputs = books.inputs(MEGAWATT)
    wrong = replace(inputs.meters[0], event_ms=inputs.wall_ms + 24 * HOUR)
    wrong_tick = replace(inputs, meters=(wrong,))
    assert not list(books.intervals.take(wrong_tick, picture(MEGAWATT), None))
    books.run(31, MEGAWATT)
    assert [row.quality for row in books.rows] == [Quality.OK]


def test_shares_estimate_the_power_by_the_rigs_nameplates() -> None:
    """A difficulty-1 share is 2^32 hashes: at 17.5 J/TH 75 mJ."""
    fleet = Fleet.of(
        [Rig("a", "S21", "x", "site", "o"), Rig("b", "S21", "x", "site", "o")],
        MODELS,
        [Firmware("x")],
        [Feeder("site")],
        [Owner("o", 1)],
    )
    assert work_energy_nj(fleet).tolist() == [75_161, 75_161]
    books = Intervals(MINUTE, fleet, Settings(), baseline("schedule"))
    per_second = 200_000 * 10**9 * 1_000 // (1 << 32)
    rows: list[Interval] = []
    for second in range(60):
        work = WorkReadings(ints(0, 1), ints(1, 1), ints(per_second, per_second), ints(1, 1))
        inputs = Inputs(second, second * 1_000, NOON_MS + second * 1_000, work=work)
        rows += books.take(inputs, picture(0), None)
    rows += books.finish()
    assert rows[0].shares_w == pytest.approx(7_000, rel=1e-3)


def test_delivery_counts_in_the_direction_of_the_order() -> None:
    assert delivered_w(ordered=5, would=3, metered=4) == 1
    assert delivered_w(ordered=1, would=3, metered=2) == 1
    assert delivered_w(ordered=1, would=3, metered=4) == -1
    assert delivered_w(None, 3, 4) is delivered_w(1, None, 4) is delivered_w(1, 3, None) is None


def test_meters_under_another_meter_do_not_count_twice() -> None:
    def metered(*names: str) -> list[str]:
        settings = Settings(meters=tuple(MeterSettings(name) for name in names))
        return [FLEET.feeders[row].name for row in settled_feeders(FLEET, settings)]

    assert metered("site", "f1") == ["site"]
    assert metered("f1", "f3", "elsewhere") == ["f1", "f3"]
    assert metered() == []


def test_an_interval_waits_for_the_slowest_meter() -> None:
    settings = Settings(meters=(MeterSettings("f1"), MeterSettings("f2")))
    books = Intervals(MINUTE, FLEET, settings, baseline("schedule"))
    rows: list[Interval] = []
    for second in range(200):
        wall = NOON_MS + second * 1_000
        slow = wall - 100_000
        meters = (
            MeterReading(2, 0, wall, 0, 1_000 + second, "A"),
            MeterReading(3, 0, max(slow, NOON_MS), 0, 500 + max(0, second - 100), "B"),
        )
        rows += books.take(Inputs(second, second * 1_000, wall, meters=meters), picture(0), None)
    assert [(row.energy_wh, row.quality) for row in rows] == [(120, Quality.OK)]


# -- events -------------------------------------------------------------------------------------


def signal(source: str, value: int, received_ms: int, event_id: str = "") -> Signal:
    return Signal(source, Kind.SETPOINT_ABS, value, NOON_MS, received_ms, event_id=event_id)


def test_an_event_tells_how_fast_and_how_well() -> None:
    books = Books()
    plant: dict[str, Any] = {"cause": "plant", "source": "tso"}
    books.run(10, MEGAWATT, **plant)
    books.signals = (signal("tso", 500_000, 5_000 + 9_700, "E7"),)
    for load in (1_000_000, 940_000, 800_000, 520_000, *[500_000] * 6):
        books.run(1, 500_000, load, **plant, event_id="E7")
    books.finish()
    steady, event = books.done
    assert steady.score_bp == 10_000 and steady.t95_ms == 0
    assert event == Event(
        kind="setpoint_abs",
        source="tso",
        event_id="E7",
        received_ms=NOON_MS + 9_700,
        decided_ms=NOON_MS + 10_000,
        ended_ms=NOON_MS + 20_000,
        target_w=500_000,
        t10_ms=1_000,
        t95_ms=3_000,
        delivered_w=1_000_000 - (3_260_000 + 5 * 500_000) // 9,
        score_bp=10_000 - (500_000 + 440_000 + 300_000 + 20_000) * 10_000 // 4_500_000,
        override="",
    )


def test_a_repeated_value_was_received_when_it_was_first_said() -> None:
    books = Books()
    for second in range(5):
        books.signals = (signal("tso", 7, 5_000 + second * 1_000),)
        books.run(1, 7, cause="plant", source="tso" if second > 2 else "other")
    books.finish()
    assert books.done[1].received_ms == NOON_MS


def test_a_drift_is_one_event_and_a_trip_is_another() -> None:
    books = Books()
    whole = FLEET.total_w
    for second in range(100):
        books.run(1, whole - second * whole // 3_000, cause="plant", source="tso")
    books.run(10, whole // 2, cause="plant", source="tso")
    books.finish()
    assert [event.target_w for event in books.done] == [whole, whole // 2]


def test_everything_off_is_scored_by_what_there_was_to_shed() -> None:
    books = Books()
    books.run(5, MEGAWATT, cause="plant")
    books.run(4, 0, MEGAWATT, cause="emergency")
    books.run(6, 0, 0, cause="emergency")
    books.finish()
    assert books.done[1].score_bp == 10_000 - 4 * 10_000 // 9
    assert books.done[1].t95_ms == 4_000


def test_a_shed_that_is_given_back_at_its_end_is_still_scored_by_what_there_was_to_shed() -> None:
    books = Books()
    plant: dict[str, Any] = {"cause": "plant", "source": "tso", "event_id": "E8"}
    books.run(5, MEGAWATT, cause="plant")
    books.run(3, 0, MEGAWATT, **plant)
    books.run(6, 0, 0, **plant)
    books.run(1, 10_000, 0, **plant)  # the way up has begun
    books.run(1, 20_000, 0, **plant)
    books.finish()
    assert books.done[1].score_bp == 10_000 - (3 * MEGAWATT + 10_000) * 10_000 // (10 * MEGAWATT)


def test_an_override_names_its_operator_and_reason() -> None:
    books = Books()
    books.run(5, MEGAWATT)
    books.orders = (OperatorOrder(OrderKind.MAX, "ann", "maintenance", value_w=5),)
    books.run(5, 5, cause="operator", source="ann")
    books.finish()
    event = books.done[1]
    assert (event.kind, event.override) == ("max", "max by ann: maintenance")
    assert event.received_ms == event.decided_ms


@pytest.mark.parametrize(
    ("cause", "event_id", "source"),
    [
        ("plant", "E2", "tso"),
        ("plant", "", "plant"),
        ("emergency", "", "plant"),
        ("operator", "", "ann"),
        ("price", "", ""),
    ],
)
def test_where_the_tick_names_no_source_it_is_who_could_have_said_it(
    cause: str, event_id: str, source: str
) -> None:
    books = Books()
    price = Signal("market", Kind.PRICE, 5, NOON_MS, 0)
    books.signals = (signal("tso", 1, 0, "E2"), signal("plant", 2, 0), price)
    books.orders = (OperatorOrder(OrderKind.MAX, "ann", "maintenance", value_w=5),)
    books.run(1, 5, cause=cause, event_id=event_id)
    books.finish()
    assert [event.source for event in books.done] == [source]


def test_an_unknown_load_has_no_score() -> None:
    events = Events(MEGAWATT)
    inputs = Inputs(0, 0, NOON_MS)
    unknown = replace(picture(5), measured_w=None)
    assert not list(events.take(inputs, unknown))
    assert not list(events.take(replace(inputs, now_ms=1_000), unknown))
    (event,) = events.finish(NOON_MS + 2_000)
    assert (event.score_bp, event.delivered_w, event.t10_ms) == (None, None, None)


def test_an_interval_names_its_events() -> None:
    books = Books()
    books.run(20, MEGAWATT, cause="plant", event_id="E1")
    books.run(41, 900_000, cause="plant", event_id="E2")
    assert books.rows[0].event_id == "E1 E2"


# -- baselines ----------------------------------------------------------------------------------


def test_meter_before_is_the_quarter_before_the_decision() -> None:
    books = Books(would="meter-before")
    books.run(20 * 60, MEGAWATT)
    books.run(5 * 60, 400_000, cause="plant", event_id="E")
    books.run(1, 400_000, cause="plant", event_id="E")
    before, during = books.rows[18], books.rows[22]
    assert before.baseline_w is None  # its own order came with the first tick
    assert during.baseline_w == MEGAWATT
    assert during.delivered_w == pytest.approx(600_000, abs=60)  # the register's watt-hour


def test_meter_before_is_unknown_where_a_minute_is() -> None:
    before = MeterBefore(2)
    before.meter(Stretch(NOON_MS + 1, NOON_MS + 3 * MINUTE, 60_000, Quality.OK))
    before.meter(Stretch(NOON_MS + 3 * MINUTE, NOON_MS + 4 * MINUTE, None, Quality.MISSING))

    def watts(minute: int) -> int | None:
        moment = NOON_MS + minute * MINUTE
        return before.watts(Metered(moment, moment + MINUTE, 1, (moment + 5_000, "")))

    assert watts(3) == pytest.approx(20 * 60_000, abs=60)
    assert watts(2) is None  # of the first minute a millisecond is missing
    assert watts(4) is None


def quarters(days: list[tuple[int, str]]) -> Iterator[Metered]:
    """Each day the same watt-hours in each quarter, under an event of that name."""
    for day, (energy, event) in enumerate(days):
        for quarter in range(96):
            start = NOON_MS - 12 * HOUR + day * 24 * HOUR + quarter * 15 * MINUTE
            yield Metered(start, start + 15 * MINUTE, energy, (start, event))


def test_the_high_days_are_the_highest_of_the_last_without_an_event() -> None:
    high = HighDays(2, 3)
    days = [(900, ""), (100, ""), (300, ""), (500, "E"), (200, ""), (0, "E")]
    watts = [high.watts(quarter) for quarter in quarters(days)]
    assert watts[: 3 * 96] == [None] * 288
    assert watts[3 * 96] == (900 + 300) // 2 * 4
    assert watts[5 * 96] == (300 + 200) // 2 * 4


def test_the_schedule_is_what_was_said_last() -> None:
    books = Books(would="schedule")
    whole = Signal(
        "plan", Kind.SCHEDULE, 800_000, NOON_MS, 0, NOON_MS, NOON_MS + HOUR, event_id="v1"
    )
    books.signals = (whole,)
    books.run(61, MEGAWATT)
    books.signals = (replace(whole, value=500_000, valid_from_ms=NOON_MS + 2 * MINUTE),)
    books.run(180, MEGAWATT)
    assert [row.baseline_w for row in books.rows] == [800_000, 800_000, 500_000, 500_000]
    delivered = [row.delivered_w for row in books.rows]
    assert delivered == pytest.approx([200_000, 200_000, 500_000, 500_000], abs=60)


def test_a_declared_baseline_holds_until_the_next_declaration() -> None:
    books = Books(would="declared:bsp")
    books.signals = (replace(signal("other", 1, 0), value=1),)
    books.run(60, MEGAWATT)
    books.signals = (replace(signal("bsp", 900_000, 0), event_ms=NOON_MS + MINUTE),)
    books.run(121, MEGAWATT)
    assert [row.baseline_w for row in books.rows] == [None, 900_000, 900_000]


@pytest.mark.parametrize("name", ["", "meter", "high-5-of-4", "high-0-of-4", "declared:"])
def test_an_unknown_baseline_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        baseline(name)


# -- rigs ---------------------------------------------------------------------------------------


def pair(group: str = "") -> Fleet:
    rigs = [
        Rig("a", "S21", "x", "site", "ann", group=group),
        Rig("b", "S19j Pro", "x", "site", "bob", group=group),
    ]
    owners = [Owner("ann", 1), Owner("bob", 1)]
    return Fleet.of(rigs, MODELS, [Firmware("x")], [Feeder("site")], owners)


class Hour:
    """Two rigs under watch, second by second; monotonic time is an hour behind."""

    def __init__(self, fleet: Fleet) -> None:
        self.rigs = Rigs(fleet, NOON_MS)
        self.second = 0

    def run(
        self,
        seconds: int,
        watts: tuple[int, int] | None = None,
        hashing: tuple[int, int] = (1, 1),
        work: Ints | None = None,
        commands: Commands | None = None,
    ) -> None:
        for _ in range(seconds):
            now = self.second * 1_000
            devices = DeviceReadings()
            if watts is not None and self.second % 5 == 0:
                devices = DeviceReadings(ints(0, 1), ints(*watts), ints(*hashing), ints(now, now))
            done = WorkReadings()
            if work is not None:
                done = WorkReadings(np.arange(len(work)), work, work, work, now - 1_000, now)
            inputs = Inputs(self.second, now, NOON_MS + now, devices=devices, work=done)
            self.rigs.take(inputs, commands or Commands())
            commands = None
            self.second += 1

    def close(self) -> list[RigRow]:
        end = NOON_MS + self.second * 1_000
        return list(self.rigs.close(end, end))


def commands(*power_w: int) -> Commands:
    count = len(power_w)
    rows = np.arange(count, dtype=np.int64)
    zeros = np.zeros(count, np.int64)
    return Commands(rows, rows, ints(*power_w), zeros, zeros)


def test_a_rigs_energy_work_and_efficiency() -> None:
    hour = Hour(pair())
    per_second = 200_000 * 10**9 * 1_000 // (1 << 32)  # S21 at its 200 TH/s
    hour.run(900, (3_500, 3_068), work=ints(per_second, 0))
    one, other = hour.close()
    assert one == RigRow(
        "a", "ann", "site", NOON_MS, 875, 900 * per_second, 17_500, 0, "running", "device+shares"
    )
    assert (other.wh, other.work, other.mj_per_th, other.state) == (767, 0, None, "running")
    assert other.witnesses == "device"


def test_watt_hours_of_many_intervals_lose_nothing() -> None:
    hour = Hour(pair())
    total = 0
    for _ in range(60):
        hour.run(60, (3_501, 25))
        total += hour.close()[0].wh or 0
    assert total == 3_501


def test_a_reading_holds_for_a_minute_and_silence_is_unknown() -> None:
    hour = Hour(pair())
    hour.run(1, (3_600, 3_600))
    hour.run(899)
    one, _ = hour.close()
    assert (one.wh, one.state, one.witnesses) == (60, "unknown", "none")
    hour.run(900)
    assert hour.close()[0].wh is None


def test_a_rig_that_was_woken_has_a_cycle() -> None:
    hour = Hour(pair())
    hour.run(10, (3_500, 3_068), commands=commands(3_500, 3_068))
    hour.run(10, (3_500, 25), (1, 0), commands=commands(3_500, 0))
    hour.run(10, (3_500, 3_068), commands=commands(2_500, 3_068))
    assert [row.cycles for row in hour.close()] == [0, 1]
    assert [row.cycles for row in hour.close()] == [0, 0]


def test_a_rig_that_sleeps_by_its_own_word_and_works_is_not_shed() -> None:
    hour = Hour(pair())
    hour.run(1, (25, 25), (0, 0), commands=commands(0, 0))
    hour.run(200, (25, 25), (0, 0), work=ints(5, 0))
    assert [row.state for row in hour.close()] == ["not_shed", "asleep"]


def test_a_rig_that_was_told_to_sleep_and_runs_is_not_shed_once_its_time_is_over() -> None:
    hour = Hour(pair())
    hour.run(30, (3_500, 25), (1, -1), commands=commands(0, 0))
    assert [row.state for row in hour.close()] == ["running", "asleep"]
    hour.run(60, (3_500, 25), (1, -1))
    assert [row.state for row in hour.close()] == ["not_shed", "asleep"]


@given(work=st.integers(0, 10**12))
def test_the_work_of_a_group_is_divided_by_hashrate_without_a_rest(work: int) -> None:
    hour = Hour(pair(group="farm"))
    hour.run(1, work=ints(work))
    one, other = hour.close()
    assert one.work + other.work == work
    assert abs(one.work * 104_000 - other.work * 200_000) <= 304_000


def test_after_a_reboot_times_begin_anew() -> None:
    hour = Hour(pair())
    hour.run(3_600, (3_600, 3_600))
    hour.close()
    hour.rigs.rebooted()
    hour.second = 0
    hour.run(900, (3_600, 3_600))
    assert hour.close()[0].wh == 900
