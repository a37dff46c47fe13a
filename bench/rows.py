"""The runs of DESIGN §6: each row a function from a Bench to its figures.

Servers run one after the other, never side by side: there is one core for them. Ours has
everything on: the log on a disk, vardiff, statistics, metrics scraped every second.

Blind shares carry any nonce. They are the cheapest load there is, and good at the lowest
difficulty of a test network, which one hash in 65,536 still misses. Vardiff would raise that
difficulty at once, so the tier's ceiling is its floor there: vardiff looks at every rig as often
as ever and is never granted its wish. Where rigs bring honest shares at an honest rate, there is
no ceiling.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import hashing
from bench import share_check
from bench.load import Load, Run, drive
from bench.metrics import grown, read_metrics
from bench.pool import FREE, PINNED
from bench.servers import Rival, floor, pool
from bench.table import FLOOR, OURS, Figure, Goal, Row
from stratum.ledger.reading import read
from stratum.ledger.records import RecordType, ShareRecord

Measure = Callable[[Run], float | None]


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the runs are; DESIGN's numbers unless asked for something quicker."""

    busy_rigs: int = 2_000
    tip_rigs: int = 10_000
    idle_rigs: int = 10_000
    many_rigs: int = 18_000
    seconds: float = 10.0
    many_seconds: float = 30.0
    tips: int = 5
    tip_pause: float = 3.0  # the full template follows the empty block, both to everyone


@dataclass(frozen=True, slots=True)
class Bench:
    """What the rows run on."""

    scale: Scale
    rival: Rival | None = None
    rival_alone: bool = False

    def runs(self, load: Load, *listen: str) -> dict[str, Run]:
        """The same load on every server."""
        found = {}
        for opened in () if self.rival_alone else (floor(), pool(*listen)):
            with opened as server:
                found[server.name] = drive(server, load)
        if self.rival is not None:
            flags = tuple(flag for flag in self.rival.flags if flag not in load.flags)
            load = replace(load, flags=load.flags + flags)
            found[self.rival.name] = drive(self.rival, load)
        return found


# -- rows ----------------------------------------------------------------------------------


def one_in_flight(bench: Bench) -> Row:
    return _closed_loop(bench, "a", 1, Goal(ratio=2.0))


def sixteen_in_flight(bench: Bench) -> Row:
    return _closed_loop(bench, "b", 16, Goal(most=4.0, ratio=7.0))


def _closed_loop(bench: Bench, key: str, window: int, goal: Goal) -> Row:
    scale = bench.scale
    load = Load(scale.busy_rigs, scale.seconds, window=window, flags=("--blind",))
    runs = bench.runs(load, *PINNED)
    title = f"{scale.busy_rigs:,} connections, {window} in flight, blind shares"
    figures = [
        _figure("CPU per share", "µs", runs, lambda run: run.cpu_us_per_share, goal),
        _figure("shares answered", "1/s", runs, lambda run: run.shares_per_second),
        _figure("CPU", "% of a core", runs, lambda run: run.cpu_percent),
        _figure("CPU of the load", "% of a core", runs, lambda run: run.load_percent),
        _figure("answer, p50", "ms", runs, lambda run: run.latency_ms("p50")),
        _figure("answer, p99", "ms", runs, lambda run: run.latency_ms("p99")),
    ]
    return Row(key, title, figures, _told(runs))


def share_alone(bench: Bench) -> Row:
    """In C, by the back end that would be chosen."""
    found = {row.backend: row for row in share_check.measure_all(min(bench.scale.seconds / 10, 1))}
    chosen = found[hashing.backend()]
    assert chosen.in_c_ns is not None
    figures = [
        Figure(
            "check in C, beside its SHA-256 compressions",
            "µs",
            {FLOOR: chosen.floor_ns / 1e3, OURS: chosen.in_c_ns / 1e3},
            Goal(most=1.6),
        )
    ]
    title = f"one share, {share_check.BRANCHES} branches, {chosen.backend}"
    return Row("c", title, figures, {name: row._asdict() for name, row in found.items()})


