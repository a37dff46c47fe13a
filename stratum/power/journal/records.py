"""What a record says: the header that every record has, and one payload a kind.

    START        opens a file or a process: who writes, under which settings, for which fleet
    SNAPSHOT     the whole state before the next tick: a replay can begin here
    TICK         one second: what came in, what was decided, why, and what it left behind
    CHANGE       an operator's new settings or inventory
    GAP          ticks that were decided and could not be kept, counted and never made up
    CHECKPOINT   a signature over the chain up to the record before
    END          the process or the day is over, on purpose

The header is 73 bytes, little-endian, the payload deterministic CBOR; the hash is SHA-256 over
both, and the next record's header repeats it.

      0  u64  seq            from 0, never repeats in a journal of many days
      8  i64  t_utc_ms       the wall's word
     16  i64  t_mono_ms      monotonic; comparable within one boot_id
     24  16 bytes boot_id
     40  u8   kind           index in the list above
     41  32 bytes prev_hash  zeros before the first
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from stratum.errors import BaseloadError
from stratum.power.brain.commands import Commands, Picture, Reason
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Settings
from stratum.power.brain.values import Inputs
from stratum.power.journal.encoding import codec_of

#: Of the records' layout; a reader refuses another.
FORMAT = 1

HASH_SIZE = 32
NO_HASH = bytes(HASH_SIZE)

_HEADER = struct.Struct("<QqqB")
_BOOT_AT = 24
_KIND_AT = 40


class Unreadable(BaseloadError):
    """A whole record that says something else than this program can read."""


class RecordKind(StrEnum):
    START = "start"
    SNAPSHOT = "snapshot"
    TICK = "tick"
    CHANGE = "change"
    GAP = "gap"
    CHECKPOINT = "checkpoint"
    END = "end"


class Why(StrEnum):
    """Why a file, a snapshot or an end was written."""

    PROCESS = "process"  # a start of the program, or its stop
    MIDNIGHT = "midnight"  # the UTC day is over
    DAMAGE = "damage"  # the file before can't be continued
    HOUR = "hour"  # it is time
    CHANGE = "change"  # the state was carried over to other settings or another fleet
    GAP = "gap"  # ticks are missing before it


#: A replay that came this far already has the state that these hold, and must agree with it.
CONTINUED = frozenset({Why.HOUR, Why.MIDNIGHT})


@dataclass(frozen=True, slots=True)
class Start:
    """`fleet_hash` names the inventory shortly; `cut_bytes` were a torn record at the end of the
    file before; `clock_offset_ms` is the wall clock's, as NTP gave it, None where nobody knows."""

    format: int
    software: str
    why: Why
    settings: Settings
    fleet: Fleet
    fleet_hash: bytes
    clock_offset_ms: int | None = None
    cut_bytes: int = 0
    damage: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`state` is encoded by itself: what it is, only `decide` knows. `digest` is over all of it."""

    tick: int  # the next one to be decided
    why: Why
    digest: bytes
    state: bytes


@dataclass(frozen=True, slots=True)
class Tick:
    inputs: Inputs
    commands: Commands
    reasons: tuple[Reason, ...]
    picture: Picture
    digest: bytes  # of the state after it, see `digest`


@dataclass(frozen=True, slots=True)
class Change:
    """Both are whole, `text` says the difference; in force from the next tick on."""

    settings: Settings
    fleet: Fleet
    fleet_hash: bytes
    operator: str
    text: str


@dataclass(frozen=True, slots=True)
class Gap:
    first_tick: int
    last_tick: int
    ticks: int
    cause: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`signature` is Ed25519 over `checkpoint_text` of the record before."""

    key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class End:
    why: Why


Payload = Start | Snapshot | Tick | Change | Gap | Checkpoint | End

PAYLOADS: Mapping[RecordKind, type] = {
    RecordKind.START: Start,
    RecordKind.SNAPSHOT: Snapshot,
    RecordKind.TICK: Tick,
    RecordKind.CHANGE: Change,
    RecordKind.GAP: Gap,
    RecordKind.CHECKPOINT: Checkpoint,
    RecordKind.END: End,
}

_KINDS = tuple(RecordKind)
_KIND_OF = {payload: kind for kind, payload in PAYLOADS.items()}


@dataclass(frozen=True, slots=True)
class Header:
    seq: int
    t_utc_ms: int
    t_mono_ms: int
    boot_id: bytes
    kind: RecordKind
    prev_hash: bytes

    def pack(self) -> bytes:
        assert len(self.boot_id) == 16 and len(self.prev_hash) == HASH_SIZE
        front = _HEADER.pack(self.seq, self.t_utc_ms, self.t_mono_ms, 0)[:_BOOT_AT]
        return front + self.boot_id + bytes([_KINDS.index(self.kind)]) + self.prev_hash

    @classmethod
    def unpack(cls, body: bytes) -> Self:
        """Raises ValueError for a kind that is none, and for less than a header."""
        if len(body) < HEADER_SIZE:
            raise ValueError(f"header is {len(body)} bytes, expected {HEADER_SIZE}")
        seq, t_utc_ms, t_mono_ms, _ = _HEADER.unpack_from(body)
        kind = body[_KIND_AT]
        if kind >= len(_KINDS):
            raise ValueError(f"record kind is {kind}, expected less than {len(_KINDS)}")
        boot_id = body[_BOOT_AT:_KIND_AT]
        return cls(
            seq, t_utc_ms, t_mono_ms, boot_id, _KINDS[kind], body[_KIND_AT + 1 : HEADER_SIZE]
        )


HEADER_SIZE = _KIND_AT + 1 + HASH_SIZE


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it lies in a file; the payload is decoded when it is asked for."""

    header: Header
    hash: bytes
    path: Path
    offset: int  # of its frame in that file
    body: bytes

    @property
    def kind(self) -> RecordKind:
        return self.header.kind

    def payload(self) -> Any:
        """One of `Payload`, by the header's kind. Raises Unreadable where it is not."""
        try:
            return codec_of(PAYLOADS[self.kind]).decode(self.body[HEADER_SIZE:])
        except ValueError as exc:
            text = f"{self.path}: record {self.header.seq} ({self.kind}) at byte {self.offset}"
            raise Unreadable(f"{text}: {exc}") from exc


def kind_of(payload: Payload) -> RecordKind:
    return _KIND_OF[type(payload)]


def encode_payload(payload: Payload) -> bytes:
    return codec_of(type(payload)).encode(payload)


def checkpoint_text(seq: int, head: bytes) -> bytes:
    """What is signed: that the chain up to record `seq` ends in this hash."""
    return f"baseload power journal\n{seq}\n{head.hex()}\n".encode()


def utc_text(t_utc_ms: int) -> str:
    """ISO 8601 with milliseconds; the number itself where it is no date."""
    try:
        moment = datetime.fromtimestamp(t_utc_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{t_utc_ms} ms"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
