"""Scenarios and their catalogue."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stratum.power.brain.settings import Mode
from stratum.power.brain.values import Kind
from stratum.power.simulation.catalogue import CATALOGUE
from stratum.power.simulation.scenario import START_DAY, START_OF_YEAR_MS, Scenario

#: power.md §7.9 without what needs a socket, and issue 4's own.
ASKED = {
    *("steps", "sawtooth", "ou-5", "ou-10", "frozen", "nan", "word-swap", "x1000", "late"),
    *("two-masters", "meter-dead", "meter-flipped", "liars", "hangers", "killed"),
    *("restart-asleep", "clock-forward", "clock-back", "leap-second", "upstream-lost", "soak"),
    *("reboots", "feeder-trip", "meddler", "unit-trip"),
    *("nuclear-2x1200", "hydro-100-to-600", "geothermal", "wind", "solar", "iso-5min"),
}

each = pytest.mark.parametrize("scenario", CATALOGUE.values(), ids=lambda scenario: scenario.name)


def test_everything_that_was_asked_for_has_a_name() -> None:
    assert ASKED <= CATALOGUE.keys()


@each
def test_everything_happens_within_the_run_and_after_the_cold_start(scenario: Scenario) -> None:
    troubles = [trouble.from_s for trouble in scenario.troubles]
    times = [*troubles, *(jump.at_s for jump in scenario.jumps)]
    times += [absence.at_s for absence in scenario.absences]
    assert all(scenario.warm_up_s < at < scenario.seconds for at in times)
    assert all(0 <= happening.at_s < scenario.seconds for happening in scenario.happenings)


@each
def test_settings_name_the_sources_that_speak_and_the_sites_meter(scenario: Scenario) -> None:
    fleet = scenario.farm.fleet(100)
    settings = scenario.made_settings(fleet)
    short = replace(scenario, hours=0.05)
    assert settings.mode is Mode.CONTROL
    feeds = short.feeds(fleet, 1)
    assert [source.name for source in settings.sources] == [feed.source for feed in feeds]
    assert [source.kind for source in settings.sources] == [feed.kind for feed in feeds]
    assert [meter.feeder for meter in settings.meters] == ["site"]


def test_calendar_begins_where_it_says() -> None:
    assert START_OF_YEAR_MS == datetime(2027, 1, 1, tzinfo=UTC).timestamp() * 1_000
    start_ms = CATALOGUE["nuclear-2x1200"].start_ms
    start = datetime.fromtimestamp(start_ms / 1_000, UTC)
    assert (start.month, start.day, start.hour) == (1, START_DAY + 1, 18)


def test_settings_can_be_changed_one_by_one() -> None:
    fleet = CATALOGUE["ou-5"].farm.fleet(10)
    changed = CATALOGUE["ou-5"].with_settings(reserve_bp=200).with_settings(deadband_bp=50)
    settings = changed.made_settings(fleet)
    assert (settings.reserve_bp, settings.deadband_bp) == (200, 50)


def test_rival_is_a_second_source_of_equal_rank() -> None:
    scenario = CATALOGUE["two-masters"]
    fleet = scenario.farm.fleet(10)
    plant, rival = scenario.made_settings(fleet).sources
    assert rival.kind is Kind.SETPOINT_ABS and plant.priority == rival.priority
