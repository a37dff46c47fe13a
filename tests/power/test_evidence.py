"""Properties of the whole of verification over any history of a small yard."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratum.power.brain.state import Status
from stratum.power.brain.values import Outcome, OutletReadings
from tests.power.yard import FULL_W, MUTE, Yard, fleet_of

RIGS = 6
#: No poll and no share is missed for longer than this without being evidence.
SILENT_MS = 61_000

act = st.tuples(
    st.sampled_from(
        ["off", "on", "mute", "answer", "lie", "obey", "disobey", "force on", "force off"]
        + ["elsewhere", "here", "slow", "refuse", "sent", "outlet"]
    ),
    st.integers(0, RIGS - 1),
    st.integers(1, 45),
)
histories = st.lists(act, min_size=1, max_size=25)
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def do(yard: Yard, what: str, rig: int) -> None:
    rows = np.array([rig], np.int64)
    match what:
        case "off":
            yard.order(rows, 0)
        case "on":
            yard.order(rows, FULL_W)
        case "mute" | "answer":
            yard.answers[rig] = what == "answer"
        case "lie":
            yard.lies[rig] = True
        case "obey" | "disobey":
            yard.obeys[rig] = what == "obey"
        case "force on" | "force off":
            yard.force(rows, what == "force on")
        case "elsewhere" | "here":
            yard.works_here[rig] = what == "here"
        case "slow":
            yard.delay_ms[rig] = 70_000
        case "refuse":
            yard.refuse(rows, Outcome.UNREACHABLE)
        case "sent":
            yard.refuse(rows, Outcome.SENT)
        case "outlet":
            one = np.ones(1, np.int64)
            at_ms = one * (yard.now_ms + 500)
            yard.force(rows, False)
            yard.outlets = OutletReadings(rows, 0 * one, -one, at_ms)


@QUICK
@given(histories, st.booleans(), st.integers(0, 5))
def test_unknown_is_never_counted_below_its_worst(
    history: list[tuple[str, int, int]], mute: bool, seed: int
) -> None:
    yard = Yard(fleet_of(RIGS, firmware=MUTE) if mute else fleet_of(RIGS), seed=seed)
    for what, rig, seconds in history:
        do(yard, what, rig)
        for _ in range(seconds):
            yard.tick()
            rigs = yard.rigs
            silent = yard.now_ms - np.maximum(rigs.seen_ms, rigs.worked_ms) > SILENT_MS * 4
            settled = ~np.isin(rigs.status, (Status.SHED, Status.SHEDDING))
            worst = np.maximum(rigs.seen_w, FULL_W)
            assert (rigs.assumed_w(yard.fleet) >= worst)[silent & settled].all()
            suspect = np.isin(rigs.status, (Status.UNKNOWN, Status.UNRESPONSIVE, Status.FOREIGN))
            assert (rigs.assumed_w(yard.fleet) >= worst)[suspect].all()


@QUICK
@given(histories, st.booleans(), st.integers(0, 5))
def test_rig_whose_shares_arrive_is_not_shed(
    history: list[tuple[str, int, int]], mute: bool, seed: int
) -> None:
    yard = Yard(fleet_of(RIGS, firmware=MUTE) if mute else fleet_of(RIGS), seed=seed)
    margin_ms = yard.settings.verify_margin_ms
    for what, rig, seconds in history:
        do(yard, what, rig)
        for _ in range(seconds):
            yard.tick()
            worked = yard.rigs.worked_ms == yard.now_ms - 1_000
            # Until t95 it may work; and a share found before it slept may arrive a moment after.
            slept_ms = np.maximum(yard.state.slept_ms, yard.state.outlet_off_ms)
            moment = yard.rigs.worked_ms <= slept_ms + margin_ms
            moment |= yard.rigs.worked_ms <= yard.rigs.due_ms - margin_ms
            assert not (worked & ~moment & (yard.status == Status.SHED)).any()


@QUICK
@given(histories, st.integers(0, 5))
def test_no_rig_is_shed_that_neither_said_so_nor_lost_its_outlet(
    history: list[tuple[str, int, int]], seed: int
) -> None:
    yard = Yard(fleet_of(RIGS), seed=seed)
    said_ms = np.full(RIGS, -1, np.int64)
    for what, rig, seconds in history:
        do(yard, what, rig)
        if what == "outlet":
            said_ms[rig] = yard.now_ms + 500
        for _ in range(seconds):
            before = yard.status.copy()
            yard.tick()
            heard = (yard.rigs.hashing == 0) & (yard.rigs.seen_ms > said_ms)
            said_ms[heard] = yard.rigs.seen_ms[heard]
            newly = (yard.status == Status.SHED) & (before != Status.SHED)
            assert (said_ms > yard.rigs.ordered_ms)[newly].all()
