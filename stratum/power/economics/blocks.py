"""A rig's power curve as blocks, each of which pays less per MWh than the one before.

Block k takes the rig from one level to the next: ΔW watts for ΔGH/s. The first goes from sleep to
the lowest level that is worth standing on, and so carries the control board, fans and what else
burns before a hash is found. Near a firmware's floor the average efficiency is poor, and a curve
is then not concave: such levels are merged into one block (the upper hull from (idle W, 0)), for
no price makes it right to stop at them. The hull keeps both ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stratum.power.brain.fleet import Fleet, RigModel
from stratum.power.brain.values import Ints

#: GH/s per W to PH per MWh: 1 GH/J is 3.6e9 GH, or 3,600 PH, a MWh.
PH_PER_GH_J = 3_600

#: More work than 1,000,000 PH a MWh is 3.6 J/TH, a third of the best rig there is: a wrong curve.
#: Held to that, a block's worth fits int64 at any price `market` believes.
MOST_PH_PER_MWH = 10**6


@dataclass(frozen=True, slots=True)
class Block:
    """One step up: from `from_w` to `to_w`, and the work that it adds."""

    from_w: int
    to_w: int
    ghs: int

    @property
    def delta_w(self) -> int:
        return self.to_w - self.from_w

    @property
    def ph_per_mwh(self) -> int:
        """Work that a MWh in this block does, whole PH."""
        return min(PH_PER_GH_J * self.ghs // self.delta_w, MOST_PH_PER_MWH)


def blocks_of(curve: Sequence[tuple[int, int]], idle_w: int) -> tuple[Block, ...]:
    """Blocks from sleep to the top of a curve of (watts, GH/s), rising.

    Raises ValueError where the curve does not rise, or begins at or below the idle watts.
    """
    points = [(idle_w, 0), *curve]
    for (low_w, low_ghs), (high_w, high_ghs) in zip(points, points[1:], strict=False):
        if high_w <= low_w or high_ghs <= low_ghs:
            raise ValueError(f"curve goes from {low_w} W, {low_ghs} GH/s to {high_w}, {high_ghs}")

    hull: list[tuple[int, int]] = []
    for point in points:
        while len(hull) > 1 and not _above(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return tuple(
        Block(low[0], high[0], high[1] - low[1]) for low, high in zip(hull, hull[1:], strict=False)
    )


def _above(low: tuple[int, int], middle: tuple[int, int], high: tuple[int, int]) -> bool:
    """Whether the middle point lies above the line between its neighbours; exact."""
    return (middle[1] - low[1]) * (high[0] - low[0]) > (high[1] - low[1]) * (middle[0] - low[0])


def model_blocks(model: RigModel, continuous: bool) -> tuple[Block, ...]:
    """Of one model; firmware that knows only on and off has one block, whatever the curve."""
    curve = model.curve if continuous else model.curve[-1:]
    # The idle watts assumed of a big rig are more than a Bitaxe takes at work.
    idle_w = min(model.idle_w, curve[0][0] - 1)
    return blocks_of(curve, idle_w)


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """Blocks of a whole fleet: row k holds block k of every rig, 0 where a rig has fewer."""

    to_w: Ints  # (blocks, rigs)
    ph_per_mwh: Ints

    @classmethod
    def of(cls, fleet: Fleet) -> Ladder:
        kinds = kind_blocks(fleet.models)
        depth = max((len(blocks) for blocks in kinds), default=1)
        to_w = np.zeros((depth, len(kinds)), np.int64)
        ph_per_mwh = np.zeros((depth, len(kinds)), np.int64)
        for kind, blocks in enumerate(kinds):
            to_w[: len(blocks), kind] = [block.to_w for block in blocks]
            ph_per_mwh[: len(blocks), kind] = [block.ph_per_mwh for block in blocks]
        kind_row = fleet.model * 2 + fleet.continuous
        return cls(to_w[:, kind_row], ph_per_mwh[:, kind_row])


@lru_cache(maxsize=16)
def kind_blocks(models: tuple[RigModel, ...]) -> tuple[tuple[Block, ...], ...]:
    """Two kinds a model, in turn: on or off, and at any power. Cached: a fleet stays for long."""
    return tuple(
        model_blocks(model, continuous) for model in models for continuous in (False, True)
    )
