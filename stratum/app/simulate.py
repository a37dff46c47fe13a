"""`baseload power simulate`: a scenario, the brain and the twin put together."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from stratum.app.progress import bar
from stratum.errors import BaseloadError, ConfigError, Problem
from stratum.power.brain.dispatch import State, decide
from stratum.power.brain.values import Inputs
from stratum.power.journal.files import journal_files
from stratum.power.journal.recorder import Journal
from stratum.power.journal.writer import Writer
from stratum.power.simulation.catalogue import CATALOGUE
from stratum.power.simulation.run import Decided, Run, Watch, run
from stratum.power.simulation.scenario import Scenario
from stratum.power.simulation.score import Score, score
from stratum.power.twin.world import Twin

#: How often a run lets the disk catch up, in simulated seconds, and how long it waits for it.
DRAIN_S = 60
MINUTE_S = 60.0

#: A pipe or a log file has no width of its own.
WIDTH = 110


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks; None: as the scenario has it."""

    scenario: str
    rigs: int | None = None
    hours: float | None = None
    seed: int = 1
    trim_percent: float | None = None
    reserve_percent: float | None = None
    out: Path | None = None
    journal: Path | None = None
    as_json: bool = False


def simulate(wish: Wish) -> None:
    """Run it, show it, and write the page where one is wanted."""
    scenario = wished(wish)
    if wish.out is not None:
        wish.out.touch()  # a path that can't be written fails now, not after an hour
    with (
        bar(scenario.name, scenario.seconds) as progress,
        _recorded(scenario, wish.journal) as watch,
    ):
        done = run(scenario, decide, State.fresh, seed=wish.seed, progress=progress, watch=watch)
    judged = score(done)
    if wish.out is not None:
        from stratum.power.simulation.plots import page

        wish.out.write_text(page(done, judged), encoding="utf-8")
    if wish.as_json:
        print(json.dumps(as_json(done, judged), indent=2))
        return
    from stratum.power.simulation.report import show

    console = _console()
    show(console, done, judged)
    if wish.out is not None:
        console.print(f"page: {wish.out}", highlight=False)


def wished(wish: Wish) -> Scenario:
    """The scenario with what the command line changes. Raises ConfigError for an unknown name."""
    if wish.scenario not in CATALOGUE:
        known = ", ".join(CATALOGUE)
        fault = f"{wish.scenario!r} is no scenario"
        raise ConfigError([Problem("SCENARIO", fault, f"one of: {known}")])
    scenario = CATALOGUE[wish.scenario]
    if wish.rigs is not None:
        scenario = replace(scenario, rigs=wish.rigs)
    if wish.hours is not None:
        scenario = replace(scenario, hours=wish.hours)
    if wish.trim_percent is not None:
        farm = replace(scenario.farm, trim_bp=round(wish.trim_percent * 100))
        scenario = replace(scenario, farm=farm)
    if wish.reserve_percent is not None:
        scenario = scenario.with_settings(reserve_bp=round(wish.reserve_percent * 100))
    return scenario


@contextmanager
def _recorded(scenario: Scenario, directory: Path | None) -> Iterator[Watch[State] | None]:
    """Keep the journal that a live controller would have kept, for `replay` and `export`."""
    if directory is None:
        yield None
        return
    if directory.is_dir() and journal_files(directory):
        # Every run begins on the same day of the twin's calendar: a second one behind the first
        # would go back in time.
        raise BaseloadError(f"{directory} has a journal of another run: name a new directory")
    fleet = scenario.farm.fleet(scenario.rigs)
    settings = scenario.made_settings(fleet)
    writer = Writer(directory)
    journal: Journal[State] = Journal(writer, settings, fleet)
    before = State.fresh(fleet, settings)

    def keep(second: int, twin: Twin, inputs: Inputs, decided: Decided[State]) -> None:
        nonlocal before
        journal.tick(before, inputs, decided)
        before = decided.state
        if second % DRAIN_S == 0:  # a simulated second is short for a disk
            writer.drained(MINUTE_S)

    try:
        yield keep
    finally:
        journal.close()


def as_json(done: Run, judged: Score) -> dict[str, object]:
    """Figures and events, for scripts."""
    scenario = done.scenario
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "surplus": scenario.surplus,
        "rigs": scenario.rigs,
        "hours": scenario.hours,
        "seed": done.seed,
        "trim_percent": scenario.farm.trim_bp / 100,
        "reserve_percent": done.settings.reserve_bp / 100,
        "fleet_w": done.fleet.total_w,
        "energy_wh": done.energy_wh,
        "score": judged.as_dict(),
        "events": [
            {
                "second": event.second,
                "level": str(event.level),
                "code": event.code,
                "subject": event.subject,
                "text": event.text,
            }
            for event in done.events
        ],
    }


def show_catalogue() -> None:
    """Every scenario, one line each."""
    shown = Table(pad_edge=False, box=None)
    for name in ("scenario", "hours", "rigs", "surplus", "what happens"):
        shown.add_column(name, no_wrap=name != "what happens")
    for scenario in CATALOGUE.values():
        shown.add_row(
            scenario.name,
            f"{scenario.hours:g}",
            f"{scenario.rigs:,}",
            scenario.surplus,
            scenario.title,
        )
    _console().print(shown)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDTH)
