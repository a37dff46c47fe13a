"""`baseload plan`: read what is asked, reckon, say it on the terminal and on a page."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table

import stratum
from stratum.config.plan import machine, read_figures, read_fleet
from stratum.errors import BaseloadError, ConfigError, Problem
from stratum.power.economics.currency import problem_of
from stratum.power.economics.models import ModelRow, parse_models
from stratum.power.figures import ASSUMED, Given
from stratum.power.plan import running, wording
from stratum.power.plan.examples import EXAMPLES, Example, synthesise
from stratum.power.plan.fleet import Fleet, Machine, in_merit_order, mw_for_fraction, sized
from stratum.power.plan.inputs import USD, Inputs, figures, in_currency
from stratum.power.plan.report import page
from stratum.power.plan.study import Study, study
from stratum.power.plan.surplus import Surplus, read_csv, split_years
from stratum.power.plan.tariff import Prices, flat, parse
from stratum.power.plan.verdict import Question

#: Compared where no fleet is given: old and cheap to new and dear, by model of the table.
CANDIDATES = (
    "Antminer S19j Pro+ 117T",
    "Antminer S19 XP 140T",
    "Antminer S21 200T",
    "Antminer S21 XP 270T",
    "Antminer S23 Hyd 580T",
)

#: Years drawn of an example: enough to differ, few enough to be quick.
_WEATHER_YEARS = 5

#: A fleet that takes half of the energy runs two or three times as long as one that takes it all.
DEFAULT_SIZE = "50%"

_MODELS = "config/models.toml"
_MOST_SAMPLES = 100_000
_MOST_YEARS = 30

#: For a surplus from a file, of whose price nothing is known.
_TARIFF = Given(20, f"{USD}/MWh", ASSUMED, 0, 40)


@dataclasses.dataclass(frozen=True, slots=True)
class PlanWish:
    """The command's options as they were given."""

    surplus: str
    fleet: Path | None = None
    size: str = DEFAULT_SIZE
    tariff: str | None = None
    figures: Path | None = None
    currency: str = USD
    years: int | None = None
    objective: str = "absorb"
    samples: int = 2000
    seed: int = 1
    models: Path | None = None
    out: Path | None = None


def plan(wish: PlanWish, *, as_json: bool = False, out: TextIO | None = None) -> int:
    """Answer it. Raises ConfigError with every problem of the options and files."""
    target = sys.stdout if out is None else out
    console = Console(stderr=True, highlight=False)
    question = read_wish(wish)
    with _patience(console):
        made = study(question)
    path = wish.out or (None if as_json else _report_path(question))
    if path is not None:
        try:
            path.write_text(page(made), "utf-8")
        except OSError as exc:
            raise BaseloadError(f"the report can't be written: {path}: {exc.strerror}") from exc
    if as_json:
        print(json.dumps(facts(made), indent=2), file=target, flush=True)
        return 0
    terminal = Console(file=target, highlight=False)
    _show(made, terminal)
    terminal.print(f"report: {escape(str(path))}", soft_wrap=True)
    return 0


def _patience(console: Console) -> AbstractContextManager[object]:
    return console.status("reckoning") if console.is_terminal else nullcontext()


def _report_path(question: Question) -> Path:
    return Path(f"plan-{Path(question.surplus[0].name).stem}.html")


# -- what is asked -----------------------------------------------------------------------------


def read_wish(wish: PlanWish) -> Question:
    """Raises ConfigError with the problems of every option and file at once."""
    problems: list[Problem] = []
    inputs = _inputs(wish, problems)
    surplus, example = _surplus(wish, problems)
    prices = _prices(wish, inputs, example, problems)
    rows = _models(wish, problems)
    size = _size(wish.size, problems)
    for key, value, most in (("--samples", wish.samples, _MOST_SAMPLES),
                             ("--years", wish.years or 1, _MOST_YEARS)):  # fmt: skip
        if not 1 <= value <= most:
            problems.append(Problem(key, f"is {value}", f"use 1 to {most:,}"))
    if wish.objective not in ("absorb", "profit"):
        problems.append(Problem("--objective", f"is {wish.objective!r}", "absorb or profit"))
    fleets: tuple[Fleet, ...] = ()
    if rows:
        machines = _machines(wish, rows, inputs, problems)
        if surplus and size and machines:
            fleets = _fleets(wish, machines, surplus, size, inputs)
    if problems or prices is None:
        raise ConfigError(problems)
    return Question(
        surplus,
        fleets,
        prices,
        _with_co2(inputs, example),
        wish.objective == "profit",
        wish.samples,
        wish.seed,
    )


