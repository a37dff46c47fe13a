from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stratum.cli.commands import app
from stratum.ledger.log import Log

COMMANDS = ("pool", "check", "mine", "swarm", "plan", "demo")


#: What the installed `baseload` does, in a process of its own.
MAIN = "from stratum.cli import main; main()"


def baseload(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def test_help_lists_the_commands(runner: CliRunner) -> None:
    result = runner.invoke(app, ["--help"])
    assert result.exit_code == 0
    for command in COMMANDS:
        assert re.search(rf"(?m)^  {command} ", result.output)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_one_line_per_option_with_its_default_and_an_example(
    runner: CliRunner, command: str
) -> None:
    result = runner.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: baseload {command}" in result.output

    options = result.output.partition("Options:\n")[2].splitlines()
    assert len(options) > 1
    for line in options[:-1]:  # the last is --help
        assert re.match(r"  -", line), "an option takes more than one line"
        assert line.endswith("]")


def test_help_loads_neither_the_node_client_nor_the_c_library() -> None:
    code = (
        "import sys\n"
        "from stratum.cli import main\n"
        "try: main()\n"
        "finally: assert not {'aiohttp', 'hashing', 'zmq'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_version_is_one_line(runner: CliRunner) -> None:
    result = runner.invoke(app, ["--version"])
    assert result.exit_code == 0
    assert re.fullmatch(r"baseload .+\n", result.output)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["check"],
        ["check", "x.toml", "--nonsense"],
        ["mine", "stratum+tcp://127.0.0.1:1"],
        ["mine", "stratum+tcp://127.0.0.1:1", "-u", "x", "--processes", "0"],
        ["swarm", "127.0.0.1:1", "--rate", "0"],
        ["swarm", "127.0.0.1:1", "--window", "0"],
        ["demo", "--rigs", "many"],
        ["demo", "--listen", "127.0.0.1"],
        ["pool", "x.toml", "--log-level", "loud"],
    ],
)
def test_misuse_exits_2_and_says_how_it_is_used(runner: CliRunner, arguments: list[str]) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


def test_check_names_all_five_mistakes_and_exits_2(runner: CliRunner, bad_file: Path) -> None:
    result = runner.invoke(app, ["check", str(bad_file)])
    assert result.exit_code == 2
    assert result.stdout == ""
    *problems, count = result.stderr.splitlines()
    assert count == "5 problems"
    assert {line.partition(": ")[0] for line in problems} == {
        "network",
        "node[0].url",
        "payout.adress",
        "listen[0].difficulty",
        "limits.ban_score",
    }
    assert "did you mean address?" in result.stderr


def test_check_says_when_there_is_nothing_wrong(runner: CliRunner, good_file: Path) -> None:
    result = runner.invoke(app, ["check", str(good_file)])
    assert result.exit_code == 0
    assert "no problems" in result.stdout


def test_check_live_asks_the_node(runner: CliRunner, good_file: Path) -> None:
    result = runner.invoke(app, ["check", "--live", str(good_file)])
    assert result.exit_code == 2
    assert result.stderr.startswith("node[0]: node 127.0.0.1:1 refuses the connection")


def test_check_as_json_is_for_scripts(runner: CliRunner, bad_file: Path, good_file: Path) -> None:
    result = runner.invoke(app, ["check", "--json", str(bad_file)])
    assert (result.exit_code, result.stderr) == (2, "")
    report = json.loads(result.stdout)
    assert (report["ok"], report["live"], len(report["problems"])) == (False, False, 5)
    assert all(problem.keys() == {"key", "fault", "remedy"} for problem in report["problems"])

    result = runner.invoke(app, ["check", "--json", str(good_file)])
    assert json.loads(result.stdout)["ok"] is True


def test_pool_keeps_to_itself_how_it_runs_its_parts(runner: CliRunner) -> None:
    text = runner.invoke(app, ["pool", "--help"]).output
    assert "--part" not in text and "--lifeline" not in text


def test_pool_with_a_faulty_config_serves_nobody(runner: CliRunner, bad_file: Path) -> None:
    result = runner.invoke(app, ["pool", str(bad_file)])
    assert result.exit_code == 2
    assert result.stderr.endswith("5 problems\n")


def test_the_entry_point_exits_like_the_functions(bad_file: Path) -> None:
    done = baseload("check", str(bad_file))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("5 problems\n")


def test_a_second_pool_on_one_data_dir_exits_2(good_file: Path, tmp_path: Path) -> None:
    failures: list[OSError] = []
    log = Log(tmp_path / "data", on_failure=failures.append)
    try:
        done = baseload("pool", str(good_file))
    finally:
        log.close()
    assert done.returncode == 2
    assert done.stderr.splitlines()[-2].startswith("data_dir: ")
    assert failures == []


def test_a_port_that_is_taken_exits_2_without_a_traceback(good_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = good_file.read_text()
        good_file.write_text(text.replace('"127.0.0.1:0" }]', f'"127.0.0.1:{port}" }}]'))
        done = baseload("pool", str(good_file))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    *_, problem, count = done.stderr.splitlines()
    assert problem.startswith("listen: ") and str(port) in problem
    assert count == "1 problem"


def test_a_takeover_where_no_pool_runs_exits_2_and_says_so(good_file: Path) -> None:
    done = baseload("pool", str(good_file), "--takeover")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--takeover: no pool runs in data_dir" in done.stderr


def test_mining_at_an_impossible_url_exits_2() -> None:
    done = baseload("mine", "http://127.0.0.1:1", "-u", "x")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_pool_that_is_told_to_stop_exits_0(good_file: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "pool", str(good_file)], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "page and metrics" in line:  # said when every port is open
                break
        process.send_signal(number)
        rest = process.stderr.read()
    assert process.returncode == 0
    assert "Traceback" not in rest
    assert "ERROR" not in rest
