"""One surplus for many sites: a parent whose rigs are slices of sites.

Nothing is decided here that `decide` does not decide for rigs. A site would be a rig that takes any
power, but one so large that nothing fits: a site of 30 MW could not be woken into 25. So each is
cut into slices of no more than a hundredth of everything, one feeder a site, and its order is the
sum of its slices. It becomes a canonical signal that expires, so a site that is cut off comes down
by its own lost-signal rule.

`decide` sees what was ordered, as if every slice did as it is told. What sites may take beyond
their orders is kept apart, one `Account` a site, and taken off what there is to share. So the sum
of what sites may take is steered below the surplus whatever any of them says:

    reports less than its order       counted at its order
    reports more                      counted at its report, as far as no order explains it
    has missed a few reports          counted at the dearest order that may have reached it, or at
                                      its last report: orders sent into silence take nothing off
    is silent                         so counted until it speaks, and given no other order
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from stratum.power.brain.arbitration import arbitrate
from stratum.power.brain.arrival import shown
from stratum.power.brain.commands import Level, Reason
from stratum.power.brain.dispatch import Decision, State, decide
from stratum.power.brain.fleet import Feeder, Firmware, Fleet, Owner, Rig, RigModel
from stratum.power.brain.settings import SECOND, Mode, Settings
from stratum.power.brain.state import NEVER
from stratum.power.brain.values import (
    UNKNOWN_W,
    DeviceReadings,
    Inputs,
    Ints,
    Kind,
    Quality,
    Signal,
)

ROOT = "surplus"
#: Of all sites together: half of the dead-band of two hundredths (N10), so that one slice is never
#: too coarse to be woken into what is free.
SLICES = 100
#: A slice's lowest level, above its house load: what `decide` can tell from sleep.
FLOOR_PARTS = 20

FULL_BP = 10_000
#: Kept free beside what is taken beyond orders: a report is a second old.
MARGIN_BP = 1_000
#: Of a site's power: less than that beyond its order is told to nobody, it is what trim leaves.
TOLD_BP = 200

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

#: A report this long after an order tells of what the order made: the way down, and two seconds on
#: the wires.
OBEYED_MS = SITE_FIRMWARE.down_dead_ms + SITE_FIRMWARE.down_ramp_ms + 2 * SECOND


@dataclass(frozen=True, slots=True)
class Site:
    """`rated_w`: all it could ever take; `idle_w`: its house load, taken when ordered to 0."""

    name: str
    rated_w: int
    owner: str = "all"
    idle_w: int = 0


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
    # Longer than it takes from report to report: without one its orders may not arrive either.
    late_ms: int = 3 * SECOND
    silent_ms: int = 10 * SECOND  # it is given no other order


@dataclass(frozen=True, slots=True)
class Account:
    """What one site was told and what it said of it.

    `orders` are changes as (when sent, watts it leaves), back to those that its last report may
    still have told of.
    """

    orders: tuple[tuple[int, int], ...] = ()
    heard_ms: int = NEVER
    report_w: int = 0
    absorbable_w: int = UNKNOWN_W  # never heard
    excess_w: int = 0  # beyond its orders, by its reports

    def told(self, now_ms: int, watts: int) -> Account:
        """After one more order, which may be the same."""
        orders = self.orders
        if not orders or orders[-1][1] != watts:
            orders = (*orders, (now_ms, watts))
        since_ms = self.heard_ms - OBEYED_MS
        first = max((row for row, (at_ms, _) in enumerate(orders) if at_ms <= since_ms), default=0)
        return replace(self, orders=orders[first:])

    def heard(self, report: SiteReport, counted_w: int) -> Account:
        """After a report. A site on its way between two orders is between them: the excess moves
        only as far as no order on the way explains the report."""
        if report.at_ms <= self.heard_ms:
            return self
        since_ms = report.at_ms - OBEYED_MS
        orders = self.in_force(since_ms, report.at_ms) or [counted_w]
        least_w, most_w = report.power_w - max(orders), report.power_w - min(orders)
        excess_w = max(0, min(max(self.excess_w, least_w), most_w))
        return Account(
            self.orders, report.at_ms, report.power_w, max(0, report.absorbable_w), excess_w
        )

    def in_force(self, since_ms: int, until_ms: int) -> list[int]:
        """Orders that may have been followed at some time in between."""
        ends = [at_ms for at_ms, _ in self.orders[1:]] + [until_ms + 1]
        return [
            watts
            for (at_ms, watts), end_ms in zip(self.orders, ends, strict=False)
            if at_ms <= until_ms and end_ms > since_ms
        ]

    def beyond_w(self, counted_w: int, now_ms: int, late_ms: int) -> int:
        """What it may take above what it is counted at."""
        if now_ms - self.heard_ms <= late_ms:
            return self.excess_w
        orders = self.in_force(self.heard_ms - OBEYED_MS, now_ms)
        return max(0, self.report_w - counted_w, max(orders, default=0) - counted_w)


@dataclass(frozen=True, slots=True, eq=False)
class SplitState:
    """The parent's own state, what is known of each site, and who is silent now.

    `at_once_w`: what the plant leaves, by the last tick; None before the first.
    """

    state: State
    accounts: dict[str, Account] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    beyond: frozenset[str] = frozenset()
    at_once_w: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One tick's orders: a set-point per site that can be heard.

    `beyond_w`: what sites may take beyond their orders, of which `decide` knows nothing.
    """

    state: SplitState
    signals: tuple[tuple[str, Signal], ...]
    decision: Decision
    reasons: tuple[Reason, ...]
    beyond_w: int = 0


