"""Three CSV files from a journal, read once from front to back and never in memory whole.

    intervals.csv   the site, a row an interval
    events.csv      a row an order
    rigs.csv        a row a rig and interval

Each ends with a comment that names the journal's head: the same journal gives the same files, and
whoever holds the hash can tell. They appear under their names when they are complete.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stratum.errors import BaseloadError
from stratum.power.brain.fleet import Fleet
from stratum.power.journal.records import Record, RecordKind, Tick, utc_text
from stratum.power.settlement.baselines import Baseline
from stratum.power.settlement.events import Event, Events
from stratum.power.settlement.intervals import Interval, Intervals
from stratum.power.settlement.rigs import RigRow, Rigs

INTERVALS = (
    "start_utc end_utc ordered_mw baseline_mw metered_mw delivered_mw energy_wh"
    " absorbed_inside_surplus_wh outside_wh shares_mw_est quality event_id"
).split()
EVENTS = (
    "kind source event_id received_utc decided_utc ended_utc target_mw t10_s t95_s delivered_mw"
    " score override"
).split()
RIGS = "rig owner feeder interval_utc wh work j_per_th cycles state witnesses".split()

#: An offset of the wall clock beyond this is told in the files (N24), ms.
CLOCK_FLAG_MS = 500


class NothingToExport(BaseloadError):
    """The journal holds no tick."""


@dataclass(frozen=True, slots=True)
class Exported:
    """Rows of each file; `head` is the journal's."""

    intervals: int
    events: int
    rigs: int
    energy_wh: int
    ticks: int
    head: bytes


def export(
    found: Iterable[Record], directory: Path, interval_ms: int, baseline: Baseline
) -> Exported:
    """Write the files. Raises what the records raise, NothingToExport, OSError for the disk."""
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        sheets = {
            name: stack.enter_context(_Sheet(directory / f"{name}.csv", columns))
            for name, columns in (("intervals", INTERVALS), ("events", EVENTS), ("rigs", RIGS))
        }
        books = _Books(interval_ms, baseline, sheets)
        last: Record | None = None
        for record in found:
            books.take(record)
            last = record
        if last is None or not books.ticks:
            raise NothingToExport("there is no tick in the journal")
        books.finish()
        notes = [*books.notes, f"journal head {last.hash.hex()} record {last.header.seq}"]
        for sheet in sheets.values():
            sheet.finish(notes)
    return Exported(
        sheets["intervals"].rows,
        sheets["events"].rows,
        sheets["rigs"].rows,
        books.energy_wh,
        books.ticks,
        last.hash,
    )


