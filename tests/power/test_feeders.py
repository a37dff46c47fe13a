"""The tree of caps and the estimate under each feeder."""

from __future__ import annotations

import numpy as np
import pytest

from stratum.power.brain.estimator import Load, MeterMemory, predicted_w, read_meters
from stratum.power.brain.feeders import NO_CAP_W, fitting, open_below, read_feeders, under
from stratum.power.brain.fleet import Feeder, Fleet
from stratum.power.brain.settings import SECOND, MeterSettings, Settings
from stratum.power.brain.state import RigState, Status
from stratum.power.brain.values import Inputs, Ints, MeterReading, Quality
from tests.power.fleets import SITE, fleet

TREE = (SITE, Feeder("east", "site", 20_000), Feeder("west", "site"), Feeder("e1", "east", 8_000))
METERED = Settings(meters=(MeterSettings("site", max_age_ms=5_000, delay_ms=1_000),))


def running(some: Fleet) -> RigState:
    rigs = RigState.fresh(some)
    rigs.status[:] = Status.RUNNING
    rigs.ordered_w[:] = some.rated_w
    rigs.from_w[:] = some.rated_w
    rigs.ordered_ms[:] = -100 * SECOND
    rigs.seen_w[:] = some.rated_w
    rigs.seen_ms[:] = 0
    return rigs


def present(rigs: RigState) -> Ints:
    """What the witnesses say here: each rig's last word."""
    return rigs.seen_w.copy()


def image(now_ms: int, *meters: MeterReading) -> Inputs:
    return Inputs(tick=0, now_ms=now_ms, wall_ms=now_ms, meters=meters)


def reading(power_w: int | None, at_ms: int, quality: Quality = Quality.GOOD) -> MeterReading:
    return MeterReading(0, power_w, event_ms=at_ms, received_ms=at_ms, quality=quality)


def feeders_of(some: Fleet, rigs: RigState, now_ms: int, *meters: MeterReading):  # type: ignore[no-untyped-def]
    memory, views = read_meters({}, image(now_ms, *meters), METERED, some, now_ms)
    load = Load(rigs, present(rigs), rigs.assumed_w(some), some, METERED, now_ms)
    return read_feeders(load, some, views, memory, 5_000)


def test_parents_hold_what_hangs_below_them() -> None:
    some = fleet(4, feeders=TREE)
    assert [feeder.name for feeder in some.feeders] == ["site", "east", "west", "e1"]
    assert some.by_feeder(np.array([1, 10, 100, 1_000])).tolist() == [1_111, 1_010, 101, 1_010]
    assert under(some, 1).tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    "tree", [(SITE, Feeder("other")), (SITE, Feeder("a", "b"), Feeder("b", "a")), ()]
)
def test_what_is_no_tree_is_refused(tree: tuple[Feeder, ...]) -> None:
    with pytest.raises(ValueError):
        Fleet.of([], [], [], tree, [])


def test_a_meter_corrects_the_prediction() -> None:
    some = fleet(10)
    rigs = running(some)
    feeders, _ = feeders_of(some, rigs, 10_000, reading(40_000, 10_000))
    assert feeders.site.source == "meter"
    assert feeders.site.measured_w == 40_000
    assert feeders.site.settled_w == 40_000  # the 5 kW that no rig explains stay


def test_a_command_on_its_way_is_not_given_twice() -> None:
    some = fleet(10)
    rigs = running(some)
    rigs.ordered_w[:4], rigs.status[:4] = 0, Status.SHEDDING
    rigs.ordered_ms[:4] = 9_000
    feeders, _ = feeders_of(some, rigs, 10_000, reading(35_000, 10_000))
    assert feeders.site.measured_w == 35_000
    assert feeders.site.settled_w == 6 * 3_500 + 4 * 25


