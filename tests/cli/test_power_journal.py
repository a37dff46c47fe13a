"""`baseload power replay` and `export`, as an operator or a script calls them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from stratum.cli.commands import app
from stratum.power.brain import dispatch
from stratum.power.journal.recorder import Journal
from stratum.power.journal.writer import Writer
from tests.power.journals import (
    SETTINGS,
    Controller,
    Decision,
    Site,
    State,
    decide,
    fleet_of,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw().hex()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Ninety signed seconds."""
    site = Site(fleet_of(5))
    writer = Writer(tmp_path / "journal", key=KEY)
    kept: Journal[State] = Journal(writer, SETTINGS, site.fleet)
    controller = Controller(kept, site.fleet)
    for second in range(90):
        controller.take(site.second(site.fleet.total_w if second % 30 == 0 else None))
    kept.close()
    return tmp_path / "journal" / "2026-11-20.journal"


@pytest.fixture(autouse=True)
def brain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "State", State)
    monkeypatch.setattr(dispatch, "decide", decide)


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def power(runner: CliRunner, *arguments: object) -> tuple[int, str, str]:
    result = runner.invoke(app, ["power", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("command", ["replay", "export"])
def test_help_is_one_line_per_option_with_its_default_and_an_example(
    runner: CliRunner, command: str
) -> None:
    code, output, _ = power(runner, command, "--help")
    assert code == 0
    assert f"Example: baseload power {command}" in output
    options = output.partition("Options:\n")[2].splitlines()
    assert len(options) > 1
    for line in options[:-1]:  # the last is --help
        assert re.match(r"  -", line), "an option takes more than one line"
        assert line.endswith("]")


def test_a_replay_that_agrees_says_so_with_the_bytes_of_a_day(
    runner: CliRunner, journal: Path
) -> None:
    code, output, _ = power(runner, "replay", journal, "--verify", "--key", PUBLIC)
    assert code == 0
    assert output.startswith("90 ticks decided again, all of them the same\n")
    assert f"checkpoints: 2 by {PUBLIC}" in output
    assert re.search(r"(?m)^0\.\d MB, \d+ MB a day$", output)


def test_a_second_run_that_begins_before_the_first_ended_is_named(
    runner: CliRunner, journal: Path
) -> None:
    assert "a start at" not in power(runner, "replay", journal, "--verify")[1]
    site = Site(fleet_of(5))  # at noon again
    kept: Journal[State] = Journal(Writer(journal.parent), SETTINGS, site.fleet)
    Controller(kept, site.fleet).take(site.second())
    kept.close()
    code, output, _ = power(runner, "replay", journal.parent, "--verify")
    assert code == 0
    assert re.search(
        r"(?m)^record \d+: a start at 2026-11-20T12:00:01\.000Z, which is before the record in"
        r" front of it \(2026-11-20T12:01:30\.000Z\)",
        output,
    )
    told = json.loads(power(runner, "replay", journal.parent, "--verify", "--json")[1])
    (step,) = told["steps_back"]
    assert step["from_ms"] - step["to_ms"] == 89_000


def test_a_script_reads_json(runner: CliRunner, journal: Path) -> None:
    code, output, _ = power(runner, "replay", journal.parent, "--verify", "--json")
    told = json.loads(output)
    assert (code, told["ok"], told["ticks"], told["replayed"]) == (0, True, 90, 90)
    assert told["difference"] is told["fault"] is None
    assert told["bytes"] == journal.stat().st_size - 8
    assert told["bytes_per_day"] == told["bytes"] * 86_400 // 90
    assert told["signed"] == {PUBLIC: 2} and len(told["head"]) == 64


def test_one_changed_byte_is_named(runner: CliRunner, journal: Path) -> None:
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 4
    journal.write_bytes(data)
    code, output, _ = power(runner, "replay", journal, "--verify")
    assert code == 1
    assert re.match(
        rf"{re.escape(str(journal))}: record \d+ \(tick, 2026-11-20T12:0\S+Z\) at byte \d+:"
        r" a byte is changed",
        output,
    )
    code, output, _ = power(runner, "replay", journal, "--verify", "--json")
    assert (code, json.loads(output)["ok"]) == (1, False)


def test_another_brain_is_named(
    runner: CliRunner, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(state: State, inputs: object, settings: object, fleet: object) -> Decision:
        return Decision(state, *told)

    first = decide(State.fresh(fleet_of(5)), Site(fleet_of(5)).second(), SETTINGS, fleet_of(5))
    told = first.commands, (), first.picture
    monkeypatch.setattr(dispatch, "decide", other)
    code, output, _ = power(runner, "replay", journal, "--verify")
    assert code == 1
    assert output.startswith("not the same decisions: tick 0 (record 3), len(reasons)")


def test_another_key_is_refused(runner: CliRunner, journal: Path) -> None:
    code, output, _ = power(runner, "replay", journal, "--verify", "--key", "00" * 32)
    assert code == 1
    assert f"signed by {PUBLIC}, expected 0000" in output


def test_without_verify_it_tells_what_was_decided_and_why(runner: CliRunner, journal: Path) -> None:
    code, output, _ = power(runner, "replay", journal)
    assert code == 0
    lines = output.splitlines()
    assert re.match(r"2026-11-20T12:00:01\.000Z start", lines[0])
    assert re.match(r"2026-\S+ target 0\.\d{6} MW, load 0\.\d{6} MW, 5 commands", lines[2])
    assert re.match(r"    plant: \d+ W as asked", lines[3])
    code, output, _ = power(runner, "replay", journal, "--json")
    told = [json.loads(line) for line in output.splitlines()]
    assert told[0]["reasons"][0]["code"] == "follows" and told[0]["tick"] == 0


def test_an_export_writes_three_files(runner: CliRunner, journal: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, output, _ = power(runner, "export", journal, "--out", out, "--interval", "1")
    assert code == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "events.csv",
        "intervals.csv",
        "rigs.csv",
    ]
    head = json.loads(power(runner, "replay", journal, "--verify", "--json")[1])["head"]
    assert f"journal head {head}" in output
    assert (out / "rigs.csv").read_text().splitlines()[-1].startswith(f"# journal head {head} ")
    code, output, _ = power(runner, "export", journal, "--out", out, "--json")
    told = json.loads(output)
    assert (code, told["ticks"], told["head"]) == (0, 90, head)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["export", "x", "--interval", "7"], "is 7, expected 1, 5 or 15"),
        (["export", "x", "--baseline", "guess"], "is 'guess', expected meter-before"),
        (["replay", "x", "--verify", "--key", "zz"], "is 'zz', expected hex"),
        (["replay", "x", "--verify", "--key", "00"], "is 1 bytes, expected 32"),
    ],
)
def test_misuse_is_exit_2(runner: CliRunner, arguments: list[str], complaint: str) -> None:
    code, _, error = power(runner, *arguments)
    assert code == 2
    assert complaint in " ".join(error.split())


def test_what_is_not_there_is_exit_1(runner: CliRunner, tmp_path: Path) -> None:
    code, _, error = power(runner, "export", tmp_path / "none.journal")
    assert (code, error) == (1, f"baseload: {tmp_path}/none.journal: No such file or directory\n")
    code, _, error = power(runner, "replay", tmp_path, "--verify")
    assert (code, error) == (1, f"baseload: {tmp_path}: there is no journal in it\n")
