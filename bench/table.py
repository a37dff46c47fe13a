"""Figures of several servers side by side, their ratio and goal; as a table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

FLOOR, OURS = "floor", "baseload"


@dataclass(frozen=True, slots=True)
class Goal:
    """Of ours: at most so much, and at most so many times the floor's. None: not asked."""

    most: float | None = None
    ratio: float | None = None

    def __str__(self) -> str:
        words = [] if self.most is None else [f"≤ {self.most:g}"]
        words += [] if self.ratio is None else [f"≤ {self.ratio:g} × floor"]
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured of several servers; a server of which it is not known is absent."""

    what: str
    unit: str
    values: Mapping[str, float]
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        ours, floor = self.values.get(OURS), self.values.get(FLOOR)
        return None if ours is None or not floor else ours / floor

    @property
    def is_met(self) -> bool | None:
        """None where there is no goal, or nothing to judge it by."""
        ours = self.values.get(OURS)
        if self.goal is None or ours is None:
            return None
        if self.goal.ratio is not None and self.ratio is None:
            return None
        return (self.goal.most is None or ours <= self.goal.most) and (
            self.goal.ratio is None or (self.ratio or 0.0) <= self.goal.ratio
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A row of DESIGN's table of numbers: its figures, and the runs they come from."""

    key: str
    title: str
    figures: Sequence[Figure]
    runs: Mapping[str, Any] = field(default_factory=dict)


def table(rows: Sequence[Row], servers: Sequence[str]) -> Table:
    shown = Table(pad_edge=False)
    shown.add_column("")
    shown.add_column("what")
    for name in servers:
        shown.add_column(name, justify="right")
    for title in ("ratio", "goal"):
        shown.add_column(title, justify="right")
    for row in rows:
        shown.add_section()
        shown.add_row(row.key, f"[bold]{row.title}")
        for figure in row.figures:
            cells = [_number(figure.values.get(name)) for name in servers]
            what = f"{figure.what}, {figure.unit}" if figure.unit else figure.what
            shown.add_row("", what, *cells, _number(figure.ratio), _verdict(figure))
    return shown


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {
            "row": row.key,
            "title": row.title,
            "figures": [
                {
                    "what": figure.what,
                    "unit": figure.unit,
                    **figure.values,
                    "ratio": figure.ratio,
                    "goal": str(figure.goal or ""),
                    "met": figure.is_met,
                }
                for figure in row.figures
            ],
            "runs": row.runs,
        }
        for row in rows
    ]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if value >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _verdict(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    mark = {True: "[green]✓", False: "[red]✗", None: "?"}[figure.is_met]
    return f"{figure.goal} {mark}"