def _inputs(wish: PlanWish, problems: list[Problem]) -> Inputs:
    """Our own figures in the currency wished for, and over them the file's."""
    inputs = Inputs()
    code, _, rate = wish.currency.partition("=")
    problem = problem_of(code, "--currency")
    if problem:
        problems.append(problem)
    elif code != USD or rate:
        per_usd = _rate(code, rate, problems)
        inputs = in_currency(inputs, code, per_usd)
    if wish.figures is not None:
        try:
            inputs = read_figures(wish.figures, inputs)
        except ConfigError as exc:
            problems += _in_file(wish.figures, exc)
    if wish.years is not None and 1 <= wish.years <= _MOST_YEARS:
        inputs = dataclasses.replace(inputs, years=wish.years)
    return inputs


def _rate(code: str, written: str, problems: list[Problem]) -> float:
    try:
        rate = float(written)
    except ValueError:
        rate = math.nan
    if 0 < rate < math.inf:
        return rate
    fault = f"{code} has no rate" if not written else f"{written!r} is no rate"
    problems.append(
        Problem("--currency", fault, f"write {code}=0.86 for 0.86 {code} to the dollar")
    )
    return 1.0


def _surplus(wish: PlanWish, problems: list[Problem]) -> tuple[tuple[Surplus, ...], Example | None]:
    example = EXAMPLES.get(wish.surplus)
    if example is not None:
        return synthesise(example, wish.seed, _WEATHER_YEARS), example
    path = Path(wish.surplus)
    known = ", ".join(EXAMPLES)
    if not path.exists() and not path.suffix:
        problems.append(Problem(wish.surplus, "is no example and no file", f"there are {known}"))
        return (), None
    try:
        return split_years(read_csv(path.read_text("utf-8-sig"), path.name)), None
    except OSError as exc:
        remedy = f"name a CSV file, or one of {known}"
        problems.append(Problem(wish.surplus, f"can't be read: {exc.strerror}", remedy))
    except UnicodeDecodeError:
        problems.append(Problem(wish.surplus, "is not UTF-8 text", "save it as UTF-8 CSV"))
    except ConfigError as exc:
        problems += exc.problems
    return (), None


def _prices(
    wish: PlanWish, inputs: Inputs, example: Example | None, problems: list[Problem]
) -> Prices | None:
    if wish.tariff is None:
        rate = example.tariff if example else _TARIFF
        return flat(rate.scaled(inputs.per_usd, rate.unit.replace(USD, inputs.currency)))
    try:
        return parse(wish.tariff, inputs.currency)
    except ConfigError as exc:
        problems += exc.problems
        return None


def _models(wish: PlanWish, problems: list[Problem]) -> tuple[ModelRow, ...]:
    """The table of rigs: the file named, else the one beside the config, else our own."""
    package = Path(stratum.__file__).parent
    own = (package / "power" / "economics" / "models.toml", package.parent / _MODELS)
    places = [wish.models] if wish.models else [Path(_MODELS), *own]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        problems.append(Problem("--models", f"{places[0]} is no file", "name a table of rigs"))
        return ()
    try:
        return parse_models(path.read_text("utf-8"))
    except UnicodeDecodeError:
        problems.append(Problem(str(path), "is not UTF-8 text", "save it as UTF-8"))
    except ConfigError as exc:
        problems += exc.problems
    return ()


def _machines(
    wish: PlanWish, rows: tuple[ModelRow, ...], inputs: Inputs, problems: list[Problem]
) -> tuple[Machine, ...]:
    if wish.fleet is None:
        return tuple(machine(row, inputs) for row in rows if row.name in CANDIDATES) or tuple(
            machine(row, inputs) for row in rows[-len(CANDIDATES) :]
        )
    try:
        return read_fleet(wish.fleet, rows, inputs)
    except ConfigError as exc:
        problems += _in_file(wish.fleet, exc)
        return ()


def _in_file(path: Path, error: ConfigError) -> list[Problem]:
    """Its problems, each with the file before the key: two files may be wrong at once."""
    return [
        problem
        if problem.key == str(path)  # the file as a whole
        else dataclasses.replace(problem, key=f"{path.name}: {problem.key}")
        for problem in error.problems
    ]


def _size(written: str, problems: list[Problem]) -> tuple[float, bool] | None:
    """The number, and whether it is a part of the surplus (else MW at the meter)."""
    text = written.strip()
    is_part = text.endswith("%")
    try:
        number = float(text.removesuffix("%").upper().removesuffix("MW"))
    except ValueError:
        number = math.nan
    if 0 < number < (100 if is_part else math.inf):
        return (number / 100 if is_part else number), is_part
    fault = f"is {written!r}"
    if is_part and number >= 100:
        fault += ": only a fleet as large as the highest peak takes all of it"
    problems.append(Problem("--size", fault, "write 50% of the surplus, or 40MW"))
    return None


def _fleets(
    wish: PlanWish,
    machines: tuple[Machine, ...],
    surplus: tuple[Surplus, ...],
    size: tuple[float, bool],
    inputs: Inputs,
) -> tuple[Fleet, ...]:
    if machines[0].count:
        return (in_merit_order(wish.fleet.stem if wish.fleet else "fleet", machines),)
    amount, is_part = size
    mw = np.concatenate([year.mw for year in surplus])
    site_mw = mw_for_fraction(mw, amount) if is_part else amount
    return tuple(sized(one, site_mw, inputs.site.overhead.value) for one in machines)


