"""`baseload power …`: the controller's commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stratum.cli.outcome import DONE, FAILED, MISUSED, reported

app = typer.Typer(
    name="power",
    help="The load follows the surplus: simulate, replay, export.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def power() -> None:
    """The load follows the surplus."""


JsonOption = Annotated[bool, typer.Option("--json", help="write JSON to stdout [off]")]


@app.command()
def replay(
    journal: Annotated[
        list[Path], typer.Argument(metavar="JOURNAL...", help="files, or a directory of them")
    ],
    verify: Annotated[
        bool, typer.Option("--verify", help="decide again, compare, check the chain [off]")
    ] = False,
    key: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="the only key that may have signed [any]"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was decided and why, or prove that it was decided so.

    \b
    Example: baseload power replay data/journal/2026-11-20.journal --verify
    """
    with reported():
        from stratum.app.power_journal import show
        from stratum.app.power_journal import verify as prove
        from stratum.power.brain.dispatch import State, decide

        if verify:
            is_good = prove(journal, State, decide, key=_key(key), as_json=as_json)
            raise typer.Exit(DONE if is_good else FAILED)
        show(journal, as_json=as_json)


@app.command()
def export(
    journal: Annotated[
        list[Path], typer.Argument(metavar="JOURNAL...", help="files, or a directory of them")
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="where the files go [settlement]", show_default=False),
    ] = Path("settlement"),
    interval: Annotated[
        int,
        typer.Option(metavar="MIN", help="1, 5 or 15 minutes [15 min]", show_default=False),
    ] = 15,
    baseline: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="or high-X-of-Y, schedule, declared:SOURCE [meter-before]",
            show_default=False,
        ),
    ] = "meter-before",
    as_json: JsonOption = False,
) -> None:
    """Write intervals.csv, events.csv and rigs.csv of a journal.

    \b
    Example: baseload power export data/journal --out settlement --interval 15
    """
    with reported():
        from stratum.app.power_journal import settle
        from stratum.power.settlement.baselines import baseline as baseline_of

        if interval not in (1, 5, 15):
            raise typer.BadParameter(f"is {interval}, expected 1, 5 or 15", param_hint="--interval")
        try:
            chosen = baseline_of(baseline)
        except ValueError as exc:
            raise typer.BadParameter(f"is {exc}", param_hint="--baseline") from exc
        settle(journal, out, interval, chosen, as_json=as_json)


def _key(written: str | None) -> bytes | None:
    """An Ed25519 public key, 32 bytes."""
    if written is None:
        return None
    try:
        key = bytes.fromhex(written)
    except ValueError as exc:
        raise typer.BadParameter(f"is {written!r}, expected hex", param_hint="--key") from exc
    if len(key) != 32:
        raise typer.BadParameter(f"is {len(key)} bytes, expected 32", param_hint="--key")
    return key


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
    journal: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="keep a journal, for replay and export [off]"),
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
                journal=journal,
                as_json=as_json,
            )
        )
