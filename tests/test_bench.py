"""The bench runs end to end, so that it still does on the day somebody needs a number."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.load import Load, Run, match_tips
from bench.pool import Moved
from bench.process import Sample
from bench.table import Figure, Goal

ROOT = Path(__file__).parent.parent


async def _bench(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """Its JSON, by row."""
    result = tmp_path / "bench.json"
    command = [sys.executable, "-m", "bench", "--quick", "--json", str(result), *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=ROOT
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return {row["row"]: row for row in json.loads(result.read_text())["rows"]}


async def test_a_quick_run_measures_floor_and_pool_with_a_tip_between(tmp_path: Path) -> None:
    row = (await _bench(tmp_path, "--row", "f"))["f"]
    figures = {figure["what"]: figure for figure in row["figures"]}
    for what in ("wrong rejects", "unanswered", "rigs dropped"):
        assert (figures[what]["floor"], figures[what]["baseload"]) == (0, 0)
    for server in ("floor", "baseload"):
        assert figures["shares answered"][server] > 0
        (tip,) = row["runs"][server]["tips"]
        assert tip["rigs"] == row["runs"][server]["swarm"]["connected"] == 60


def _sample(at: float, cpu_seconds: float, anonymous_bytes: int = 0) -> Sample:
    return Sample(at, cpu_seconds, anonymous_bytes)


def test_cpu_per_share_is_that_of_the_inner_part_of_the_load() -> None:
    # Ten samples: at either end one is left out, here one that would spoil the figure.
    busy = [_sample(at, 0.5 * at) for at in range(1, 9)]
    samples = [_sample(0, -90.0), *busy, _sample(9, 90.0)]
    run = Run("floor", Load(1, 10.0), {"shares_per_second": 100.0}, samples)
    assert run.cpu_percent == pytest.approx(50)
    assert run.cpu_us_per_share == pytest.approx(5000)


def test_memory_is_what_the_connections_have_added() -> None:
    run = Run("floor", Load(10, 1.0), {}, [_sample(1, 0, 61_440)], _sample(0, 0, 20_480))
    assert run.bytes_per_connection == 4096


def test_a_move_belongs_to_the_tip_that_rigs_saw_next() -> None:
    seen = [
        {"first": 5.0, "last": 5.1, "spread_ms": 100.0, "rigs": 3},  # there from the start
        {"first": 10.5, "last": 10.75, "spread_ms": 250.0, "rigs": 3},
        {"first": 30.25, "last": 30.5, "spread_ms": 250.0, "rigs": 2},
    ]
    # Nobody saw the tip of 20: it must not be given the time of the next one.
    tips = list(match_tips([Moved(10.0), Moved(20.0), Moved(30.0)], seen))
    assert [(tip.moved.at, tip.last_ms, tip.rigs) for tip in tips] == [
        (10.0, 750.0, 3),
        (30.0, 500.0, 2),
    ]


@pytest.mark.parametrize(
    ("ours", "floor", "goal", "met"),
    [
        (3.0, 1.0, Goal(most=4, ratio=7), True),
        (5.0, 1.0, Goal(most=4, ratio=7), False),
        (3.0, 0.4, Goal(most=4, ratio=7), False),
        (3.0, None, Goal(most=4), True),
        (3.0, None, Goal(ratio=7), None),
        (None, 1.0, Goal(most=4), None),
        (3.0, 1.0, None, None),
    ],
)
def test_a_goal_is_met_in_both_its_halves_or_not_judged(
    ours: float | None, floor: float | None, goal: Goal | None, met: bool | None
) -> None:
    values = {"baseload": ours, "floor": floor}
    figure = Figure("x", "", {name: v for name, v in values.items() if v is not None}, goal)
    assert figure.is_met is met