def tip_to_last(bench: Bench) -> Row:
    return _broadcast(bench, "d", "one payee", ())


def tip_to_last_of_addresses(bench: Bench) -> Row:
    return _broadcast(bench, "d2", "an address each", ("--addresses",))


def _broadcast(bench: Bench, key: str, kind: str, flags: tuple[str, ...]) -> Row:
    """Idle rigs: nothing delays the job but the job."""
    scale = bench.scale
    seconds = (scale.tips + 1) * scale.tip_pause + 1
    load = Load(scale.tip_rigs, seconds, flags=("--idle", *flags), tips=scale.tips)
    runs = bench.runs(load, *FREE)
    goal = Goal(ratio=1.25)
    figures = [
        _figure("tip there → last rig has it, median", "ms", runs, _last_ms(median), goal),
        _figure("tip there → last rig has it, worst", "ms", runs, _last_ms(max)),
        _figure("first rig → last rig, median", "ms", runs, _spread_ms, goal),
        _figure("tip known → last write, mean", "ms", runs, _send_ms, goal),
        _figure("rigs that had the last tip", "", runs, _reached),
    ]
    title = f"{scale.tips} new tips to {scale.tip_rigs:,} idle rigs, {kind}"
    return Row(key, title, figures, _told(runs))


def idle_memory(bench: Bench) -> Row:
    scale = bench.scale
    load = Load(scale.idle_rigs, max(scale.seconds / 2, 2.5), flags=("--idle",))
    runs = bench.runs(load, *FREE)
    figures = [
        _figure("RssAnon per connection", "bytes", runs, _memory, Goal(most=6 * 1024)),
    ]
    return Row("e", f"{scale.idle_rigs:,} idle authorized rigs", figures, _told(runs))


def many_rigs(bench: Bench) -> Row:
    scale = bench.scale
    load = Load(scale.many_rigs, scale.many_seconds, rate=0.33, tips=scale.tips)
    runs = bench.runs(load, *FREE)
    none, ratio = Goal(most=0), Goal(ratio=1.25)
    figures = [
        _figure(
            "answer outside tips, p99", "ms", runs, lambda run: run.latency_ms("p99"), Goal(20)
        ),
        _figure("answer outside tips, p99.9", "ms", runs, lambda run: run.latency_ms("p999")),
        _figure("wrong rejects", "", runs, lambda run: run.swarm["wrong_rejects"], none),
        _figure("unanswered", "", runs, lambda run: run.swarm["unanswered"], none),
        _figure("rigs dropped", "", runs, lambda run: run.swarm["disconnected"], none),
        _figure("CPU", "% of a core", runs, lambda run: run.cpu_percent, Goal(ratio=1.6)),
        _figure("CPU of the load", "% of a core", runs, lambda run: run.load_percent),
        _figure("first rig → last rig, median of tips", "ms", runs, _spread_ms, ratio),
        _figure("tip there → last rig, median", "ms", runs, _last_ms(median)),
        _figure("RssAnon per connection", "bytes", runs, _memory),
        _figure("shares answered", "1/s", runs, lambda run: run.shares_per_second),
    ]
    title = f"{scale.many_rigs:,} rigs at 0.33 share/s, {scale.many_seconds:g} s"
    return Row("f", title, figures, _told(runs))


