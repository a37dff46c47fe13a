"""When the next share of any rig is due, by a plan that the pool can't change.

An open loop: a share is due whether or not the one before was answered, and its latency counts
from that moment, so that a pool which stalls is charged for every share it kept waiting (no
coordinated omission).

Independent Poisson processes of many rigs are one Poisson process whose every event falls on a
rig by chance: so there is one number to draw and no queue to keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

_SECOND_NS = 1_000_000_000


class Pace:
    """Look at `due_ns`; when that has come, `take` the rig and the plan goes on."""

    __slots__ = ("_chance", "_gap_ns", "_rigs", "_taken", "due_ns")

    def __init__(
        self, rigs: Sequence[int], rate: float, start_ns: int, chance: Random | None
    ) -> None:
        """Each of `rigs` has `rate` shares per second, at random or, without `chance`, in turn."""
        self._rigs = rigs
        self._gap_ns = _SECOND_NS / (rate * len(rigs))
        self._chance = chance
        self._taken = 0
        self.due_ns = start_ns + self._next_gap()

    def take(self) -> int:
        """Whose share is due at `due_ns`."""
        at = int(self._chance.random() * len(self._rigs)) if self._chance else self._taken
        self._taken = (self._taken + 1) % len(self._rigs)
        self.due_ns += self._next_gap()
        return self._rigs[at]

    def _next_gap(self) -> float:
        return self._chance.expovariate(1 / self._gap_ns) if self._chance else self._gap_ns
