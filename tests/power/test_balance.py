"""Meters against rigs: when a drop proves sleep, and when a meter is not believed."""

from __future__ import annotations

import numpy as np
import pytest

from stratum.power.brain import balance
from stratum.power.brain.balance import Balance
from stratum.power.brain.commands import Reason
from stratum.power.brain.estimator import MeterView
from stratum.power.brain.settings import Settings
from stratum.power.brain.state import RigState, Status
from stratum.power.brain.values import Flags
from tests.power.yard import FULL_W, IDLE_W, MUTE, fleet_of

RIGS = 100
SITE, LEFT, RIGHT = 0, 1, 2
FLEET = fleet_of(RIGS, firmware=MUTE, feeders=2)
SETTINGS = Settings()


def running() -> RigState:
    rigs = RigState.fresh(FLEET)
    rigs.status[:], rigs.ordered_w[:], rigs.hashing[:] = Status.RUNNING, FULL_W, 1
    return rigs


def view(power_w: int | None, feeder: int = SITE, *, fresh: bool = True) -> MeterView:
    return MeterView(feeder, power_w, 0, fresh)


def dropped(
    sleeping: int, *meters: MeterView, working: int = 0, memory: Balance | None = None
) -> Flags:
    """The first `sleeping` rigs claim to; the next `working` do too, and were caught."""
    rigs = running()
    rigs.status[: sleeping + working], rigs.ordered_w[: sleeping + working] = Status.SHEDDING, 0
    claims, caught = np.zeros(RIGS, np.bool_), np.zeros(RIGS, np.bool_)
    claims[:sleeping], caught[sleeping : sleeping + working] = True, True
    present = balance.present_w(rigs, FLEET, np.zeros(RIGS, np.bool_))
    return balance.dropped(
        memory or Balance.fresh(FLEET), meters, claims, caught, present, rigs, FLEET
    )


def site_w(asleep: int) -> int:
    return (RIGS - asleep) * FULL_W + asleep * IDLE_W


def test_drop_by_all_that_claim_proves_them_asleep() -> None:
    assert dropped(20, view(site_w(20)))[:20].all()
    assert not dropped(20, view(site_w(20)))[20:].any()


@pytest.mark.parametrize("awake", [3, 10, 20])
def test_drop_that_falls_short_proves_nobody(awake: int) -> None:
    assert not dropped(20, view(site_w(20 - awake))).any()


def test_one_in_ten_may_be_what_rigs_differ_from_their_table() -> None:
    assert dropped(20, view(site_w(19))).sum() == 20


def test_who_was_caught_working_does_not_spoil_it_for_the_others() -> None:
    assert dropped(20, view(site_w(20)), working=10).sum() == 20


def test_nearest_meter_judges_its_own_rigs() -> None:
    left_w, right_w = 30 * FULL_W + 20 * IDLE_W, 50 * FULL_W
    proven = dropped(20, view(left_w, LEFT), view(right_w, RIGHT), view(site_w(0)))
    assert proven.sum() == 20
    assert not dropped(20, view(50 * FULL_W, LEFT), view(site_w(20))).any()


@pytest.mark.parametrize("meter", [view(None), view(site_w(20), fresh=False)])
def test_meter_without_a_fresh_figure_proves_nothing(meter: MeterView) -> None:
    assert not dropped(20, meter).any()


def test_base_load_is_measured_while_nothing_moves() -> None:
    memory, rigs = Balance.fresh(FLEET), running()
    present = balance.present_w(rigs, FLEET, np.zeros(RIGS, np.bool_))
    for second in range(200):
        meters = (view(site_w(0) + 15_000),)
        memory, _, _ = balance.compare(
            memory, meters, present, rigs, SETTINGS, FLEET, second * 1_000
        )
    assert abs(int(memory.base_w[SITE]) - 15_000) <= 8
    assert not dropped(20, view(site_w(20) + 15_000)).any(), "blamed on the sleepers until then"
    assert dropped(20, view(site_w(20) + 15_000), memory=memory).sum() == 20


def compared(watts: list[int], *, shed: int = 0) -> tuple[Balance, list[Reason]]:
    memory, rigs, reasons = Balance.fresh(FLEET), running(), []
    rigs.status[:shed] = Status.UNRESPONSIVE
    present = balance.present_w(rigs, FLEET, np.zeros(RIGS, np.bool_))
    for second, power_w in enumerate(watts):
        memory, told, _ = balance.compare(
            memory, (view(power_w),), present, rigs, SETTINGS, FLEET, second * 1_000
        )
        reasons += told
    return memory, reasons


@pytest.mark.parametrize("part", [0.92, 1.0, 1.08])
def test_mirrored_figure_is_a_meter_turned_round(part: float) -> None:
    memory, reasons = compared([int(-part * site_w(0))])
    assert memory.flipped[SITE] and [reason.code for reason in reasons] == ["meter_flipped"]


@pytest.mark.parametrize("power_w", [-site_w(0) // 2, -3 * site_w(0), 0])
def test_other_negative_figures_are_something_else(power_w: int) -> None:
    assert not compared([power_w])[0].flipped[SITE], "generation on the feeder, an empty register"


def test_disagreement_counts_only_where_it_lasts() -> None:
    apart, agreed = site_w(0) * 110 // 100, site_w(0)
    assert not compared([*[apart] * 299, agreed, *[apart] * 299])[1]
    assert [reason.code for reason in compared([apart] * 301)[1]] == ["meter_disagrees"]


def test_factor_follows_the_meter_within_its_band() -> None:
    assert compared([site_w(0) * 110 // 100] * 301)[0].factor_bp[SITE] == 11_000
    assert compared([site_w(0) * 2] * 301)[0].factor_bp[SITE] == 12_500


def test_nothing_is_calibrated_on_rigs_in_doubt() -> None:
    memory, reasons = compared([site_w(0) * 80 // 100] * 301, shed=20)
    assert memory.factor_bp[SITE] == 10_000
    assert [reason.code for reason in reasons] == ["meter_disagrees"]
