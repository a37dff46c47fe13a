"""How high price lets a rig run, moved late and seldom.

A level is left for a lower one only when the blocks above have cost more than they earn, by more
than the margin, for the whole confirmation time; and taken up again only when they have earned
more than they cost, by as much and as long. The move made is the smallest that was asked for all
the while. What is not known asks for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratum.power.brain.fleet import Fleet, Label
from stratum.power.brain.state import NEVER
from stratum.power.brain.values import Flags, Ints
from stratum.power.economics.blocks import MOST_PH_PER_MWH, Ladder

WHOLE_BP = 10_000
NOT_DUE = 1 << 60


@dataclass(frozen=True, slots=True, eq=False)
class Ceilings:
    """One row a rig, nameplate watts; `rated_w` is no ceiling, 0 is sleep."""

    ceiling_w: Ints
    wish_w: Ints  # where it will go if the market stays as it is
    since_ms: Ints  # monotonic, when that was first asked for; NEVER: nothing is

    @classmethod
    def fresh(cls, fleet: Fleet) -> Ceilings:
        rated = fleet.rated_w.copy()
        return cls(rated, rated, np.full(len(fleet), NEVER, np.int64))

    def due_ms(self, confirm_ms: int) -> int:
        """When the first of the wishes is confirmed; NOT_DUE without one."""
        asked = self.since_ms[self.since_ms != NEVER]
        return int(asked.min()) + confirm_ms if len(asked) else NOT_DUE

    def undisturbed(self) -> Ceilings:
        """As they are, with no wish pending."""
        return Ceilings(self.ceiling_w, self.ceiling_w, np.full_like(self.since_ms, NEVER))

    def moved(self, keep_w: Ints, rise_w: Ints, now_ms: int, confirm_ms: int) -> Ceilings:
        """One look at the market: at most `keep_w` is worth keeping, `rise_w` worth taking up.

        rise_w ≤ keep_w; between the two nothing is asked for.
        """
        down, up = self.ceiling_w > keep_w, self.ceiling_w < rise_w
        asked = self.since_ms != NEVER
        still_down = down & asked & (self.wish_w < self.ceiling_w)
        still_up = up & asked & (self.wish_w > self.ceiling_w)

        wish_w = np.select(
            [still_down, still_up, down, up],
            [np.maximum(self.wish_w, keep_w), np.minimum(self.wish_w, rise_w), keep_w, rise_w],
            self.ceiling_w,
        )
        since_ms = np.select([still_down | still_up, down | up], [self.since_ms, now_ms], NEVER)

        confirmed = (since_ms != NEVER) & (since_ms <= now_ms - confirm_ms)
        return Ceilings(
            np.where(confirmed, wish_w, self.ceiling_w),
            wish_w,
            np.where(confirmed, NEVER, since_ms),
        )


def paying_levels(
    ladder: Ladder,
    fleet: Fleet,
    full_w: Ints,
    micro_per_eh: int,
    cost_micro: Ints,
    margin_bp: int,
) -> tuple[Ints, Ints]:
    """(keep_w, rise_w) of every rig: the top of the blocks that do not lose clearly, and of those
    that pay clearly. `cost_micro` is per MWh at the rig, overhead included.

    A rig that takes more than its nameplate says does less with each MWh. The protected are
    never shed for a price.
    """
    band = np.abs(cost_micro) * margin_bp // WHOLE_BP
    keep_w, rise_w = np.zeros(len(fleet), np.int64), np.zeros(len(fleet), np.int64)
    keeps: Flags = np.ones(len(fleet), np.bool_)
    rises: Flags = np.ones(len(fleet), np.bool_)
    for to_w, ph_per_mwh in zip(ladder.to_w, ladder.ph_per_mwh, strict=True):
        true_ph = ph_per_mwh * fleet.rated_w // np.maximum(full_w, 1)
        value = np.minimum(true_ph, MOST_PH_PER_MWH) * micro_per_eh // 1000
        keeps &= (to_w > 0) & (value >= cost_micro - band)
        rises &= (to_w > 0) & (value >= cost_micro + band)
        keep_w = np.where(keeps, to_w, keep_w)
        rise_w = np.where(rises, to_w, rise_w)

    spared = fleet.label == Label.PROTECTED
    return np.where(spared, fleet.rated_w, keep_w), np.where(spared, fleet.rated_w, rise_w)
