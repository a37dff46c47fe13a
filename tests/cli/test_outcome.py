from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from stratum.cli.outcome import reported
from stratum.errors import ConfigError, NodeError, Problem


def exit_code_of(exc: BaseException) -> int:
    with pytest.raises(typer.Exit) as caught, reported():
        raise exc
    return caught.value.exit_code


def test_a_config_error_lists_its_problems_and_counts_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    problems = [Problem("a.b", "is missing", "add it"), Problem("c", "is odd")]
    assert exit_code_of(ConfigError(problems)) == 2
    assert capsys.readouterr().err == "a.b: is missing (add it)\nc: is odd\n2 problems\n"


def test_what_fails_outside_is_one_line_and_no_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code_of(NodeError("node a:1 is gone")) == 1
    assert exit_code_of(OSError(98, "error while attempting to bind on ('::1', 3333)")) == 1
    assert exit_code_of(FileNotFoundError(2, "No such file", "/x")) == 1
    assert capsys.readouterr().err.splitlines() == [
        "baseload: node a:1 is gone",
        "baseload: error while attempting to bind on ('::1', 3333)",
        "baseload: /x: No such file",
    ]


def test_an_interrupt_is_how_a_server_is_stopped_by_hand() -> None:
    assert exit_code_of(KeyboardInterrupt()) == 0


def test_our_own_bugs_keep_their_traceback() -> None:
    with pytest.raises(AssertionError), reported():
        raise AssertionError


def test_a_reader_that_has_left_is_no_traceback_either() -> None:
    code = "from stratum.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "check", "--json", "/nonexistent"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        complaint = process.stderr.read()
    assert process.returncode == 1
    assert complaint == b""