class _Sheet:
    """A CSV file that takes its name only once it is complete."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.rows = 0
        self._path = path
        self._part = path.with_suffix(".csv.part")
        self._columns = columns

    def __enter__(self) -> _Sheet:
        self._file = self._part.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(self._columns)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def write(self, row: Sequence[Any]) -> None:
        self._writer.writerow(row)
        self.rows += 1

    def finish(self, notes: Iterable[str]) -> None:
        self._file.writelines(f"# {note}\n" for note in notes)
        self._file.flush()
        os.fsync(self._file.fileno())
        os.replace(self._part, self._path)


class _Books:
    """The three accounts, carried through restarts, changes and days."""

    def __init__(self, interval_ms: int, baseline: Baseline, sheets: dict[str, _Sheet]) -> None:
        self._interval_ms = interval_ms
        self._baseline = baseline
        self._sheets = sheets
        self._fleet_hash = self._boot_id = b""
        self._fleet: Fleet | None = None
        self._intervals: Intervals | None = None
        self._events: Events | None = None
        self._rigs: Rigs | None = None
        self._rigs_until = 0
        self._wall_ms = 0
        self.notes: list[str] = []
        self.ticks = self.energy_wh = 0

    def take(self, record: Record) -> None:
        match record.kind:
            case RecordKind.START | RecordKind.CHANGE:
                self._begin(record.payload())
                self._note_start(record)
            case RecordKind.GAP:
                gap = record.payload()
                self.notes.append(
                    f"{utc_text(record.header.t_utc_ms)} {gap.ticks} ticks were not kept:"
                    f" {gap.cause}"
                )
            case RecordKind.TICK:
                self._tick(record.payload())

    def finish(self) -> None:
        if self._events is not None:
            for event in self._events.finish(self._wall_ms):
                self._sheets["events"].write(_event_row(event))
        if self._intervals is not None:
            for interval in self._intervals.finish():
                self._write_interval(interval)
        if self._rigs is not None:
            self._write_rigs(self._rigs, self._wall_ms, self._wall_ms)

    def _begin(self, begun: Any) -> None:
        """Accounts go on through restarts and changes; with another inventory each rig's begin
        anew, in the middle of their interval."""
        if self._intervals is None or self._events is None:
            self._intervals = Intervals(
                self._interval_ms, begun.fleet, begun.settings, self._baseline
            )
            self._events = Events(begun.fleet.total_w)
        else:
            self._intervals.carry(begun.fleet, begun.settings)
            self._events.carry(begun.fleet.total_w)
        if begun.fleet_hash != self._fleet_hash and self._rigs is not None:
            self._write_rigs(self._rigs, self._wall_ms, self._wall_ms)
            self._rigs = None
        self._fleet_hash, self._fleet = begun.fleet_hash, begun.fleet

    def _tick(self, tick: Tick) -> None:
        if self._fleet is None or self._intervals is None or self._events is None:
            return
        inputs = tick.inputs
        self.ticks += 1
        self._close_rigs(self._fleet, inputs.wall_ms)
        self._wall_ms = max(self._wall_ms, inputs.wall_ms)
        for event in self._events.take(inputs, tick.picture):
            self._sheets["events"].write(_event_row(event))
        for interval in self._intervals.take(inputs, tick.picture, self._events.running):
            self._write_interval(interval)
        if self._rigs is not None:
            self._rigs.take(inputs, tick.commands)

    def _close_rigs(self, fleet: Fleet, wall_ms: int) -> None:
        """Telemetry is counted when it arrives: an interval of rigs ends with the first tick of
        the next one."""
        start = wall_ms - wall_ms % self._interval_ms
        if self._rigs is None:
            self._rigs = Rigs(fleet, start)
        elif wall_ms < self._rigs_until:
            return
        else:
            self._write_rigs(self._rigs, self._rigs_until, start)
        self._rigs_until = start + self._interval_ms

    def _write_rigs(self, rigs: Rigs, end_ms: int, next_ms: int) -> None:
        for rig in rigs.close(end_ms, next_ms):
            self._sheets["rigs"].write(_rig_row(rig))

    def _write_interval(self, interval: Interval) -> None:
        self.energy_wh += interval.energy_wh or 0
        self._sheets["intervals"].write(_interval_row(interval))

    def _note_start(self, record: Record) -> None:
        header = record.header
        if header.boot_id != self._boot_id and self._rigs is not None:
            self._rigs.rebooted()
        self._boot_id = header.boot_id
        if header.kind is not RecordKind.START:
            return
        offset = record.payload().clock_offset_ms
        if offset is not None and abs(offset) > CLOCK_FLAG_MS:
            when = utc_text(header.t_utc_ms)
            self.notes.append(f"{when} the wall clock was {offset} ms off")


def _interval_row(interval: Interval) -> list[Any]:
    return [
        utc_text(interval.start_ms),
        utc_text(interval.end_ms),
        megawatts(interval.ordered_w),
        megawatts(interval.baseline_w),
        megawatts(interval.metered_w),
        megawatts(interval.delivered_w),
        interval.energy_wh,
        interval.inside_wh,
        interval.outside_wh,
        megawatts(interval.shares_w),
        interval.quality.value,
        interval.event_id,
    ]


def _event_row(event: Event) -> list[Any]:
    return [
        event.kind,
        event.source,
        event.event_id,
        None if event.received_ms is None else utc_text(event.received_ms),
        utc_text(event.decided_ms),
        utc_text(event.ended_ms),
        megawatts(event.target_w),
        decimal(event.t10_ms, 3),
        decimal(event.t95_ms, 3),
        megawatts(event.delivered_w),
        decimal(event.score_bp, 4),
        event.override,
    ]


def _rig_row(row: RigRow) -> list[Any]:
    return [
        row.rig,
        row.owner,
        row.feeder,
        utc_text(row.start_ms),
        row.wh,
        decimal(row.work, 3),
        decimal(row.mj_per_th, 3),
        row.cycles,
        row.state,
        row.witnesses,
    ]


def megawatts(watts: int | None) -> str | None:
    return decimal(watts, 6)


def decimal(value: int | None, places: int) -> str | None:
    """A whole number of 10^-places, written out exactly."""
    if value is None:
        return None
    sign = "-" if value < 0 else ""
    whole, rest = divmod(abs(value), 10**places)
    return f"{sign}{whole}.{rest:0{places}}"
