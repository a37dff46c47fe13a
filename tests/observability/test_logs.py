from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest

from stratum.observability.logs import JsonFormatter, Repeats, TextFormatter, configure

#: 2026-01-31 12:00:00 UTC
NOON = 1_769_860_800.0


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """configure() is for a whole process; take back what it did."""
    loggers = [logging.getLogger(name) for name in ("", "stratum", "hashing")]
    levels = [logger.level for logger in loggers]
    handlers = list(loggers[0].handlers)
    with warnings.catch_warnings():
        yield
        logging.captureWarnings(False)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    for handler in [handler for handler in loggers[0].handlers if handler not in handlers]:
        loggers[0].removeHandler(handler)


def record(
    text: str, *args: object, at: float = NOON, level: int = logging.WARNING
) -> logging.LogRecord:
    line = logging.LogRecord("stratum.node", level, __file__, 1, text, args, None)
    line.created = at
    return line


def test_text_line_has_utc_time_level_logger_and_message() -> None:
    line = TextFormatter().format(record("node %s refuses", "n:1", at=NOON + 0.25))
    assert line == "2026-01-31T12:00:00.250Z WARNING stratum.node: node n:1 refuses"


def test_json_line_is_one_object_with_the_same_facts() -> None:
    line = JsonFormatter().format(record("two\nlines %s", "é"))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-01-31T12:00:00.000Z",
        "level": "WARNING",
        "logger": "stratum.node",
        "message": "two\nlines é",
    }


def test_line_of_one_process_among_several_tells_which() -> None:
    text, line = TextFormatter("serve"), JsonFormatter("serve")
    assert text.format(record("x")) == "2026-01-31T12:00:00.000Z serve WARNING stratum.node: x"
    assert json.loads(line.format(record("x")))["part"] == "serve"


def test_peer_cannot_forge_a_line_or_drive_a_terminal() -> None:
    name = "rig\n2026 ERROR stratum: all lost\x1b[2J\u202e\u2028"
    line = TextFormatter().format(record("%s connected", name))
    assert line.endswith(r"rig\n2026 ERROR stratum: all lost\x1b[2J\u202e\u2028 connected")


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_credentials_in_a_url_are_blotted_out(formatter: logging.Formatter) -> None:
    line = formatter.format(record("asking http://user:p@ss@127.0.0.1:8332/ now"))
    assert "p@ss" not in line
    assert "user" not in line
    assert "@127.0.0.1:8332/ now" in line


def failing_record() -> logging.LogRecord:
    line = record("it broke", level=logging.ERROR)
    try:
        raise ValueError("first\n2026 second http://u:secret@h/")
    except ValueError:
        line.exc_info = sys.exc_info()
    return line


def test_traceback_follows_indented_so_that_its_text_is_no_line_of_ours() -> None:
    first, *rest = TextFormatter().format(failing_record()).split("\n")
    assert first.endswith("ERROR stratum.node: it broke")
    assert rest[-1] == "    2026 second http://…@h/"
    assert all(line.startswith("    ") for line in rest)


def test_json_keeps_the_traceback_inside_the_object() -> None:
    trace = json.loads(JsonFormatter().format(failing_record()))["exc"]
    assert trace.startswith("Traceback")
    assert "secret" not in trace


def said(repeats: Repeats, *lines: logging.LogRecord) -> list[int | None]:
    """Per record None where it was held back, else how many before it were."""
    return [getattr(line, "repeats", 0) if repeats.filter(line) else None for line in lines]


def test_repeated_fault_is_said_once_a_minute_with_its_count() -> None:
    faults = [record("node %s refuses", "n:1", at=NOON + second) for second in range(0, 130, 10)]
    heard = said(Repeats(), *faults)
    assert heard == [0, None, None, None, None, None, 5, None, None, None, None, None, 5]
    assert TextFormatter().format(faults[6]).endswith("(and 5 times more since it was last said)")
    assert json.loads(JsonFormatter().format(faults[6]))["repeats"] == 5


def test_different_faults_and_ordinary_news_are_never_held_back() -> None:
    lines = [
        record("node %s refuses", "n:1"),
        record("node %s refuses", "n:2"),
        record("node %s refuses", "n:1", level=logging.ERROR),
        record("rig connected", level=logging.INFO),
        record("rig connected", level=logging.INFO),
    ]
    assert said(Repeats(), *lines) == [0, 0, 0, 0, 0]


def test_clock_that_steps_back_does_not_silence_a_fault() -> None:
    assert said(Repeats(), record("x", at=NOON), record("x", at=NOON - 3600)) == [0, 0]


def test_endless_variety_of_faults_does_not_fill_memory() -> None:
    repeats = Repeats()
    said(repeats, *(record("fault %s", number) for number in range(3000)))
    # The oldest are forgotten, and would be said again; the newest are remembered.
    assert said(repeats, record("fault %s", 0), record("fault %s", 2999)) == [0, None]


def test_configure_twice_writes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    configure("debug", as_json=True)
    logging.getLogger("stratum.test").debug("< %s", "wire")
    logging.getLogger("aiohttp").info("noise of others")
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["< wire"]


def test_ordinary_level_keeps_the_wire_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure("INFO")
    logging.getLogger("stratum.test").debug("< wire")
    logging.getLogger("stratum.test").info("rig connected")
    assert capsys.readouterr().err.endswith("Z INFO stratum.test: rig connected\n")


def test_unknown_level_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="log level is 'LOUD', expected one of .*DEBUG"):
        configure("LOUD")
