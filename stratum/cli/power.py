"""`baseload power …`: the controller's commands."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="power",
    help="The load follows the surplus: simulate, replay, export.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def power() -> None:
    """The load follows the surplus."""
