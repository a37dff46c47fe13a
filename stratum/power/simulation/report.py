"""A run in the terminal: its figures beside what they should be, and what was said in it."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stratum.power.brain.commands import Level
from stratum.power.simulation.goals import HOW_ERRORS_COUNT, Line, lines
from stratum.power.simulation.run import Event, Run
from stratum.power.simulation.score import Score
from stratum.power.words import counted

#: Events shown; the page and --json have all that were kept.
SHOWN = 25

#: Of them, the largest steps of the goal: what the run is about, however much else is said.
STEPS = 5


def show(console: Console, run: Run, score: Score) -> None:
    """Everything that fits on a screen or two."""
    scenario = run.scenario
    megawatts = run.fleet.total_w / 1e6
    console.print(f"[bold]{escape(scenario.name)}[/]: {escape(scenario.title)}")
    console.print(
        f"{counted(scenario.rigs, 'rig')}, {megawatts:.1f} MW, {scenario.farm.mix} firmware, "
        f"{scenario.farm.trim_bp / 100:g} % trim, reserve {run.settings.reserve_bp / 100:g} %, "
        f"{scenario.hours:g} h of {scenario.surplus}, seed {run.seed}"
    )
    console.print(table(lines(run, score)))
    console.print(HOW_ERRORS_COUNT, style="dim")
    scored = tuple(event for event in run.events if event.second >= scenario.scored_from_s)
    for event in loudest(scored, SHOWN):
        console.print(_sentence(event), highlight=False)
    if earlier := len(run.events) - len(scored):
        console.print(
            f"{counted(earlier, 'event')} of the first {scenario.scored_from_s / 60:g} min: see "
            "--out or --json",
            style="dim",
        )
    console.print(
        f"{score.speed:,.0f} × real time, decide {score.decide_ms:.2f} ms, {score.memory_mb:.0f} MB"
    )


def table(rows: tuple[Line, ...]) -> Table:
    shown = Table(pad_edge=False)
    shown.add_column("")
    shown.add_column("", justify="right")
    shown.add_column("unit")
    shown.add_column("goal")
    for row in rows:
        colour = {True: "green", False: "red", None: ""}[row.is_met]
        word = {True: "met", False: "missed", None: ""}[row.is_met]
        value = "never" if row.value == float("inf") else f"{row.value:,.2f}"
        shown.add_row(
            escape(row.what),
            f"[{colour}]{value}[/]" if colour else value,
            row.unit,
            f"{row.goal} {word}".strip(),
        )
    return shown


def loudest(events: tuple[Event, ...], most: int) -> list[Event]:
    """The largest steps of the goal, then alarms before warnings before the rest; by time."""
    order = {Level.ALARM: 0, Level.WARNING: 1, Level.INFO: 2}
    by_step = sorted(events, key=lambda event: -abs(event.step_w))
    steps = [event for event in by_step[: min(STEPS, most)] if event.step_w]
    rest = by_step[len(steps) :]
    rest.sort(key=lambda event: order[event.level])  # within a level, what moved the most
    return sorted([*steps, *rest[: most - len(steps)]], key=lambda event: event.second)


def _sentence(event: Event) -> str:
    colour = {Level.ALARM: "[red]", Level.WARNING: "[yellow]", Level.INFO: ""}[event.level]
    end = "[/]" if colour else ""
    hours, rest = divmod(event.second, 3_600)
    subject = f" {event.subject}:" if event.subject else ""
    return (
        f"{hours:02}:{rest // 60:02}:{rest % 60:02} {colour}{event.level}{end} "
        f"{escape(event.code)}:{escape(subject)} {escape(event.text)}"
    )
