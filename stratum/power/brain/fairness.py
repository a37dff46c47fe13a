"""Owners bear curtailment in proportion to what they contracted.

What counts is curtailed watt-hours per contracted watt over thirty days, weighted as the contract
says. Each owner has a wish: its proportional part of what is off now, corrected by what it has
borne too little or too much, to be made up within an hour. Rigs are then shed and woken so that
owners come to their wishes together; inside one owner merit decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import HOUR, Settings
from stratum.power.brain.state import RigState, Status, one_of
from stratum.power.brain.values import UNKNOWN_W, Ints

BUCKETS = 30  # of a thirtieth of the window each: the oldest falls out whole
MAKE_UP_MS = HOUR
FULL_BP = 10_000
_COUNTED = ~one_of(Status.DEAD, Status.UNKNOWN)
QUANTUM_BP = 50  # owners within half a per cent of their wish are equals, merit decides


@dataclass(frozen=True, slots=True)
class FairnessState:
    """Curtailed watt-milliseconds per owner, by bucket of the window; the last one is filling."""

    buckets: tuple[tuple[int, ...], ...] = ()  # oldest first, one row a bucket
    bucket: int = 0  # number of the filling bucket since the epoch of the monotonic clock
    at_ms: int | None = None

    def borne_wms(self, owners: int) -> list[int]:
        return [sum(bucket[owner] for bucket in self.buckets) for owner in range(owners)]


def curtailed_w(rigs: RigState, fleet: Fleet) -> Ints:
    """Per owner, watts that could run and are off or held down by our orders."""
    ours = rigs.managed & ~rigs.locked & (rigs.ordered_w != UNKNOWN_W)
    ours &= _COUNTED[rigs.status]
    missing = np.where(ours, np.maximum(rigs.full_w(fleet) - rigs.ordered_w, 0), 0)
    return np.bincount(fleet.owner, missing, len(fleet.owners)).astype(np.int64)


def count(state: FairnessState, off_w: Ints, settings: Settings, now_ms: int) -> FairnessState:
    """Add what each owner bore since the last tick."""
    bucket = now_ms // max(1, settings.fair_window_ms // BUCKETS)
    elapsed_ms = 0 if state.at_ms is None else max(0, now_ms - state.at_ms)
    rows = list(state.buckets) or [(0,) * len(off_w)]
    fresh = min(BUCKETS, bucket - state.bucket) if state.at_ms is not None else 0
    rows += [(0,) * len(off_w)] * fresh
    rows = rows[-BUCKETS:]
    rows[-1] = tuple(
        borne + int(watts) * elapsed_ms for borne, watts in zip(rows[-1], off_w, strict=True)
    )
    return FairnessState(tuple(rows), bucket, now_ms)


def wishes_w(state: FairnessState, off_w: Ints, more_w: int, fleet: Fleet) -> Ints:
    """What each owner should have off once `more_w` more (or, negative, less) is off."""
    total_w = max(0, int(off_w.sum()) + more_w)
    parts = [max(1, owner.contracted_w * owner.weight_bp // FULL_BP) for owner in fleet.owners]
    borne = state.borne_wms(len(fleet.owners))
    all_parts, all_borne = sum(parts), sum(borne)
    wishes = []
    for part, has_borne in zip(parts, borne, strict=True):
        owed_wms = all_borne * part // all_parts - has_borne
        wishes.append(total_w * part // all_parts + owed_wms // MAKE_UP_MS)
    return np.array(wishes, np.int64)


def spread_bp(state: FairnessState, fleet: Fleet) -> int:
    """How far owners' borne energy per contracted watt lies apart, of the highest."""
    borne = state.borne_wms(len(fleet.owners)) if state.buckets else []
    ratios = [
        wms // max(1, owner.contracted_w * owner.weight_bp // FULL_BP)
        for wms, owner in zip(borne, fleet.owners, strict=False)
    ]
    if not ratios or max(ratios) <= 0:
        return 0
    return (max(ratios) - min(ratios)) * FULL_BP // max(ratios)


def order_to_shed(fleet: Fleet, ranked: Ints, watts: Ints, off_w: Ints, wish_w: Ints) -> Ints:
    """Put rigs, already ranked by merit, into an order in which owners reach their wishes together.

    A rig's place is how far its owner is past its wish once it is shed too, in steps of half a per
    cent of what the owner contracted.
    """
    if len(fleet.owners) < 2:
        return ranked
    past_w = off_w[fleet.owner[ranked]] + running_sums(fleet.owner[ranked], watts)
    return ranked[np.argsort(steps(fleet, ranked, past_w, wish_w), kind="stable")]


def order_to_wake(fleet: Fleet, ranked: Ints, watts: Ints, off_w: Ints, wish_w: Ints) -> Ints:
    """The same for waking: first those whose owner has most off beyond its wish."""
    if len(fleet.owners) < 2:
        return ranked
    left_w = off_w[fleet.owner[ranked]] - running_sums(fleet.owner[ranked], watts)
    return ranked[np.argsort(-steps(fleet, ranked, left_w, wish_w), kind="stable")]


def steps(fleet: Fleet, rigs: Ints, off_w: Ints, wish_w: Ints) -> Ints:
    contracted = np.array([max(1, owner.contracted_w) for owner in fleet.owners], np.int64)
    owners = fleet.owner[rigs]
    return (off_w - wish_w[owners]) * FULL_BP // contracted[owners] // QUANTUM_BP


def running_sums(owners: Ints, watts: Ints) -> Ints:
    """Of each row, the sum of its owner's watts up to and with it."""
    sums = np.empty(len(owners), np.int64)
    for owner in np.unique(owners):
        rows = np.flatnonzero(owners == owner)
        sums[rows] = np.cumsum(watts[rows])
    return sums
