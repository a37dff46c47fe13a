"""What can be promised, both ways: who counts, by when, through which feeders."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from stratum.power.brain.capability import Capability, capability
from stratum.power.brain.fleet import Fleet, Label
from stratum.power.brain.settings import DAY, HOUR, MINUTE, Settings
from stratum.power.brain.state import RigState, Status
from stratum.power.brain.values import Ints
from tests.power.yard import FULL_W, IDLE_W, fleet_of

NOW_MS = 10 * DAY
MUCH_W = 1 << 50
RISE_W = FULL_W - IDLE_W


@dataclass(frozen=True)
class Order:
    hi_w: int = MUCH_W


def able(
    fleet: Fleet,
    rigs: RigState,
    *,
    hi_w: int = MUCH_W,
    room_w: Ints | None = None,
    ramp_w: int = MUCH_W,
    settings: Settings | None = None,
) -> Capability:
    room_w = np.full(len(fleet.feeders), MUCH_W, np.int64) if room_w is None else room_w
    return capability(fleet, rigs, settings or Settings(), Order(hi_w), NOW_MS, room_w, ramp_w)


def running(count: int, **options: int) -> tuple[Fleet, RigState]:
    fleet = fleet_of(count, **options)  # type: ignore[arg-type]
    rigs = RigState.fresh(fleet)
    rigs.status[:] = Status.RUNNING
    rigs.ordered_w[:] = rigs.seen_w[:] = FULL_W
    rigs.seen_ms[:] = NOW_MS - 5_000
    rigs.verified_ms[:] = NOW_MS - DAY
    return fleet, rigs


def asleep(count: int, **options: int) -> tuple[Fleet, RigState]:
    fleet, rigs = running(count, **options)
    rigs.status[:] = Status.SHED
    rigs.ordered_w[:], rigs.seen_w[:] = 0, IDLE_W
    rigs.off_ms[:] = NOW_MS - HOUR
    return fleet, rigs


def test_healthy_rigs_are_firm_by_what_sleep_would_save() -> None:
    assert able(*running(10)).sheddable_w == 10 * RISE_W


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rigs: rigs.seen_ms.__setitem__(0, NOW_MS - 60_000),
        lambda rigs: rigs.verified_ms.__setitem__(0, NOW_MS - 7 * DAY - 1),
        lambda rigs: rigs.managed.__setitem__(0, False),
        *(
            lambda rigs, status=status: rigs.status.__setitem__(0, status)
            for status in Status
            if status is not Status.RUNNING
        ),
    ],
)
def test_rig_in_any_doubt_is_not_firm(spoil) -> None:  # type: ignore[no-untyped-def]
    fleet, rigs = running(10)
    spoil(rigs)
    assert able(fleet, rigs).sheddable_w == 9 * RISE_W


def test_protected_rigs_are_promised_to_nobody() -> None:
    fleet, rigs = running(10)
    label = fleet.label.copy()
    label[:4] = Label.PROTECTED
    assert able(replace(fleet, label=label), rigs).sheddable_w == 6 * RISE_W


def test_sleepers_are_absorbable_once_their_min_off_is_over() -> None:
    fleet, rigs = asleep(10)  # min-off five minutes, ten seconds to wake
    assert able(fleet, rigs) == Capability(0, *[10 * RISE_W] * 3)
    rigs.off_ms[:] = NOW_MS - MINUTE
    assert able(fleet, rigs) == Capability(0, 0, 10 * RISE_W, 10 * RISE_W)
    rigs.off_ms[:] = NOW_MS
    assert able(fleet, rigs) == Capability(0, 0, 0, 10 * RISE_W)


def test_locked_worn_and_unverified_rigs_are_not_absorbable() -> None:
    fleet, rigs = asleep(10)
    rigs.locked[0] = True
    rigs.cycles[3, 1] = Settings().cycles_hard
    rigs.status[2] = Status.UNRESPONSIVE
    rigs.managed[3] = False
    assert able(fleet, rigs).absorb_1min_w == 6 * RISE_W


def test_inrush_lets_two_percent_of_a_feeder_start_in_a_second() -> None:
    """10 s to wake: 51 seconds in which one rig of fifty may start."""
    fleet, rigs = asleep(100, feeders=2)
    slow = Settings(inrush_bp_per_s=200)
    assert able(fleet, rigs, settings=slow).absorb_1min_w == 100 * RISE_W
    fleet, rigs = asleep(1_000, feeders=2)
    half = Settings(inrush_bp_per_s=100)
    assert able(fleet, rigs, settings=half).absorb_1min_w == 2 * 5 * 51 * RISE_W
    assert able(fleet, rigs, settings=half).absorb_5min_w == 1_000 * RISE_W


def test_room_of_a_feeder_and_of_those_above_it_bound_what_fits() -> None:
    fleet, rigs = asleep(100, feeders=2)
    room_w = np.array([MUCH_W, 20_000, MUCH_W], np.int64)
    assert able(fleet, rigs, room_w=room_w).absorb_5min_w == 20_000 + 50 * RISE_W
    room_w[0] = 70_000
    assert able(fleet, rigs, room_w=room_w).absorb_5min_w == 70_000


def test_ramp_and_order_bound_what_is_taken() -> None:
    fleet, rigs = asleep(100)
    able_now = able(fleet, rigs, ramp_w=10_000)
    assert (able_now.absorb_1min_w, able_now.absorb_5min_w) == (10_000, 50_000)
    assert able(fleet, rigs, hi_w=100 * IDLE_W + 5_000).absorb_15min_w == 5_000
    assert able(fleet, rigs, hi_w=0).absorb_15min_w == 0
