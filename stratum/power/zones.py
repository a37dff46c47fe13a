"""The offsets of a named zone as a table, read from the machine's tz database.

The brain may not read it: a tz release installed on a Tuesday would change what Monday's replay
decides. So it is read once, here, and the table travels with the settings.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from stratum.power.economics.tariff import Zone

#: No zone has changed its offset twice within a day and been right to do so.
_LOOK = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


def zone(name: str, from_year: int, to_year: int) -> Zone:
    """Offsets from New Year of one to New Year of the other, exact to the minute.

    Raises LookupError for a name the tz database does not have.
    """
    try:
        rules = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise LookupError(f"{name!r} is no zone of the tz database") from exc

    at, end = datetime(from_year, 1, 1, tzinfo=UTC), datetime(to_year, 1, 1, tzinfo=UTC)
    offsets, changes = [_offset_min(rules, at)], []
    while at < end:
        if _offset_min(rules, at + _LOOK) != offsets[-1]:
            change = _first_change(rules, at, at + _LOOK)
            changes.append(int(change.timestamp() * 1000))
            offsets.append(_offset_min(rules, change))
        at += _LOOK
    return Zone(name, tuple(changes), tuple(offsets))


def known_zones() -> frozenset[str]:
    """Every name of the tz database, for a suggestion."""
    return frozenset(available_timezones())


def _offset_min(rules: ZoneInfo, at: datetime) -> int:
    offset = at.astimezone(rules).utcoffset()
    assert offset is not None
    return round(offset / _MINUTE)


def _first_change(rules: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The minute at which the offset of `before` ends."""
    old = _offset_min(rules, before)
    while after - before > _MINUTE:
        middle = before + (after - before) // _MINUTE // 2 * _MINUTE
        if _offset_min(rules, middle) == old:
            before = middle
        else:
            after = middle
    return after
