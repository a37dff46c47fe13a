"""Read a table of TOML key by key and collect everything that is wrong with it.

Like `stratum.config.table`, which lives above this package and may not be asked: a read returns
the value or a harmless stand-in, so that the operator sees every mistake at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from decimal import Decimal

from stratum.errors import Problem

_LONGEST = 60  # characters of what a stranger wrote that a message repeats


class Reader:
    """One table, its place in the file, and the list that problems go to."""

    __slots__ = ("_known", "_path", "_table", "problems")

    def __init__(self, table: Mapping[str, object], path: str, problems: list[Problem]) -> None:
        self._table = table
        self._path = path
        self._known: list[str] = []
        self.problems = problems

    def complain(self, key: str, fault: str, remedy: str = "") -> None:
        path = f"{self._path}.{key}" if self._path else key
        self.problems.append(Problem(path, fault, remedy))

    def has(self, key: str) -> bool:
        """True where the table has the key, right or wrong."""
        self._known.append(key)
        return key in self._table

    def value(self, key: str) -> object:
        """As TOML gave it, None where it is absent."""
        self._known.append(key)
        return self._table.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """Some text; required where there is no default."""
        value = self.value(key)
        if value is None and default is not None:
            return default
        if isinstance(value, str) and value.strip():
            return value
        self.complain(key, "is missing" if value is None else f"is {_shown(value)}, no text")
        return ""

    def flag(self, key: str) -> bool:
        """true or false; false where it is absent."""
        value = self.value(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        self.complain(key, f"is {_shown(value)}", "true or false")
        return False

    def number(
        self, key: str, default: Decimal | None = None, *, positive: bool = False
    ) -> Decimal:
        """A finite number; required where there is no default. 0 stands in for a faulty one."""
        value = self.value(key)
        if value is None and default is not None:
            return default
        number = number_of(value)
        if number is not None and (number > 0 or not positive):
            return number
        fault = "is missing" if value is None else f"is {_shown(value)}"
        self.complain(key, fault, "a number above 0" if positive else "a number")
        return Decimal(0)

    def whole(self, key: str, what: str) -> int:
        """A whole number from 0 on; required."""
        value = self.value(key)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        fault = "is missing" if value is None else f"is {_shown(value)}"
        self.complain(key, fault, f"whole {what}, 0 or more")
        return 0

    def tables(self, key: str) -> list[Reader]:
        """The tables `[[key]]`, in order; none where there are none, or noted as faulty."""
        value = self.value(key)
        if value is None:
            return []
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            path = f"{self._path}.{key}" if self._path else key
            return [Reader(item, f"{path}[{at}]", self.problems) for at, item in enumerate(value)]
        self.complain(key, "is no list of tables", f"write [[{key}]] above each")
        return []

    def close(self) -> None:
        """Note every key that nobody asked for; call it when all reads are done."""
        for key in self._table:
            if key not in self._known:
                self.complain(key[:_LONGEST], "is no known key", _meant(key, self._known))


def _meant(name: str, known: list[str]) -> str:
    """`did you mean idle_w?`, or the list of what there is."""
    names = list(dict.fromkeys(known))
    close = difflib.get_close_matches(name[:_LONGEST], names, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(names)}"


def number_of(value: object) -> Decimal | None:
    """A finite number, or None. Floats come as Decimal where TOML was read with parse_float."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return number if number.is_finite() else None


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text[:_LONGEST]
