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

Curve = tuple[tuple[int, int], ...]

_MODEL_KEYS = ("name", "th_s", "watts", "idle_w", "curve", "source", "date")
_IDLE_KEYS = ("watts", "source", "date")
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
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError([Problem("models", f"is no TOML: {exc}")]) from exc

    problems: list[Problem] = []
    _unknown_keys(document, ("idle", "model"), "", problems)
    idle_w = _idle(document.get("idle"), problems)
    tables = document.get("model")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append(Problem("model", "is no list of tables", "write [[model]] above each row"))
        tables = []
    found = [_row(table, f"model[{at}]", idle_w, problems) for at, table in enumerate(tables)]
    rows = tuple(row for row in found if row is not None)
    problems += _twice(tables)
    if problems:
        raise ConfigError(problems)
    return rows


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


def _row(
    table: Mapping[str, object], key: str, idle_w: int, problems: list[Problem]
) -> ModelRow | None:
    """One row, or None and its problems."""
    before = len(problems)
    _unknown_keys(table, _MODEL_KEYS, f"{key}.", problems)
    name = _text(table, "name", key, problems)
    source = _text(table, "source", key, problems)
    date = _date(table, key, problems)
    watts = _positive(table, "watts", key, problems)
    th_s = _positive(table, "th_s", key, problems)
    if "idle_w" in table:
        idle_w = _watts(table["idle_w"], f"{key}.idle_w", problems)
    if watts and th_s and not _BEST_J_PER_TH <= watts / th_s <= _WORST_J_PER_TH:
        fault = f"{watts} W for {th_s} TH/s is {watts / th_s:.4g} J/TH"
        problems.append(Problem(f"{key}.watts", fault, "one of the two is in another unit"))
    curve = _curve(table, watts, th_s, idle_w, key, problems)
    return ModelRow(name, curve, idle_w, source, date) if len(problems) == before else None


def _curve(
    table: Mapping[str, object],
    watts: Decimal,
    th_s: Decimal,
    idle_w: int,
    key: str,
    problems: list[Problem],
) -> Curve:
    points: list[tuple[Decimal, Decimal]] = [(watts, th_s)]
    if "curve" in table:
        points = _points(table["curve"])
        if not points:
            example = "as [[1800, 108], [3500, 200]]"
            problems.append(Problem(f"{key}.curve", "is no list of [watts, TH/s]", example))
            return ()
        if watts and th_s and points[-1] != (watts, th_s):
            fault = f"ends at {points[-1][0]} W, {points[-1][1]} TH/s"
            problems.append(Problem(f"{key}.curve", fault, f"the row says {watts} W, {th_s} TH/s"))
            return ()
    if not all(w and h for w, h in points):
        return ()
    curve = tuple((round(w), round(h * 1000)) for w, h in points)
    if curve[0][0] <= idle_w:
        fault = f"{curve[0][0]} W at work, {idle_w} W asleep"
        problems.append(Problem(f"{key}.idle_w", fault, "give what it takes asleep"))
        return ()
    try:
        blocks_of(curve, idle_w)
    except ValueError as exc:
        problems.append(Problem(f"{key}.curve", str(exc), "watts and TH/s both rise"))
    return curve


def _points(value: object) -> list[tuple[Decimal, Decimal]]:
    """The pairs of a curve; none where anything in it is no pair of positive numbers."""
    if not isinstance(value, list):
        return []
    pairs = [tuple(_number(item) for item in pair) for pair in value if isinstance(pair, list)]
    sound = [(pair[0], pair[1]) for pair in pairs if len(pair) == 2 and all(pair)]
    return [(w, h) for w, h in sound if w and h] if len(sound) == len(value) else []


def _idle(value: object, problems: list[Problem]) -> int:
    if not isinstance(value, dict):
        problems.append(Problem("idle", "is missing", "[idle] with watts, source and date"))
        return 0
    _unknown_keys(value, _IDLE_KEYS, "idle.", problems)
    _text(value, "source", "idle", problems)
    _date(value, "idle", problems)
    return _watts(value.get("watts"), "idle.watts", problems)


def _twice(tables: Sequence[Mapping[str, object]]) -> list[Problem]:
    seen: dict[object, int] = {}
    problems = []
    for at, table in enumerate(tables):
        name = table.get("name")
        if not isinstance(name, str):
            continue
        if name in seen:
            fault = f"{name!r} is model[{seen[name]}] already"
            problems.append(Problem(f"model[{at}].name", fault))
        seen.setdefault(name, at)
    return problems


def _unknown_keys(
    table: Mapping[str, object], known: Sequence[str], path: str, problems: list[Problem]
) -> None:
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key[:60], known, n=1)
            meant = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
            problems.append(Problem(f"{path}{key[:60]}", "is no known key", meant))


def _text(table: Mapping[str, object], key: str, path: str, problems: list[Problem]) -> str:
    value = table.get(key)
    if isinstance(value, str) and value.strip():
        return value
    fault = "is missing" if value is None else f"is {value!r}, no text"
    problems.append(Problem(f"{path}.{key}", fault))
    return ""


def _date(table: Mapping[str, object], path: str, problems: list[Problem]) -> str:
    value = str(table.get("date", ""))  # TOML's own dates too
    if _DATE.fullmatch(value):
        return value
    fault = f"is {value!r}" if value else "is missing"
    problems.append(Problem(f"{path}.date", fault, 'when it was read, as "2026-11"'))
    return ""


def _positive(table: Mapping[str, object], key: str, path: str, problems: list[Problem]) -> Decimal:
    number = _number(table.get(key))
    if number is None:
        fault = f"is {table[key]}" if key in table else "is missing"
        problems.append(Problem(f"{path}.{key}", fault, "a number above 0"))
    return number or Decimal(0)


def _watts(value: object, path: str, problems: list[Problem]) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    fault = "is missing" if value is None else f"is {value}"
    problems.append(Problem(path, fault, "whole watts, 0 or more"))
    return 0


def _number(value: object) -> Decimal | None:
    """Above 0 and finite, or None."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    return number if number.is_finite() and number > 0 else None