def fleet_of_sites(sites: tuple[Site, ...], cap_w: int | None = None) -> Fleet:
    """The parent's fleet: a feeder a site, its slices below it. Watts that do not divide by the
    number of slices are left out."""
    total_w = max(1, sum(site.rated_w for site in sites))
    counts = {site.name: max(1, -(-site.rated_w * SLICES // total_w)) for site in sites}
    owners = sorted({site.owner for site in sites})
    return Fleet.of(
        [
            Rig(f"{site.name}/{row}", model_name(site), SITE_FIRMWARE.name, site.name, site.owner)
            for site in sites
            for row in range(counts[site.name])
        ],
        list({model_name(site): model_of(site, counts[site.name]) for site in sites}.values()),
        [SITE_FIRMWARE],
        [Feeder(ROOT, cap_w=cap_w), *(Feeder(site.name, ROOT) for site in sites)],
        [Owner(name, sum(site.rated_w for site in sites if site.owner == name)) for name in owners],
    )


def model_name(site: Site) -> str:
    return f"site {site.rated_w}, {site.idle_w} idle"


def model_of(site: Site, slices: int) -> RigModel:
    """A slice. Its floor is above what `learning.idle_limit_w` takes for sleep, twice the house
    load or 3 % above it."""
    rated_w, idle_w = site.rated_w // slices, -(-site.idle_w // slices)
    floor_w = min(rated_w, rated_w // FLOOR_PARTS + 2 * idle_w + 1)
    return RigModel(model_name(site), ((floor_w, floor_w), (rated_w, rated_w)), idle_w)


def split(
    before: SplitState,
    inputs: Inputs,
    reports: tuple[SiteReport, ...],
    settings: Settings,
    split_settings: SplitSettings,
    fleet: Fleet,
) -> Split:
    """Split what there is to take. `inputs` carries the surplus and no devices."""
    now_ms = inputs.now_ms
    names = names_of(fleet)
    counted_w = counted_by_site(before.state, fleet)
    accounts = {name: before.accounts.get(name, Account()) for name in names}
    reports = tuple(each for each in reports if each.site in accounts and each.at_ms <= now_ms)
    for report in reports:
        accounts[report.site] = accounts[report.site].heard(report, counted_w[report.site])
    silent = frozenset(
        name for name in names if now_ms - accounts[name].heard_ms > split_settings.silent_ms
    )
    beyond_w = {
        name: accounts[name].beyond_w(counted_w[name], now_ms, split_settings.late_ms)
        for name in names
    }
    excess_w = sum(beyond_w.values())

    state = with_reports(before.state, accounts, silent, fleet)
    devices = as_devices(state, fleet, now_ms)
    capped = under_excess(settings, before.at_once_w, excess_w)
    decision = decide(state, replace(inputs, devices=devices), capped, fleet)

    signals = orders(decision, silent, inputs, split_settings, fleet)
    ordered_w = counted_by_site(decision.state, fleet)
    for name, _ in signals:
        accounts[name] = accounts[name].told(now_ms, ordered_w[name])
    beyond = those_beyond(before.beyond, beyond_w, fleet)
    return Split(
        SplitState(
            decision.state, accounts, silent, beyond, at_once_w(decision, settings, inputs, fleet)
        ),
        signals,
        decision,
        in_our_words(decision.reasons, excess_w, settings)
        + told(before.silent, silent)
        + told_beyond(beyond - before.beyond, beyond_w),
        excess_w,
    )


# -- what `decide` is shown ----------------------------------------------------------------------


def names_of(fleet: Fleet) -> tuple[str, ...]:
    """Sites, in the order of their feeders; the first feeder is the surplus itself."""
    return tuple(feeder.name for feeder in fleet.feeders[1:])


def with_reports(
    state: State, accounts: dict[str, Account], silent: frozenset[str], fleet: Fleet
) -> State:
    """A site's full power is what it can absorb; one that cannot even take its slices' floor is not
    woken; a silent one is out of the loop."""
    rigs = state.rigs.copy()
    rigs.cycles[:] = 0  # what wears is counted by the site itself, rig by rig
    names, site = names_of(fleet), fleet.feeder - 1
    slices = np.bincount(site, minlength=len(names))
    absorbable_w = np.array([accounts[name].absorbable_w for name in names], np.int64)
    each_w, is_told = (absorbable_w // slices)[site], (absorbable_w >= 0)[site]
    taken_w = np.clip(each_w, fleet.floor_w, fleet.rated_w)
    rigs.learned_w[:] = np.where(is_told, taken_w, rigs.learned_w)
    is_heard = np.array([name not in silent for name in names], np.bool_)[site]
    is_full = is_told & (rigs.ordered_w == 0) & (each_w < fleet.floor_w)
    rigs.managed[:] = is_heard & ~is_full
    return replace(state, rigs=rigs)


def as_devices(state: State, fleet: Fleet, now_ms: int) -> DeviceReadings:
    """Orders as telemetry: every slice does as it was told, what is beyond it is kept apart."""
    counted_w = counted(state, fleet)
    return DeviceReadings(
        rig=np.arange(len(fleet), dtype=np.int64),
        watts=counted_w,
        hashing=(state.rigs.ordered_w != 0).astype(np.int64),
        at_ms=np.full(len(fleet), now_ms, np.int64),
    )


def counted(state: State, fleet: Fleet) -> Ints:
    """What each slice's last order leaves it; one never ordered may take everything it has."""
    rigs = state.rigs
    awake_w = np.where(rigs.ordered_w == UNKNOWN_W, rigs.full_w(fleet), rigs.ordered_w)
    counted_w: Ints = np.where(rigs.ordered_w == 0, fleet.idle_w, awake_w)
    return counted_w


def counted_by_site(state: State, fleet: Fleet) -> dict[str, int]:
    sums = fleet.by_feeder(counted(state, fleet))[1:]
    return {name: int(watts) for name, watts in zip(names_of(fleet), sums, strict=True)}


def under_excess(settings: Settings, at_once_w: int | None, excess_w: int) -> Settings:
    """A cap of our own for this tick: what the plant left a tick ago, less what is taken beyond
    orders. Without it dead-bands may leave, and whole slices add, more than there is."""
    if at_once_w is None:
        return settings
    left_w = max(0, at_once_w - excess_w - excess_w * MARGIN_BP // FULL_BP)
    own_w = left_w if settings.cap_w is None else settings.cap_w
    return replace(settings, cap_w=min(own_w, left_w))


def at_once_w(decision: Decision, settings: Settings, inputs: Inputs, fleet: Fleet) -> int:
    """What the plant and operators leave by this tick, without our own cap."""
    after = decision.state
    order, _ = arbitrate(
        after.sources.views, after.overrides, None, settings, fleet.total_w, inputs
    )
    return order.at_once_w


# -- what goes out -------------------------------------------------------------------------------


def orders(
    decision: Decision,
    silent: frozenset[str],
    inputs: Inputs,
    settings: SplitSettings,
    fleet: Fleet,
) -> tuple[tuple[str, Signal], ...]:
    """Every site's order, renewed each tick, because every order expires.

    A site of which nothing was ever ordered is left alone until full power is what it may have.
    """
    rigs, picture = decision.state.rigs, decision.picture
    is_ready = decision.state.start.ready_ms is not None
    is_open = is_ready and decision.state.overrides.mode is Mode.CONTROL
    is_open &= picture.ordered_w <= picture.target_w
    ordered = fleet.by_feeder((rigs.ordered_w != UNKNOWN_W).astype(np.int64))[1:]
    awake = fleet.by_feeder((rigs.ordered_w != 0).astype(np.int64))[1:]
    counted_w = counted_by_site(decision.state, fleet)
    signals = []
    for row, name in enumerate(names_of(fleet)):
        if name in silent or not (ordered[row] or is_open):
            continue
        order = Signal(
            source="parent",
            kind=Kind.SETPOINT_ABS,
            value=counted_w[name] if awake[row] else 0,
            event_ms=inputs.wall_ms,
            received_ms=inputs.now_ms,
            valid_from_ms=inputs.wall_ms,
            valid_to_ms=inputs.wall_ms + settings.valid_ms,
            sequence=inputs.tick,
            quality=Quality.GOOD,
        )
        signals.append((name, order))
    return tuple(signals)


def in_our_words(
    reasons: tuple[Reason, ...], excess_w: int, settings: Settings
) -> tuple[Reason, ...]:
    """Our own cap is told as what it is; that sites submit no work is nobody's loss."""
    ours = Reason("sites_rise", "there is more to share than a tick ago: from the next tick on")
    if excess_w:
        text = f"{shown(excess_w)} are or may be taken beyond orders: the rest is shared"
        ours = Reason("sites_beyond", text)
    is_ours = excess_w > 0 or settings.cap_w is None
    return tuple(
        ours if reason.code == "site_cap" and is_ours else reason
        for reason in reasons
        if reason.code != "work_lost"
    )


def told(before: frozenset[str], silent: frozenset[str]) -> tuple[Reason, ...]:
    """Who fell silent, who is back."""
    lost = [
        Reason("site_silent", "counted at the most it may take until it reports", Level.ALARM, name)
        for name in sorted(silent - before)
    ]
    back = [Reason("site_back", "reports again", subject=name) for name in sorted(before - silent)]
    return (*lost, *back)


def those_beyond(before: frozenset[str], beyond_w: dict[str, int], fleet: Fleet) -> frozenset[str]:
    """Who takes, or may take, more than ordered by as much as to be told of, until it is over."""
    rated_w = fleet.by_feeder(fleet.rated_w)[1:]
    return frozenset(
        name
        for (name, watts), rated in zip(beyond_w.items(), rated_w.tolist(), strict=True)
        if watts * FULL_BP > rated * TOLD_BP or (watts > 0 and name in before)
    )


def told_beyond(fresh: frozenset[str], beyond_w: dict[str, int]) -> tuple[Reason, ...]:
    text = "takes, or may take, {} more than ordered: the others do without"
    return tuple(
        Reason("site_beyond", text.format(shown(beyond_w[name])), Level.WARNING, name)
        for name in sorted(fresh)
    )
