"""Random courses that more than one maker of surplus needs; a seeded generator is an argument."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def wander(rng: np.random.Generator, count: int, sigma: float, memory: float) -> Floats:
    """Ornstein-Uhlenbeck at whole steps, exact: stationary, mean 0, `memory` in steps."""
    keep = float(np.exp(-1.0 / memory))
    noise = rng.normal(0.0, sigma * np.sqrt(1.0 - keep * keep), count)
    noise[0] = rng.normal(0.0, sigma)
    steps = accumulate(noise.tolist(), lambda was, new: keep * was + new)
    return np.fromiter(steps, np.float64, count)


def normal_below(values: Floats) -> Floats:
    """The normal distribution's integral; a logistic that is within 0.0002 of it.

    Source: Bowling et al., A logistic approximation to the cumulative normal distribution (2009).
    """
    return 1.0 / (1.0 + np.exp(-(0.07056 * values**3 + 1.5976 * values)))
