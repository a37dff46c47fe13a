"""A TOML file as tomllib reads it, or the place where it is none."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from stratum.errors import ConfigError, Problem

#: tomllib ends its messages with "(at line 3, column 7)" or "(at end of document)".
_PLACE = re.compile(r"(.*) \(at (.*)\)", re.DOTALL)

_MAX_FILE_BYTES = 1 << 20


def read_document(path: Path) -> dict[str, Any]:
    """The file as tomllib reads it. Raises ConfigError with the place of a syntax error."""
    key = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        fault = f"can't be read: {reason}"
        raise ConfigError([Problem(key, fault, "name a config file")]) from exc
    if len(content) > _MAX_FILE_BYTES:
        raise ConfigError([Problem(key, "is above 1 MiB", "is it the right file?")])

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        fault = f"line {line}: is not UTF-8 text"
        raise ConfigError([Problem(key, fault, "save it as UTF-8")]) from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError([Problem(key, _syntax_fault(exc), "see https://toml.io")]) from exc


def _syntax_fault(exc: Exception) -> str:
    """`line 3, column 7: expected …`, the place first, as compilers put it."""
    if isinstance(exc, RecursionError):
        return "is nested too deeply"
    match = _PLACE.fullmatch(str(exc))
    return f"{match[2]}: {match[1]}" if match else str(exc)
