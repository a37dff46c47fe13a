"""What `baseload plan` reads: figures that replace the program's own, and fleets.

A figure is a number, and then it is certain, or a table with its range and origin:

    coin_price = 73300
    opex = { value = 20000, low = 15000, high = 30000, origin = "offer of 3 November" }

Amounts of money are in the plan's currency. A fleet file names rigs with counts, which together
are one fleet, or without any, and then each model is a candidate of its own, sized to the
surplus.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TypeVar

from stratum.config import values
from stratum.config.document import read_document
from stratum.config.table import Table
from stratum.config.values import Fault, shown
from stratum.errors import ConfigError
from stratum.power.economics.models import ModelRow, find
from stratum.power.figures import Given
from stratum.power.plan.fleet import Machine
from stratum.power.plan.inputs import Chain, Inputs, Money, Site, figures, rig_price

_Group = TypeVar("_Group", Chain, Site, Money)

_MOST_YEARS = 30

#: Figures that may be below 0, though nothing loses all it has; elsewhere that is a slip.
_LOWEST = {"difficulty_growth_percent": -99.0, "coin_growth_percent": -99.0}

#: What a rate of loss or a share can not exceed.
_SHARES = {
    "reserve_percent",
    "pool_fee_percent",
    "stale_percent",
    "tax_percent",
    "rig_residual_percent",
    "site_residual_percent",
    "kept_percent",
}

#: What divides something, or is a size that 0 makes meaningless.
_POSITIVE = {"block_interval_s", "difficulty_t", "coin_price", "overhead", "rig_life_years"}


#: What was so on the day `quoted`: another day with our figures would be neither's.
_QUOTED = ("height", "difficulty_t", "coin_price")


def read_figures(path: Path, inputs: Inputs) -> Inputs:
    """The inputs with the file's figures in place. Raises ConfigError with every problem."""
    root = Table(read_document(path))
    first_month = root.read("first_month", _month, inputs.first_month)
    years = root.read("years", values.whole(1, _MOST_YEARS), inputs.years)
    changed = dataclasses.replace(
        inputs,
        first_month=first_month,
        years=years,
        chain=_read_group(root.table("chain"), inputs.chain, path),
        site=_read_group(root.table("site"), inputs.site, path),
        money=_read_group(root.table("money"), inputs.money, path),
    )
    root.close()
    if root.problems:
        raise ConfigError(root.problems)
    return changed


def _read_group(table: Table, group: _Group, path: Path) -> _Group:
    changes: dict[str, object] = {
        name: table.read(name, _figure(name, given, path), given)
        for name, _, given in figures(group)
    }
    if isinstance(group, Chain):
        changes["quoted"] = table.read("quoted", _day, group.quoted)
        missing = [name for name in _QUOTED if not table.has(name)]
        if table.has("quoted") and table.sound("quoted") and missing:
            fault = f"is another day, without {', '.join(missing)} of that day"
            table.complain("quoted", fault, "write all of them, or none")
    table.close()
    return dataclasses.replace(group, **changes)  # type: ignore[arg-type]  # by name, checked above


def _figure(name: str, given: Given, path: Path) -> Callable[[object], Given]:
    """A converter for one figure: a number, or a table of value, low, high and origin."""
    lowest = _LOWEST.get(name, 0.0)
    check = _number(lowest, 100.0 if name in _SHARES else float("inf"), name in _POSITIVE)
    origin = f"the file {path}"

    def convert(value: object) -> Given:
        if not isinstance(value, dict):
            number = check(value)
            return Given(number, given.unit, origin, number, number)
        unknown = sorted(set(value) - {"value", "low", "high", "origin"})
        if unknown:
            raise Fault(f"has the key {shown(unknown[0])}", "known here: value, low, high, origin")
        if "value" not in value:
            raise Fault("has no value", "write { value = …, low = …, high = …, origin = … }")
        number = check(value["value"])
        low, high = check(value.get("low", number)), check(value.get("high", number))
        if not low <= number <= high:
            raise Fault(f"is {number:g} in a range of {low:g} to {high:g}", "order them")
        return Given(number, given.unit, values.text(value.get("origin", origin)), low, high)

    return convert


def _number(lowest: float, highest: float, above: bool) -> Callable[[object], float]:
    read = values.number(lowest, above=above)

    def convert(value: object) -> float:
        number = read(value)
        if number > highest:
            raise Fault(f"is {shown(value)}, too high", f"write {highest:g} at most")
        return number

    return convert


def _month(value: object) -> date:
    text = values.text(value)
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise Fault(f"is {shown(value)}, no month", 'write "2027-01"') from None


def _day(value: object) -> date:
    if type(value) is not date:  # a datetime is one too
        raise Fault(f"is {shown(value)}, no day", "write 2026-06-01, without quotes")
    return value


# -- fleets ------------------------------------------------------------------------------------


def read_fleet(path: Path, rows: Sequence[ModelRow], inputs: Inputs) -> tuple[Machine, ...]:
    """The file's rigs; count 0 is a candidate. Raises ConfigError with every problem."""
    root = Table(read_document(path))
    machines: list[Machine] = []
    counted: list[bool] = []
    tables = root.tables("rig")
    for table in tables:
        row = table.read("model", _known(rows), None, required=True, remedy="as in models.toml")
        counted.append(table.has("count"))
        count = table.read("count", values.whole(1), 0)
        price = table.read("price", values.number(0), None)
        table.close()
        if row is not None:
            machines.append(machine(row, inputs, count, price, str(path)))
    if not tables:
        root.complain("rig", "is missing", "write [[rig]] with a model above each row")
    elif any(counted) and not all(counted):
        where = counted.index(False)
        remedy = "count all of them for one fleet, or none to compare models"
        tables[where].complain("count", "is missing", remedy)
    root.close()
    if root.problems:
        raise ConfigError(root.problems)
    return tuple(machines)


def machine(
    row: ModelRow, inputs: Inputs, count: int = 0, price: float | None = None, origin: str = ""
) -> Machine:
    """A row of the table of models with a price: the one given, or one for its efficiency."""
    ths = row.ghs / 1000
    if price is None:
        given = rig_price(row.j_per_th, inputs).scaled(ths, inputs.currency)
    else:
        given = Given(price, inputs.currency, f"the file {origin}", price, price)
    return Machine(row.name, ths, row.watts, given, count, f"{row.source}, {row.date}")


def _known(rows: Sequence[ModelRow]) -> Callable[[object], ModelRow]:
    def convert(value: object) -> ModelRow:
        name = values.text(value)
        try:
            return find(rows, name)
        except LookupError as exc:
            raise Fault(f"is {shown(name)}", str(exc)) from exc

    return convert
