"""Acceptance (issue 4): emergencies that latch, operators' orders that expire, a journal that is
full. One run each, a timetable of what is said, and the load after every entry of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stratum.power.brain.settings import SECOND, SourceSettings
from stratum.power.brain.values import (
    Inputs,
    JournalHealth,
    Kind,
    OperatorOrder,
    OrderKind,
    Signal,
)
from stratum.power.simulation.catalogue import CATALOGUE
from stratum.power.simulation.scenario import MINUTE, PLANT, Said, Scenario
from stratum.power.twin.surplus import Outage
from tests.power.rehearsal import (
    BLOCK,
    CONFIRM_S,
    RAMP,
    SETTLED,
    Story,
    play,
    sooner,
    steepest_rise,
    swings,
)

WORD = 70.0


def flat(minutes: int, *said: Said) -> Scenario:
    return replace(sooner(CATALOGUE["half-gone"], minutes), outages=(), orders=said)


def order(at_s: int, kind: OrderKind, *, expires_s: int | None = None) -> Said:
    expires_ms = None if expires_s is None else expires_s * SECOND
    return Said(at_s, OperatorOrder(kind, "anna", "rehearsal", expires_ms=expires_ms))


# -- an emergency signal -----------------------------------------------------------------------

CALLED, OVER, CLEARED = SETTLED, SETTLED + 60, SETTLED + 300
AT_MOST = 20.0


@pytest.fixture(scope="module")
def emergency() -> Story:
    """The grid calls for 20 % once, says nothing more, a minute later that all is well."""
    scenario = flat(20, order(CLEARED, OrderKind.CLEAR_ESTOP))
    fleet_w = scenario.farm.fleet(scenario.rigs).total_w
    sources = (
        SourceSettings(PLANT, Kind.SURPLUS_MEAS, heartbeat=True),
        SourceSettings("grid", Kind.EMERGENCY, on_event=True),
    )
    says = {CALLED: fleet_w // 5, OVER: 2 * fleet_w}

    def told(inputs: Inputs) -> Inputs:
        if inputs.tick not in says:
            return inputs
        watts = says[inputs.tick]
        call = Signal("grid", Kind.EMERGENCY, watts, inputs.wall_ms, inputs.now_ms, sequence=1)
        return replace(inputs, signals=(*inputs.signals, call))

    return play(scenario.with_settings(sources=sources), told)


def test_emergency_is_obeyed_in_eight_seconds(emergency: Story) -> None:
    fall = WORD - AT_MOST
    assert emergency.load[CALLED + 3] <= WORD - fall / 10  # N3
    assert emergency.load[CALLED + 8] <= WORD - fall * 0.95  # N4
    assert emergency.load[CALLED + 12 : CLEARED].max() <= AT_MOST
    assert emergency.alarm("emergency") == CALLED


def test_emergency_latches_whatever_its_source_says_until_an_operator_clears_it(
    emergency: Story,
) -> None:
    assert emergency.woken(CALLED, CLEARED) == 0
    assert set(range(CALLED, CLEARED)) <= set(emergency.alarmed["emergency"])
    assert emergency.load[CALLED:CLEARED].min() >= AT_MOST - 8.0


def test_load_returns_by_the_ramp_once_the_emergency_is_cleared(emergency: Story) -> None:
    after = emergency.load[CLEARED:]
    assert steepest_rise(after, MINUTE) <= RAMP + 3 * BLOCK
    assert after[CONFIRM_S + 5 * MINUTE + 60 :].min() >= WORD - 2.5
    assert after.max() <= WORD
    assert not emergency.broken


# -- operators ---------------------------------------------------------------------------------

OFF, LAPSED, AUTO = SETTLED, SETTLED + 60, SETTLED + 240
STOP, RESET, GO = AUTO + 300, AUTO + 360, AUTO + 480


@pytest.fixture(scope="module")
def operated() -> Story:
    """Off for a minute and no word after it; then auto; an emergency stop, its reset, auto."""
    return play(
        flat(
            23,
            order(OFF, OrderKind.OFF, expires_s=LAPSED),
            order(AUTO, OrderKind.AUTO),
            order(STOP, OrderKind.ESTOP),
            order(RESET, OrderKind.CLEAR_ESTOP),
            order(GO, OrderKind.AUTO),
        )
    )


def test_off_is_off_and_expires_into_hold_with_an_alarm(operated: Story) -> None:
    asleep = operated.asleep + 0.1
    assert operated.load[OFF + 12 : AUTO].max() <= asleep
    lapses = [
        code for code, at in operated.alarmed.items() if any(LAPSED <= s <= LAPSED + 1 for s in at)
    ]
    assert lapses
    assert operated.woken(OFF, AUTO) == 0


def test_load_returns_with_auto_only_and_by_the_ramp(operated: Story) -> None:
    back = operated.load[AUTO:STOP]
    assert steepest_rise(back, MINUTE) <= RAMP + 3 * BLOCK
    assert back[-1] >= 30.0


def test_emergency_stop_is_down_in_eight_seconds_and_its_reset_starts_nothing(
    operated: Story,
) -> None:
    before = operated.load[STOP]
    assert operated.load[STOP + 8] <= operated.asleep + before * 0.05
    assert operated.load[STOP + 12 : GO].max() <= operated.asleep + 0.1
    assert operated.woken(STOP, GO) == 0
    assert operated.load[-1] >= 10.0
    assert not operated.broken


# -- the journal -------------------------------------------------------------------------------

FULL, GONE, BACK, EMPTY = SETTLED, SETTLED + 30, SETTLED + 150, SETTLED + 500


def without_room(inputs: Inputs) -> Inputs:
    is_full = FULL <= inputs.tick < EMPTY
    return replace(inputs, journal=JournalHealth.FULL) if is_full else inputs


@pytest.fixture(scope="module")
def unwritten() -> Story:
    """Half of the surplus goes for two minutes while nothing can be written."""
    return play(replace(flat(21), outages=(Outage(GONE, BACK - GONE),)), without_room)


def test_full_journal_stops_no_shed(unwritten: Story) -> None:
    (shed,) = unwritten.score.sheds
    assert shed.at_s == GONE
    assert shed.t95_s is not None and shed.t95_s <= 10
    assert unwritten.over[GONE + 20 :].max() <= 0.25


def test_full_journal_stops_restores_and_is_told_of(unwritten: Story) -> None:
    assert unwritten.woken(FULL, EMPTY) == 0
    assert unwritten.load[GONE + 15 : EMPTY].max() <= 35.0 + 12.0  # the trim group's alone
    alarms = {code for code, at in unwritten.alarmed.items() if FULL in at}
    assert any("journal" in code for code in alarms)


def test_load_returns_with_the_journal(unwritten: Story) -> None:
    back = unwritten.load[EMPTY:]
    assert steepest_rise(back, MINUTE) <= RAMP + 3 * BLOCK
    assert swings(back, 3.0) == 0
    assert back[-30:].min() >= WORD - 2.5
    assert not unwritten.broken
    assert np.diff(unwritten.load[EMPTY : EMPTY + CONFIRM_S // 2]).max() <= 2.0