def agreement(bench: Bench) -> Row:
    """One busy run with new tips in it; then three witnesses are asked what was answered."""
    scale = bench.scale
    load = Load(
        min(scale.busy_rigs, 500),
        scale.seconds,
        window=2,
        flags=("--blind", "--dialects", "mixed"),
        tips=min(scale.tips, 3),
    )
    with pool(*PINNED) as server:
        run = drive(server, load)
        server.stop()
        witnesses = {
            "swarm": _counts(run.swarm["shares"]),
            "metrics": _counts(_metric_verdicts(run.metrics)),
            "log": _counts(logged_verdicts(server.data_dir)),
        }
    figures = [
        Figure("shares that the swarm and /metrics count differently", "",
               {OURS: _apart(witnesses["swarm"], witnesses["metrics"])}, Goal(most=0)),
        Figure("shares that the swarm and the log count differently", "",
               {OURS: _apart(witnesses["swarm"], witnesses["log"])}, Goal(most=0)),
        Figure("accepted, by the log", "", {OURS: witnesses["log"].get("accepted", 0)}),
        Figure("refused, by the swarm", "",
               {OURS: run.shares - run.accepted}),
    ]  # fmt: skip
    return Row("g", "the same counts by verdict everywhere", figures, witnesses | _told_one(run))


ROWS: Mapping[str, Callable[[Bench], Row]] = {
    "a": one_in_flight,
    "b": sixteen_in_flight,
    "c": share_alone,
    "d": tip_to_last,
    "d2": tip_to_last_of_addresses,
    "e": idle_memory,
    "f": many_rigs,
    "g": agreement,
}


# -- figures -------------------------------------------------------------------------------


def _figure(
    what: str, unit: str, runs: Mapping[str, Run], measure: Measure, goal: Goal | None = None
) -> Figure:
    values = {name: measure(run) for name, run in runs.items()}
    known = {name: float(value) for name, value in values.items() if value is not None}
    return Figure(what, unit, known, goal)


def _last_ms(of: Callable[[list[float]], float]) -> Measure:
    return lambda run: of([tip.last_ms for tip in run.tips]) if run.tips else None


def _spread_ms(run: Run) -> float | None:
    return median([tip.spread_ms for tip in run.tips]) if run.tips else None


def _reached(run: Run) -> float | None:
    return run.tips[-1].rigs if run.tips else None


def _send_ms(run: Run) -> float | None:
    """What the server says itself: the floor of its send loop, ours in its histogram."""
    told = [tip.moved.send_seconds for tip in run.tips if tip.moved.send_seconds is not None]
    if told:
        return sum(told) / len(told) * 1e3
    histogram = "baseload_job_broadcast_seconds"
    count = grown(run.metrics_before, run.metrics, f"{histogram}_count")
    total = grown(run.metrics_before, run.metrics, f"{histogram}_sum")
    return total / count * 1e3 if count else None


def _memory(run: Run) -> float | None:
    return run.bytes_per_connection


def _metric_verdicts(text: str) -> dict[str, int]:
    prefix, suffix = 'baseload_shares_total{verdict="', '"}'
    return {
        name.removeprefix(prefix).removesuffix(suffix): int(value)
        for name, value in read_metrics(text).items()
        if name.startswith(prefix)
    }


def logged_verdicts(data_dir: Path) -> dict[str, int]:
    """What a log says of its shares: one record for each accepted one, counts of the others."""
    found: Counter[str] = Counter()
    for _, record in read(data_dir):
        if isinstance(record, ShareRecord):
            found["accepted"] += 1
        elif record.leaf.type is RecordType.REJECT:
            found.update(record.body["counts"])
    return found


def _counts(verdicts: Mapping[str, int]) -> dict[str, int]:
    return {verdict: count for verdict, count in sorted(verdicts.items()) if count}


def _apart(one: Mapping[str, int], other: Mapping[str, int]) -> int:
    return sum(abs(one.get(verdict, 0) - other.get(verdict, 0)) for verdict in {*one, *other})


# -- for the JSON --------------------------------------------------------------------------


def _told(runs: Mapping[str, Run]) -> dict[str, Any]:
    return {name: _told_one(run) for name, run in runs.items()}


def _told_one(run: Run) -> dict[str, Any]:
    return {
        "load": asdict(run.load),
        "swarm": run.swarm,
        "tips": [asdict(tip) for tip in run.tips],
        "cpu_percent": run.cpu_percent,
        "cpu_us_per_share": run.cpu_us_per_share,
        "bytes_per_connection": run.bytes_per_connection,
    }
