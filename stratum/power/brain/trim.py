"""The trim group: rigs that take any power between a floor and their full.

They absorb what is fast; blocks (whole rigs) move only when the group is asked for less than a
quarter or more than three quarters of its range, and then by as much as puts it back to the middle
(§7.2). All rigs of the group go to the same level; one is told only when it is off by two per cent
of its rating, and small corrections reach a quarter of the group each second, so that a steady load
costs no commands and a drifting one a few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratum.power.brain.fleet import Fleet, Label
from stratum.power.brain.state import RigState, Status
from stratum.power.brain.values import UNKNOWN_W, Ints

FULL_BP = 10_000
STEP_BP = 200  # of a rig's rating: below it a command is not worth sending
PHASES = 4
MIN_BLOCKS = 4  # a range of fewer rigs than this trims nothing


@dataclass(frozen=True, slots=True)
class TrimGroup:
    """Rows of the rigs that can trim now, and the watts each may be set to."""

    rows: Ints
    level_w: Ints
    floor_w: Ints
    top_w: Ints

    @property
    def floor_sum_w(self) -> int:
        return int(self.floor_w.sum())

    @property
    def range_w(self) -> int:
        return int(self.top_w.sum()) - self.floor_sum_w

    @property
    def level_sum_w(self) -> int:
        return int(self.level_w.sum())

    def at_bp(self, bp: int) -> int:
        """Watts of the whole group at a part of its range."""
        return self.floor_sum_w + self.range_w * bp // FULL_BP

    def levels_for(self, total_w: int) -> Ints:
        """Each rig's watts when the group takes `total_w`, clipped to what it can."""
        if self.range_w <= 0:
            return self.floor_w
        above_w = min(max(total_w - self.floor_sum_w, 0), self.range_w)
        return self.floor_w + (self.top_w - self.floor_w) * above_w // self.range_w


def trim_group(fleet: Fleet, rigs: RigState, assumed_w: Ints, ceiling_w: Ints) -> TrimGroup:
    """Rigs with a power target that run, obey, and are ours; not those an operator protects.

    One that was never ordered stands where it says it stands.
    """
    able = fleet.continuous & rigs.managed & (fleet.label != Label.PROTECTED)
    rows = np.flatnonzero(able & (rigs.status == Status.RUNNING) & (assumed_w > 0))
    found = (rigs.ordered_w == UNKNOWN_W) & (rigs.seen_w > 0)
    level_w = np.where(found, rigs.seen_w, assumed_w)[rows]
    floor_w = fleet.floor_w[rows]
    top_w = np.maximum(floor_w, ceiling_w[rows])
    return TrimGroup(rows, np.clip(level_w, floor_w, np.maximum(top_w, level_w)), floor_w, top_w)


def horizon_ms(fleet: Fleet) -> int:
    """How far the group looks ahead: the time its slowest kind takes to change its level."""
    times_ms = (fleet.trim_dead_ms + fleet.trim_ramp_ms)[fleet.continuous]
    return int(times_ms.max()) if len(times_ms) else 0


def trims(group: TrimGroup, fleet: Fleet) -> bool:
    """Whether the range is worth more than a few blocks; below that only blocks move."""
    return bool(len(group.rows)) and group.range_w >= MIN_BLOCKS * int(fleet.rated_w.max())


def retrim(group: TrimGroup, fleet: Fleet, total_w: int, tick: int, is_urgent: bool) -> Ints:
    """New watts of each rig of the group, its present ones where it is not worth a command."""
    wanted_w = group.levels_for(total_w)
    off_w = np.abs(wanted_w - group.level_w)
    told = off_w * FULL_BP >= fleet.rated_w[group.rows] * STEP_BP
    if not is_urgent:
        told &= group.rows % PHASES == tick % PHASES
    return np.where(told, wanted_w, group.level_w)
