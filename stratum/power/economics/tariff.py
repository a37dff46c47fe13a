"""What a MWh at the meter costs an owner at a moment; below zero, it pays to take it.

A tariff is a rate, windows that replace it at certain hours, weekdays, seasons or days (the
first that fits wins), and three terms of the bargain with the plant:

    indexed             the live price (a PRICE signal) comes on top: spot plus a margin
    feed_forgone_micro  what the grid would have paid for the MWh: the plant's own rigs pay that
    absorbed_micro      what is paid for each MWh taken off the grid's hands

Rules count in civil time of a named zone, timers never do. A zone arrives as a table of its
offsets (`stratum.power.zones` makes it from the tz database): a replay in another year, or with
another tz release, decides the same.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

MINUTE_MS = 60_000
DAY_MINUTES = 1440
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)  # Monday is 0, as in ISO 8601 less one

_THURSDAY = 3  # 1970-01-01


@dataclass(frozen=True, slots=True)
class Zone:
    """Minutes east of UTC, and when they change: `changes[i]` (UTC ms) begins `offsets[i + 1]`."""

    name: str = "UTC"
    changes: tuple[int, ...] = ()
    offsets_min: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if len(self.offsets_min) != len(self.changes) + 1:
            raise ValueError(f"{self.name}: {len(self.changes)} changes of offset, one more needed")
        if list(self.changes) != sorted(set(self.changes)):
            raise ValueError(f"{self.name}: changes are not in order")

    def offset_min(self, wall_ms: int) -> int:
        return self.offsets_min[bisect_right(self.changes, wall_ms)]


UTC = Zone()


@dataclass(frozen=True, slots=True)
class Moment:
    """A UTC time on a zone's clock: day since 1970-01-01, minute of it, and its calendar."""

    day: int
    minute: int
    weekday: int
    month: int
    day_of_month: int

    @classmethod
    def of(cls, wall_ms: int, zone: Zone) -> Moment:
        minutes = wall_ms // MINUTE_MS + zone.offset_min(wall_ms)
        day, minute = divmod(minutes, DAY_MINUTES)
        _, month, day_of_month = civil(day)
        return cls(day, minute, (day + _THURSDAY) % 7, month, day_of_month)


@dataclass(frozen=True, slots=True)
class Window:
    """A rate at certain times. The last minute is exclusive, last days are inclusive.

    `from_minute` above `to_minute` goes over midnight, and weekdays, season and days then mean
    the day on which it began: Friday 22 to 6 ends on Saturday morning. A season is (month, day)
    twice and may go over New Year.
    """

    rate_micro: int
    from_minute: int = 0
    to_minute: int = DAY_MINUTES
    weekdays: tuple[int, ...] = EVERY_DAY
    season: tuple[tuple[int, int], tuple[int, int]] | None = None
    days: tuple[int, int] | None = None  # days since 1970-01-01

    def __post_init__(self) -> None:
        if not (0 <= self.from_minute < DAY_MINUTES and 0 < self.to_minute <= DAY_MINUTES):
            raise ValueError(f"window from minute {self.from_minute} to {self.to_minute} of a day")
        if self.from_minute == self.to_minute:
            raise ValueError(f"window begins and ends at minute {self.from_minute}")

    def holds(self, moment: Moment) -> bool:
        if self.from_minute < self.to_minute:
            return self.from_minute <= moment.minute < self.to_minute and self._on(moment.day)
        if moment.minute >= self.from_minute:
            return self._on(moment.day)
        return moment.minute < self.to_minute and self._on(moment.day - 1)

    def _on(self, day: int) -> bool:
        if (day + _THURSDAY) % 7 not in self.weekdays:
            return False
        if self.days is not None and not self.days[0] <= day <= self.days[1]:
            return False
        return self.season is None or _in_season(civil(day)[1:], *self.season)


@dataclass(frozen=True, slots=True)
class Tariff:
    """Micro-units of the settings' currency per MWh at the meter, adders and taxes included."""

    rate_micro: int = 0
    windows: tuple[Window, ...] = ()
    zone: Zone = field(default=UTC)
    indexed: bool = False
    feed_forgone_micro: int = 0
    absorbed_micro: int = 0

    def cost_micro(self, wall_ms: int, live_price_micro: int | None = None) -> int | None:
        """What a MWh costs now; None where it follows a live price and none is known."""
        if self.indexed and live_price_micro is None:
            return None
        index = live_price_micro if self.indexed and live_price_micro is not None else 0
        moment = Moment.of(wall_ms, self.zone)
        rate = next((w.rate_micro for w in self.windows if w.holds(moment)), self.rate_micro)
        return rate + index + self.feed_forgone_micro - self.absorbed_micro


def civil(day: int) -> tuple[int, int, int]:
    """(year, month, day of month) of a day since 1970-01-01, Gregorian.

    Counted in years that begin on the 1st of March, so that the leap day comes last; 719,468
    days lie between 0000-03-01 and 1970-01-01, 146,097 days make 400 years (Hinnant, "chrono-
    compatible low-level date algorithms").
    """
    era, of_era = divmod(day + 719_468, 146_097)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    march_month = (5 * of_year + 2) // 153
    month = march_month + 3 if march_month < 10 else march_month - 9
    day_of_month = of_year - (153 * march_month + 2) // 5 + 1
    return era * 400 + year + (month <= 2), month, day_of_month


def day_number(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01; the inverse of `civil`. ValueError for a date that is none."""
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    number = era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
    if not 1 <= month <= 12 or civil(number) != (year, month, day):
        raise ValueError(f"{year:04d}-{month:02d}-{day:02d} is no date")
    return number


def _in_season(date: tuple[int, int], first: tuple[int, int], last: tuple[int, int]) -> bool:
    if first <= last:
        return first <= date <= last
    return date >= first or date <= last
