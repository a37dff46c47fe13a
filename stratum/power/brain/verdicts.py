"""One rig, three witnesses, one verdict: the state machine, walked by all rigs at once.

The evidence of a second is at most one of these for a rig, the strongest first:

    WORKS    work came under its name that nobody else can have done
    RUNS     it says it hashes, or draws more than a sleeper may
    ASLEEP   (it says it sleeps or its outlet is off) and no work after t95 and
             (its watts are a sleeper's or its feeder dropped by as much)
    IDLE     it should run: draws nothing, or tells no watts and does no work
    SILENT   none of the above, and neither telemetry nor work for a minute

What came back from an API is none of them. A verdict follows from status, evidence and time:

    status          WORKS, RUNS      ASLEEP     IDLE     SILENT
    UNKNOWN         RUNNING *        SHED       DEAD +   -
    RUNNING         -                DEAD +     DEAD     UNKNOWN
    SHEDDING        -                SHED       -        -            before it is due
    SHEDDING        UNRESPONSIVE     SHED       UNRESPONSIVE          when it is due
    SHED            FOREIGN **       -          -        -
    WAKING          RUNNING          -          -        -            before it is due
    WAKING          RUNNING          DEAD       DEAD     UNKNOWN      when it is due
    UNRESPONSIVE    -                SHED       -        -
    DEAD            RUNNING          SHED +     -        UNKNOWN
    FOREIGN         -                SHED       -        -

    *   UNRESPONSIVE where the last order was to sleep
    **  UNRESPONSIVE where its word is "asleep" and its work was never missing for long: it did not
        wake by itself, it lied. RUNNING where nobody ever ordered it anything
    +   SHED where nobody ever ordered it anything, DEAD where it was ordered to run

A rig is due when t95 and the margin are over and it was asked since; at the latest one polling
period later, or at once where its driver could not deliver the command.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratum.power.brain.evidence import Evidence
from stratum.power.brain.state import Status
from stratum.power.brain.values import Flags, Ints


@dataclass(frozen=True, slots=True)
class Facts:
    """What the walk needs of each rig beside its status."""

    evidence: Ints
    is_due: Flags
    ordered_off: Flags
    ordered_on: Flags
    lied: Flags  # its work was never missing for as long as luck allows, and it says it sleeps


def _table() -> tuple[Ints, Ints]:
    """Next status by (due, status, evidence), for rigs ordered to run or never ordered."""
    same = np.repeat(np.array(list(Status), np.int64)[:, None], len(Evidence), 1)
    early, due = same.copy(), same.copy()
    runs = [Evidence.WORKS, Evidence.RUNS]
    for table in (early, due):
        table[Status.UNKNOWN, runs] = Status.RUNNING
        table[Status.UNKNOWN, Evidence.ASLEEP] = Status.SHED
        table[Status.UNKNOWN, Evidence.IDLE] = Status.DEAD
        table[Status.RUNNING, [Evidence.ASLEEP, Evidence.IDLE]] = Status.DEAD
        table[Status.RUNNING, Evidence.SILENT] = Status.UNKNOWN
        table[Status.SHEDDING, Evidence.ASLEEP] = Status.SHED
        table[Status.SHED, runs] = Status.FOREIGN
        table[Status.WAKING, runs] = Status.RUNNING
        table[Status.UNRESPONSIVE, Evidence.ASLEEP] = Status.SHED
        table[Status.DEAD, runs] = Status.RUNNING
        table[Status.DEAD, Evidence.ASLEEP] = Status.SHED
        table[Status.DEAD, Evidence.SILENT] = Status.UNKNOWN
        table[Status.FOREIGN, Evidence.ASLEEP] = Status.SHED
    due[Status.SHEDDING] = Status.UNRESPONSIVE
    due[Status.SHEDDING, Evidence.ASLEEP] = Status.SHED
    due[Status.WAKING, [Evidence.ASLEEP, Evidence.IDLE]] = Status.DEAD
    due[Status.WAKING, Evidence.SILENT] = Status.UNKNOWN
    return early, due


EARLY, DUE = _table()


def walk(status: Ints, facts: Facts) -> Ints:
    """The next status of each rig."""
    cell = status * len(Evidence) + facts.evidence
    after: Ints = np.where(facts.is_due, DUE.ravel()[cell], EARLY.ravel()[cell])
    if np.array_equal(after, status):
        return after

    moved = after != status
    off, never = facts.ordered_off, ~facts.ordered_off & ~facts.ordered_on
    was_unknown = moved & (status == Status.UNKNOWN)
    after[was_unknown & off & (after == Status.RUNNING)] = Status.UNRESPONSIVE
    after[moved & facts.ordered_on & (after == Status.SHED)] = Status.DEAD
    after[moved & never & (after == Status.DEAD) & (facts.evidence == Evidence.ASLEEP)] = (
        Status.SHED
    )
    woke = moved & (after == Status.FOREIGN) & facts.lied
    after[woke & off] = Status.UNRESPONSIVE
    after[woke & never] = Status.RUNNING
    return after
