"""The table of verdicts, cell by cell."""

from __future__ import annotations

import numpy as np
import pytest

from stratum.power.brain.evidence import Evidence
from stratum.power.brain.state import Status
from stratum.power.brain.verdicts import Facts, walk

E, S = Evidence, Status
NEVER, ON, OFF = "never ordered", "ordered to run", "ordered to sleep"


def verdict(
    status: Status, evidence: Evidence, order: str, *, due: bool = True, lied: bool = False
) -> Status:
    def all_of(value: bool) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.array([value])

    facts = Facts(
        np.array([int(evidence)]),
        all_of(due),
        all_of(order == OFF),
        all_of(order == ON),
        all_of(lied),
    )
    return Status(int(walk(np.array([int(status)]), facts)[0]))


@pytest.mark.parametrize(
    ("status", "evidence", "order", "due", "after"),
    [
        (S.UNKNOWN, E.WORKS, NEVER, True, S.RUNNING),
        (S.UNKNOWN, E.RUNS, ON, True, S.RUNNING),
        (S.UNKNOWN, E.RUNS, OFF, True, S.UNRESPONSIVE),
        (S.UNKNOWN, E.ASLEEP, NEVER, True, S.SHED),
        (S.UNKNOWN, E.ASLEEP, OFF, True, S.SHED),
        (S.UNKNOWN, E.ASLEEP, ON, True, S.DEAD),
        (S.UNKNOWN, E.IDLE, ON, True, S.DEAD),
        (S.UNKNOWN, E.SILENT, NEVER, True, S.UNKNOWN),
        (S.RUNNING, E.WORKS, ON, True, S.RUNNING),
        (S.RUNNING, E.ASLEEP, ON, True, S.DEAD),
        (S.RUNNING, E.ASLEEP, NEVER, True, S.SHED),
        (S.RUNNING, E.IDLE, ON, True, S.DEAD),
        (S.RUNNING, E.SILENT, ON, True, S.UNKNOWN),
        (S.RUNNING, E.NONE, ON, True, S.RUNNING),
        (S.SHEDDING, E.WORKS, OFF, False, S.SHEDDING),
        (S.SHEDDING, E.NONE, OFF, False, S.SHEDDING),
        (S.SHEDDING, E.ASLEEP, OFF, False, S.SHED),
        *((S.SHEDDING, e, OFF, True, S.UNRESPONSIVE) for e in E if e is not E.ASLEEP),
        (S.SHEDDING, E.ASLEEP, OFF, True, S.SHED),
        (S.SHED, E.WORKS, OFF, True, S.FOREIGN),
        (S.SHED, E.RUNS, NEVER, True, S.FOREIGN),
        *((S.SHED, e, OFF, True, S.SHED) for e in (E.NONE, E.ASLEEP, E.IDLE, E.SILENT)),
        (S.WAKING, E.WORKS, ON, False, S.RUNNING),
        *((S.WAKING, e, ON, False, S.WAKING) for e in (E.NONE, E.ASLEEP, E.IDLE, E.SILENT)),
        (S.WAKING, E.ASLEEP, ON, True, S.DEAD),
        (S.WAKING, E.IDLE, ON, True, S.DEAD),
        (S.WAKING, E.SILENT, ON, True, S.UNKNOWN),
        (S.UNRESPONSIVE, E.ASLEEP, OFF, True, S.SHED),
        *((S.UNRESPONSIVE, e, OFF, True, S.UNRESPONSIVE) for e in E if e is not E.ASLEEP),
        (S.DEAD, E.RUNS, ON, True, S.RUNNING),
        (S.DEAD, E.ASLEEP, ON, True, S.DEAD),
        (S.DEAD, E.ASLEEP, NEVER, True, S.SHED),
        (S.DEAD, E.SILENT, ON, True, S.UNKNOWN),
        (S.FOREIGN, E.ASLEEP, OFF, True, S.SHED),
        *((S.FOREIGN, e, OFF, True, S.FOREIGN) for e in E if e is not E.ASLEEP),
    ],
)
def test_verdict_follows_from_status_evidence_and_time(
    status: Status, evidence: Evidence, order: str, due: bool, after: Status
) -> None:
    assert verdict(status, evidence, order, due=due) is after


def test_sleeper_whose_work_was_never_missing_lied() -> None:
    assert verdict(S.SHED, E.WORKS, OFF, lied=True) is S.UNRESPONSIVE
    assert verdict(S.SHED, E.WORKS, NEVER, lied=True) is S.RUNNING


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("order", [NEVER, ON, OFF])
@pytest.mark.parametrize("due", [False, True])
@pytest.mark.parametrize("lied", [False, True])
def test_only_the_evidence_of_sleep_makes_a_rig_shed(
    status: Status, order: str, due: bool, lied: bool
) -> None:
    for evidence in Evidence:
        after = verdict(status, evidence, order, due=due, lied=lied)
        assert after is not S.SHED or evidence is E.ASLEEP or status is S.SHED
        assert after is not S.SHED or evidence not in (E.WORKS, E.RUNS)
