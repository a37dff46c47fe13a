"""The page of a run: whole, harmless, and readable without the network."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from stratum.power.brain.commands import Level, Reason
from stratum.power.simulation.catalogue import CATALOGUE
from stratum.power.simulation.plots import MOST_POINTS, page
from stratum.power.simulation.report import loudest, show
from stratum.power.simulation.run import Event, Log, Run, run
from stratum.power.simulation.score import Score, score
from tests.power.naive import decide, fresh


@pytest.fixture(scope="module")
def done() -> Run:
    found = run(replace(CATALOGUE["half-gone"], rigs=50), decide, fresh)
    found.trace.measured_w[:100] = -1
    nasty = Event(1_000, "code", "</script><b>text", Level.ALARM, "feeder & co")
    return replace(found, events=(nasty, Event(5, "quiet", "fine", Level.INFO, "")))


@pytest.fixture(scope="module")
def judged(done: Run) -> Score:
    return score(done)


def test_page_asks_nothing_of_the_network(done: Run, judged: Score) -> None:
    text = page(done, judged)
    own = text.replace(_bundle(text), "")
    assert not re.search(r"(src|href)\s*=", own)
    assert "prefers-color-scheme: dark" in own
    assert "Plotly.newPlot" in own


def test_charts_are_json_without_numbers_that_are_none(done: Run, judged: Score) -> None:
    text = page(done, judged)
    (found,) = re.findall(r"^const charts = (.*);$", text, re.MULTILINE)
    charts = json.loads(found)
    assert set(charts) == {"power", "error", "rigs", "cycles"}
    measured = next(line for line in charts["power"]["data"] if "brain" in line["name"])
    assert measured["y"][0] is None, "unknown is a gap and not 0"
    for chart in charts.values():
        assert all(len(line["x"]) == len(line["y"]) <= MOST_POINTS for line in chart["data"])


def test_what_was_said_cannot_break_out_of_the_page(done: Run, judged: Score) -> None:
    text = page(done, judged)
    assert "</script><b>" not in text
    assert "feeder &amp; co" in text


def test_page_says_where_the_surplus_comes_from(done: Run, judged: Score) -> None:
    text = page(done, judged)
    assert "A digital twin, not a farm" in text
    assert "two equal units" in text


def test_long_runs_are_thinned_to_means(done: Run) -> None:
    long = replace(done, scenario=replace(done.scenario, hours=24.0))
    values = np.zeros(86_400, np.int64)
    for name in long.trace.__dataclass_fields__:
        setattr(long.trace, name, values)
    assert "the mean of 29 s" in page(long, score(long))


def test_terminal_shows_goals_and_the_loudest_first() -> None:
    found = run(replace(CATALOGUE["half-gone"], rigs=50), decide, fresh)
    alarm = Event(3_000, "late", "an [alarm]", Level.ALARM, "")
    quiet = [Event(second, f"q{second}", "quiet", Level.INFO, "") for second in range(50)]
    found = replace(found, events=(*quiet, alarm))
    console = Console(record=True, width=110, file=None, quiet=False)
    with console.capture() as shown:
        show(console, found, score(found))
    text = shown.get()
    assert "≤ 0.5 (N9)" in text and "× real time" in text
    assert "an [alarm]" in text, "markup in a reason is text"
    assert alarm in loudest(found.events, 10)
    seconds = [event.second for event in loudest(found.events, 10)]
    assert seconds == sorted(seconds)


def test_terminal_shows_the_trip_and_not_the_start() -> None:
    found = run(replace(CATALOGUE["half-gone"], rigs=50), decide, fresh)
    start = [Event(s, f"a{s}", "startup", Level.ALARM, "") for s in range(40)]
    later = [Event(3_000 + s, f"b{s}", "loud", Level.ALARM, "") for s in range(40)]
    trip = Event(2_400, "moved", "the trip", Level.INFO, "", -90_000)
    found = replace(found, events=(*start, trip, *later))
    console = Console(record=True, width=110, file=None, quiet=False)
    with console.capture() as shown:
        show(console, found, score(found))
    text = shown.get()
    assert "the trip" in text and "startup" not in text
    assert "40 events of the first 15 min" in text


def test_a_step_of_the_goal_is_told_though_it_moved_before() -> None:
    log = Log(1_000)
    for second, goal_w in enumerate((9_000, 8_900, 8_800, 4_000, 3_900)):
        log.note(second, (Reason("moved", f"{goal_w}"),), goal_w)
    assert [(event.second, event.step_w) for event in log.events] == [(0, 0), (3, -4_800)]


def _bundle(text: str) -> str:
    scripts: list[str] = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    return max(scripts, key=len)
