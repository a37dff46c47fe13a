"""The ladder, rung by rung, and what it may not do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stratum.power.brain import escalation
from stratum.power.brain.escalation import RUNGS, Attempts
from stratum.power.brain.fleet import Firmware, Fleet
from stratum.power.brain.settings import DAY, MINUTE, Settings
from stratum.power.brain.state import NEVER, RigState, Status
from stratum.power.brain.values import Ints
from tests.power.yard import FAST, FLOOR_W, FULL_W, fleet_of

ONE = np.array([0], np.int64)
SETTLE = np.array([5_000], np.int64)
SETTINGS = Settings()  # repeats after 2 s and 5 s, margin 2 s


class Ladder:
    """One rig that never obeys, and what is sent to it until nothing is due any more."""

    def __init__(self, firmware: Firmware = FAST, *, start_ms: int = 0) -> None:
        self.fleet: Fleet = fleet_of(1, firmware=firmware)
        self.rigs = RigState.fresh(self.fleet)
        self.rigs.status[:], self.rigs.ordered_w[:] = Status.UNRESPONSIVE, 0
        self.rigs.ordered_ms[:] = start_ms
        self.attempts = Attempts.fresh(self.fleet)
        self.suspects = np.zeros(1, np.bool_)
        self.sent: list[tuple[int, str, int]] = []

    def climb(self, from_ms: int) -> list[tuple[int, str, int]]:
        """(seconds, rung, watts) of every command of the next ten minutes."""
        self.sent = []
        self.rigs.rung[:] = self.rigs.tries[:] = 0
        self.rigs.ordered_ms[:] = from_ms
        escalation.begin(self.attempts, ONE, SETTINGS.retry_ms, from_ms)
        for now_ms in range(from_ms, from_ms + 10 * MINUTE, 1_000):
            due = self.attempts.act_ms[0] <= now_ms
            if not due or escalation.is_left(self.rigs, ONE, self.fleet)[0]:
                continue
            retries = escalation.shed_again(
                self.attempts, self.rigs, ONE, self.suspects, SETTLE, SETTINGS, self.fleet, now_ms
            )
            ladder = self.fleet.firmwares[0].ladder
            for power_w, rung in zip(retries.power_w, retries.rung, strict=True):
                self.sent.append(((now_ms - from_ms) // 1_000, ladder[rung], int(power_w)))
        return self.sent

    @property
    def is_left(self) -> bool:
        return bool(escalation.is_left(self.rigs, ONE, self.fleet)[0])


def test_each_rung_is_tried_and_repeated_before_the_next() -> None:
    ladder = Ladder()
    assert ladder.climb(0) == [
        (2, "sleep", 0),
        (7, "sleep", 0),
        (14, "second_path", 0),
        (23, "second_path", 0),
        (28, "second_path", 0),
        (35, "park", 0),  # the rig has no levels, so power_limit is left out
        (44, "park", 0),
        (49, "park", 0),
        (300, "outlet", 0),
    ]
    assert ladder.is_left


def test_power_limit_asks_for_the_lowest_level() -> None:
    ladder = Ladder(replace(FAST, continuous=True))
    ladder.rigs.seen_ms[:] = 1_000
    limits = [watts for _, rung, watts in ladder.climb(0) if rung == "power_limit"]
    assert limits == [FLOOR_W] * 3


def test_rig_that_hangs_is_not_told_to_run_at_its_floor() -> None:
    ladder = Ladder(replace(FAST, continuous=True))
    assert all(watts == 0 for _, _, watts in ladder.climb(0))


def test_suspect_of_a_shared_name_is_neither_parked_nor_cut() -> None:
    ladder = Ladder()
    ladder.suspects[:] = True
    assert {rung for _, rung, _ in ladder.climb(0)} == {"sleep", "second_path"}
    assert ladder.is_left


def test_outlet_is_thrown_once_a_day() -> None:
    ladder = Ladder()
    start = 3 * DAY
    assert "outlet" in [rung for _, rung, _ in ladder.climb(start)]
    assert "outlet" not in [rung for _, rung, _ in ladder.climb(start + DAY // 2)]
    assert ladder.is_left
    assert "outlet" in [rung for _, rung, _ in ladder.climb(start + 2 * DAY)]


def test_flash_is_not_written_beyond_its_budget_of_the_day() -> None:
    ladder = Ladder(replace(FAST, writes_per_day=4))
    attempts = ladder.attempts
    escalation.count_orders(attempts, np.array([True]), 0)
    sent = [rung for _, rung, _ in ladder.climb(0)]
    writing = [rung for rung in sent if RUNGS[rung].writes]
    assert 1 + len(writing) <= 4
    assert "park" in sent and "outlet" in sent
    assert escalation.writes_left(attempts, ladder.fleet)[0] == 0
    escalation.count_orders(attempts, np.array([False]), DAY)
    assert escalation.writes_left(attempts, ladder.fleet)[0] == 4


@pytest.mark.parametrize("kind", [Firmware("any"), replace(FAST, ladder=("sleep", "outlet"))])
def test_every_name_of_a_ladder_has_a_meaning(kind: Firmware) -> None:
    assert all(RUNGS[name].meaning for name in kind.ladder)


def test_order_to_run_is_repeated_twice_with_time_to_wake() -> None:
    fleet = fleet_of(1)
    rigs, attempts = RigState.fresh(fleet), Attempts.fresh(fleet)
    rigs.ordered_w[:] = FULL_W
    escalation.begin(attempts, ONE, SETTINGS.retry_ms, 0)
    sent: list[tuple[int, Ints]] = []
    for now_ms in range(0, 120_000, 1_000):
        act_ms = int(attempts.act_ms[0])
        if act_ms != NEVER and now_ms >= act_ms:
            woken = escalation.wake_again(attempts, rigs, ONE, SETTLE, SETTINGS, now_ms)
            sent.append((now_ms, woken.power_w))
    assert [at for at, _ in sent] == [2_000, 2_000 + 5_000 + 2_000 + 5_000]
    assert all(watts[0] == FULL_W for _, watts in sent)