def _with_co2(inputs: Inputs, example: Example | None) -> Inputs:
    """An example knows what its power emits; a figure of the operator's own stands."""
    if example is None or inputs.site.co2_kg_per_mwh != Inputs().site.co2_kg_per_mwh:
        return inputs
    site = dataclasses.replace(inputs.site, co2_kg_per_mwh=example.co2_kg_per_mwh)
    return dataclasses.replace(inputs, site=site)


# -- what people and scripts see ---------------------------------------------------------------


def _show(made: Study, console: Console) -> None:
    """The answer and what it rests on stand above the tables."""
    console.print(escape(wording.answer(made)), style="bold")
    for caveat in wording.caveats(made):
        console.print(escape(f"- {caveat}"), style="yellow")
    console.print(escape(wording.earnings_in_words(made)))
    console.print(escape(wording.size_in_words(made)))
    console.print()
    table = Table(box=None, pad_edge=False)
    for head in ("", "P10", "P50", "P90", ""):
        table.add_column(head, justify="right" if head else "left", header_style="dim")
    for row in made.rows:
        cells = (wording.row_value(row, value) for value in row.values)
        table.add_row(row.label, *cells, row.unit)
    console.print(table)
    if len(made.candidates) > 1:
        console.print()
        console.print(_compared(made))
        code = made.question.inputs.currency
        console.print(
            f"Tariffs, {code}/MWh: even at, where building it is worth nothing; runs to, where it "
            f"just earns its power in the first month. {escape(wording.running_in_words(made))}"
        )
    console.print()


def _compared(made: Study) -> Table:
    code = made.question.inputs.currency
    inputs = made.question.inputs
    first = float(running.hashprices(inputs, made.calendar)[0])
    table = Table(box=None, pad_edge=False)
    for head in ("fleet", "rigs", "MW", f"NPV, {code}", "payback", "even at", "runs to"):
        justify: JustifyMethod = "left" if head == "fleet" else "right"
        table.add_column(head, justify=justify, header_style="dim", no_wrap=True)
    for verdict in made.candidates:
        table.add_row(
            escape(verdict.fleet.name),
            wording.number(verdict.fleet.rigs),
            wording.number(verdict.fleet.rig_mw, 1),
            wording.compact(verdict.npv),
            wording.number(verdict.payback_years, 1),
            wording.number(verdict.break_even, 1),
            wording.number(running.runs_up_to(inputs, verdict.fleet, first), 1),
        )
    return table


def facts(made: Study) -> dict[str, Any]:
    """The study for scripts. What is infinite or does not exist is null."""
    question, best = made.question, made.best
    inputs = question.inputs
    first = float(running.hashprices(inputs, made.calendar)[0])
    return {
        "answer": wording.answer(made),
        "caveats": list(wording.caveats(made)),
        "profitable": best.is_profitable,
        "chance_of_profit": made.chance_of_profit,
        "currency": inputs.currency,
        "surplus": question.surplus[0].name,
        "months": [made.calendar.labels[0], made.calendar.labels[-1]],
        "break_even_tariff_per_mwh": _known(best.break_even),
        "break_even_fleet_mw": made.largest_mw,
        "break_even_j_per_th": _known(
            running.pays_up_to(inputs, float(best.cash.tariff[0]), first)
        ),
        "percentiles": [
            {"name": row.label, "unit": row.unit,
             **{f"p{part}": _known(value)
                for part, value in zip((10, 50, 90), row.values, strict=True)}}
            for row in made.rows
        ],
        "fleets": [
            {"name": verdict.fleet.name, "rigs": verdict.fleet.rigs, "mw": verdict.fleet.rig_mw,
             "investment": verdict.cash.invested, "npv": verdict.npv,
             "irr_percent": _known(verdict.irr_percent),
             "payback_years": _known(verdict.payback_years),
             "break_even_tariff_per_mwh": _known(verdict.break_even),
             "runs_up_to_tariff_per_mwh": running.runs_up_to(inputs, verdict.fleet, first)}
            for verdict in made.candidates
        ],
        "sensitivity": [
            {"name": bar.label, "npv_at_low": bar.at_low, "npv_at_high": bar.at_high}
            for bar in made.bars
        ],
        "inputs": [
            {"name": name, "label": label, **_figure(given)}
            for group in (inputs.chain, inputs.site, inputs.money)
            for name, label, given in figures(group)
        ] + [{"name": "tariff", "label": "tariff", **_figure(question.prices.rate)}],
        "notes": list(question.surplus[0].notes),
    }  # fmt: skip


def _figure(given: Given) -> dict[str, Any]:
    return {
        "value": given.value,
        "low": given.low,
        "high": given.high,
        "unit": given.unit,
        "origin": given.origin,
        "assumed": given.is_assumed,
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
