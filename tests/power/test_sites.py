"""Sites of 30 MW share one surplus: some are cut off, misreport, take what was not ordered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from stratum.power.brain.dispatch import State
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import MINUTE, SECOND, Mode, Settings, SourceSettings
from stratum.power.brain.sites import (
    OBEYED_MS,
    Account,
    Site,
    SiteReport,
    Split,
    SplitSettings,
    SplitState,
    counted_by_site,
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
CUT_AT, DROP_AT, END = 500, 900, 1_200


@dataclass
class Farm:
    """A site's own controller as the parent knows it: follows an order that is valid, slowly; holds
    and ramps to nothing once it has expired (N20)."""

    name: str
    power_w: int = 0
    order: Signal | None = None
    lost_ms: int = 0
    held_w: int = 0
    beyond_w: int = 0  # takes so much more than ordered
    house_w: int = 0  # takes so much when ordered to nothing
    absorbable_w: int = 30 * MW

    def step(self, now_ms: int) -> None:
        wanted_w = 0
        if self.order is not None and self.order.value is not None:
            assert self.order.valid_to_ms is not None
            if now_ms + WALL <= self.order.valid_to_ms:
                wanted_w, self.held_w, self.lost_ms = self.order.value, self.order.value, now_ms
            else:
                beyond_ms = max(0, now_ms - self.lost_ms - MINUTE)
                wanted_w = self.held_w - self.held_w * min(beyond_ms, 5 * MINUTE) // (5 * MINUTE)
        if wanted_w > 0:
            wanted_w += self.beyond_w
        wanted_w = max(min(wanted_w, self.absorbable_w), self.house_w)
        # A tenth of its rigs a second on the way up; down within seconds.
        step_w = 3 * MW if wanted_w > self.power_w else 10 * MW
        self.power_w += max(-step_w, min(step_w, wanted_w - self.power_w))

    def report(self, now_ms: int) -> SiteReport:
        told_w = self.power_w
        if self.name == BRAGS:
            told_w = told_w * 12 // 10
        if self.name == HIDES:
            told_w = told_w * 8 // 10
        return SiteReport(self.name, told_w, self.absorbable_w, now_ms)


@dataclass
class Course:
    """What happened, second by second."""

    surplus_w: list[int] = field(default_factory=list)
    load_w: list[int] = field(default_factory=list)
    ordered_w: list[int] = field(default_factory=list)
    beyond_w: list[int] = field(default_factory=list)
    codes: list[set[str]] = field(default_factory=list)
    last: Split | None = None
    farms: dict[str, Farm] = field(default_factory=dict)


def run(
    farms: tuple[Farm, ...],
    fleet: Fleet,
    surplus_w: Callable[[int], int],
    end: int,
    is_cut: Callable[[str, int], bool] = lambda name, second: False,
) -> Course:
    done = Course(farms={farm.name: farm for farm in farms})
    state = SplitState(State.fresh(fleet, SETTINGS))
    for second in range(end):
        now_ms, there_is_w = second * SECOND, surplus_w(second)
        for farm in farms:
            farm.step(now_ms)
        inputs = Inputs(
            tick=second,
            now_ms=now_ms,
            wall_ms=WALL + now_ms,
            signals=(Signal("surplus", Kind.SURPLUS_MEAS, there_is_w, WALL + now_ms, now_ms),),
        )
        heard = tuple(farm.report(now_ms) for farm in farms if not is_cut(farm.name, second))
        result = split(state, inputs, heard, SETTINGS, SplitSettings(), fleet)
        state = result.state
        for name, order in result.signals:
            if not is_cut(name, second):
                done.farms[name].order = order
        done.surplus_w.append(there_is_w)
        done.load_w.append(sum(farm.power_w for farm in farms))
        done.ordered_w.append(result.decision.picture.ordered_w)
        done.beyond_w.append(result.beyond_w)
        done.codes.append({reason.code for reason in result.reasons})
        done.last = result
    return done


@pytest.fixture(scope="module")
def course() -> Course:
    return run(
        tuple(Farm(site.name) for site in SITES),
        FLEET,
        lambda second: (1_000 if second < DROP_AT else 600) * MW,
        END,
        lambda name, second: name == CUT_OFF and second >= CUT_AT,
    )


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
    order = course.farms[CUT_OFF].order
    assert order is not None and order.value
    assert counted_by_site(course.last.state.state, FLEET)[CUT_OFF] == order.value
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


# -- ten sites -----------------------------------------------------------------------------------

TEN = tuple(Site(f"ten{row}", 30 * MW) for row in range(10))
TEN_FLEET = fleet_of_sites(TEN)
SETTLED = 15  # seconds after which what was ordered is done


def ten_farms() -> tuple[Farm, ...]:
    return tuple(Farm(site.name) for site in TEN)


def test_orders_that_cannot_arrive_take_nothing_off() -> None:
    fall, cut, back = 60, 58, 160
    done = run(
        ten_farms(),
        TEN_FLEET,
        lambda second: (290 if second < fall else 60) * MW,
        300,
        lambda name, second: name == "ten3" and cut <= second < back,
    )
    assert done.load_w[fall - 1] >= 280 * MW
    for second in range(fall + SETTLED, 300):
        assert done.load_w[second] <= 60 * MW, second
    # It holds what it was told last, and counts at that until it speaks.
    assert done.beyond_w[fall + SETTLED] + 1 >= done.farms["ten3"].power_w
    assert all(beyond_w > 20 * MW for beyond_w in done.beyond_w[fall + SETTLED : back])
    assert done.load_w[back - 1] >= 40 * MW
    assert "site_back" in done.codes[back]
    assert done.beyond_w[back + SETTLED] == 0
    assert done.load_w[-1] >= 50 * MW


def test_what_a_site_takes_beyond_its_order_the_others_do_without() -> None:
    farms = ten_farms()
    farms[3].beyond_w = 12 * MW
    gone = 200
    done = run(
        farms,
        TEN_FLEET,
        lambda second: 200 * MW,
        300,
        lambda name, second: name == "ten3" and second >= gone,
    )
    settled = range(60, gone)
    assert max(done.load_w[second] for second in settled) <= 200 * MW
    assert min(done.load_w[second] for second in settled) >= 190 * MW
    ordered = [done.ordered_w[second] for second in settled]
    assert max(ordered) - min(ordered) <= MW  # it does not swing
    # Silent, its excess is not forgotten.
    assert all(beyond_w >= 11 * MW for beyond_w in done.beyond_w[60:])
    assert max(done.load_w[60:]) <= 200 * MW
    told = [second for second in range(300) if "site_beyond" in done.codes[second]]
    assert len(told) == 1


def test_a_house_load_is_no_disobedience() -> None:
    house_w = 1_200_000  # 4 %
    fleet = fleet_of_sites(tuple(Site(site.name, 30 * MW, idle_w=house_w) for site in TEN))
    farms = ten_farms()
    for farm in farms:
        farm.house_w = house_w
    done = run(farms, fleet, lambda second: (0 if 60 <= second < 150 else 200) * MW, 400)
    assert done.load_w[149] == 10 * house_w
    assert done.ordered_w[149] == 10 * house_w
    assert all(order.value for _, order in last_orders(done))
    assert done.load_w[-1] >= 100 * MW
    bad = {"unresponsive", "dead", "foreign", "site_beyond"}
    assert not bad & set[str]().union(*done.codes)


def test_sites_at_their_floor_stay_alive() -> None:
    done = run(ten_farms(), TEN_FLEET, lambda second: (16 if second < 200 else 150) * MW, 400)
    assert 10 * MW <= done.load_w[199] <= 16 * MW
    assert done.load_w[-1] >= 90 * MW
    assert "dead" not in set[str]().union(*done.codes)


def test_a_site_larger_than_the_surplus_takes_a_part_of_its_power() -> None:
    one = (Site("one", 30 * MW),)

    def surplus_w(second: int) -> int:
        return (25 if second < 100 else 0 if second < 150 else 6) * MW

    done = run((Farm("one"),), fleet_of_sites(one), surplus_w, 350)
    assert 24 * MW <= done.load_w[99] <= 25 * MW
    assert done.load_w[149] == 0
    assert 5 * MW <= done.load_w[-1] <= 6 * MW


def test_sites_absorb_again_after_there_was_nothing() -> None:
    done = run(
        tuple(Farm(site.name) for site in SITES),
        FLEET,
        lambda second: (0 if 60 <= second < 120 else 1_000) * MW,
        400,
    )
    assert done.load_w[59] >= 950 * MW
    assert done.load_w[119] == 0
    # A tenth of 1,200 MW a minute (N14).
    assert done.load_w[-1] >= 450 * MW
    assert max(done.load_w[120:]) <= 1_000 * MW


def test_sites_get_full_power_where_there_is_more_than_all_can_take() -> None:
    done = run(ten_farms(), TEN_FLEET, lambda second: 400 * MW, 120)
    assert done.load_w[-1] == 300 * MW
    assert {order.value for _, order in last_orders(done)} == {30 * MW}
    assert done.load_w[59] == 0  # not before the cold start is over (P5)


def test_a_site_that_can_absorb_nothing_is_left_asleep() -> None:
    farms = ten_farms()
    farms[3].absorbable_w = 0
    done = run(
        farms,
        TEN_FLEET,
        lambda second: (0 if second < 30 else 200) * MW,
        300,
        lambda name, second: name == "ten3" and second % 3 > 0,  # speaks seldom, too
    )
    orders = dict(last_orders(done))
    assert orders["ten3"].value == 0
    assert done.load_w[-1] >= 100 * MW


def last_orders(done: Course) -> tuple[tuple[str, Signal], ...]:
    assert done.last is not None
    return done.last.signals


# -- one site's account --------------------------------------------------------------------------


def report(power_w: int, at_ms: int) -> SiteReport:
    return SiteReport("one", power_w, 30 * MW, at_ms)


def test_a_site_on_its_way_down_takes_nothing_beyond_its_order() -> None:
    account = Account().told(0, 30 * MW).heard(report(30 * MW, 20_000), 30 * MW)
    account = account.told(20_000, 10 * MW)
    for second in range(1, 11):
        account = account.heard(report((30 - 2 * second) * MW, (20 + second) * SECOND), 10 * MW)
        assert account.excess_w == 0


def test_a_site_that_stays_where_it_was_takes_too_much_once_it_had_its_time() -> None:
    account = Account().told(0, 30 * MW).heard(report(30 * MW, 20_000), 30 * MW)
    account = account.told(20_000, 10 * MW)
    early = account.heard(report(30 * MW, 20_000 + OBEYED_MS - 1), 10 * MW)
    late = account.heard(report(30 * MW, 20_000 + OBEYED_MS), 10 * MW)
    assert (early.excess_w, late.excess_w) == (0, 20 * MW)


def test_small_orders_do_not_hide_an_excess() -> None:
    account = Account().told(0, 20 * MW)
    for second in range(1, 60):
        order_w = 20 * MW - second % 2 * MW
        account = account.heard(report(order_w + 12 * MW, second * SECOND), order_w)
        account = account.told(second * SECOND, order_w)
        if second >= 2:
            assert 11 * MW <= account.excess_w <= 13 * MW, second


def test_a_site_that_went_quiet_may_take_its_dearest_order() -> None:
    account = Account().told(0, 10 * MW).heard(report(10 * MW, 20_000), 10 * MW)
    account = account.told(20_000, 25 * MW).told(21_000, 5 * MW)
    assert account.beyond_w(5 * MW, 22_000, late_ms=3_000) == 0
    assert account.beyond_w(5 * MW, 24_000, late_ms=3_000) == 20 * MW
    again = account.heard(report(5 * MW, 40_000), 5 * MW)
    assert again.beyond_w(5 * MW, 40_000, late_ms=3_000) == 0


def test_an_old_report_changes_nothing() -> None:
    account = Account().told(0, 10 * MW).heard(report(22 * MW, 20_000), 10 * MW)
    assert account.heard(report(0, 19_000), 10 * MW) == account
