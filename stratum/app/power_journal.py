"""`baseload power replay` and `export`: what a journal says, shown, proved and settled.

The brain that replays is the one that runs: `stratum.power.brain.dispatch`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

from stratum.app.progress import bar
from stratum.power.journal.chain import JournalDamaged
from stratum.power.journal.reading import Proof, expand, records
from stratum.power.journal.records import Record, RecordKind, Tick, Unreadable, utc_text
from stratum.power.journal.replay import Decide, Replayed, replay
from stratum.power.settlement.baselines import Baseline
from stratum.power.settlement.exports import export, megawatts
from stratum.power.words import counted

_Passing = Callable[[Iterable[Record]], Iterator[Record]]

S = TypeVar("S")


def show(paths: Sequence[Path], *, as_json: bool) -> None:
    """A line for each tick that had something to say: what was asked, what was done, why."""
    for record in records(expand(paths), torn_is_end=True):
        if record.kind is RecordKind.TICK:
            tick: Tick = record.payload()
            if tick.reasons or len(tick.commands) or tick.inputs.orders:
                print(_told_as_json(record, tick) if as_json else _told(record, tick))
        elif not as_json and record.kind is not RecordKind.SNAPSHOT:
            print(f"{utc_text(record.header.t_utc_ms)} {record.kind.value}")


def verify(
    paths: Sequence[Path],
    state: type[S],
    decide: Decide[S],
    *,
    key: bytes | None = None,
    as_json: bool,
) -> bool:
    """Check the chain and decide again upon all of it; whether both held."""
    files = expand(paths)
    proof = Proof(key)
    replayed: Replayed[S] | None = None
    fault: Exception | None = None
    try:
        with _progress(files, "replaying") as passed:
            found = passed(proof.through(records(files)))
            replayed = replay(found, state, decide)
    except (JournalDamaged, Unreadable) as exc:
        fault = exc

    is_good = fault is None and replayed is not None and replayed.difference is None
    print(
        json.dumps(_as_json(proof, replayed, fault), indent=2)
        if as_json
        else _report(proof, replayed, fault)
    )
    return is_good and proof.counts[RecordKind.TICK] > 0


def settle(
    paths: Sequence[Path], out: Path, minutes: int, baseline: Baseline, *, as_json: bool
) -> None:
    """Write intervals.csv, events.csv and rigs.csv."""
    files = expand(paths)
    with _progress(files, "settling") as passed:
        found = passed(records(files, torn_is_end=True))
        done = export(found, out, minutes * 60_000, baseline)
    if as_json:
        print(json.dumps(dataclasses.asdict(done) | {"head": done.head.hex()}, indent=2))
        return
    print(
        f"{out}: {counted(done.intervals, 'interval')}, {counted(done.events, 'event')},"
        f" {counted(done.rigs, 'row')} of rigs\n"
        f"energy {done.energy_wh / 1e6:.3f} MWh, journal head {done.head.hex()}"
    )


def _told(record: Record, tick: Tick) -> str:
    picture = tick.picture
    load = megawatts(picture.measured_w) or "unknown"
    line = (
        f"{utc_text(record.header.t_utc_ms)} target {megawatts(picture.target_w)} MW,"
        f" load {load} MW, {len(tick.commands)} commands"
    )
    reasons = (f"{reason.subject or 'site'}: {reason.text}" for reason in tick.reasons)
    return "\n    ".join((line, *reasons))


def _told_as_json(record: Record, tick: Tick) -> str:
    return json.dumps(
        {
            "seq": record.header.seq,
            "time": utc_text(record.header.t_utc_ms),
            "tick": tick.inputs.tick,
            "picture": dataclasses.asdict(tick.picture),
            "commands": len(tick.commands),
            "reasons": [dataclasses.asdict(reason) for reason in tick.reasons],
        }
    )


def _report(proof: Proof, replayed: Replayed[Any] | None, fault: Exception | None) -> str:
    """The verdict first, then what it rests on."""
    ticks = proof.counts[RecordKind.TICK]
    if fault is not None:
        lines = [str(fault), f"{proof.counts.total()} records before it are whole"]
    elif not ticks or replayed is None:
        lines = ["there is no tick in it"]
    elif replayed.difference is not None:
        lines = [f"not the same decisions: {replayed.difference}"]
    else:
        lines = [f"{counted(replayed.ticks, 'tick')} decided again, all of them the same"]
        if replayed.skipped:
            lines.append(f"before the first snapshot: {counted(replayed.skipped, 'tick')}")
    if proof.first is not None and proof.last is not None:
        signed = ", ".join(f"{n} by {key.hex()}" for key, n in proof.signed.items())
        lines += [
            f"from {utc_text(proof.first.header.t_utc_ms)}"
            f" to {utc_text(proof.last.header.t_utc_ms)}",
            f"head {proof.head.hex()} record {proof.last.header.seq}",
            f"checkpoints: {signed or 'none (a simulation has no key to sign with)'}",
        ]
    lines += [
        f"record {step.seq}: a start at {utc_text(step.to_ms)}, which is before the record in front"
        f" of it ({utc_text(step.from_ms)}): was the clock set, or are these two runs?"
        for step in proof.steps_back
    ]
    if proof.bytes_per_day is not None:
        lines.append(f"{proof.size / 1e6:.1f} MB, {proof.bytes_per_day / 1e6:.0f} MB a day")
    return "\n".join(lines)


def _as_json(
    proof: Proof, replayed: Replayed[Any] | None, fault: Exception | None
) -> dict[str, Any]:
    difference = replayed.difference if replayed else None
    return {
        "ok": fault is None and difference is None and proof.counts[RecordKind.TICK] > 0,
        "fault": None if fault is None else str(fault),
        "difference": None if difference is None else dataclasses.asdict(difference),
        "ticks": proof.counts[RecordKind.TICK],
        "replayed": replayed.ticks if replayed else 0,
        "skipped": replayed.skipped if replayed else 0,
        "records": proof.counts.total(),
        "head": proof.head.hex(),
        "signed": {key.hex(): count for key, count in proof.signed.items()},
        "steps_back": [dataclasses.asdict(step) for step in proof.steps_back],
        "bytes": proof.size,
        "bytes_per_day": proof.bytes_per_day,
    }


@contextmanager
def _progress(files: Sequence[Path], doing: str) -> Iterator[_Passing]:
    """A bar over the bytes of these files, moved by the records that pass."""
    sizes = [path.stat().st_size for path in files]
    before = dict(zip(files, accumulate(sizes, initial=0), strict=False))
    with bar(doing, sum(sizes)) as done:

        def passing(found: Iterable[Record]) -> Iterator[Record]:
            for record in found:
                done(before[record.path] + record.offset)
                yield record

        yield passing
