"""Models and counts, and a fleet sized to a fraction of the surplus."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from stratum.power.figures import Given
from stratum.power.plan.surplus import Floats

_BISECTIONS = 40


@dataclass(frozen=True, slots=True)
class Machine:
    """So many rigs of one model; `price` is for one rig."""

    model: str
    ths: float
    watts: float
    price: Given
    count: int = 0
    origin: str = ""

    @property
    def efficiency_j_per_th(self) -> float:
        return self.watts / self.ths

    @property
    def mw(self) -> float:
        """Of all its rigs, at the rigs."""
        return self.count * self.watts / 1e6


@dataclass(frozen=True, slots=True)
class Fleet:
    """Machines in the order in which they are run: the most efficient first."""

    name: str
    machines: tuple[Machine, ...]

    @property
    def rig_mw(self) -> float:
        return sum(machine.mw for machine in self.machines)

    @property
    def rigs(self) -> int:
        return sum(machine.count for machine in self.machines)

    @property
    def ths(self) -> float:
        return sum(machine.count * machine.ths for machine in self.machines)

    @property
    def j_per_th(self) -> float:
        return self.rig_mw * 1e6 / self.ths

    def scaled(self, factor: float) -> Fleet:
        """The same mixture, so many times as large; never fewer than one rig of a model."""
        return dataclasses.replace(
            self,
            machines=tuple(
                dataclasses.replace(machine, count=max(1, round(machine.count * factor)))
                for machine in self.machines
            ),
        )


def in_merit_order(name: str, machines: tuple[Machine, ...]) -> Fleet:
    return Fleet(name, tuple(sorted(machines, key=lambda machine: machine.efficiency_j_per_th)))


def mw_for_fraction(mw: Floats, fraction: float) -> float:
    """The load that takes this fraction of the surplus's energy, in MW at the meter."""
    total = float(mw.sum())
    low, high = 0.0, float(mw.max(initial=0.0))
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        is_short = float(np.minimum(mw, middle).sum()) < fraction * total
        low, high = (middle, high) if is_short else (low, middle)
    return high


def sized(machine: Machine, site_mw: float, overhead: float) -> Fleet:
    """As many rigs of one model as that power at the meter feeds, at least one."""
    count = max(1, int(site_mw * 1e6 / (machine.watts * overhead)))
    return Fleet(machine.model, (dataclasses.replace(machine, count=count),))
