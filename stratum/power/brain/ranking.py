"""In which order rigs are shed and woken.

Labels first (first-shed rigs, then everyone; protected ones only for caps and emergencies, last),
then rigs that lose money under `profit`, whoever owns them, then rigs without a power target before
those that trim, then merit in bands of five per cent, each cycle of the last day weighing as much
as one band: a worn rig is left as it is, asleep or awake. Among equals the one that has run, or
slept, the longest. So wear goes round among rigs that are worth nearly the same, instead of burning
the one at the margin (reference §0.7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratum.power.brain.fairness import order_to_shed, order_to_wake
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Settings
from stratum.power.brain.state import RigState
from stratum.power.brain.values import Flags, Ints

FULL_BP = 10_000
TIER = np.array([1, 2, 0], np.int64)  # of each Label: first-shed, inherit, protected


@dataclass(frozen=True, slots=True)
class Ranking:
    """What one tick needs to put rigs in order; `off_w` and `wish_w` are per owner."""

    fleet: Fleet
    rigs: RigState
    band: Ints  # of merit, per rig
    over_price: Flags  # runs higher than price leaves it
    cycles: Ints  # of the last day, per rig
    off_w: Ints
    wish_w: Ints

    def to_shed(self, rows: Ints, gain_w: Ints) -> Ints:
        """These rigs in the order to shed them; `gain_w` per rig of the fleet."""
        tier = TIER[self.fleet.label]
        ranked = rows[
            np.lexsort(
                (
                    self.rigs.on_ms[rows],
                    self.band[rows] + self.cycles[rows],
                    self.fleet.continuous[rows],
                    ~self.over_price[rows],
                    tier[rows],
                )
            )
        ]
        if len(self.fleet.owners) < 2:
            return ranked
        part = 2 * tier + ~self.over_price
        parts = [ranked[part[ranked] == each] for each in range(2 * len(TIER))]
        return np.concatenate(
            [order_to_shed(self.fleet, p, gain_w[p], self.off_w, self.wish_w) for p in parts]
        )

    def to_wake(self, rows: Ints, cost_w: Ints) -> Ints:
        """These rigs in the order to wake them: what is shed first is woken last."""
        tier = TIER[self.fleet.label]
        ranked = rows[
            np.lexsort(
                (
                    self.rigs.off_ms[rows],
                    self.cycles[rows] - self.band[rows],
                    ~self.fleet.continuous[rows],
                    -tier[rows],
                )
            )
        ]
        if len(self.fleet.owners) < 2:
            return ranked
        parts = [ranked[tier[ranked] == each] for each in reversed(range(len(TIER)))]
        return np.concatenate(
            [order_to_wake(self.fleet, p, cost_w[p], self.off_w, self.wish_w) for p in parts]
        )


def bands(merit: Ints, settings: Settings) -> Ints:
    """Merit in steps of `rotation_band_bp` of the best: rigs of one step are equals."""
    if not len(merit):
        return merit
    step = max(1, int(np.abs(merit).max()) * settings.rotation_band_bp // FULL_BP)
    return merit // step
