"""The acceptance table: which rows it has, and how it judges them."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.power_table import Case, _cases, _is_fit, _table, _verdicts, _write, judge
from stratum.power.simulation.farms import Mix
from stratum.power.simulation.score import Score

CASE = Case("ou-5", Mix.FAST, 20.0, 1.0, rigs=40, hours=0.05, seed=1)


@pytest.fixture(scope="module")
def judged() -> Score:
    return replace(judge(CASE), over=0.4, missed=1.0, cycles_max=8.0, speed=500.0, memory_mb=90.0)


def test_rows_are_every_surplus_with_every_trim_and_reserve() -> None:
    options = argparse.Namespace(
        surplus=None, trim=None, reserve=None, stock=True, rigs=10_000, hours=24.0, seed=1
    )
    cases = list(_cases(options))
    assert len(cases) == len(set(cases)) == 8 * (3 + 1) * 4
    assert {case.mix for case in cases} == {Mix.FAST, Mix.STOCK}
    assert all(case.scenario().hours == 24 for case in cases)


def test_row_runs_its_own_farm_with_its_own_reserve() -> None:
    scenario = CASE.scenario()
    fleet = scenario.farm.fleet(40)
    assert scenario.made_settings(fleet).reserve_bp == 100
    assert fleet.continuous.sum() == 8


def test_smallest_reserve_that_keeps_to_the_surplus_everywhere_wins(judged: Score) -> None:
    over = replace(judged, over=0.6)
    rows = [
        (replace(CASE, reserve_percent=0.0), judged),
        (replace(CASE, reserve_percent=0.0, surplus="wind"), over),
        (replace(CASE, reserve_percent=2.0), judged),
        (replace(CASE, reserve_percent=1.0), judged),
    ]
    (verdict,) = _verdicts(rows)
    assert "reserve 1 %" in verdict and "1.00 % missed" in verdict
    assert "no reserve" in next(iter(_verdicts([(CASE, over)])))


def test_wear_speed_and_memory_hold_for_every_row(judged: Score) -> None:
    assert _is_fit([(CASE, judged)])
    for broken in (
        replace(judged, cycles_max=25.0),
        replace(judged, speed=59.0),
        replace(judged, memory_mb=501.0),
    ):
        assert not _is_fit([(CASE, judged), (CASE, broken)])


def test_table_and_json_have_a_row_each(judged: Score, tmp_path: Path) -> None:
    rows = [(CASE, judged), (replace(CASE, surplus="wind"), judged)]
    assert _table(rows).row_count == 2
    _write(tmp_path / "build" / "table.json", rows)
    found = json.loads((tmp_path / "build" / "table.json").read_text())
    assert [row["surplus"] for row in found] == ["ou-5", "wind"]
    assert found[0]["over"] == 0.4 and found[0]["mix"] == "fast"
