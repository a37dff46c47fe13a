"""One surplus for many sites: a parent whose rigs are sites.

Nothing is decided here that `decide` does not decide for rigs. A site is a rig that takes any power
up to what it last said it can absorb; an order becomes a canonical signal that expires, so a site
that is cut off comes down by its own lost-signal rule. The parent never hears of that: a silent
site is counted at its last order until it speaks again, and is given no other. A site that reports
more than it was ordered is counted at its report; one that reports less, at its order. So the sum
of what sites may take stays below the surplus whatever any of them says.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from stratum.power.brain.commands import Level, Reason
from stratum.power.brain.dispatch import Decision, State, decide
from stratum.power.brain.fleet import Feeder, Firmware, Fleet, Owner, Rig, RigModel
from stratum.power.brain.settings import SECOND, Settings
from stratum.power.brain.values import (
    UNKNOWN_W,
    DeviceReadings,
    Inputs,
    Ints,
    Kind,
    Quality,
    Signal,
)

#: How a site answers an order: its own controller's tick, then mostly trim.
SITE_FIRMWARE = Firmware(
    name="site",
    continuous=True,
    down_dead_ms=2 * SECOND,
    down_ramp_ms=8 * SECOND,
    up_dead_ms=2 * SECOND,
    up_ramp_ms=60 * SECOND,
    trim_dead_ms=2 * SECOND,
    trim_ramp_ms=8 * SECOND,
    min_on_ms=0,
    min_off_ms=0,
    confirm_ms=0,
    ladder=(),
)


@dataclass(frozen=True, slots=True)
class Site:
    """`rated_w`: all it could ever take."""

    name: str
    rated_w: int
    owner: str = "all"


@dataclass(frozen=True, slots=True)
class SiteReport:
    """What a site says of itself; `absorbable_w` is the most it could take now, load included."""

    site: str
    power_w: int
    absorbable_w: int
    at_ms: int  # monotonic, of the parent


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """How long an order holds at the site, and how long a site may be silent."""

    valid_ms: int = 15 * SECOND
    silent_ms: int = 10 * SECOND


@dataclass(frozen=True, slots=True, eq=False)
class SplitState:
    """The parent's own state, when each site was last heard, and who is silent now."""

    state: State
    heard_ms: dict[str, int] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One tick's orders: a set-point per site that can be heard."""

    state: SplitState
    signals: tuple[tuple[str, Signal], ...]
    decision: Decision
    reasons: tuple[Reason, ...]


def fleet_of_sites(sites: tuple[Site, ...], cap_w: int | None = None) -> Fleet:
    """The parent's fleet: a model per size, one root."""
    sizes = sorted({site.rated_w for site in sites})
    owners = sorted({site.owner for site in sites})
    return Fleet.of(
        [
            Rig(site.name, f"site {site.rated_w}", SITE_FIRMWARE.name, "surplus", site.owner)
            for site in sites
        ],
        [RigModel(f"site {size}", ((1, 1), (size, size)), idle_w=0) for size in sizes],
        [SITE_FIRMWARE],
        [Feeder("surplus", cap_w=cap_w)],
        [Owner(name, sum(site.rated_w for site in sites if site.owner == name)) for name in owners],
    )


def split(
    before: SplitState,
    inputs: Inputs,
    reports: tuple[SiteReport, ...],
    settings: Settings,
    split_settings: SplitSettings,
    fleet: Fleet,
) -> Split:
    """Split what there is to take. `inputs` carries the surplus and no devices."""
    heard_ms = dict(before.heard_ms)
    for report in reports:
        heard_ms[report.site] = max(report.at_ms, heard_ms.get(report.site, report.at_ms))
    silent = frozenset(
        name
        for name in fleet.ids
        if inputs.now_ms - heard_ms.get(name, -(1 << 60)) > split_settings.silent_ms
    )

    state = with_reports(before.state, reports, silent, fleet)
    devices = as_devices(state, reports, silent, fleet, inputs.now_ms)
    decision = decide(state, replace(inputs, devices=devices), settings, fleet)
    signals = orders(decision.state, silent, inputs, split_settings, fleet)
    return Split(
        SplitState(decision.state, heard_ms, silent),
        signals,
        decision,
        decision.reasons + told(before.silent, silent),
    )


def with_reports(
    state: State, reports: tuple[SiteReport, ...], silent: frozenset[str], fleet: Fleet
) -> State:
    """A site's full power is what it can absorb; a silent one is out of the loop."""
    rigs = state.rigs.copy()
    rows = {name: row for row, name in enumerate(fleet.ids)}
    for report in reports:
        if (row := rows.get(report.site)) is not None:
            rigs.learned_w[row] = min(max(report.absorbable_w, 1), int(fleet.rated_w[row]))
    rigs.managed[:] = [name not in silent for name in fleet.ids]
    return replace(state, rigs=rigs)


def as_devices(
    state: State,
    reports: tuple[SiteReport, ...],
    silent: frozenset[str],
    fleet: Fleet,
    now_ms: int,
) -> DeviceReadings:
    """What sites are counted at, as telemetry: the dearer of order and report."""
    ordered_w = counted_orders(state, fleet)
    watts = ordered_w.copy()
    rows = {name: row for row, name in enumerate(fleet.ids)}
    for report in reports:
        row = rows.get(report.site)
        if row is not None and report.site not in silent:
            watts[row] = max(int(ordered_w[row]), report.power_w)
    return DeviceReadings(
        rig=np.arange(len(fleet), dtype=np.int64),
        watts=watts,
        hashing=(ordered_w > 0).astype(np.int64),
        at_ms=np.full(len(fleet), now_ms, np.int64),
    )


def counted_orders(state: State, fleet: Fleet) -> Ints:
    """Each site's last order; a site never ordered may take everything it has."""
    ordered_w: Ints = np.where(
        state.rigs.ordered_w == UNKNOWN_W, state.rigs.full_w(fleet), state.rigs.ordered_w
    )
    return ordered_w


def orders(
    state: State,
    silent: frozenset[str],
    inputs: Inputs,
    settings: SplitSettings,
    fleet: Fleet,
) -> tuple[tuple[str, Signal], ...]:
    """Every site's order, renewed each tick, because every order expires."""
    signals = []
    for row, name in enumerate(fleet.ids):
        if name in silent or state.rigs.ordered_w[row] == UNKNOWN_W:
            continue
        order = Signal(
            source="parent",
            kind=Kind.SETPOINT_ABS,
            value=int(state.rigs.ordered_w[row]),
            event_ms=inputs.wall_ms,
            received_ms=inputs.now_ms,
            valid_from_ms=inputs.wall_ms,
            valid_to_ms=inputs.wall_ms + settings.valid_ms,
            sequence=inputs.tick,
            quality=Quality.GOOD,
        )
        signals.append((name, order))
    return tuple(signals)


def told(before: frozenset[str], silent: frozenset[str]) -> tuple[Reason, ...]:
    """Who fell silent, who is back."""
    lost = [
        Reason("site_silent", "counted at its last order until it reports", Level.ALARM, name)
        for name in sorted(silent - before)
    ]
    back = [Reason("site_back", "reports again", subject=name) for name in sorted(before - silent)]
    return (*lost, *back)
