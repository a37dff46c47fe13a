"""A figure that something rests on: its value, how far off it may be, and where it comes from.

A figure that nobody published is called "assumed" and carries a range all the same; one without a
range is certain: a rule, a decision, or what a source says.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Given:
    """One figure. `origin` is its source, or begins with "assumed"."""

    value: float
    unit: str
    origin: str
    low: float
    high: float

    @property
    def is_assumed(self) -> bool:
        return self.origin.startswith(ASSUMED)

    @property
    def is_certain(self) -> bool:
        return self.low == self.high

    def scaled(self, factor: float, unit: str) -> Given:
        """The same figure in another unit."""
        return dataclasses.replace(
            self,
            value=self.value * factor,
            low=self.low * factor,
            high=self.high * factor,
            unit=unit,
        )


def certain(value: float, unit: str, origin: str) -> Given:
    """A figure without a range."""
    return Given(value, unit, origin, value, value)
