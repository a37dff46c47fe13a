from __future__ import annotations

import tomllib

import pytest

from stratum.power.economics import tariff_table
from stratum.power.economics.tariff import Tariff, Zone, day_number
from stratum.power.economics.tariff_table import read_tariffs

BERLIN = Zone("Europe/Berlin", (), (60,))
EUR = 10**6


def zone_of(name: str) -> Zone:
    return {"Europe/Berlin": BERLIN}[name]


def read(text: str) -> dict[str, Tariff]:
    plans, problems = read_tariffs(tomllib.loads(text)["tariff"], zone_of)
    assert problems == ()
    return plans


def complaints(text: str) -> list[str]:
    return [str(p) for p in read_tariffs(tomllib.loads(text)["tariff"], zone_of)[1]]


def test_the_example_of_the_docstring_is_read() -> None:
    assert tariff_table.__doc__
    example = "\n".join(line.removeprefix("    ") for line in tariff_table.__doc__.splitlines()[2:])
    guest = read(example)["guest"]
    assert (guest.rate_micro, guest.zone, guest.indexed) == (60 * EUR, BERLIN, False)
    (window,) = guest.windows
    assert (window.rate_micro, window.from_minute, window.to_minute) == (20 * EUR, 1320, 360)
    assert window.weekdays == (0, 4)
    assert window.season == ((11, 1), (3, 31))
    assert window.days == (day_number(2026, 12, 24), day_number(2026, 12, 26))


def test_money_is_exact_and_may_be_negative() -> None:
    plan = read('[[tariff]]\nowner = "a"\nrate_per_mwh = -0.1\nabsorbed_per_mwh = 12.345678')
    assert plan["a"].rate_micro == -100_000
    assert plan["a"].absorbed_micro == 12_345_678


def test_a_spot_tariff_needs_no_rate() -> None:
    plan = read('[[tariff]]\nowner = "a"\nindexed = true')
    assert plan["a"].cost_micro(0, 7) == 7


def test_a_window_goes_to_the_end_of_the_day_unless_told() -> None:
    (window,) = read('[[tariff]]\nowner = "a"\n[[tariff.window]]\nrate_per_mwh = 1')["a"].windows
    assert (window.from_minute, window.to_minute) == (0, 1440)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('rate_per_mwh = "60"', "tariff[0].rate_per_mwh: is '60'"),
        ("rate_per_mwh = nan", "tariff[0].rate_per_mwh: is nan"),
        ("rate_per_mwh = 1e12", "tariff[0].rate_per_mwh: is 1000000000000.0 a MWh"),
        ('zone = "Europe/Atlantis"', "tariff[0].zone: 'Europe/Atlantis'"),
        ("indexed = 1", "tariff[0].indexed: is 1 (true or false)"),
        ("index = true", "tariff[0].index: is no known key (did you mean indexed?)"),
        ("window = 3", "tariff[0].window: is no list of tables"),
        ('owner = "a"\n[[tariff]]\nowner = "a"', "tariff[1].owner: 'a' has a tariff already"),
    ],
)
def test_a_mistake_in_a_tariff_is_named(line: str, told: str) -> None:
    owner = "" if line.startswith("owner") else 'owner = "a"\n'
    assert any(told in problem for problem in complaints(f"[[tariff]]\n{owner}{line}"))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "window[0].rate_per_mwh: is missing"),
        ('from = "25:00"', "window[0].from: is '25:00'"),
        ('from = "7:00"', "window[0].from: is '7:00'"),
        ('from = "24:00"', "window[0].from: window from minute 1440"),
        ('from = "06:00"\nto = "06:00"', "begins and ends at minute 360"),
        ('weekdays = ["monday"]', "window[0].weekdays: is no list of weekdays"),
        ("weekdays = []", "window[0].weekdays: is no list of weekdays"),
        ('season = ["11-01"]', "window[0].season: is no pair of days"),
        ('season = ["11-01", "02-30"]', "window[0].season: 2024-02-30 is no date"),
        ('days = ["2026-12-24", "2026-12"]', "window[0].days: is no pair of days"),
        ('days = ["2026-12-24", "2026-13-01"]', "window[0].days: 2026-13-01 is no date"),
        ('days = ["2026-12-24", "2026-12-23"]', "window[0].days: end at 2026-12-23, before"),
        ("weekday = 3", "window[0].weekday: is no known key (did you mean weekdays?)"),
    ],
)
def test_a_mistake_in_a_window_is_named(line: str, told: str) -> None:
    text = f'[[tariff]]\nowner = "a"\n[[tariff.window]]\n{line}\n'
    assert any(told in problem for problem in complaints(text)), complaints(text)


def test_all_mistakes_are_told_at_once() -> None:
    text = '[[tariff]]\nindexed = 2\n[[tariff.window]]\nfrom = "x"\n[[tariff]]\nowner = "b"\ny = 1'
    assert len(complaints(text)) == 5
