"""What a viewer may ask for, read from the query of a URL.

Everything has a default and a bound: a query can choose, but it can't make a look cost more than
the largest page does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from stratum.observability.status import MAIN_WINDOW, RIGS_SHOWN, WINDOWS

#: What rows may be sorted by, and whether the largest comes first.
SORTS: dict[str, bool] = {
    "hashrate": True,
    **{f"hashrate_{window}": True for window in WINDOWS},
    "accepted": True,
    "rejected": True,
    "efficiency": False,
    "best": True,
    "last_share": True,
    "name": False,
}

DEFAULT_SORT = "hashrate"

#: Rows of one answer of the API at most.
_MAX_LIMIT = 1000

SPAN_NAMES = ("10min", "hour", "day")

#: SQLite's integers end at 2^63; nothing here is larger.
_MAX_NUMBER = 1 << 53


class BadQuery(ValueError):
    """In words for whoever typed it."""


@dataclass(frozen=True, slots=True)
class RowsQuery:
    """Which rows of many."""

    sort: str = DEFAULT_SORT  # one of SORTS, with "-" before it for the other way round
    offset: int = 0
    limit: int = RIGS_SHOWN
    account: str | None = None

    @classmethod
    def read(cls, given: Mapping[str, str]) -> RowsQuery:
        """Raises BadQuery."""
        sort = given.get("sort", DEFAULT_SORT)
        _choice("sort", sort.removeprefix("-"), SORTS)
        return cls(
            sort,
            _number(given, "offset", 0, _MAX_NUMBER),
            _number(given, "limit", RIGS_SHOWN, _MAX_LIMIT),
            given.get("account"),
        )

    @property
    def key(self) -> str:
        return self.sort.removeprefix("-")

    @property
    def largest_first(self) -> bool:
        return SORTS[self.key] != self.sort.startswith("-")

    @property
    def window(self) -> str:
        """The window of a sort by hashrate."""
        _, _, window = self.key.partition("hashrate_")
        return window or MAIN_WINDOW


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which buckets of whose history; names that are None are not asked about."""

    span: str = "10min"  # one of SPAN_NAMES
    begins: int | None = None  # Unix seconds; None: as many as an answer holds
    ends: int | None = None  # None: now
    account: str | None = None
    worker: str | None = None
    tier: int | None = None  # index

    @classmethod
    def read(cls, given: Mapping[str, str]) -> HistoryQuery:
        """Raises BadQuery."""
        span = given.get("span", "10min")
        _choice("span", span, SPAN_NAMES)

        def optional(name: str) -> int | None:
            return _number(given, name, 0, _MAX_NUMBER) if name in given else None

        return cls(
            span,
            optional("from"),
            optional("to"),
            given.get("account"),
            given.get("worker"),
            optional("tier"),
        )


def sorted_link(sort: str, current: str) -> str:
    """The query that sorts by a column; by the same one again it turns round."""
    return "?" + urlencode({"sort": f"-{sort}" if sort == current else sort})


def page_link(sort: str, offset: int) -> str:
    """The query of another page in the same order."""
    asked = {"sort": sort} if sort not in ("", DEFAULT_SORT) else {}
    return "?" + urlencode(asked | ({"offset": offset} if offset else {}))


def _choice(name: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise BadQuery(f"{name} is {value[:40]!r}, expected one of {', '.join(choices)}")


def _number(given: Mapping[str, str], name: str, default: int, largest: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= largest):
        raise BadQuery(f"{name} is {text[:40]!r}, expected a whole number up to {largest}")
    return int(text)
