"""`baseload power simulate`: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stratum.cli.commands import app
from stratum.power.simulation.catalogue import CATALOGUE

SHORT = ("--rigs", "40", "--hours", "0.1")


def simulate(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["power", "simulate", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_list_has_every_scenario_on_its_line() -> None:
    code, out, _ = simulate("--list")
    assert code == 0
    first_words = {line.split()[0] for line in out.splitlines() if line.strip()}
    assert CATALOGUE.keys() <= first_words


def test_run_shows_figures_beside_their_goals() -> None:
    code, out, _ = simulate("half-gone", *SHORT)
    assert code == 0
    assert "taken above the surplus" in out and "(N9)" in out
    assert "40 rigs" in out and "× real time" in out


def test_json_is_all_of_stdout_and_says_what_was_run() -> None:
    code, out, _ = simulate(
        "ou-5", *SHORT, "--seed", "3", "--trim", "10", "--reserve", "2", "--json"
    )
    assert code == 0
    found = json.loads(out)
    assert (found["scenario"], found["rigs"], found["seed"]) == ("ou-5", 40, 3)
    assert (found["trim_percent"], found["reserve_percent"]) == (10, 2)
    assert {"over", "missed", "rmse_1min", "cycles_max"} <= found["score"].keys()


def test_page_is_written_where_it_was_wished(tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    code, out, _ = simulate("steps", *SHORT, "--out", str(page))
    assert code == 0 and str(page) in out
    assert page.read_text().startswith("<!doctype html>")


def test_page_that_cannot_be_written_is_one_line_and_exit_1(tmp_path: Path) -> None:
    code, _, err = simulate("steps", *SHORT, "--out", str(tmp_path / "nowhere" / "run.html"))
    assert code == 1
    assert len(err.splitlines()) == 1 and "nowhere" in err


@pytest.mark.parametrize("arguments", [("nonsense",), (), ("ou-5", "--rigs", "0")])
def test_misuse_exits_2(arguments: tuple[str, ...]) -> None:
    code, out, err = simulate(*arguments)
    assert code == 2
    assert err and not out


def test_journal_of_a_run_is_decided_again_alike_and_settled(tmp_path: Path) -> None:
    kept = tmp_path / "journal"
    assert simulate("half-gone", *SHORT, "--journal", str(kept))[0] == 0

    proved = CliRunner().invoke(app, ["power", "replay", str(kept), "--verify"])
    assert proved.exit_code == 0, proved.output
    assert "360 ticks decided again, all of them the same" in proved.stdout

    code, out, err = simulate("half-gone", *SHORT, "--journal", str(kept))
    assert (code, out) == (1, "")
    assert "has a journal of another run: name a new directory" in err

    settled = ["power", "export", str(kept), "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(app, settled).exit_code == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["events.csv", "intervals.csv", "rigs.csv"]
