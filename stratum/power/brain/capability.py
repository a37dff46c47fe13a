"""Megawatts that can be promised, both ways.

Sheddable is firm: only rigs whose sleep the witnesses have seen within a week, that are heard now
and run without doubt (N27; the definition is Foreman's). Protected rigs go down for a cap or an
emergency, and are promised to nobody.

Absorbable is what would be running one, five or fifteen minutes from now if everything were wanted
from this second on: rigs asleep that neither a lock, their wear nor the rest of their min-off holds
back, and levels of running rigs that may rise; each if it is there in time at its t95; as much of
it as inrush lets start under each feeder, as every feeder above has room for, as the site's ramp
allows and the order leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stratum.power.brain.feeders import through
from stratum.power.brain.fleet import Fleet, Label
from stratum.power.brain.learning import Learned
from stratum.power.brain.pacing import inrush_room
from stratum.power.brain.settings import MINUTE, SECOND, Settings
from stratum.power.brain.state import RigState, Status
from stratum.power.brain.values import Ints


class Limit(Protocol):
    """What of an order is read here."""

    @property
    def hi_w(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Capability:
    """Watts; see above what each one promises."""

    sheddable_w: int
    absorb_1min_w: int
    absorb_5min_w: int
    absorb_15min_w: int


def capability(
    fleet: Fleet,
    rigs: RigState,
    settings: Settings,
    order: Limit,
    now_ms: int,
    room_w: Ints,
    ramp_up_w_per_min: int,
    learned: Learned | None = None,
) -> Capability:
    """`room_w` is what may be added under each feeder by itself, the site included; without
    `learned` the firmware's table says how long a rig takes."""
    assumed_w, asleep_w = rigs.assumed_w(fleet), rigs.asleep_w(fleet)
    hi_room_w = max(0, order.hi_w - int(assumed_w.sum()))

    heard = now_ms - rigs.seen_ms < settings.telemetry_age_ms
    proven = now_ms - rigs.verified_ms <= settings.verified_age_ms
    firm = (rigs.status == Status.RUNNING) & heard & proven & rigs.managed
    firm &= fleet.label != Label.PROTECTED
    sheddable_w = int(np.maximum(assumed_w - asleep_w, 0)[firm].sum())

    settle_ms = fleet.up_dead_ms + fleet.up_ramp_ms
    if learned is not None:
        settle_ms = learned.settle_ms(fleet, down=False)
    full_w = rigs.full_w(fleet)
    sleeps = (rigs.status == Status.SHED) & rigs.managed & ~rigs.locked
    sleeps &= rigs.cycles.sum(axis=0) < settings.cycles_hard
    wakes = np.flatnonzero(sleeps)
    free_ms = np.maximum(rigs.off_ms[wakes] + fleet.min_off_ms[wakes] - now_ms, 0)
    woken = _Rise(wakes, full_w[wakes] - asleep_w[wakes], free_ms, settle_ms[wakes])

    lifts = np.flatnonzero((rigs.status == Status.RUNNING) & fleet.continuous & rigs.managed)
    lift_ms = (fleet.trim_dead_ms + fleet.trim_ramp_ms)[lifts]
    more_w = np.maximum(full_w - assumed_w, 0)[lifts]
    lifted = _Rise(lifts, more_w, np.zeros_like(lift_ms), lift_ms)

    inrush = inrush_room(fleet, settings)
    absorb_w = []
    for minutes in (1, 5, 15):
        horizon_ms = minutes * MINUTE
        own_w = woken.in_time(fleet, horizon_ms, inrush)
        own_w += lifted.in_time(fleet, horizon_ms, None)
        fits_w = through(fleet, own_w, room_w)
        absorb_w.append(min(fits_w, ramp_up_w_per_min * minutes, hi_room_w))
    return Capability(sheddable_w, *absorb_w)


@dataclass(frozen=True, slots=True)
class _Rise:
    """Rigs that may take more: by how much, from when on, and how long it takes them."""

    rows: Ints
    more_w: Ints
    free_ms: Ints
    settle_ms: Ints

    def in_time(self, fleet: Fleet, horizon_ms: int, inrush: Ints | None) -> Ints:
        """Watts per feeder, children not included, of what has risen by then.

        Where `inrush` rigs may start a second, the last second to start is the one that leaves the
        slowest its time; of rigs that are too many, the average one counts.
        """
        ready = self.free_ms + self.settle_ms <= horizon_ms
        feeders = fleet.feeder[self.rows[ready]]
        sums_w = np.zeros(len(fleet.feeders), np.int64)
        np.add.at(sums_w, feeders, self.more_w[ready])
        if inrush is None or not len(feeders):
            return sums_w
        seconds = int(horizon_ms - self.settle_ms[ready].max()) // SECOND + 1
        count = np.bincount(feeders, minlength=len(fleet.feeders))
        started = np.minimum(count, inrush * seconds)
        return sums_w * started // np.maximum(count, 1)
