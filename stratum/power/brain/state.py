"""What is remembered of each rig from second to second: one array a fact, one row a rig.

`decide` copies the arrays at the start of a tick and writes on the copy, so that a state that was
handed out never changes. What other modules remember (sources, overrides, learned figures) are
frozen values of their own, put together in `dispatch.State`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from stratum.power.brain.fleet import Fleet
from stratum.power.brain.values import UNKNOWN_W, Flags, Ints

NEVER = -(1 << 60)  # a monotonic time before any other
HOURS = 24


class Status(IntEnum):
    """What the witnesses say of a rig against what it was ordered."""

    UNKNOWN = 0  # nothing was ordered or heard: counted at max(last, nameplate)
    RUNNING = 1  # ordered to run, and seen to
    SHEDDING = 2  # ordered to sleep, its time to do so is not over
    SHED = 3  # verified asleep
    WAKING = 4  # ordered to run, its time to do so is not over
    UNRESPONSIVE = 5  # ordered to sleep, its time is over, and it runs or is silent
    DEAD = 6  # ordered to run, its time is over, and it takes no power or does no work
    FOREIGN = 7  # was verified asleep and runs, and nobody here ordered it


def one_of(*statuses: Status) -> Flags:
    """A table to be indexed by status: a tenth of what `np.isin` costs on ten thousand rigs."""
    table = np.zeros(len(Status), np.bool_)
    table[list(statuses)] = True
    return table


UNSURE = one_of(Status.UNKNOWN, Status.UNRESPONSIVE, Status.FOREIGN)
_ASLEEP = one_of(Status.SHEDDING, Status.SHED)


@dataclass(slots=True, eq=False)
class RigState:
    """Times are monotonic milliseconds, NEVER where it has not been; watts are UNKNOWN_W there."""

    ordered_w: Ints  # last command, 0 asleep; UNKNOWN_W: never commanded
    from_w: Ints  # what it was thought to take when that command went out
    ordered_ms: Ints
    cause: Ints  # of that command, index into CAUSES
    status: Ints  # Status
    seen_w: Ints  # last telemetry
    hashing: Ints  # 1, 0, -1: the device's own word
    seen_ms: Ints
    worked_ms: Ints  # last work of its group
    on_ms: Ints  # last time it was woken, or seen to wake by itself
    off_ms: Ints
    cycles: NDArray[np.int64]  # (24, rigs): wakes in each hour of the last day
    locked: Flags  # never woken until unlocked
    managed: Flags  # in the closed loop
    rung: Ints  # of the ladder that its last command stood on
    tries: Ints  # of that rung
    due_ms: Ints  # when its last command will be verified
    learned_w: Ints  # full power as measured; UNKNOWN_W until then
    learned_idle_w: Ints
    verified_ms: Ints  # last sleep that the witnesses confirmed

    @classmethod
    def fresh(cls, fleet: Fleet) -> RigState:
        """Nothing known of any rig."""
        count = len(fleet)

        def all_of(value: int) -> Ints:
            return np.full(count, value, np.int64)

        return cls(
            ordered_w=all_of(UNKNOWN_W),
            from_w=all_of(UNKNOWN_W),
            ordered_ms=all_of(NEVER),
            cause=all_of(0),
            status=all_of(Status.UNKNOWN),
            seen_w=all_of(UNKNOWN_W),
            hashing=all_of(-1),
            seen_ms=all_of(NEVER),
            worked_ms=all_of(NEVER),
            on_ms=all_of(NEVER),
            off_ms=all_of(NEVER),
            cycles=np.zeros((HOURS, count), np.int64),
            locked=np.zeros(count, np.bool_),
            managed=fleet.managed.copy(),
            rung=all_of(0),
            tries=all_of(0),
            due_ms=all_of(NEVER),
            learned_w=all_of(UNKNOWN_W),
            learned_idle_w=all_of(UNKNOWN_W),
            verified_ms=all_of(NEVER),
        )

    def copy(self) -> RigState:
        return RigState(*(getattr(self, fact.name).copy() for fact in fields(self)))

    def full_w(self, fleet: Fleet) -> Ints:
        """What each rig takes at full power: as measured, else its nameplate."""
        return np.where(self.learned_w == UNKNOWN_W, fleet.rated_w, self.learned_w)

    def asleep_w(self, fleet: Fleet) -> Ints:
        return np.where(self.learned_idle_w == UNKNOWN_W, fleet.idle_w, self.learned_idle_w)

    def worst_w(self, fleet: Fleet) -> Ints:
        """What a rig of which nothing is sure is counted at: max(last, nameplate)."""
        return np.maximum(self.seen_w, np.maximum(fleet.rated_w, self.learned_w))

    def assumed_w(self, fleet: Fleet) -> Ints:
        """What each rig is counted at once every command has worked. Unknown is never 0."""
        dead = (self.status == Status.DEAD) & (self.seen_w != UNKNOWN_W)
        ordered_w = np.where(self.ordered_w == UNKNOWN_W, self.full_w(fleet), self.ordered_w)
        running_w = np.where(dead, self.seen_w, ordered_w)
        sure_w = np.where(_ASLEEP[self.status], self.asleep_w(fleet), running_w)
        return np.where(UNSURE[self.status], self.worst_w(fleet), sure_w)
