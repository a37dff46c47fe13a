from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stratum.app.plan import CANDIDATES
from stratum.cli.commands import app
from stratum.power.plan.examples import EXAMPLES

FEW = ("--samples", "50")


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    return CliRunner()


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "spill.csv"
    start = datetime(2025, 1, 1)
    rows = [f"{start + timedelta(hours=place)}Z,{3 + place % 24}" for place in range(24 * 400)]
    path.write_text("\n".join(["time,mw", *rows]))
    return path


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_is_answered_on_the_terminal_and_on_a_page(
    runner: CliRunner, tmp_path: Path, name: str
) -> None:
    result = runner.invoke(app, ["plan", name, *FEW])
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(("Yes: at ", "No: at "))
    text = " ".join(result.stdout.split())
    assert "stops being profitable at" in text
    assert all(model in text for model in CANDIDATES)
    assert text.endswith(f"report: plan-{name}.html")
    page = (tmp_path / f"plan-{name}.html").read_text()
    assert page.startswith("<!doctype html>") and page.endswith("</html>")


def test_a_short_history_says_so_beside_its_answer(runner: CliRunner, tmp_path: Path) -> None:
    start = datetime(2025, 1, 1)
    rows = [f"{start + timedelta(hours=place)}Z,5" for place in range(24 * 8)]
    (tmp_path / "week.csv").write_text("\n".join(["time,mw", *rows]))
    caveat = "11 of 12 months are the mean of the others: the history covers 8 days"
    result = runner.invoke(app, ["plan", "week.csv", *FEW])
    lines = result.stdout.splitlines()
    head = " ".join(" ".join(lines[: lines.index("")]).split())
    assert caveat in head and "network and price are as of 2026-06-01" in head
    facts = json.loads(runner.invoke(app, ["plan", "week.csv", "--json", *FEW]).stdout)
    assert caveat in facts["caveats"]
    assert caveat in (tmp_path / "plan-week.html").read_text()


def test_json_is_for_scripts_and_leaves_no_page(runner: CliRunner, tmp_path: Path) -> None:
    result = runner.invoke(app, ["plan", "geothermal", "--json", *FEW])
    assert (result.exit_code, result.stderr) == (0, "")
    facts = json.loads(result.stdout, parse_constant=lambda word: pytest.fail(word))
    assert facts["currency"] == "USD"
    assert {"p10", "p50", "p90"} < facts["percentiles"][0].keys()
    assert all(given["origin"] for given in facts["inputs"])
    assert {fleet["name"] for fleet in facts["fleets"]} == set(CANDIDATES)
    assert "the surplus is made by rules, not measured" in facts["caveats"]
    assert "coin price" in {bar["name"] for bar in facts["sensitivity"]}
    for fleet in facts["fleets"]:  # what is paid for already runs on where it is not worth building
        assert fleet["runs_up_to_tariff_per_mwh"] > fleet["break_even_tariff_per_mwh"]
    assert facts["break_even_tariff_per_mwh"] == max(
        fleet["break_even_tariff_per_mwh"] for fleet in facts["fleets"]
        if fleet["npv"] == max(each["npv"] for each in facts["fleets"])
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_history_of_ones_own_with_fleet_tariff_figures_and_currency(
    runner: CliRunner, tmp_path: Path, history: Path
) -> None:
    (tmp_path / "fleet.toml").write_text(
        '[[rig]]\nmodel = "Antminer S21 200T"\ncount = 200\nprice = 100\n'
        '[[rig]]\nmodel = "Antminer S19 XP 140T"\ncount = 100\nprice = 50\n'
    )
    (tmp_path / "figures.toml").write_text("[money]\nhall = 0\nconnection = 0\n")
    result = runner.invoke(
        app,
        ["plan", str(history), "--fleet", "fleet.toml", "--figures", "figures.toml",
         "--tariff", "-5,08:00-20:00=3", "--currency", "EUR=0.86", "--years", "4",
         "--out", "r.html", "--json", *FEW],
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["profitable"] is True
    assert facts["answer"].startswith("Yes: at ")
    (fleet,) = facts["fleets"]
    assert (fleet["name"], fleet["rigs"]) == ("fleet", 300)
    assert facts["months"] == ["2027-01", "2030-12"]
    given = {entry["name"]: entry for entry in facts["inputs"]}
    assert (given["hall"]["value"], given["hall"]["origin"]) == (0, "the file figures.toml")
    assert given["cooling"]["value"] == 43_000 and given["cooling"]["unit"] == "EUR/MW"
    page = (tmp_path / "r.html").read_text()
    assert "spill.csv" in page and "-5,08:00-20:00=3" in page


def test_every_mistake_of_options_and_files_is_named_at_once(
    runner: CliRunner, tmp_path: Path
) -> None:
    (tmp_path / "s.csv").write_text("time,mw\nyesterday,1\n")
    (tmp_path / "f.toml").write_text('[[rig]]\nmodel = "Antminer S22"\n')
    result = runner.invoke(
        app,
        ["plan", "s.csv", "--fleet", "f.toml", "--figures", "none.toml", "--tariff", "cheap",
         "--currency", "EURO", "--size", "300%", "--samples", "0", "--years", "99",
         "--objective", "riches"],
    )  # fmt: skip
    assert (result.exit_code, result.stdout) == (2, "")
    *problems, count = result.stderr.splitlines()
    assert {line.partition(": ")[0] for line in problems} == {
        "s.csv:2", "f.toml", "none.toml", "--tariff", "--currency", "--size", "--samples",
        "--years", "--objective",
    }  # fmt: skip
    assert count == "9 problems"
    assert any(line.startswith("f.toml: rig[0].model: ") for line in problems)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nuclear"], "is no example and no file (there are nuclear-2x1200"),
        (["none.csv"], "can't be read: No such file"),
        (["wind", "--currency", "EUR"], "EUR has no rate"),
        (["wind", "--currency", "EUR=-1"], "'-1' is no rate"),
        (["wind", "--models", "none.toml"], "--models: none.toml is no file"),
        (["wind", "--size", "100%"], "only a fleet as large as the highest peak takes all of it"),
    ],
)
def test_what_can_not_be_used_exits_2_with_a_remedy(
    runner: CliRunner, arguments: list[str], said: str
) -> None:
    result = runner.invoke(app, ["plan", *arguments])
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_report_that_can_not_be_written_fails_in_one_line(runner: CliRunner) -> None:
    result = runner.invoke(app, ["plan", "wind", "--out", "no/where/r.html", *FEW])
    assert result.exit_code == 1
    assert result.stderr.startswith("baseload: the report can't be written: no/where/r.html")


def test_where_price_decides_a_dear_tariff_costs_no_power(runner: CliRunner) -> None:
    result = runner.invoke(
        app, ["plan", "wind", "--tariff", "500", "--objective", "profit", "--json", *FEW]
    )
    facts = json.loads(result.stdout)
    rows = {row["name"]: row["p50"] for row in facts["percentiles"]}
    assert rows["coins mined"] == rows["hours with rigs running"] == 0
    assert "cycles of a rig" not in rows
    assert facts["profitable"] is False
