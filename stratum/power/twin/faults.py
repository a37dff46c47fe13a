"""What can go wrong in the twin, as values; `world.Twin.suffer` makes each of them happen.

Shares are basis points of the rigs that qualify, drawn with the twin's own seed. What befalls the
signal, the clocks or the controller itself is no part of the world: see `simulation.scenario`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Which(StrEnum):
    """Rigs that a fault may choose from."""

    ALL = "all"
    ASLEEP = "asleep"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Lie:
    """From now on they answer every order to take less with "sent", claim to obey, and run on."""

    share_bp: int


@dataclass(frozen=True, slots=True)
class Hang:
    """Their control boards answer nothing; what was ordered meanwhile is done when they are back.

    Hashing does not need the control board's API: power and shares go on as they were.
    """

    share_bp: int
    for_ms: int = 100_000  # pyasic's read timeout, §3.3 (4)


@dataclass(frozen=True, slots=True)
class Crash:
    """They restart. `forget`: into mining, whatever their firmware keeps; else as it does."""

    share_bp: int
    which: Which = Which.ALL
    forget: bool = True


@dataclass(frozen=True, slots=True)
class Die:
    """No power, no work, no answer, for good."""

    share_bp: int


@dataclass(frozen=True, slots=True)
class Meddle:
    """Somebody else's controller wakes sleepers, in the proper way and once.

    The share is of the whole fleet, as far as that many sleep.
    """

    share_bp: int


@dataclass(frozen=True, slots=True)
class Trip:
    """A feeder goes dark with all under it, and re-closes: everything boots, at its own pace."""

    feeder: str
    for_ms: int = 60_000
    forget: bool = True


@dataclass(frozen=True, slots=True)
class Silence:
    """No telemetry; commands get through."""

    share_bp: int
    for_ms: int


@dataclass(frozen=True, slots=True)
class NoWork:
    """Nothing to hash is handed out: no shares, and power as it was (§4: silence stops no rig)."""

    for_ms: int


class Ailment(StrEnum):
    """How a meter can be wrong."""

    WELL = "well"
    DEAD = "dead"  # no readings
    FLIPPED = "flipped"  # a current transformer the wrong way round: minus the power
    FROZEN = "frozen"  # the last value for ever, freshly stamped


@dataclass(frozen=True, slots=True)
class Meter:
    """The meter at this feeder turns ill, or well again."""

    feeder: str
    ailment: Ailment


Fault = Lie | Hang | Crash | Die | Meddle | Trip | Silence | NoWork | Meter
