"""Civil time without a clock, checked against the standard library's calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.economics.tariff import (
    Moment,
    Tariff,
    Window,
    Zone,
    civil,
    day_number,
)
from stratum.power.zones import known_zones, zone

EUR = 10**6
EPOCH = date(1970, 1, 1)


def wall(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def cost_eur(tariff: Tariff, text: str) -> float | None:
    micro = tariff.cost_micro(wall(text))
    return None if micro is None else micro / EUR


# -- civil time --------------------------------------------------------------------------------


@given(st.dates())
def test_days_and_dates_agree_with_the_standard_library(day: date) -> None:
    number = (day - EPOCH).days
    assert civil(number) == (day.year, day.month, day.day)
    assert day_number(day.year, day.month, day.day) == number


@pytest.mark.parametrize("wrong", [(2026, 2, 29), (2026, 13, 1), (2026, 0, 1), (2026, 4, 31)])
def test_a_date_that_is_none_is_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="is no date"):
        day_number(*wrong)


@given(
    name=st.sampled_from(["Atlantic/Reykjavik", "Europe/Berlin", "America/St_Johns", "Asia/Tokyo"]),
    at=st.datetimes(datetime(2024, 1, 2), datetime(2027, 12, 30)),
)
def test_a_zone_tells_the_same_local_time_as_the_standard_library(name: str, at: datetime) -> None:
    utc = at.replace(tzinfo=UTC, second=0, microsecond=0)
    local = utc.astimezone(ZoneInfo(name))
    moment = Moment.of(int(utc.timestamp() * 1000), ZONES[name])
    assert (moment.month, moment.day_of_month) == (local.month, local.day)
    assert moment.minute == local.hour * 60 + local.minute
    assert moment.weekday == local.weekday()


def test_both_changes_of_a_year_are_found_to_the_minute() -> None:
    berlin = ZONES["Europe/Berlin"]
    in_2026 = [ms for ms in berlin.changes if wall("2026-01-01T00Z") <= ms < wall("2027-01-01T00Z")]
    assert in_2026 == [wall("2026-03-29T01:00Z"), wall("2026-10-25T01:00Z")]
    assert berlin.offset_min(wall("2026-03-29T00:59:59Z")) == 60
    assert berlin.offset_min(wall("2026-03-29T01:00:00Z")) == 120


def test_an_unknown_zone_is_refused_by_name() -> None:
    with pytest.raises(LookupError, match="Europe/Atlantis"):
        zone("Europe/Atlantis", 2026, 2027)
    assert "Europe/Berlin" in known_zones()


def test_a_zone_whose_table_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="one more needed"):
        Zone("x", (1, 2), (0, 60))
    with pytest.raises(ValueError, match="not in order"):
        Zone("x", (2, 1), (0, 60, 0))


ZONES = {
    name: zone(name, 2024, 2028)
    for name in ("Atlantic/Reykjavik", "Europe/Berlin", "America/St_Johns", "Asia/Tokyo")
}

# -- tariffs -----------------------------------------------------------------------------------


def test_a_constant_tariff_is_the_same_at_any_time() -> None:
    assert cost_eur(Tariff(rate_micro=40 * EUR), "2026-11-20T03:00Z") == 40
    assert cost_eur(Tariff(rate_micro=-15 * EUR), "2026-11-20T03:00Z") == -15


def test_the_night_begins_and_ends_on_the_local_clock() -> None:
    night = Window(20 * EUR, from_minute=22 * 60, to_minute=6 * 60)
    tariff = Tariff(60 * EUR, (night,), ZONES["Europe/Berlin"])
    assert cost_eur(tariff, "2026-01-15T20:59Z") == 60  # 21:59 in winter
    assert cost_eur(tariff, "2026-01-15T21:00Z") == 20
    assert cost_eur(tariff, "2026-07-15T20:00Z") == 20  # 22:00 in summer
    assert cost_eur(tariff, "2026-07-16T03:59Z") == 20
    assert cost_eur(tariff, "2026-07-16T04:00Z") == 60


@pytest.mark.parametrize(
    ("changed", "hours"), [("2026-03-29", 7), ("2026-10-25", 9), ("2026-06-01", 8)]
)
def test_the_night_of_a_clock_change_is_an_hour_shorter_or_longer(changed: str, hours: int) -> None:
    night = Window(20 * EUR, from_minute=22 * 60, to_minute=6 * 60)
    tariff = Tariff(60 * EUR, (night,), ZONES["Europe/Berlin"])
    noon_before = datetime.fromisoformat(f"{changed}T12:00Z") - timedelta(days=1)
    minutes = [noon_before + timedelta(minutes=minute) for minute in range(1440)]
    cheap = sum(cost_eur(tariff, minute.isoformat()) == 20 for minute in minutes)
    assert cheap == hours * 60


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_began() -> None:
    friday = Window(1 * EUR, from_minute=22 * 60, to_minute=6 * 60, weekdays=(4,))
    tariff = Tariff(9 * EUR, (friday,))
    assert cost_eur(tariff, "2026-11-20T21:59Z") == 9  # a Friday
    assert cost_eur(tariff, "2026-11-20T22:00Z") == 1
    assert cost_eur(tariff, "2026-11-21T05:59Z") == 1
    assert cost_eur(tariff, "2026-11-21T06:00Z") == 9
    assert cost_eur(tariff, "2026-11-20T05:59Z") == 9  # Thursday's night


def test_the_first_window_that_fits_wins() -> None:
    holiday = Window(0, days=(day_number(2026, 12, 24), day_number(2026, 12, 26)))
    winter = Window(70 * EUR, season=((11, 1), (3, 31)))
    weekend = Window(30 * EUR, weekdays=(5, 6))
    tariff = Tariff(50 * EUR, (holiday, winter, weekend))
    assert cost_eur(tariff, "2026-12-24T00:00Z") == 0
    assert cost_eur(tariff, "2026-12-27T00:00Z") == 70
    assert cost_eur(tariff, "2026-03-31T23:59Z") == 70  # the season goes over New Year
    assert cost_eur(tariff, "2026-04-01T00:00Z") == 50
    assert cost_eur(tariff, "2026-07-04T00:00Z") == 30


def test_a_summer_season_ends_on_its_last_day() -> None:
    summer = Tariff(1, (Window(2, season=((6, 1), (8, 31))),))
    assert summer.cost_micro(wall("2026-08-31T23:59Z")) == 2
    assert summer.cost_micro(wall("2026-09-01T00:00Z")) == 1


def test_an_indexed_tariff_is_unknown_without_the_live_price() -> None:
    spot = Tariff(rate_micro=12 * EUR, indexed=True)
    assert spot.cost_micro(0, None) is None
    assert spot.cost_micro(0, -30 * EUR) == -18 * EUR


def test_the_plants_own_rigs_pay_what_the_grid_would_have_paid() -> None:
    own = Tariff(feed_forgone_micro=35 * EUR)
    assert own.cost_micro(0) == 35 * EUR


def test_payment_for_energy_taken_comes_off_the_cost() -> None:
    taken = Tariff(rate_micro=10 * EUR, absorbed_micro=25 * EUR)
    assert taken.cost_micro(0) == -15 * EUR


@pytest.mark.parametrize("window", [(60, 60), (-1, 60), (1440, 60), (0, 1441)])
def test_a_window_that_is_no_part_of_a_day_is_refused(window: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="window"):
        Window(0, *window)
