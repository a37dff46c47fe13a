"""Forty sites of 30 MW share one surplus: one is cut off, two misreport."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from stratum.power.brain.dispatch import State
from stratum.power.brain.settings import MINUTE, SECOND, Mode, Settings, SourceSettings
from stratum.power.brain.sites import (
    Site,
    SiteReport,
    Split,
    SplitSettings,
    SplitState,
    fleet_of_sites,
    split,
)
from stratum.power.brain.values import Inputs, Kind, Signal

MW = 1_000_000
COUNT = 40
SITES = tuple(Site(f"site{row}", 30 * MW, owner=f"owner{row % 2}") for row in range(COUNT))
FLEET = fleet_of_sites(SITES)
SETTINGS = Settings(
    mode=Mode.CONTROL,
    reserve_bp=100,
    stale_meter_reserve_bp=0,  # orders are counted, nothing is guessed
    sources=(SourceSettings("surplus", Kind.SURPLUS_MEAS, max_w=3_000 * MW),),
)
WALL = 1_790_000_000_000
CUT_OFF, BRAGS, HIDES = "site3", "site4", "site5"
CUT_AT, DROP_AT, END = 500, 900, 2_400


@dataclass
class Farm:
    """A site's own controller as the parent knows it: follows an order that is valid, slowly; holds
    and ramps to nothing once it has expired (N20)."""

    name: str
    power_w: int = 0
    order: Signal | None = None
    lost_ms: int = 0
    held_w: int = 0

    def step(self, now_ms: int) -> None:
        wanted_w = 0
        if self.order is not None and self.order.value is not None:
            assert self.order.valid_to_ms is not None
            if now_ms + WALL <= self.order.valid_to_ms:
                wanted_w, self.held_w, self.lost_ms = self.order.value, self.order.value, now_ms
            else:
                beyond_ms = max(0, now_ms - self.lost_ms - MINUTE)
                wanted_w = self.held_w - self.held_w * min(beyond_ms, 5 * MINUTE) // (5 * MINUTE)
        # A tenth of its rigs a second on the way up; down within seconds.
        step_w = 3 * MW if wanted_w > self.power_w else 10 * MW
        self.power_w += max(-step_w, min(step_w, wanted_w - self.power_w))

    def report(self, now_ms: int) -> SiteReport:
        told_w = self.power_w
        if self.name == BRAGS:
            told_w = told_w * 12 // 10
        if self.name == HIDES:
            told_w = told_w * 8 // 10
        return SiteReport(self.name, told_w, 30 * MW, now_ms)


@dataclass
class Course:
    """What happened, second by second."""

    surplus_w: list[int] = field(default_factory=list)
    load_w: list[int] = field(default_factory=list)
    ordered_w: list[int] = field(default_factory=list)
    codes: list[set[str]] = field(default_factory=list)
    last: Split | None = None
    farms: dict[str, Farm] = field(default_factory=dict)


@pytest.fixture(scope="module")
def course() -> Course:
    done = Course(farms={site.name: Farm(site.name) for site in SITES})
    state = SplitState(State.fresh(FLEET, SETTINGS))
    for second in range(END):
        now_ms = second * SECOND
        surplus_w = (1_000 if second < DROP_AT else 600) * MW
        is_cut = second >= CUT_AT
        heard = [farm for farm in done.farms.values() if not (is_cut and farm.name == CUT_OFF)]
        for farm in done.farms.values():
            farm.step(now_ms)
        inputs = Inputs(
            tick=second,
            now_ms=now_ms,
            wall_ms=WALL + now_ms,
            signals=(Signal("surplus", Kind.SURPLUS_MEAS, surplus_w, WALL + now_ms, now_ms),),
        )
        reports = tuple(farm.report(now_ms) for farm in heard)
        result = split(state, inputs, reports, SETTINGS, SplitSettings(), FLEET)
        state = result.state
        for name, order in result.signals:
            if not (is_cut and name == CUT_OFF):
                done.farms[name].order = order
        done.surplus_w.append(surplus_w)
        done.load_w.append(sum(farm.power_w for farm in done.farms.values()))
        done.ordered_w.append(result.decision.picture.ordered_w)
        done.codes.append({reason.code for reason in result.reasons})
        done.last = result
    return done


def test_what_is_ordered_never_exceeds_the_surplus(course: Course) -> None:
    for second in range(1, END):
        assert course.ordered_w[second] <= course.surplus_w[second], second


def test_what_is_taken_never_exceeds_it_but_for_the_seconds_of_a_fall(course: Course) -> None:
    for second in range(END):
        if not DROP_AT <= second < DROP_AT + 15:
            assert course.load_w[second] <= course.surplus_w[second], second


def test_most_of_the_surplus_is_taken(course: Course) -> None:
    assert course.load_w[CUT_AT - 1] >= 950 * MW
    # The site that is cut off has come down; its last order stays set aside for it.
    assert course.load_w[END - 1] >= 540 * MW


def test_a_silent_site_counts_at_its_last_order_and_gets_no_other(course: Course) -> None:
    assert course.last is not None
    row = FLEET.ids.index(CUT_OFF)
    order = course.farms[CUT_OFF].order
    assert order is not None and order.value
    assert int(course.last.state.state.rigs.ordered_w[row]) == order.value
    assert CUT_OFF not in {name for name, _ in course.last.signals}
    assert course.farms[CUT_OFF].power_w == 0  # by its own rule
    told = [second for second in range(END) if "site_silent" in course.codes[second]]
    assert [second for second in told if second] == [CUT_AT + 10]


def test_owners_bear_the_fall_alike(course: Course) -> None:
    off_w = [
        sum(30 * MW - farm.power_w for farm in course.farms.values() if owner_of(farm) == owner)
        for owner in ("owner0", "owner1")
    ]
    assert abs(off_w[0] - off_w[1]) <= 0.1 * max(off_w)


def owner_of(farm: Farm) -> str:
    return next(site.owner for site in SITES if site.name == farm.name)


def test_orders_expire(course: Course) -> None:
    assert course.last is not None
    for _, order in course.last.signals:
        assert order.valid_to_ms is not None
        assert order.valid_to_ms - order.event_ms == SplitSettings().valid_ms
