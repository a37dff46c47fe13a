"""`baseload power …`: the controller's commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stratum.cli.outcome import DONE, MISUSED, reported

app = typer.Typer(
    name="power",
    help="The load follows the surplus: simulate, replay, export.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def power() -> None:
    """The load follows the surplus."""


@app.command()
def simulate(
    scenario: Annotated[
        str | None, typer.Argument(metavar="SCENARIO", help="its name; --list shows them")
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="show every scenario [off]")] = False,
    rigs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="how many [the scenario's]")
    ] = None,
    hours: Annotated[
        float | None, typer.Option(metavar="H", min=0.02, help="how long [the scenario's, h]")
    ] = None,
    seed: Annotated[
        int,
        typer.Option(metavar="S", min=0, help="another day of its kind [1]", show_default=False),
    ] = 1,
    trim: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT", min=0, max=100, help="of power on a target [the scenario's, %]"
        ),
    ] = None,
    reserve: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT", min=0, max=100, help="kept below the target [the scenario's, %]"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write an HTML page with plots [off]")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="write figures and events to stdout as JSON [off]")
    ] = False,
) -> None:
    """Drive the controller against a twin of a farm.

    \b
    Example: baseload power simulate unit-trip --rigs 10000 --out trip.html
    """
    with reported():
        from stratum.app import simulate as simulation

        if show_list:
            simulation.show_catalogue()
            raise typer.Exit(DONE)
        if scenario is None:
            typer.echo("SCENARIO is missing; `baseload power simulate --list` shows them", err=True)
            raise typer.Exit(MISUSED)
        simulation.simulate(
            simulation.Wish(
                scenario=scenario,
                rigs=rigs,
                hours=hours,
                seed=seed,
                trim_percent=trim,
                reserve_percent=reserve,
                out=out,
                as_json=as_json,
            )
        )
