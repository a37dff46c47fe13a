"""The table of rigs: read from an operator's TOML, with every mistake in it at once.

Each row says who claims its figures and when that was read. Measured curves lie over the table:
a label is a promise, a meter is not. The caller reads the file; `config/models.toml` is the one
that comes with the program and says what each key means.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from stratum.errors import ConfigError, Problem
from stratum.power.brain.fleet import RigModel
from stratum.power.economics.blocks import blocks_of
from stratum.power.economics.reading import Reader, number_of

Curve = tuple[tuple[int, int], ...]

_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?", re.ASCII)

#: J/TH between a third of the best rig there is and ten of the first ASICs: outside, a unit is
#: wrong (kW for W, GH/s for TH/s).
_BEST_J_PER_TH = Decimal("3.6")
_WORST_J_PER_TH = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One row: watts at the wall, GH/s; `curve` is rising and ends at full power."""

    name: str
    curve: Curve
    idle_w: int
    source: str
    date: str
    is_measured: bool = False

    @property
    def watts(self) -> int:
        return self.curve[-1][0]

    @property
    def ghs(self) -> int:
        return self.curve[-1][1]

    @property
    def j_per_th(self) -> float:
        """For people."""
        return 1000 * self.watts / self.ghs

    def rig_model(self) -> RigModel:
        """What the brain needs of it."""
        return RigModel(self.name, self.curve, self.idle_w)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a site's own meter and shares say of a model; None where they say nothing."""

    curve: Curve
    source: str
    date: str
    idle_w: int | None = None


def parse_models(text: str) -> tuple[ModelRow, ...]:
    """Read the table. Raises ConfigError with every problem, keys as `model[2].watts`."""
    try:
        # Decimal: 13.5 TH/s is 13,500 GH/s, and not a float's idea of it.
        document = Reader(tomllib.loads(text, parse_float=Decimal), "", [])
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError([Problem("models", f"is no TOML: {exc}")]) from exc

    idle_w = _idle(document)
    readers = document.tables("model")
    rows = [_row(reader, idle_w) for reader in readers]
    _complain_of_twins(readers)
    document.close()
    if document.problems:
        raise ConfigError(document.problems)
    return tuple(row for row in rows if row is not None)


def overlay(rows: Sequence[ModelRow], measured: Mapping[str, Measured]) -> tuple[ModelRow, ...]:
    """The table with measured curves in place of claimed ones; models it lacks are added.

    Raises ValueError, naming the model, for a curve that does not rise above its idle watts.
    """
    by_name = {row.name: row for row in rows}
    for name, seen in measured.items():
        before = by_name.get(name)
        idle_w = seen.idle_w if seen.idle_w is not None else (before.idle_w if before else 0)
        try:
            blocks_of(seen.curve, idle_w)
        except ValueError as exc:
            raise ValueError(f"{name} as measured: {exc}") from exc
        row = ModelRow(name, seen.curve, idle_w, seen.source, seen.date, is_measured=True)
        by_name[name] = row if before is None else replace(row, name=before.name)
    return tuple(by_name.values())


def find(rows: Iterable[ModelRow], name: str) -> ModelRow:
    """The row of that name. Raises LookupError with what may have been meant."""
    by_name = {row.name: row for row in rows}
    if name in by_name:
        return by_name[name]
    wanted = name.casefold()
    close = [known for known in by_name if wanted in known.casefold()]
    close = close or difflib.get_close_matches(name[:60], by_name, n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(close[:4])}?" if close else f"there are {len(by_name)}"
    raise LookupError(f"no model is called {name[:60]!r}: {meant}")


def _idle(document: Reader) -> int:
    """The watts that a row without its own is asleep at; they too have a source."""
    table = document.value("idle")
    if not isinstance(table, dict):
        document.complain("idle", "is missing", "[idle] with watts, source and date")
        return 0
    reader = Reader(table, "idle", document.problems)
    idle_w = reader.whole("watts", "watts")
    reader.text("source")
    _date(reader)
    reader.close()
    return idle_w


def _row(reader: Reader, idle_w: int) -> ModelRow | None:
    """One row, or None and its problems."""
    before = len(reader.problems)
    name, source, date = reader.text("name"), reader.text("source"), _date(reader)
    watts, th_s = reader.number("watts", positive=True), reader.number("th_s", positive=True)
    if reader.has("idle_w"):
        idle_w = reader.whole("idle_w", "watts")
    points = _points(reader, watts, th_s)
    reader.close()
    if len(reader.problems) > before:
        return None

    if not _BEST_J_PER_TH <= watts / th_s <= _WORST_J_PER_TH:
        fault = f"{watts} W for {th_s} TH/s is {watts / th_s:.4g} J/TH"
        reader.complain("watts", fault, "one of the two is in another unit")
    curve = tuple((round(w), round(h * 1000)) for w, h in points)
    if curve[0][0] <= idle_w:
        fault = f"{curve[0][0]} W at work, {idle_w} W asleep"
        reader.complain("idle_w", fault, "give what it takes asleep")
        return None
    try:
        blocks_of(curve, idle_w)
    except ValueError as exc:
        reader.complain("curve", str(exc), "watts and TH/s both rise")
    return ModelRow(name, curve, idle_w, source, date) if len(reader.problems) == before else None


def _points(reader: Reader, watts: Decimal, th_s: Decimal) -> list[tuple[Decimal, Decimal]]:
    """Watts and TH/s of each level; without a curve the row's own."""
    value = reader.value("curve")
    if value is None:
        return [(watts, th_s)]
    points = _pairs(value)
    if not points:
        reader.complain("curve", "is no list of [watts, TH/s]", "as [[1800, 108], [3500, 200]]")
    elif points[-1] != (watts, th_s):
        ends = f"ends at {points[-1][0]} W, {points[-1][1]} TH/s"
        reader.complain("curve", ends, f"the row says {watts} W, {th_s} TH/s")
    return points


def _pairs(value: object) -> list[tuple[Decimal, Decimal]]:
    """The levels of a curve; none where anything in it is no pair of numbers."""
    pairs = []
    for item in value if isinstance(value, list) else []:
        numbers = [number_of(number) for number in item] if isinstance(item, list) else []
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
            return []
        pairs.append((numbers[0], numbers[1]))
    return pairs


def _date(reader: Reader) -> str:
    value = reader.value("date")
    date = "" if value is None else str(value)  # TOML's own dates too
    if _DATE.fullmatch(date):
        return date
    fault = "is missing" if value is None else f"is {date[:20]!r}"
    reader.complain("date", fault, 'when it was read, as "2026-11"')
    return ""


def _complain_of_twins(readers: Sequence[Reader]) -> None:
    first: dict[str, int] = {}
    for at, reader in enumerate(readers):
        name = reader.value("name")
        if isinstance(name, str) and first.setdefault(name, at) != at:
            reader.complain("name", f"{name!r} is model[{first[name]}] already")
