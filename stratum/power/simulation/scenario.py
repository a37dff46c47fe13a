"""A scenario: a farm, a surplus, what goes wrong and when, and the operator's settings.

Times are seconds of the run. What befalls the world is a `twin.faults.Fault`; what befalls the
signal a `feed.Trouble`; what befalls the controller itself, its clock or its upstream is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import MeterSettings, Mode, Settings, SourceSettings
from stratum.power.brain.values import Kind, OperatorOrder
from stratum.power.simulation.farms import Farm
from stratum.power.simulation.feed import Feed, Trouble
from stratum.power.twin.faults import Fault
from stratum.power.twin.plants import PROCESSES
from stratum.power.twin.surplus import DAY, Outage, Span
from stratum.power.twin.world import POLL_DELAY_MS, POLL_MS

HOUR = 3_600
MINUTE = 60

PLANT = "plant"
RIVAL = "rival"

#: The twin's calendar begins on 15 January 2027, 00:00 UTC: the depth of the heat season.
START_OF_YEAR_MS = 1_798_761_600_000
START_DAY = 14

#: Not scored: the cold start (P5: 60 s) and the first ramp to the surplus (N14: 10 % a minute).
WARM_UP_S = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class Happening:
    """A fault of the world at its second."""

    at_s: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The wall clock is set by this much; the monotonic one never is."""

    at_s: int
    by_ms: int


@dataclass(frozen=True, slots=True)
class Absence:
    """The controller is killed. It is back with its last state, or with none (`forgets`)."""

    at_s: int
    for_s: int
    forgets: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """An operator gives an order."""

    at_s: int
    order: OperatorOrder


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything about a run but its seed."""

    name: str
    title: str
    surplus: str = "ou-5"
    farm: Farm = field(default_factory=Farm)
    rigs: int = 1_000
    hours: float = 1.0
    start_hour: int = 0  # of the day, UTC
    start_day: int = START_DAY  # of the year
    asleep_bp: int = 0  # at the start, of all rigs
    figures: Mapping[str, float] = field(default_factory=dict)  # over the surplus's own
    outages: tuple[Outage, ...] = ()
    happenings: tuple[Happening, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    jumps: tuple[ClockJump, ...] = ()
    absences: tuple[Absence, ...] = ()
    orders: tuple[Said, ...] = ()
    upstream_lost: tuple[tuple[int, int], ...] = ()  # from second to second
    rival_bp: int | None = None  # a second master wants this part of the fleet, at all times
    cap_bp: int | None = None  # of the fleet's rated power
    share_rate_per_min: float = 20.0
    deaths_per_rig_day: float = 0.0
    warm_up_s: int = WARM_UP_S
    settings: Mapping[str, Any] = field(default_factory=dict)  # over the defaults

    @property
    def seconds(self) -> int:
        return round(self.hours * HOUR)

    @property
    def scored_from_s(self) -> int:
        """The warm-up is not scored; of a run that is hardly longer, half is."""
        return min(self.warm_up_s, self.seconds // 2)

    @property
    def start_ms(self) -> int:
        """UTC of the first second."""
        return START_OF_YEAR_MS + (self.start_day * DAY + self.start_hour * HOUR) * 1_000

    @property
    def process_kind(self) -> Kind:
        return PROCESSES[self.surplus].kind

    def with_settings(self, **changed: Any) -> Scenario:
        """The same, with other settings."""
        return replace(self, settings={**self.settings, **changed})

    def feeds(self, fleet: Fleet, seed: int) -> tuple[Feed, ...]:
        """The plant's signal, and the rival's where there is one. One second more than the run."""
        span = Span(self.seconds + 1, self.start_day * DAY + self.start_hour * HOUR, self.outages)
        process = PROCESSES[self.surplus].given_as(self.figures)
        watts = process.watts(fleet.total_w, span, seed)
        feeds = [Feed(PLANT, self.process_kind, watts, self.troubles)]
        if self.rival_bp is not None:
            wanted = watts * 0 + fleet.total_w * self.rival_bp // 10_000
            feeds.append(Feed(RIVAL, Kind.SETPOINT_ABS, wanted))
        return tuple(feeds)

    def made_settings(self, fleet: Fleet) -> Settings:
        """Defaults, this farm's sources and meter, and what the scenario changes."""
        sources = [SourceSettings(PLANT, self.process_kind, heartbeat=True)]
        if self.rival_bp is not None:
            sources.append(SourceSettings(RIVAL, Kind.SETPOINT_ABS, heartbeat=True))
        cap_w = None if self.cap_bp is None else fleet.total_w * self.cap_bp // 10_000
        settings = Settings(
            mode=Mode.CONTROL,
            cap_w=cap_w,
            sources=tuple(sources),
            meters=(MeterSettings(fleet.feeders[0].name),),
            poll_ms=POLL_MS + POLL_DELAY_MS,
        )
        return replace(settings, **self.settings)
