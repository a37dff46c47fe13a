"""How well the load follows: reserve × trim × surplus, scored against the twin.

`python -m bench.power_table` prints the table of issue 4 and writes it to build/. Each row is a run
in a process of its own, so that its memory is its own; `--jobs` of them at a time. The reserve to
ship is the smallest that keeps over-consumption within N9 on every surplus (over-consumption goes
before missed energy, that before error).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

from rich.console import Console
from rich.table import Table

from stratum.power.brain.dispatch import State, decide
from stratum.power.simulation.catalogue import CATALOGUE
from stratum.power.simulation.farms import Farm, Mix
from stratum.power.simulation.run import run
from stratum.power.simulation.scenario import Scenario
from stratum.power.simulation.score import Score, score
from stratum.power.twin.plants import PLANTS

BUILD = Path(__file__).parent.parent / "build"

SURPLUSES = (*(plant.name for plant in PLANTS), "ou-5", "ou-10")
RESERVES = (0.0, 1.0, 2.0, 3.0)
TRIMS = (0.0, 10.0, 20.0)

#: N9, issue 4's missed energy for fast firmware with trim and for the rest, N15's hard limit, and
#: what a core must do.
MOST_OVER, MOST_MISSED, MOST_MISSED_STOCK = 0.5, 2.0, 5.0
MOST_CYCLES, LEAST_SPEED, MOST_MB = 24.0, 60.0, 500.0


@dataclass(frozen=True, slots=True)
class Case:
    """One row."""

    surplus: str
    mix: Mix
    trim_percent: float
    reserve_percent: float
    rigs: int
    hours: float
    seed: int

    def scenario(self) -> Scenario:
        return replace(
            CATALOGUE[self.surplus],
            farm=Farm(self.mix, round(self.trim_percent * 100)),
            rigs=self.rigs,
            hours=self.hours,
        ).with_settings(reserve_bp=round(self.reserve_percent * 100))

    @property
    def most_missed(self) -> float:
        fast = self.mix is Mix.FAST and self.trim_percent > 0
        return MOST_MISSED if fast else MOST_MISSED_STOCK


Rows = list[tuple[Case, Score]]


def main() -> int:
    options = _options()
    cases = list(_cases(options))
    console = Console(stderr=True)
    rows: Rows = []
    with console.status("") as status:
        for case, judged in _judged(cases, options.jobs):
            rows.append((case, judged))
            status.update(f"{len(rows)} of {len(cases)} runs")
            _write(options.json, rows)

    rows.sort(key=lambda row: cases.index(row[0]))
    Console(width=None if sys.stdout.isatty() else 150).print(_table(rows))
    for line in _verdicts(rows):
        print(line)
    print(f"{options.hours:g} h of {options.rigs:,} rigs a row; all of it in {options.json}")
    return 0 if _is_fit(rows) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.power_table",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m bench.power_table --surplus ou-5 --rigs 1000 --hours 24",
    )
    parser.add_argument(
        "--surplus", action="append", choices=SURPLUSES, help="only this; may be repeated [all]"
    )
    parser.add_argument(
        "--reserve", action="append", type=float, metavar="PERCENT", help="[0, 1, 2 and 3]"
    )
    parser.add_argument(
        "--trim", action="append", type=float, metavar="PERCENT", help="[0, 10 and 20]"
    )
    parser.add_argument("--stock", action="store_true", help="also stock firmware, no trim [off]")
    parser.add_argument("--rigs", type=int, default=10_000, metavar="N", help="[10000]")
    parser.add_argument("--hours", type=float, default=24.0, metavar="H", help="each [24]")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="[1]")
    parser.add_argument("--jobs", type=int, default=2, metavar="J", help="at a time [2]")
    parser.add_argument("--json", type=Path, default=BUILD / "power_table.json", metavar="FILE")
    return parser.parse_args()


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    farms = [(Mix.FAST, trim) for trim in options.trim or TRIMS]
    farms += [(Mix.STOCK, 0.0)] if options.stock else []
    for surplus, (mix, trim), reserve in product(
        options.surplus or SURPLUSES, farms, options.reserve or RESERVES
    ):
        yield Case(surplus, mix, trim, reserve, options.rigs, options.hours, options.seed)


def _judged(cases: Iterable[Case], jobs: int) -> Iterator[tuple[Case, Score]]:
    """In the order in which they end."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=fresh, max_tasks_per_child=1) as pool:
        under_way = {pool.submit(judge, case): case for case in cases}
        for done in as_completed(under_way):
            yield under_way[done], done.result()


def judge(case: Case) -> Score:
    """One row, in whatever process this is."""
    return score(run(case.scenario(), decide, State.fresh, seed=case.seed))


# -- what is shown --------------------------------------------------------------------------


def _table(rows: Rows) -> Table:
    shown = Table(pad_edge=False)
    for name in ("surplus", "firmware"):
        shown.add_column(name)
    for name in (
        *("trim %", "reserve %", "over %", "missed %", "1 min %", "worst ½ h", "4 s %"),
        *("cycles", "p95", "most", "× real time", "decide ms", "MB"),
    ):
        shown.add_column(name, justify="right")
    before = None
    for case, judged in rows:
        if before not in (None, case.surplus):
            shown.add_section()
        before = case.surplus
        shown.add_row(
            case.surplus,
            str(case.mix),
            f"{case.trim_percent:g}",
            f"{case.reserve_percent:g}",
            _held(judged.over, MOST_OVER),
            _held(judged.missed, case.most_missed),
            f"{judged.rmse_1min:.2f}",
            f"{judged.rmse_1min_worst:.2f}",
            f"{judged.rmse_4s:.2f}",
            f"{judged.cycles_mean:.1f}",
            f"{judged.cycles_p95:.1f}",
            _held(judged.cycles_max, MOST_CYCLES),
            f"{judged.speed:,.0f}",
            f"{judged.decide_ms:.2f}",
            f"{judged.memory_mb:.0f}",
        )
    return shown


def _held(value: float, most: float) -> str:
    """An exclamation mark says the same as the colour, for a log file."""
    return f"{value:.2f}" if value <= most else f"[red]{value:.2f} ![/]"


def _verdicts(rows: Rows) -> Iterator[str]:
    """Per farm, the smallest reserve that keeps N9 everywhere, and what it costs."""
    farms = dict.fromkeys((case.mix, case.trim_percent) for case, _ in rows)
    for mix, trim in farms:
        name = f"{mix} firmware, {trim:g} % trim"
        for reserve in sorted({case.reserve_percent for case, _ in rows}):
            found = [
                (case, judged)
                for case, judged in rows
                if (case.mix, case.trim_percent, case.reserve_percent) == (mix, trim, reserve)
            ]
            if found and all(judged.over <= MOST_OVER for _, judged in found):
                missed = max(judged.missed for _, judged in found)
                error = max(judged.rmse_1min for _, judged in found)
                yield (
                    f"{name}: reserve {reserve:g} % keeps over-consumption within {MOST_OVER:g} %; "
                    f"at most {missed:.2f} % missed, {error:.2f} % error"
                )
                break
        else:
            yield f"{name}: no reserve of these keeps over-consumption within {MOST_OVER:g} %"


def _is_fit(rows: Rows) -> bool:
    """What holds for every row whatever its reserve: wear, speed, memory."""
    return all(
        judged.cycles_max <= MOST_CYCLES
        and judged.speed >= LEAST_SPEED
        and judged.memory_mb <= MOST_MB
        for _, judged in rows
    )


def _write(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    found = [{**asdict(case), **judged.as_dict()} for case, judged in rows]
    path.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    sys.exit(main())
