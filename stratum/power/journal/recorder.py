"""Which records a tick makes: itself, and before it what a replay needs to begin there.

Called once a tick, when the commands are on their way: encoding ten thousand rigs takes a few
milliseconds, writing takes none of the caller's. A snapshot goes out at the start, every
SNAPSHOT_MS, at midnight, and whenever the state before a tick is not the one that the last record
left: that is how a new inventory or a gap ends the run that a replay can follow.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from stratum import __version__
from stratum.power.brain.commands import Commands, Picture, Reason
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Settings
from stratum.power.brain.values import Inputs, JournalHealth
from stratum.power.journal import digest
from stratum.power.journal.encoding import codec_of
from stratum.power.journal.files import day_of
from stratum.power.journal.records import (
    FORMAT,
    Change,
    End,
    Gap,
    Payload,
    Snapshot,
    Start,
    Tick,
    Why,
    encode_payload,
    kind_of,
)
from stratum.power.journal.writer import Pending, Writer

S_co = TypeVar("S_co", covariant=True)
S = TypeVar("S")

#: Six an hour, not one: a restart decides again upon everything since (N22: in 5 s), and a
#: snapshot is as large as half a minute of ticks.
SNAPSHOT_MS = 600_000


class Decided(Protocol[S_co]):
    """What `decide` answers, as far as a journal cares."""

    @property
    def state(self) -> S_co: ...
    @property
    def commands(self) -> Commands: ...
    @property
    def reasons(self) -> tuple[Reason, ...]: ...
    @property
    def picture(self) -> Picture: ...


class Journal(Generic[S]):
    """Everything `decide` was told and answered, on its way to the disk.

    `clock_offset_ms` is the wall clock's against NTP, None where nobody knows.
    """

    def __init__(
        self,
        writer: Writer,
        settings: Settings,
        fleet: Fleet,
        *,
        clock_offset_ms: int | None = None,
        boot_id: bytes | None = None,
        software: str = f"baseload {__version__}",
    ) -> None:
        self._writer = writer
        self._settings = settings
        self._fleet = fleet
        self._fleet_hash = digest.whole(fleet)
        self._clock_offset_ms = clock_offset_ms
        self._boot_id = this_boot() if boot_id is None else boot_id
        self._software = software

        self._found = writer.last
        self._day: str | None = None  # of the file that the last tick went to
        self._state: S | None = None  # as the last tick left it
        self._digest = b""
        self._snapshot_ms = 0
        self._lost: Gap | None = None
        self._last = (0, 0)  # wall and monotonic, of the last tick

    def health(self) -> JournalHealth:
        return self._writer.health()

    def tick(self, before: S, inputs: Inputs, decided: Decided[S]) -> None:
        """Record a tick. `before` and the new state must never change afterwards."""
        if self._lost is not None and not self._writer.has_room():
            self._lose(inputs.tick)
            return
        payloads, opens = self._opening(inputs)
        if self._lost is not None:
            payloads.append(self._lost)
        why = self._snapshot_why(before, inputs, opens)
        last = self._digest
        if why is not None:
            last = digest.begun(before)
            payloads.append(_snapshot(inputs.tick, why, last, before))

        now = digest.advanced(last, before, decided.state)
        tick = Tick(inputs, decided.commands, decided.reasons, decided.picture, now)
        if not self._put(inputs.wall_ms, inputs.now_ms, [*payloads, tick]):
            self._lose(inputs.tick)
            return
        self._lost = self._found = None
        self._day = max(self._day or "", day_of(inputs.wall_ms))
        self._state, self._digest = decided.state, now
        self._last = inputs.wall_ms, inputs.now_ms
        if why is not None:
            self._snapshot_ms = inputs.now_ms

    def change(
        self,
        settings: Settings,
        fleet: Fleet,
        *,
        operator: str,
        text: str,
        wall_ms: int,
        now_ms: int,
    ) -> None:
        """Record new settings or another inventory, in force from the next tick on."""
        self._settings, self._fleet = settings, fleet
        self._fleet_hash = digest.whole(fleet)
        change = Change(settings, fleet, self._fleet_hash, operator, text)
        if self._day is None or not self._put(wall_ms, now_ms, [change]):
            # The next file or the record after the gap begins with a START that says it all.
            self._day = None
        self._state = None

    def close(self, why: Why = Why.PROCESS) -> None:
        """End the journal on purpose, and the writer with it."""
        if self._day is not None:
            lost: list[Payload] = [] if self._lost is None else [self._lost]
            self._put(*self._last, [*lost, End(why)])
        self._writer.close()

    def _opening(self, inputs: Inputs) -> tuple[list[Payload], Why | None]:
        """What begins a process or a day, where this tick does."""
        if self._day is None:
            damaged = self._found is not None and self._found.damaged_at is not None
            return [self._start(Why.DAMAGE if damaged else Why.PROCESS)], Why.PROCESS
        if day_of(inputs.wall_ms) > self._day:
            return [End(Why.MIDNIGHT), self._start(Why.MIDNIGHT)], Why.MIDNIGHT
        return [], None

    def _start(self, why: Why) -> Start:
        return Start(
            FORMAT,
            self._software,
            why,
            self._settings,
            self._fleet,
            self._fleet_hash,
            self._clock_offset_ms,
            self._found.cut_bytes if self._found else 0,
            _damage(self._found.path) if why is Why.DAMAGE and self._found else "",
        )

    def _snapshot_why(self, before: S, inputs: Inputs, opens: Why | None) -> Why | None:
        if opens is Why.PROCESS:
            return Why.PROCESS
        if self._lost is not None:
            return Why.GAP
        if before is not self._state:
            return Why.CHANGE
        if opens is not None:
            return opens
        return Why.HOUR if inputs.now_ms - self._snapshot_ms >= SNAPSHOT_MS else None

    def _lose(self, tick: int) -> None:
        first, ticks = (self._lost.first_tick, self._lost.ticks) if self._lost else (tick, 0)
        self._lost = Gap(first, tick, ticks + 1, "the disk took no more and the queue was full")

    def _put(self, wall_ms: int, now_ms: int, payloads: list[Payload]) -> bool:
        day = day_of(wall_ms)
        return self._writer.put(
            [
                Pending(
                    kind_of(payload),
                    wall_ms,
                    now_ms,
                    self._boot_id,
                    encode_payload(payload),
                    isinstance(payload, Start) and self._begins_file(payload, day),
                )
                for payload in payloads
            ]
        )

    def _begins_file(self, start: Start, day: str) -> bool:
        """A restart goes on in the day's file, if that is whole and of today."""
        open_day = self._writer.day if self._day is None else self._day
        return start.why is Why.DAMAGE or open_day is None or day > open_day


def _snapshot(tick: int, why: Why, state_digest: bytes, state: Any) -> Snapshot:
    return Snapshot(tick, why, state_digest, codec_of(type(state)).encode(state))


def _damage(path: Path) -> str:
    return f"{path.name} is damaged and stays as it was found"


def this_boot() -> bytes:
    """Linux' boot id; where there is none, one that no other process has."""
    try:
        return uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()).bytes
    except (OSError, ValueError):
        return uuid.uuid4().bytes
