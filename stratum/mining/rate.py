"""How fast work arrives: a decaying mean that is right from the first minute.

One float and two times instead of a list of shares. The mean forgets with a time constant of
five minutes; before that much time has passed it divides by what has passed, so that a rig that
has just come is not shown at a fraction of its speed.
"""

from __future__ import annotations

from math import exp

from stratum.units import HASHES_PER_DIFFICULTY, DifficultyScale

TIME_CONSTANT = 300.0


class RateMeter:
    """Weight per second over about the last five minutes."""

    __slots__ = ("_began", "_level", "_when")

    def __init__(self, now: float) -> None:
        self._began = now
        self._when = now
        self._level = 0.0

    def add(self, weight: int, now: float) -> None:
        self._level = self._decayed(now) + weight
        self._when = now

    def rate(self, now: float) -> float:
        """Weight units per second."""
        seen = TIME_CONSTANT * (1 - exp(-max(now - self._began, 1.0) / TIME_CONSTANT))
        return self._decayed(now) / seen

    def hashrate(self, scale: DifficultyScale, now: float) -> float:
        """H/s."""
        return scale.difficulty(1) * self.rate(now) * HASHES_PER_DIFFICULTY

    def _decayed(self, now: float) -> float:
        elapsed = max(now - self._when, 0.0)  # a clock set back must not make work
        return self._level * exp(-elapsed / TIME_CONSTANT)
