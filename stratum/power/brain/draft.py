"""The commands of one tick while they are being decided: one wish per rig, the last one counts."""

from __future__ import annotations

import numpy as np

from stratum.power.brain.commands import CAUSES, Cause, Commands
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.state import RigState
from stratum.power.brain.values import Flags, Ints

KEEP_W = -2  # no command


class Draft:
    """What each rig will be counted at if nothing more is decided, and what it is told."""

    def __init__(self, fleet: Fleet, rigs: RigState, assumed_w: Ints) -> None:
        self.fleet, self.rigs = fleet, rigs
        self.start_w = assumed_w
        self.wanted_w = np.full(len(fleet), KEEP_W, np.int64)
        self.cause = np.zeros(len(fleet), np.int64)
        self.rung = np.zeros(len(fleet), np.int64)
        self.repeats = np.zeros(len(fleet), np.bool_)
        self.assumed_w = assumed_w.copy()
        self.asleep_w = rigs.asleep_w(fleet)

    def set(self, rows: Ints, power_w: Ints | int, cause: Cause) -> int:
        """Order these rigs; returns by how many watts the load changes."""
        if not len(rows):
            return 0
        before_w = int(self.assumed_w[rows].sum())
        self.wanted_w[rows] = power_w
        self.cause[rows] = CAUSES.index(cause)
        counted_w = self.wanted_w[rows]
        self.assumed_w[rows] = np.where(counted_w > 0, counted_w, self.asleep_w[rows])
        return int(self.assumed_w[rows].sum()) - before_w

    def again(self, rows: Ints, power_w: Ints, rung: Ints) -> None:
        """Repeat an order to rigs that did not answer it; they stay counted at their worst."""
        free = self.wanted_w[rows] == KEEP_W
        self.wanted_w[rows[free]] = power_w[free]
        self.rung[rows[free]] = rung[free]
        self.cause[rows[free]] = CAUSES.index(Cause.ESCALATION)
        self.repeats[rows[free]] = True

    def changed_w(self, mine: Flags | None = None) -> int:
        """By how much the tick's orders change the load, or a part of it."""
        change_w = self.assumed_w - self.start_w
        return int((change_w if mine is None else change_w[mine]).sum())

    @property
    def told(self) -> Flags:
        return np.not_equal(self.wanted_w, KEEP_W)

    def commands(self, first_number: int) -> Commands:
        rows = np.flatnonzero(self.told).astype(np.int64)
        return Commands(
            number=np.arange(first_number, first_number + len(rows), dtype=np.int64),
            rig=rows,
            power_w=self.wanted_w[rows],
            rung=self.rung[rows],
            cause=self.cause[rows],
        )
