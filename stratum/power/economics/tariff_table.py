"""Read `[[tariff]]` tables: what each owner pays for a MWh, in the currency of the site.

[[tariff]]
owner = "guest"
rate_per_mwh = 60            # adders and taxes included; below zero, taking it is paid
zone = "Europe/Berlin"       # whose clock and calendar the windows mean; default UTC
indexed = false              # true: the live PRICE comes on top of the rate
feed_forgone_per_mwh = 0     # what the grid would have paid for it: the plant's own rigs
absorbed_per_mwh = 0         # what is paid for each MWh taken

[[tariff.window]]            # the first that fits replaces the rate
rate_per_mwh = 20
from = "22:00"               # over midnight, the day on which it began counts
to = "06:00"
weekdays = ["mon", "fri"]
season = ["11-01", "03-31"]  # every year, both days in it
days = ["2026-12-24", "2026-12-26"]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from stratum.errors import Problem
from stratum.power.economics.hashprice import MICRO
from stratum.power.economics.reading import Reader
from stratum.power.economics.tariff import (
    DAY_MINUTES,
    EVERY_DAY,
    UTC,
    Tariff,
    Window,
    Zone,
    day_number,
)

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

#: A leap year: the 29th of February is a day of a season.
_LEAP_YEAR = 2024

_TIME = re.compile(r"([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_SEASON = re.compile(r"(\d{2})-(\d{2})", re.ASCII)

#: No MWh has cost a million, in the currency with the smallest unit (rials) a billion.
_MOST_PER_MWH = Decimal(10**9)


def read_tariffs(
    tables: Sequence[Mapping[str, object]], zone_of: Callable[[str], Zone], key: str = "tariff"
) -> tuple[dict[str, Tariff], tuple[Problem, ...]]:
    """Plans by owner, and every problem. `zone_of` raises LookupError for a name unknown to it."""
    problems: list[Problem] = []
    plans: dict[str, Tariff] = {}
    for at, table in enumerate(tables):
        reader = Reader(table, f"{key}[{at}]", problems)
        owner = reader.text("owner")
        if owner in plans:
            reader.complain("owner", f"{owner!r} has a tariff already")
        plans[owner] = _tariff(reader, zone_of)
    return plans, tuple(problems)


def _tariff(reader: Reader, zone_of: Callable[[str], Zone]) -> Tariff:
    nothing = Decimal(0)
    tariff = Tariff(
        rate_micro=_micro(reader, "rate_per_mwh", nothing),
        windows=tuple(
            window for table in reader.tables("window") if (window := _window(table)) is not None
        ),
        zone=_zone(reader, zone_of),
        indexed=reader.flag("indexed"),
        feed_forgone_micro=_micro(reader, "feed_forgone_per_mwh", nothing),
        absorbed_micro=_micro(reader, "absorbed_per_mwh", nothing),
    )
    reader.close()
    return tariff


def _zone(reader: Reader, zone_of: Callable[[str], Zone]) -> Zone:
    name = reader.text("zone", "UTC")
    try:
        return zone_of(name) if name and name != "UTC" else UTC
    except LookupError as exc:
        reader.complain("zone", str(exc), 'a name of the tz database, as "Europe/Berlin"')
        return UTC


def _window(reader: Reader) -> Window | None:
    rate_micro = _micro(reader, "rate_per_mwh", None)
    first, last = _minute(reader, "from", 0), _minute(reader, "to", DAY_MINUTES)
    weekdays, season, days = _weekdays(reader), _season(reader), _days(reader)
    reader.close()
    try:
        return Window(rate_micro, first, last, weekdays, season, days)
    except ValueError as exc:
        reader.complain("from", str(exc), '"22:00" to "06:00", or "00:00" to "24:00"')
        return None


def _micro(reader: Reader, key: str, default: Decimal | None) -> int:
    amount = reader.number(key, default)
    if abs(amount) > _MOST_PER_MWH:
        reader.complain(key, f"is {amount} a MWh", "in whole units of the currency, not cents")
        return 0
    return round(amount * MICRO)


def _minute(reader: Reader, key: str, default: int) -> int:
    text = reader.text(key, "-")
    found = _TIME.fullmatch(text)
    if found is None:
        if text not in ("-", ""):
            reader.complain(key, f"is {text[:20]!r}", 'a time of day, as "22:00"')
        return default
    return int(found[1]) * 60 + int(found[2])


def _weekdays(reader: Reader) -> tuple[int, ...]:
    value = reader.value("weekdays")
    if value is None:
        return EVERY_DAY
    if isinstance(value, list) and value and all(day in WEEKDAYS for day in value):
        return tuple(sorted({WEEKDAYS.index(day) for day in value}))
    reader.complain("weekdays", "is no list of weekdays", f"some of {', '.join(WEEKDAYS)}")
    return EVERY_DAY


def _season(reader: Reader) -> tuple[tuple[int, int], tuple[int, int]] | None:
    ends = _pair(reader, "season", _SEASON, 'as ["11-01", "03-31"]')
    if ends is None:
        return None
    first, last = ((int(end[1]), int(end[2])) for end in ends)
    try:
        day_number(_LEAP_YEAR, *first)
        day_number(_LEAP_YEAR, *last)
    except ValueError as exc:
        reader.complain("season", str(exc))
        return None
    return first, last


def _days(reader: Reader) -> tuple[int, int] | None:
    ends = _pair(reader, "days", _DATE, 'as ["2026-12-24", "2026-12-26"]')
    if ends is None:
        return None
    try:
        first, last = (day_number(int(end[1]), int(end[2]), int(end[3])) for end in ends)
    except ValueError as exc:
        reader.complain("days", str(exc))
        return None
    if last < first:
        reader.complain("days", f"end at {ends[1][0]}, before {ends[0][0]}")
    return first, last


def _pair(
    reader: Reader, key: str, shape: re.Pattern[str], example: str
) -> tuple[re.Match[str], re.Match[str]] | None:
    """Two texts of a shape; None where there are none, or noted as faulty."""
    value = reader.value(key)
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2:
        first, last = (shape.fullmatch(str(end)) for end in value)
        if first is not None and last is not None:
            return first, last
    reader.complain(key, "is no pair of days", example)
    return None
