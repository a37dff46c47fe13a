"""`baseload plan`: the options of a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stratum.cli.outcome import reported


def plan(
    surplus: Annotated[
        str,
        typer.Argument(
            metavar="EXAMPLE|FILE",
            help="nuclear-2x1200, hydro-100-to-600, geothermal, wind, or a CSV of UTC time and MW",
        ),
    ],
    fleet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="rigs with counts, or models to compare [five models]"),
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            metavar="SIZE",
            help="where not counted: part of the surplus, or 40MW [50%]",
            show_default=False,
        ),
    ] = "50%",
    tariff: Annotated[
        str | None,
        typer.Option(
            metavar="PRICE",
            help="per MWh: 25 or 25,23:00-06:00=-5 [example's; file: 20]",
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="figures of your own, see config/plan.toml [ours]"),
    ] = None,
    currency: Annotated[
        str,
        typer.Option(
            metavar="CODE", help="and what a dollar is in it: EUR=0.86 [USD]", show_default=False
        ),
    ] = "USD",
    years: Annotated[int | None, typer.Option(metavar="N", help="to plan [5 years]")] = None,
    objective: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="absorb at any price, or sleep for profit [absorb]",
            show_default=False,
        ),
    ] = "absorb",
    samples: Annotated[
        int, typer.Option(metavar="N", help="runs to draw [2000]", show_default=False)
    ] = 2000,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="of the draws [1]", show_default=False)
    ] = 1,
    models: Annotated[
        Path | None, typer.Option(metavar="FILE", help="table of rigs [config/models.toml]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the report [plan-NAME.html]")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="write one JSON object to stdout instead [off]")
    ] = False,
) -> None:
    """Tell whether mining on a surplus pays, and at what tariff it stops doing so.

    \b
    Example: baseload plan nuclear-2x1200 --tariff 12 --size 40MW
    """
    with reported():
        from stratum.app.plan import PlanWish
        from stratum.app.plan import plan as run

        wish = PlanWish(
            surplus=surplus,
            fleet=fleet,
            size=size,
            tariff=tariff,
            figures=figures,
            currency=currency,
            years=years,
            objective=objective,
            samples=samples,
            seed=seed,
            models=models,
            out=out,
        )
        raise typer.Exit(run(wish, as_json=as_json))
