"""A history of surplus: megawatts that nobody else wants, at an even step.

The file is CSV. The first row names the columns: one of `time`, `time_utc`, `timestamp` or
`start`, perhaps `end`, and one of `mw`, `surplus_mw`, `power_mw`. Times are UTC, as ISO 8601;
an offset (`+03:00`, `Z`) is obeyed, none is taken as UTC. What is missing counts as no surplus
and is named: a plan that fills gaps with guesses earns on them.

Everything wrong with a file is told at once, by line.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from stratum.errors import ConfigError, Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TIMES = ("time", "time_utc", "timestamp", "start", "start_utc")
_ENDS = ("end", "end_utc")
_POWERS = ("mw", "surplus_mw", "power_mw")

#: More lines than this of one kind are counted, not shown.
_SHOWN = 5

#: A larger one is a file in kilowatts or watts: the largest plant there is has 22,500 MW.
_MOST_MW = 100_000.0

#: With more of it missing, the rest says little of a year.
_MOST_MISSING = 0.10

#: Without a week in it there is no workday and weekend, without a day no night.
_LEAST_DAYS = 7

_DAY_S = 86_400

#: Beyond it there is no month to speak of, and two minutes of steps are for the simulator.
_STEPS_S = (60, _DAY_S)


@dataclass(frozen=True, slots=True, eq=False)
class Surplus:
    """Megawatts from `start_s` (UTC, seconds since 1970), one value each `step_s`.

    Compared by identity: it is a key where results are remembered.
    """

    name: str
    origin: str
    start_s: int
    step_s: int
    mw: Floats
    notes: tuple[str, ...] = ()

    @property
    def times_s(self) -> Ints:
        """The beginning of each step."""
        return self.start_s + self.step_s * np.arange(len(self.mw), dtype=np.int64)

    @property
    def days(self) -> float:
        return len(self.mw) * self.step_s / _DAY_S

    @property
    def energy_mwh(self) -> float:
        return float(self.mw.sum()) * self.step_s / 3600


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    start_s: int
    end_s: int | None
    mw: float


def read_csv(text: str, name: str) -> Surplus:
    """Read a file's text. Raises ConfigError with everything that is wrong with it."""
    rows, problems = _parse(text, name)
    if problems:
        raise ConfigError(problems)
    notes: list[str] = []
    rows = _in_order(rows, name, notes, problems)
    step_s = _step(rows, name, problems)
    if problems:
        raise ConfigError(problems)
    mw = _on_grid(rows, step_s, name, notes, problems)
    if problems:
        raise ConfigError(problems)
    return Surplus(name, f"the file {name}", rows[0].start_s, step_s, mw, tuple(notes))


# -- lines -------------------------------------------------------------------------------------


