"""The same `decide` on the same inputs must decide the same: tick by tick, or the first difference.

A replay begins at the first snapshot that it meets and carries its own state from there. Where a
later snapshot continues the run, the two states must agree; where it does not (after a gap, a
restart or a change of inventory) the snapshot's is taken. So a difference means one of two things:
another program, or a journal that does not say what happened.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Settings
from stratum.power.brain.values import Inputs
from stratum.power.journal import digest
from stratum.power.journal.encoding import codec_of
from stratum.power.journal.recorder import Decided
from stratum.power.journal.records import CONTINUED, Record, Snapshot, Tick, Unreadable

S = TypeVar("S")

Decide = Callable[[S, Inputs, Settings, Fleet], Decided[S]]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a replay left the journal: `field` as Python would write it."""

    seq: int
    tick: int
    field: str
    recorded: str
    replayed: str

    def __str__(self) -> str:
        return (
            f"tick {self.tick} (record {self.seq}), {self.field}:"
            f" recorded {self.recorded}, replayed {self.replayed}"
        )


@dataclass(frozen=True, slots=True)
class Replayed(Generic[S]):
    """How far it came; `skipped` ticks lie before the first snapshot, `state` is the last one."""

    ticks: int
    skipped: int
    difference: Difference | None
    state: S | None


def replay(records: Iterable[Record], state_type: type[S], decide: Decide[S]) -> Replayed[S]:
    """Decide again upon all of it, up to the first difference.

    Raises what the records raise, and Unreadable for a state of another program.
    """
    run = _Run(state_type, decide)
    for record in records:
        difference = run.take(record)
        if difference is not None:
            return Replayed(run.ticks, run.skipped, difference, run.state)
    return Replayed(run.ticks, run.skipped, None, run.state)


class _Run(Generic[S]):
    """The controller as it was, one record at a time."""

    def __init__(self, state_type: type[S], decide: Decide[S]) -> None:
        self._codec = codec_of(state_type)
        self._decide = decide
        self._settings: Settings | None = None
        self._fleet: Fleet | None = None
        self._digest = b""
        self.state: S | None = None
        self.ticks = self.skipped = 0

    def take(self, record: Record) -> Difference | None:
        match record.kind:
            case "start" | "change":
                payload = record.payload()
                self._settings, self._fleet = payload.settings, payload.fleet
            case "snapshot":
                return self._snapshot(record, record.payload())
            case "tick":
                return self._tick(record, record.payload())
        return None

    def _snapshot(self, record: Record, snapshot: Snapshot) -> Difference | None:
        try:
            recorded = self._codec.decode(snapshot.state)
        except ValueError as exc:
            raise Unreadable(f"{record.path}: record {record.header.seq}, state: {exc}") from exc
        continues = self.state is not None and snapshot.why in CONTINUED
        state = self.state if continues else recorded
        self._digest = digest.begun(state)
        self.state = state
        found = first_difference(recorded, state, "state")
        if found is None and self._digest != snapshot.digest:
            found = ("state", snapshot.digest.hex(), self._digest.hex())
        return found and Difference(record.header.seq, snapshot.tick, *found)

    def _tick(self, record: Record, tick: Tick) -> Difference | None:
        if self.state is None or self._settings is None or self._fleet is None:
            self.skipped += 1
            return None
        before = self.state
        decided = self._decide(before, tick.inputs, self._settings, self._fleet)
        self.state = decided.state
        self._digest = digest.advanced(self._digest, before, decided.state)
        self.ticks += 1

        found = (
            first_difference(tick.commands, decided.commands, "commands")
            or first_difference(tick.reasons, decided.reasons, "reasons")
            or first_difference(tick.picture, decided.picture, "picture")
            or _digest_difference(tick.digest, self._digest, decided.state)
        )
        return found and Difference(record.header.seq, tick.inputs.tick, *found)


def _digest_difference(recorded: bytes, replayed: bytes, state: Any) -> tuple[str, str, str] | None:
    """The field of the state whose bytes differ; the values themselves are not in a tick."""
    if recorded == replayed:
        return None
    size = digest.FIELD_SIZE
    for row, (name, _) in enumerate(digest.parts(state)):
        at = slice(row * size, (row + 1) * size)
        if recorded[at] != replayed[at]:
            field = f"state.{name}" if name else "state"
            return f"digest of {field}", recorded[at].hex(), replayed[at].hex()
    return "digest", recorded.hex(), replayed.hex()


def first_difference(recorded: Any, replayed: Any, path: str) -> tuple[str, str, str] | None:
    """Path and both values of the first thing that is not the same; numbers by value."""
    if isinstance(recorded, np.ndarray) and isinstance(replayed, np.ndarray):
        return _array_difference(recorded, replayed, path)
    if type(recorded) is type(replayed):
        if dataclasses.is_dataclass(recorded):
            fields = (field.name for field in dataclasses.fields(recorded))
            return _first(
                first_difference(getattr(recorded, name), getattr(replayed, name), f"{path}.{name}")
                for name in fields
            )
        if isinstance(recorded, tuple):
            return _first(
                first_difference(one, other, f"{path}[{row}]")
                for row, (one, other) in enumerate(zip(recorded, replayed, strict=False))
            ) or _length_difference(recorded, replayed, path)
        if isinstance(recorded, dict) and list(recorded) == list(replayed):
            return _first(
                first_difference(recorded[key], replayed[key], f"{path}[{key!r}]")
                for key in recorded
            )
    return None if _same(recorded, replayed) else (path, repr(recorded), repr(replayed))


def _same(recorded: Any, replayed: Any) -> bool:
    """numpy's integers came back as Python's; a float that is no number is itself."""
    return bool(recorded == replayed) or (recorded != recorded and replayed != replayed)


def _array_difference(recorded: Any, replayed: Any, path: str) -> tuple[str, str, str] | None:
    if recorded.shape != replayed.shape:
        rows = min(len(recorded), len(replayed))
        found = None
        if recorded.ndim == replayed.ndim == 1:
            found = _array_difference(recorded[:rows], replayed[:rows], path)
        return found or (f"len({path})", str(len(recorded)), str(len(replayed)))
    different = np.argwhere(recorded != replayed)
    if not len(different):
        return None
    at = tuple(different[0].tolist())
    place = f"{path}[{', '.join(map(str, at))}]"
    return place, str(recorded[at]), str(replayed[at])


def _length_difference(
    recorded: tuple[Any, ...], replayed: tuple[Any, ...], path: str
) -> tuple[str, str, str] | None:
    if len(recorded) == len(replayed):
        return None
    return f"len({path})", str(len(recorded)), str(len(replayed))


def _first(found: Iterator[tuple[str, str, str] | None]) -> tuple[str, str, str] | None:
    return next((one for one in found if one is not None), None)
