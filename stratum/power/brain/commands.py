"""What goes out: power per rig, and why, in codes for machines and words for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from stratum.power.brain.values import Ints, no_ints


class Cause(StrEnum):
    """Whose wish moved the load. What the plant orders may fall at once; what we start ramps."""

    PLANT = "plant"  # set-point, surplus, cap, feeder
    EMERGENCY = "emergency"
    OPERATOR = "operator"
    LOST_SIGNAL = "lost_signal"
    PRICE = "price"
    QUOTA = "quota"
    ROTATION = "rotation"
    UPSTREAM = "upstream"
    ESCALATION = "escalation"
    COMPENSATION = "compensation"


#: Codes of `Cause` in arrays, in this order.
CAUSES = tuple(Cause)

#: Reductions that fall without a ramp.
ORDERED = frozenset({Cause.PLANT, Cause.EMERGENCY, Cause.OPERATOR, Cause.COMPENSATION})

#: Only these leave a rig alone inside its min-on time.
WAITS_FOR_MIN_ON = frozenset({Cause.PRICE, Cause.QUOTA, Cause.ROTATION})


@dataclass(frozen=True, slots=True)
class Commands:
    """One row a command, no rig twice. `power_w` 0 is sleep; `rung` is the step of the ladder.

    `number` never repeats within a journal; results name it.
    """

    number: Ints = field(default_factory=no_ints)
    rig: Ints = field(default_factory=no_ints)
    power_w: Ints = field(default_factory=no_ints)
    rung: Ints = field(default_factory=no_ints)
    cause: Ints = field(default_factory=no_ints)

    def __len__(self) -> int:
        return len(self.rig)


class Level(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Reason:
    """One sentence of why; `code` is stable, `text` is for people and carries the figures."""

    code: str
    text: str
    level: Level = Level.INFO
    subject: str = ""  # source, feeder, rig or owner


@dataclass(frozen=True, slots=True)
class Picture:
    """The tick in figures, for the journal, the page and settlement; None is unknown."""

    target_w: int  # what arbitration made of the wishes, before reserve and ramps
    goal_w: int  # what the load was steered to
    measured_w: int | None  # the meter's word, or the devices', or None
    measured_from: str  # "meter", "devices", "model"
    settled_w: int  # what the load will be when all commands have worked
    ordered_w: int  # sum of what rigs are ordered or assumed to take
    surplus_w: int | None  # as the plant last said it, None without such a signal
    sheddable_w: int  # firm
    absorb_1min_w: int
    absorb_5min_w: int
    absorb_15min_w: int
    foreign_w: int
    unresponsive_w: int
    # Whose wish the target is: what settlement tells one event from the next by.
    cause: str = ""  # a Cause
    source: str = ""  # the signal's, or the operator; empty: whoever said it last
    event_id: str = ""
    #: What the rigs that run earn less what they cost, and what the losing ones among them lose,
    #: in millionths of the currency an hour; None before a price was believed.
    margin_micro_per_h: int | None = None
    loss_micro_per_h: int | None = None