def test_the_course_is_dead_time_then_ramp() -> None:
    some = fleet(1)
    rigs = running(some)
    rigs.ordered_w[:], rigs.status[:], rigs.ordered_ms[:] = 0, Status.SHEDDING, 0
    assumed_w = rigs.assumed_w(some)
    course = [int(predicted_w(rigs, some, ms, assumed_w)[0]) for ms in (0, 1_000, 3_000, 5_000)]
    assert course == [3_500, 3_500, 3_500 - 3_475 // 2 - 1, 25]


def test_less_load_is_believed_slowly_and_more_at_once() -> None:
    some = fleet(10)
    rigs = running(some)
    memory: dict[str, MeterMemory] = {}
    settled = []
    for second, power_w in enumerate([35_000, 33_000, 33_000, 37_000]):
        now_ms = (10 + second) * SECOND
        rigs.seen_ms[:] = now_ms
        samples = image(now_ms, reading(power_w, now_ms))
        memory, views = read_meters(memory, samples, METERED, some, now_ms)
        feeders, memory = read_feeders(
            Load(rigs, present(rigs), rigs.assumed_w(some), some, METERED, now_ms),
            some,
            views,
            memory,
            0,
        )
        settled.append(feeders.site.settled_w)
    assert settled[0] == 35_000
    assert 34_500 < settled[1] < 35_000
    assert 34_000 < settled[2] < settled[1]
    assert settled[3] == 37_000


def test_a_stale_meter_means_devices_and_five_per_cent_and_no_restores() -> None:
    some = fleet(10)
    rigs = running(some)
    feeders, _ = feeders_of(some, rigs, 10_000, reading(20_000, 1_000))
    assert feeders.site.source == "devices"
    assert feeders.site.settled_w == 35_000 * 105 // 100
    assert feeders.blind[0] and not feeders.guessed[0]
    assert not open_below(some, feeders).any()


def test_without_meter_and_telemetry_everything_counts_at_its_worst() -> None:
    some = fleet(10)
    rigs = running(some)
    rigs.seen_w[:], rigs.seen_ms[:] = 3_700, -100 * SECOND
    feeders, _ = feeders_of(some, rigs, 10_000)
    assert feeders.site.source == "model" and feeders.site.measured_w is None
    assert feeders.site.settled_w >= 37_000
    assert feeders.guessed[0]


@pytest.mark.parametrize("power_w,quality", [(None, Quality.GOOD), (1, Quality.BAD)])
def test_a_reading_that_says_nothing_is_no_reading(power_w: int | None, quality: Quality) -> None:
    some = fleet(1)
    _, views = read_meters(
        {}, image(10_000, reading(power_w, 10_000, quality)), METERED, some, 10_000
    )
    assert not views[0].fresh and views[0].power_w is None


def test_a_late_sample_is_as_old_as_it_is() -> None:
    some = fleet(1)
    _, views = read_meters({}, image(10_000, reading(7, 5_000)), METERED, some, 10_000)
    assert views[0].true_ms == 4_000 and not views[0].fresh


def test_rigs_fit_under_every_feeder_above_them() -> None:
    some = fleet(6, feeders=TREE)  # in turn on west and e1
    room_w = np.array([9_000, NO_CAP_W, NO_CAP_W, 5_000])
    rows = np.arange(6)
    fits = fitting(some, rows, np.full(6, 3_000, np.int64), room_w)
    assert fits.tolist() == [True, True, True, False, False, False]


def test_a_full_parent_closes_its_children() -> None:
    some = fleet(8, feeders=TREE)
    rigs = running(some)
    feeders, _ = feeders_of(some, rigs, 10_000, reading(28_000, 10_000))
    # A cap without a meter of its own is kept by the devices' word, five per cent dearer.
    assert feeders.over_w.tolist() == [0, 0, 0, 14_000 * 105 // 100 - 8_000]
    is_open = open_below(some, feeders.capped(1_000_000, np.full(4, -1, np.int64)))
    assert is_open.tolist() == [True, True, True, False]
    assert not open_below(some, feeders.capped(28_000, np.full(4, -1, np.int64))).any()


def test_a_verdict_is_made_up_for_once_and_not_twice() -> None:
    """Two sleepers are found awake; the meter has shown them all along."""
    some = fleet(10)
    rigs = running(some)
    rigs.status[:2], rigs.ordered_w[:2] = Status.SHEDDING, 0
    memory: dict[str, MeterMemory] = {}
    settled = []
    for second in range(12):
        now_ms = (10 + second) * SECOND
        rigs.seen_ms[:] = now_ms
        before_w = rigs.assumed_w(some)
        if second == 10:
            rigs.status[:2] = Status.UNRESPONSIVE
        samples = image(now_ms, reading(35_000, now_ms))
        memory, views = read_meters(memory, samples, METERED, some, now_ms)
        load = Load(rigs, present(rigs), before_w, some, METERED, now_ms)
        feeders, memory = read_feeders(load, some, views, memory, 0)
        settled.append(feeders.site.settled_w)
    assert settled == [35_000] * 12
