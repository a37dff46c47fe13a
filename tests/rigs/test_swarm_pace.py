"""When shares are due: a plan that nothing but its seed decides."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from stratum.rigs.swarm.pace import Pace

SECOND = 10**9


def test_in_turn_every_rig_has_its_share_once_a_round() -> None:
    pace = Pace(range(4), 0.5, 1000 * SECOND, None)
    plan = []
    for _ in range(8):
        due = pace.due_ns
        plan.append((pace.take(), round((due - 1000 * SECOND) / SECOND, 6)))
    assert plan == [(n % 4, 0.5 * (n + 1)) for n in range(8)]


def test_at_random_the_rate_and_the_rigs_come_out_even() -> None:
    pace = Pace(range(10, 20), 20.0, 0, Random(7))
    taken = Counter(pace.take() for _ in range(20_000))
    assert pace.due_ns / SECOND == pytest.approx(100, rel=0.05)
    assert set(taken) == set(range(10, 20))
    assert max(taken.values()) < 1.15 * min(taken.values())


def test_gaps_at_random_are_exponential() -> None:
    pace = Pace(range(1), 1.0, 0, Random(7))
    gaps = []
    for _ in range(20_000):
        before = pace.due_ns
        pace.take()
        gaps.append((pace.due_ns - before) / SECOND)
    longer = sum(gap > 1 for gap in gaps) / len(gaps)
    assert longer == pytest.approx(0.3679, abs=0.01)  # 1 / e


def test_one_seed_is_one_plan() -> None:
    first, second = (Pace(range(5), 3.0, 0, Random(1)) for _ in range(2))
    plans = [[(pace.due_ns, pace.take()) for _ in range(50)] for pace in (first, second)]
    assert plans[0] == plans[1]
