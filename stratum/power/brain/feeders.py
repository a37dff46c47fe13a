"""The tree of caps: what each feeder carries, and what may still be added below it.

A cap holds twice: by what was ordered (the sum of commanded or assumed watts, from the next tick
on, whatever the meter says) and by what is measured once commands have worked. A feeder whose
meter is stale counts the sum of its devices and five per cent, and wakes nobody below it; where
those are unknown too, every rig counts at its worst, and what that excess takes off comes down by
our own ramp: it is our blindness, not the plant's order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stratum.power.brain.estimator import Estimate, Load, MeterMemory, MeterView, estimate
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.values import Flags, Ints

NO_CAP_W = 1 << 50


@dataclass(frozen=True, slots=True)
class Feeders:
    """One row a feeder; row 0 is the site."""

    estimates: tuple[Estimate | None, ...]  # None: no cap and no meter, nobody asks
    cap_w: Ints  # NO_CAP_W where there is none
    used_w: Ints  # the dearer of ordered and settled
    blind: Flags  # stale meter: no restores below
    guessed: Flags  # not even the devices are known: reductions ramp

    @property
    def site(self) -> Estimate:
        found = self.estimates[0]
        assert found is not None  # the site is always estimated
        return found

    def capped(self, site_cap_w: int, ordered_w: Ints) -> Feeders:
        """The same tree under what arbitration allows the site, and operators each feeder (-1:
        nobody said)."""
        cap_w = np.where(ordered_w < 0, self.cap_w, np.minimum(self.cap_w, ordered_w))
        cap_w[0] = min(int(cap_w[0]), site_cap_w)
        return replace(self, cap_w=cap_w)

    @property
    def over_w(self) -> Ints:
        over_w: Ints = np.maximum(self.used_w - self.cap_w, 0)
        return over_w


def read_feeders(
    load: Load,
    fleet: Fleet,
    views: dict[int, MeterView],
    memory: dict[str, MeterMemory],
    horizon_ms: int,
) -> tuple[Feeders, dict[str, MeterMemory]]:
    """Estimate every feeder that has a cap or a meter; the site always."""
    count = len(fleet.feeders)
    cap_w = np.where(fleet.feeder_cap_w < 0, NO_CAP_W, fleet.feeder_cap_w)
    used_w = load.assumed_by_feeder.copy()
    blind = np.zeros(count, np.bool_)
    guessed = np.zeros(count, np.bool_)

    memory = dict(memory)
    estimates: list[Estimate | None] = []
    for row, feeder in enumerate(fleet.feeders):
        view = views.get(row)
        if row and view is None and cap_w[row] >= NO_CAP_W:
            estimates.append(None)
            continue
        found, kept = estimate(load, view, memory.get(feeder.name, MeterMemory()), row, horizon_ms)
        estimates.append(found)
        if view is not None:
            memory[feeder.name] = kept
            blind[row] = not view.fresh
            guessed[row] = not view.fresh and found.source == "model"
        used_w[row] = max(int(used_w[row]), found.settled_w)
    return Feeders(tuple(estimates), cap_w, used_w, blind, guessed), memory


def open_below(fleet: Fleet, feeders: Feeders) -> Flags:
    """Feeders under which a rig may be woken at all: no blind or full one on the way up."""
    is_open = ~feeders.blind & (feeders.cap_w > feeders.used_w)
    for row in range(1, len(fleet.feeders)):
        is_open[row] &= is_open[fleet.parent[row]]
    return is_open


def fitting(fleet: Fleet, rigs: Ints, watts: Ints, room_w: Ints) -> Flags:
    """Which of these rigs, taken in their order, fit under every feeder above them.

    A rig that does not fit is passed over; the ones after it may still.
    """
    limited = room_w < NO_CAP_W // 2
    fits = np.ones(len(rigs), np.bool_)
    for row in np.flatnonzero(limited):
        below = under(fleet, int(row))[fleet.feeder[rigs]] & fits
        rows = np.flatnonzero(below)
        sums = np.cumsum(watts[rows])
        fits[rows[sums > room_w[row]]] = False
    return fits


def under(fleet: Fleet, feeder: int) -> Flags:
    """Which feeders hang below this one, itself included."""
    below = np.zeros(len(fleet.feeders), np.bool_)
    below[feeder] = True
    for row in range(feeder + 1, len(fleet.feeders)):
        below[row] = below[fleet.parent[row]]
    return below


def through(fleet: Fleet, own_w: Ints, room_w: Ints) -> int:
    """What of each feeder's own reaches the site through the room of every feeder above it."""
    flow_w = own_w.copy()
    for feeder in range(len(fleet.feeders) - 1, -1, -1):
        flow_w[feeder] = min(int(flow_w[feeder]), int(room_w[feeder]))
        if feeder:
            flow_w[fleet.parent[feeder]] += flow_w[feeder]
    return int(flow_w[0])
