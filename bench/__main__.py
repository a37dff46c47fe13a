"""`python -m bench`: the rows of DESIGN §6, one after the other; a table, and JSON beside it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

import hashing
from bench.process import LOAD_CORE, SERVER_CORE, busy_percent
from bench.rows import ROWS, Bench, Scale
from bench.servers import BUILD, Rival
from bench.table import FLOOR, OURS, Row, as_json, table

#: Enough to see that everything runs end to end; the figures mean nothing.
QUICK = Scale(40, 60, 60, 60, seconds=1.0, many_seconds=2.0, tips=1, tip_pause=1.0)

_WIDTH = 120

#: Percent of a core that others may take before a latency is theirs as much as ours.
_QUIET = 10.0

#: Of the descriptors that one process may open, for its log, its sockets and its libraries.
_SPARE_DESCRIPTORS = 0.1


def main() -> int:
    options = _options()
    bench = Bench(_scale(options), _rival(options), options.rival_alone)
    console = Console(stderr=True)
    busy = busy_percent()
    rows: list[Row] = []
    for key in options.row or ROWS:
        with console.status(f"row {key}"):
            rows.append(ROWS[key](bench))
        _write(options.json, rows, busy)

    servers = [FLOOR, OURS] + ([bench.rival.name] if bench.rival else [])
    # A pipe or a log file has no width of its own.
    width = None if sys.stdout.isatty() else _WIDTH
    Console(width=width).print(table(rows, servers))
    print(f"{_machine_line()}; all of it in {options.json}")
    if busy > _QUIET:
        print(f"{busy:.0f} % of a core was busy with other things: trust CPU, not latencies")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog="example: python -m bench --row a --row b --rival stratum+tcp://127.0.0.1:3333",
    )
    parser.add_argument(
        "--row", action="append", choices=[*ROWS], help="only this one; may be repeated [all]"
    )
    parser.add_argument(
        "--quick", action="store_true", help="few rigs, one second each: a smoke test [off]"
    )
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="of load in each run [10; row f 30]"
    )
    parser.add_argument("--rigs", type=int, metavar="N", help="in row f [18,000, or what may be]")
    parser.add_argument("--tips", type=int, metavar="N", help="new tips in rows d and f [5]")
    parser.add_argument(
        "--rival", metavar="URL", help="a pool that somebody else has started [none]"
    )
    parser.add_argument("--rival-pid", type=int, metavar="PID", help="for its CPU time [unknown]")
    parser.add_argument(
        "--rival-tip", metavar="COMMAND", help="moves the tip of its node [its tips stay]"
    )
    parser.add_argument(
        "--rival-swarm", metavar="OPTIONS", default="", help="of its swarm, in one word [none]"
    )
    parser.add_argument(
        "--rival-alone", action="store_true", help="run neither floor nor baseload [off]"
    )
    parser.add_argument(
        "--json", type=Path, default=BUILD / "bench.json", metavar="FILE", help="[%(default)s]"
    )
    return parser.parse_args()


def _scale(options: argparse.Namespace) -> Scale:
    scale = QUICK if options.quick else Scale()
    most = int(resource.getrlimit(resource.RLIMIT_NOFILE)[1] * (1 - _SPARE_DESCRIPTORS))
    scale = replace(
        scale,
        tip_rigs=min(scale.tip_rigs, most),
        idle_rigs=min(scale.idle_rigs, most),
        many_rigs=min(options.rigs or scale.many_rigs, most),
    )
    if options.tips is not None:
        scale = replace(scale, tips=options.tips)
    if options.seconds:
        scale = replace(scale, seconds=options.seconds, many_seconds=options.seconds)
    return scale


def _rival(options: argparse.Namespace) -> Rival | None:
    if not options.rival:
        return None
    flags = tuple(shlex.split(options.rival_swarm))
    return Rival(options.rival, options.rival_pid, options.rival_tip, flags)


def _write(path: Path, rows: list[Row], busy: float) -> None:
    """After every row: what was measured survives what fails next."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"machine": _machine() | {"busy_percent": busy}, "rows": as_json(rows)}
    path.write_text(json.dumps(told, indent=2, default=str) + "\n")


def _machine() -> dict[str, Any]:
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "server_core": SERVER_CORE,
        "load_core": LOAD_CORE,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sha256_backend": hashing.backend(),
        "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
    }


def _machine_line() -> str:
    where = "one core for both" if SERVER_CORE == LOAD_CORE else "one core for each"
    return f"{_cpu_name()}, {where}, SHA-256 by {hashing.backend()}"


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
