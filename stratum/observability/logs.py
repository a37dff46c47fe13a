"""How a log line looks, and how often a fault may say the same thing.

Lines go to stderr; a service manager keeps them. Text for people, or one JSON object a line for a
collector. Times are UTC. What a peer sent may be part of a message, so control characters are
escaped: nobody outside can forge a line or drive a terminal. Credentials inside a URL are
blotted out as a last resort; who logs keeps them out in the first place.

A fault that goes on is said once a minute, with the count of what was held back.

The processes of one pool share one stderr: each line tells the part that it is from.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime

#: STYLE, Logging: a repeated fault logs once a minute.
_REPEAT_SECONDS = 60.0

#: Different faults remembered at once; a fault whose text changes every time can't fill memory.
_REMEMBERED = 1000

#: C0, DEL, C1, and the separators and marks that a viewer may take for a line or a direction.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_CREDENTIALS = re.compile(r"(?<=://)[^/\s]+(?=@)")

#: Ours speak at the chosen level; other people's libraries only when something is wrong.
_OURS = ("stratum", "hashing")


def configure(level: str = "INFO", as_json: bool = False, part: str = "") -> None:
    """Send logs to stderr. A second call replaces the first.

    `level` is a name such as "DEBUG"; raises ValueError for an unknown one. `part` is the name of
    this process among several, empty where it is the only one.
    """
    names = logging.getLevelNamesMapping()
    if level.upper() not in names:
        raise ValueError(f"log level is {level!r}, expected one of {', '.join(names)}")
    number = names[level.upper()]

    handler = _Stderr(sys.stderr)
    handler.setFormatter(JsonFormatter(part) if as_json else TextFormatter(part))
    handler.addFilter(Repeats())

    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Stderr)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(number, logging.WARNING))
    for name in _OURS:
        logging.getLogger(name).setLevel(number)
    logging.captureWarnings(True)


class Repeats(logging.Filter):
    """Lets a warning or error through once a minute, and tells the next one how many it missed.

    Two faults are the same when logger, level and finished text are. Time is the record's own.
    """

    def __init__(self, seconds: float = _REPEAT_SECONDS) -> None:
        super().__init__()
        self._seconds = seconds
        self._faults: OrderedDict[tuple[str, int, str], _Fault] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True

        key = (record.name, record.levelno, record.getMessage())
        fault = self._faults.get(key)
        if fault is not None and 0 <= record.created - fault.said_at < self._seconds:
            fault.held_back += 1
            return False

        record.repeats = fault.held_back if fault else 0
        self._faults[key] = _Fault(record.created)
        self._faults.move_to_end(key)
        if len(self._faults) > _REMEMBERED:
            self._faults.popitem(last=False)
        return True


@dataclass(slots=True)
class _Fault:
    said_at: float
    held_back: int = 0


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.123Z WARNING stratum.node.client: …`, a traceback on lines below.

    A part's name comes before the level.
    """

    def __init__(self, part: str = "") -> None:
        super().__init__()
        self._part = f"{part} " if part else ""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{_utc(record)} {self._part}{record.levelname} {record.name}"
        lines = [f"{head}: {_message(record)}"]
        # Indented: an exception may quote a peer, and its lines must not pass for ours either.
        lines += [f"    {_printable(line)}" for line in _trace(self, record).split("\n") if line]
        return "\n".join(lines)


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "logger", "message"}`; with `part`, `exc`, `repeats` where there are."""

    def __init__(self, part: str = "") -> None:
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _utc(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _without_credentials(record.getMessage()),
        }
        if self._part:
            line["part"] = self._part
        if repeats := getattr(record, "repeats", 0):
            line["repeats"] = repeats
        if trace := _trace(self, record):
            line["exc"] = trace
        return json.dumps(line)


class _Stderr(logging.StreamHandler):  # type: ignore[type-arg]  # generic in typeshed alone
    """A type of our own, so that configure() finds what it set up before."""


def _utc(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    text = _printable(_without_credentials(record.getMessage()))
    repeats = getattr(record, "repeats", 0)
    return f"{text} (and {repeats} times more since it was last said)" if repeats else text


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if not record.exc_info:
        return ""
    return _without_credentials(formatter.formatException(record.exc_info))


def _without_credentials(text: str) -> str:
    return _CREDENTIALS.sub("…", text)


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