def _parse(text: str, name: str) -> tuple[list[_Row], list[Problem]]:
    try:
        lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    except csv.Error as exc:
        return [], [Problem(name, f"is no CSV: {exc}")]
    header = [cell.strip().lower() for cell in lines[0]] if lines else []
    start, end, power = (_column(header, names) for names in (_TIMES, _ENDS, _POWERS))
    missing = [
        Problem(f"{name}:1", f"has no column {names[0]}", f"name one of {', '.join(names)}")
        for column, names in ((start, _TIMES), (power, _POWERS))
        if column is None
    ]
    if start is None or power is None:
        return [], missing

    rows: list[_Row] = []
    faults: list[Problem] = []
    for line, cells in enumerate(lines[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            ends_s = None if end is None else _seconds(_cell(cells, end))
            rows.append(_Row(line, _seconds(_cell(cells, start)), ends_s, _mw(_cell(cells, power))))
        except ValueError as exc:
            faults.append(Problem(f"{name}:{line}", str(exc)))
    if not rows and not faults:
        faults.append(Problem(name, "has no rows", "write a time and a power on each line"))
    return rows, _shortened(faults, name)


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _cell(cells: Sequence[str], place: int) -> str:
    if place >= len(cells):
        raise ValueError(f"has {len(cells)} cells, expected at least {place + 1}")
    return cells[place].strip()


def _seconds(cell: str) -> int:
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        raise ValueError(f"time is {cell!r}, expected 2026-01-31T23:15Z") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int(moment.timestamp())


def _mw(cell: str) -> float:
    try:
        mw = float(cell)
    except ValueError:
        raise ValueError(f"power is {cell!r}, expected megawatts") from None
    if not math.isfinite(mw):
        raise ValueError(f"power is {cell}, expected a finite number")
    if mw > _MOST_MW:
        raise ValueError(f"power is {cell}, more than any plant has: is it in kW?")
    return mw


def _shortened(faults: list[Problem], name: str) -> list[Problem]:
    if len(faults) <= _SHOWN:
        return faults
    rest = len(faults) - _SHOWN
    return [*faults[:_SHOWN], Problem(name, f"has {rest} more lines that can not be read")]


# -- order, step, gaps -------------------------------------------------------------------------


def _in_order(rows: list[_Row], name: str, notes: list[str], problems: list[Problem]) -> list[_Row]:
    """Sorted, each moment once; a moment with two values is a problem."""
    ordered = sorted(rows, key=lambda row: (row.start_s, row.line))
    if ordered != rows:
        notes.append("lines were out of order and have been sorted")
    kept: list[_Row] = []
    repeated = 0
    clashes: list[_Row] = []
    for row in ordered:
        if kept and kept[-1].start_s == row.start_s:
            repeated += 1
            if kept[-1].mw != row.mw:
                clashes.append(row)
            continue
        kept.append(row)
    if clashes:
        problems.append(_clash(clashes, name))
    elif repeated:
        notes.append(f"{repeated} lines stood there twice with the same value")
    return kept


def _clash(clashes: list[_Row], name: str) -> Problem:
    first = clashes[0]
    key = f"{name}:{first.line}"
    fault = f"{_show(first.start_s)} stands there twice, with two values ({len(clashes)} in all)"
    if all(_is_clock_change(row.start_s, autumn=True) for row in clashes):
        remedy = "that is the night the clocks go back: write UTC, or an offset on each line"
    else:
        remedy = "keep one of them"
    return Problem(key, fault, remedy)


def _step(rows: list[_Row], name: str, problems: list[Problem]) -> int:
    """The distance of most lines, or the length that start and end agree on."""
    if len(rows) < 2:
        problems.append(Problem(name, "has one moment only", "write a history of a week or more"))
        return 0
    starts = np.array([row.start_s for row in rows], np.int64)
    lengths = [row.end_s - row.start_s for row in rows if row.end_s is not None]
    step_s = int(np.median(lengths)) if lengths else int(np.median(np.diff(starts)))
    if not _STEPS_S[0] <= step_s <= _STEPS_S[1]:
        remedy = f"use steps of {_STEPS_S[0]} s to one day"
        problems.append(Problem(name, f"has a step of {step_s} s", remedy))
        return 0

    odd = [row for row in rows if row.end_s is not None and row.end_s - row.start_s != step_s]
    if odd:
        fault = f"lasts {(odd[0].end_s or 0) - odd[0].start_s} s, others {step_s} s"
        more = f" ({len(odd)} in all)"
        problems.append(Problem(f"{name}:{odd[0].line}", fault + more, "use one step throughout"))
    off = [row for row in rows if (row.start_s - rows[0].start_s) % step_s]
    if off:
        fault = f"{_show(off[0].start_s)} is between two steps of {step_s} s ({len(off)} in all)"
        problems.append(Problem(f"{name}:{off[0].line}", fault, "use one step throughout"))
    return step_s


def _on_grid(
    rows: list[_Row], step_s: int, name: str, notes: list[str], problems: list[Problem]
) -> Floats:
    """One value a step; 0 where nothing was written, or something below 0."""
    starts = np.array([row.start_s for row in rows], np.int64)
    places = (starts - starts[0]) // step_s
    steps = int(places[-1]) + 1
    # Before the array is made: a file with one wrong year asks for a billion steps.
    missing = steps - len(rows)
    if steps * step_s < _LEAST_DAYS * _DAY_S:
        days = steps * step_s / _DAY_S
        problems.append(Problem(name, f"covers {days:.1f} days", f"bring {_LEAST_DAYS} or more"))
    if missing > _MOST_MISSING * steps:
        fault = f"misses {missing:,} of {steps:,} steps, {_gaps(starts, step_s)}"
        remedy = f"with more than {_MOST_MISSING:.0%} missing the rest says little"
        problems.append(Problem(name, fault, remedy))
    if problems:
        return np.zeros(0)
    if missing:
        notes.append(f"{missing:,} of {steps:,} steps are missing and count as 0 MW: "
                     f"{_gaps(starts, step_s)}")  # fmt: skip

    mw = np.zeros(steps)
    mw[places] = [row.mw for row in rows]
    if below := int((mw < 0).sum()):
        notes.append(f"{below:,} values below 0 MW count as 0: no surplus")
    return np.maximum(mw, 0.0)


def _gaps(starts: Ints, step_s: int) -> str:
    """`2 gaps, the first at 2026-03-29 02:00`, and whether it is a clock change."""
    after = np.flatnonzero(np.diff(starts) > step_s)
    first = int(starts[after[0]]) + step_s
    text = f"{len(after)} gap{'' if len(after) == 1 else 's'}, the first at {_show(first)}"
    hours = np.diff(starts)[after] == 3600 + step_s
    if any(
        hour and _is_clock_change(int(starts[place]) + step_s, autumn=False)
        for hour, place in zip(hours, after, strict=True)
    ):
        text += "; an hour is missing in the night the clocks go forward: the times are not UTC"
    return text


def _is_clock_change(moment_s: int, *, autumn: bool) -> bool:
    """Whether clocks change there: last Sunday of March or October (EU), 2nd and 1st (US)."""
    day = datetime.fromtimestamp(moment_s, UTC)
    if day.weekday() != 6 or day.hour > 3:
        return False
    is_last = (day + timedelta(days=7)).month != day.month
    if autumn:
        return (day.month == 10 and is_last) or (day.month == 11 and day.day <= 7)
    return day.month == 3 and (is_last or 8 <= day.day <= 14)


def _show(moment_s: int) -> str:
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d %H:%M}"


def split_years(surplus: Surplus) -> tuple[Surplus, ...]:
    """A history of several years as so many years of 365 days; what is left over is dropped.

    A shorter one, or one whose step does not divide a day, stays whole.
    """
    steps = 365 * _DAY_S // surplus.step_s
    count = len(surplus.mw) // steps
    if count < 2 or _DAY_S % surplus.step_s:
        return (surplus,)
    return tuple(
        dataclasses.replace(
            surplus,
            start_s=surplus.start_s + year * steps * surplus.step_s,
            mw=surplus.mw[year * steps : (year + 1) * steps],
        )
        for year in range(count)
    )
