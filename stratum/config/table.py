"""Read one TOML table key by key, and remember everything that is wrong with it.

A read always returns: the value, or the default where it is absent or faulty. So the walk goes
on to the end of the file and the operator sees every problem at once. What a caller derives
from several keys asks `sound` first, lest one mistake be reported twice.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from stratum.config.values import Fault, shown
from stratum.errors import Problem

T = TypeVar("T")

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)


class Table:
    """One table, its place in the file, and the list that its problems go to."""

    __slots__ = ("_broken", "_known", "_path", "_problems", "_values")

    def __init__(
        self, values: Mapping[str, object], path: str = "", problems: list[Problem] | None = None
    ) -> None:
        self._values = values
        self._path = path
        self._problems: list[Problem] = [] if problems is None else problems
        self._known: list[str] = []
        self._broken: set[str] = set()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything found so far, in this table and those read from it."""
        return tuple(self._problems)

    def read(
        self,
        key: str,
        convert: Callable[[object], T],
        default: T,
        *,
        required: bool = False,
        remedy: str = "",
    ) -> T:
        """The converted value; `default` where it is absent or, once noted, faulty.

        `remedy` is for a required key that is missing; a faulty one brings its own.
        """
        self._known.append(key)
        if key not in self._values:
            if required:
                self.complain(key, "is missing", remedy)
            return default
        try:
            return convert(self._values[key])
        except Fault as fault:
            self.complain(key, fault.fault, fault.remedy)
            return default

    def has(self, key: str) -> bool:
        """True where the file has the key, right or wrong."""
        return key in self._values

    def sound(self, *keys: str) -> bool:
        """True unless one of the keys was found faulty."""
        return self._broken.isdisjoint(keys)

    def complain(self, key: str, fault: str, remedy: str = "") -> None:
        """Note a problem of `key`."""
        self._broken.add(key)
        self._problems.append(Problem(self.path(key), fault, remedy))

    def path(self, key: str) -> str:
        """The key with its place in the file: `listen[1].difficulty`."""
        name = key if _BARE_KEY.fullmatch(key) else json.dumps(key[:60])
        return f"{self._path}.{name}" if self._path else name

    def table(self, key: str) -> Table:
        """The table `[key]`; an empty one where it is absent or no table."""
        self._known.append(key)
        value = self._values.get(key, {})
        if isinstance(value, dict):
            return Table(value, self.path(key), self._problems)
        is_list = isinstance(value, list)
        remedy = f"write [{key}], with one bracket" if is_list else f"write [{key}]"
        self.complain(key, f"is {shown(value)}, not one table", remedy)
        return Table({}, self.path(key))  # its own list: what is missing in it is no news

    def tables(self, key: str) -> list[Table]:
        """The tables `[[key]]`, in order; none where it is absent, or noted as faulty."""
        self._known.append(key)
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            fault = f"is {shown(value)}, no list of tables"
            self.complain(key, fault, f"write [[{key}]], with two brackets")
            return []
        return [
            Table(item, f"{self.path(key)}[{place}]", self._problems)
            for place, item in enumerate(value)
        ]

    def close(self) -> None:
        """Note every key that nobody asked for; call it when all reads are done."""
        for key in self._values:
            if key not in self._known:
                self.complain(key, "is no known key", _suggestion(key, self._known))


def _suggestion(key: str, known: Iterable[str]) -> str:
    """`did you mean "address"?`, or the list of what there is."""
    names = sorted(set(known))
    close = difflib.get_close_matches(key[:60], names, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(names)}"
