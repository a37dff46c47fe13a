"""What the operator decided about the load; defaults are N1..N28 of `reference/power.md` §7.3."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from stratum.power.brain.values import Kind
from stratum.power.economics.tariff import Tariff

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
PERCENT = 100  # basis points


class Mode(StrEnum):
    OBSERVE = "observe"  # decides and journals, commands nothing
    CONTROL = "control"


class Objective(StrEnum):
    ABSORB = "absorb"  # follow the plant at any price and show the loss
    PROFIT = "profit"  # price may lower the ceiling, nothing else


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One `[[signal]]`: what it means and what holds when it goes silent."""

    name: str
    kind: Kind
    period_ms: int = SECOND  # how often a sample is due
    max_age_ms: int = 10 * SECOND  # N19; of the sample itself, not of its arrival
    fallback_w: int | None = None  # None: the floor
    fallback_source: str = ""  # N20: a source whose word then holds instead of `fallback_w`
    min_w: int = 0  # a value outside these is no value: a unit error, a swapped word
    max_w: int | None = None  # None: twice the fleet
    heartbeat: bool = False  # `sequence` must move, or the value is frozen (N21)
    frozen_after_ms: int | None = None  # None: max_age_ms
    includes_our_load: bool = False  # SURPLUS_MEAS: the figure is what is left beside our load
    priority: int = 0  # lower wins
    latches: bool = False  # CAP: the lowest holds until an operator clears; EMERGENCY always does
    on_event: bool = False  # EMERGENCY: speaks in emergencies only, so that silence is no loss


@dataclass(frozen=True, slots=True)
class MeterSettings:
    """One `[[meter]]`: its feeder and how long its word counts."""

    feeder: str
    max_age_ms: int = 5 * SECOND
    delay_ms: int = 1 * SECOND  # how far its reading lags the power itself
    register_modulus_wh: int = 0  # where the energy register rolls over; 0: never


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `decide` may know of the operator's wishes."""

    mode: Mode = Mode.OBSERVE
    objective: Objective = Objective.ABSORB
    currency: str = "EUR"

    floor_w: int = 0
    cap_w: int | None = None  # the site's own; feeders have theirs
    reserve_bp: int = 100  # below the target: over-consuming costs more than missing
    ramp_up_w_per_min: int | None = None  # None: N14's 10 % of the fleet
    ramp_down_w_per_min: int | None = None  # for what we start ourselves; None: as the way up

    sources: tuple[SourceSettings, ...] = ()
    meters: tuple[MeterSettings, ...] = ()

    # N10, and the band in which the trim group works without moving blocks (§7.2).
    deadband_bp: int = 100  # of the fleet, or two rigs
    trim_low_bp: int = 25 * PERCENT
    trim_high_bp: int = 75 * PERCENT

    # N20: lost signal.
    hold_ms: int = 60 * SECOND
    lost_ramp_ms: int = 5 * MINUTE  # from what was held to the fallback

    # N13..N16: restores and wear. Confirmation, min-on and min-off are the firmware's.
    inrush_bp_per_s: int = 2 * PERCENT  # of what hangs under a feeder, woken in a second
    cycles_soft: int = 6
    cycles_alarm: int = 12
    cycles_hard: int = 24
    rotation_band_bp: int = 5 * PERCENT  # of efficiency: within it rigs are equals
    rotation_period_ms: int = 10 * MINUTE  # at most one exchange a feeder in this time
    fair_window_ms: int = 30 * DAY

    # N17, N18, N26: verification.
    verify_margin_ms: int = 2 * SECOND
    poll_ms: int = 10 * SECOND  # each device is asked this often: so long a verdict waits for it
    retry_ms: tuple[int, ...] = (2 * SECOND, 5 * SECOND)
    storm_bp: int = 10 * PERCENT  # of devices failing within a minute: no restores
    telemetry_age_ms: int = 60 * SECOND  # N27
    verified_age_ms: int = 7 * DAY  # N27
    disagree_bp: int = 5 * PERCENT  # meter against devices, for disagree_ms
    disagree_ms: int = 5 * MINUTE
    stale_meter_reserve_bp: int = 5 * PERCENT  # N23: on the sum of devices

    # N24, N25: clocks.
    clock_event_ms: int = SECOND
    clock_reject_ms: int = 30 * SECOND
    future_ms: int = 2 * SECOND

    cold_start_ms: int = 60 * SECOND  # P5: no restores before; sheds at once
    override_ms: int = 4 * HOUR  # §7.6: default expiry

    # Price, under `profit`: ten minutes beyond the margin before it moves anything.
    price_margin_bp: int = 5 * PERCENT
    price_confirm_ms: int = 10 * MINUTE
    price_max_age_ms: int = 2 * HOUR
    coin_price_band: tuple[int, int] | None = None  # micro-units; outside: not believed
    overhead_bp: int = 10_500  # κ, site over rig power: 1.05
    pool_fee_bp: int = 0
    stale_bp: int = 100  # rejected and stale, of work

    # One wake and sleep: lost hash while it ramps, and its part of a power supply. Either money,
    # or so many minutes of what the rig earns (assumed; 2 to 60 are defensible).
    cycle_cost_micro: int | None = None
    cycle_cost_minutes: int = 15

    tariffs: dict[str, int] = field(default_factory=dict)  # owner -> micro-units per MWh, now
    tariff_plans: dict[str, Tariff] = field(default_factory=dict)  # by the hour; before the above
