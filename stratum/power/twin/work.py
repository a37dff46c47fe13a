"""The shares that true hashing brings: Poisson counts a group, difficulty held.

A group's difficulty is what its rigs at full would be given for `rate` shares a minute each, and
stays: while curtailed, vardiff does not chase (DESIGN §2). So a quiet group is quiet because it
hashes less, and the relative one-sigma of n shares is 1/√n.
"""

from __future__ import annotations

import numpy as np

from stratum.power.brain.fleet import Fleet
from stratum.power.brain.values import Flags, Ints, WorkReadings
from stratum.power.twin.rigs import Floats, Rigs

#: `WorkReadings.work` counts thousandths of 2^32 hashes.
MILLI_DIFFICULTY = 1_000 / 2**32

#: Sums of squares beyond int64 are shown as this; see `WorkReadings.squares`.
MOST_SQUARES = 2**62


class Work:
    """Shares of each group. `rate_per_min`: of a rig at full power, 6 and 20 are usual (§7.4)."""

    def __init__(self, fleet: Fleet, rng: np.random.Generator, rate_per_min: float = 20.0) -> None:
        self._fleet = fleet
        self._rng = rng
        self._groups = len(fleet.groups)
        members = np.bincount(fleet.group, minlength=self._groups)
        full = np.bincount(fleet.group, fleet.ghs.astype(np.float64), self._groups)
        per_share = full / members * 1e9 * 60.0 / rate_per_min
        #: Of one share, in thousandths of difficulty 1.
        self.difficulty: Ints = np.maximum(np.rint(per_share * MILLI_DIFFICULTY), 1).astype(
            np.int64
        )
        self._fractions = [_curve(model.curve) for model in fleet.models]

    def hashrate(self, rigs: Rigs) -> Floats:
        """GH/s of each rig, from its watts by its model's curve."""
        fleet = self._fleet
        part = (rigs.power_w - rigs.idle_w) / (rigs.full_w - rigs.idle_w)
        rate = np.zeros(len(fleet))
        for row, (watts, hashes) in enumerate(self._fractions):
            of_model = fleet.model == row
            rate[of_model] = np.interp(part[of_model], watts, hashes)
        return rate * fleet.ghs * rigs.efficiency * rigs.hashes

    def done(self, ghs: Floats, shown: Flags, from_ms: int, to_ms: int) -> WorkReadings:
        """What was submitted in that time by those whose shares come to us."""
        rates = np.bincount(self._fleet.group, np.where(shown, ghs, 0.0), self._groups)
        hashes = rates.astype(np.float64) * (1e6 * (to_ms - from_ms))
        counts = self._rng.poisson(hashes * MILLI_DIFFICULTY / self.difficulty)
        group = np.flatnonzero(counts)
        shares = counts[group].astype(np.int64)
        difficulty = self.difficulty[group]
        squares = np.minimum(difficulty.astype(np.float64) ** 2 * shares, MOST_SQUARES)
        return WorkReadings(
            group=group,
            shares=shares,
            work=shares * difficulty,
            squares=squares.astype(np.int64),
            from_ms=from_ms,
            to_ms=to_ms,
        )


def _curve(points: tuple[tuple[int, int], ...]) -> tuple[Floats, Floats]:
    """Hashrate against power, both as parts of full; nothing at the idle end."""
    watts, hashes = (np.array(column, np.float64) for column in zip(*points, strict=True))
    return (
        np.concatenate([[0.0], watts / watts[-1]]),
        np.concatenate([[0.0], hashes / hashes[-1]]),
    )
