"""What comes in: one snapshot of the world per second, taken before anything is decided.

Every reading says when it was true, not when it was read, and what is not known is absent or None,
never 0. Arrays are numpy, one row a reading, `rig` an index into the `Fleet`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

UNKNOWN_W = -1


class Kind(StrEnum):
    """What a number on a wire means (`reference/power.md` §5.2)."""

    SETPOINT_ABS = "setpoint_abs"  # follow it
    SETPOINT_DELTA = "setpoint_delta"  # follow baseline + it
    CAP = "cap"  # never exceed it
    SURPLUS_MEAS = "surplus_meas"  # what there is to take, with or without our own load
    PRICE = "price"  # micro-units of the currency per MWh
    SCHEDULE = "schedule"  # follow it from `valid_from_ms` to `valid_to_ms`
    EMERGENCY = "emergency"  # at most this, at once, until an operator lifts it


class Quality(StrEnum):
    """What the source itself says of its sample."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Signal:
    """One sample of one source, in canonical units.

    `value` is watts of consumption (for PRICE micro-units per MWh), None where the raw number was
    not one (NaN, infinite, no number). `event_ms` and the validity are UTC, `received_ms` is
    monotonic. `sequence` is the source's own counter or heartbeat, where it has one.
    """

    source: str
    kind: Kind
    value: int | None
    event_ms: int
    received_ms: int
    valid_from_ms: int | None = None
    valid_to_ms: int | None = None
    sequence: int | None = None
    quality: Quality = Quality.GOOD
    priority: int = 0  # lower wins among equals, as in OpenADR 3
    event_id: str = ""
    raw_hash: bytes = b""
    local: bool = False  # the plant's switch stands at LOCAL: its remote set-points don't count


@dataclass(frozen=True, slots=True)
class MeterReading:
    """Power at one feeder; `energy_wh` is the register as the meter shows it, None without one."""

    feeder: int
    power_w: int | None
    event_ms: int  # UTC
    received_ms: int
    energy_wh: int | None = None
    serial: str = ""  # a changed meter starts a new register
    quality: Quality = Quality.GOOD


def no_ints() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class DeviceReadings:
    """Telemetry that arrived since the last tick, one row a rig, no rig twice.

    `watts` is -1 where the firmware does not say; `hashing` 1, 0, or -1 where it does not say;
    `at_ms` is monotonic, when the device was asked.
    """

    rig: Ints = field(default_factory=no_ints)
    watts: Ints = field(default_factory=no_ints)
    hashing: Ints = field(default_factory=no_ints)
    at_ms: Ints = field(default_factory=no_ints)


@dataclass(frozen=True, slots=True)
class OutletReadings:
    """What outlets and contactors say of themselves: a rig without power answers nobody.

    `on` is 1 or 0; `watts` -1 where the outlet has no meter; `at_ms` monotonic.
    """

    rig: Ints = field(default_factory=no_ints)
    on: Ints = field(default_factory=no_ints)
    watts: Ints = field(default_factory=no_ints)
    at_ms: Ints = field(default_factory=no_ints)


@dataclass(frozen=True, slots=True)
class WorkReadings:
    """Work submitted by groups of rigs (one worker name: one group) since the last tick.

    `work` is the sum of share difficulties in units of 2^32 hashes, times 1,000; `squares` the sum
    of their squares (units of 10^-6), which gives the witness its own one-sigma; `from_ms` and
    `to_ms` bound when the shares came, monotonic.
    """

    group: Ints = field(default_factory=no_ints)
    shares: Ints = field(default_factory=no_ints)
    work: Ints = field(default_factory=no_ints)
    squares: Ints = field(default_factory=no_ints)
    from_ms: int = 0
    to_ms: int = 0


class Outcome(StrEnum):
    """What came back from a driver. None of these is evidence that power moved."""

    SENT = "sent"  # the device took it
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    BUDGET = "budget"  # the driver's daily limit of writes is used up


#: Codes of `Outcome` in arrays, in this order.
OUTCOMES = tuple(Outcome)


@dataclass(frozen=True, slots=True)
class Results:
    """Commands that were answered since the last tick; `outcome` indexes `OUTCOMES`."""

    command: Ints = field(default_factory=no_ints)
    rig: Ints = field(default_factory=no_ints)
    outcome: Ints = field(default_factory=no_ints)


@dataclass(frozen=True, slots=True)
class Market:
    """What the coins of a hash are worth; None: not known, and then price decides nothing.

    `coin_price_micro` is micro-units of the settings' currency per coin; `coin_event_ms` its age.
    Difficulty, subsidy and mean fees come from the pool's own template.
    """

    difficulty: int
    subsidy_sats: int
    fees_sats: int
    coin_price_micro: int | None
    coin_source: str
    coin_event_ms: int  # UTC


class OrderKind(StrEnum):
    """What a named operator can order (DESIGN §3.8)."""

    AUTO = "auto"
    HOLD = "hold"
    MAX = "max"
    OFF = "off"
    ESTOP = "estop"
    CLEAR_ESTOP = "clear_estop"  # also lifts a latched emergency signal
    LOCK = "lock"  # never woken until unlocked; scope: rig, feeder or site
    UNLOCK = "unlock"
    ADOPT = "adopt"  # a rig or feeder enters the closed loop
    RELEASE = "release"  # and leaves it: counted, never commanded
    MODE = "mode"  # observe or control


@dataclass(frozen=True, slots=True)
class OperatorOrder:
    """One command of a principal. `scope`: "" the site, "feeder:NAME", "rig:ID"."""

    kind: OrderKind
    operator: str
    reason: str
    scope: str = ""
    value_w: int | None = None  # for MAX
    mode: str = ""  # for MODE: "observe" or "control"
    expires_ms: int | None = None  # monotonic; None: the default of the settings


class JournalHealth(StrEnum):
    OK = "ok"
    SLOW = "slow"  # the last tick's records are not on disk yet
    FULL = "full"  # nothing more can be written


@dataclass(frozen=True, slots=True)
class Inputs:
    """The process image of one tick. `tick` counts from 0 and never repeats within a journal."""

    tick: int
    now_ms: int
    wall_ms: int
    signals: tuple[Signal, ...] = ()
    meters: tuple[MeterReading, ...] = ()
    devices: DeviceReadings = field(default_factory=DeviceReadings)
    outlets: OutletReadings = field(default_factory=OutletReadings)
    work: WorkReadings = field(default_factory=WorkReadings)
    results: Results = field(default_factory=Results)
    market: Market | None = None
    orders: tuple[OperatorOrder, ...] = ()
    journal: JournalHealth = JournalHealth.OK
    upstream_lost: bool = False  # no work to give: the load comes down by our own ramp
