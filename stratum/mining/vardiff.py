"""Choose each rig's difficulty so that its shares arrive at a steady rate.

A Vardiff is told of shares and of time, and answers a new weight or None; the session decides
when to announce it, and a job keeps the difficulty it was sent with, so no change ever costs a
share. Shares are counted in units of the weight now in force: a late share of an easier job
counts for what it proves.

Two half windows of 50 s stand in for a list of shares. Their counts are judged as a Poisson
sample against what the target rate would have brought: change when the rate is outside
×0.8 … ×1.25 with 95 % confidence, or outside ×0.6 … ×1.7 once 20 shares were due (wire.md §3.2).
Time alone is evidence too: a rig that goes quiet falls without a share.
"""

from __future__ import annotations

from math import sqrt

from stratum.units import DifficultyScale

#: One share per five seconds: ckpool 3.3, DATUM 7.5, public-pool 10.
SHARE_INTERVAL = 5.0

HALF_WINDOW = 50.0
FIRST_LOOK = 20.0
FIRST_SHARES = 8

#: A reconnecting rig flushes what it found meanwhile in one burst; one step believes this much.
MAX_RAISE = 16.0

_Z95 = 1.96


class Vardiff:
    """One rig's difficulty control. Weights in units of the network's scale, times in seconds."""

    __slots__ = (
        "_before",
        "_before_span",
        "_ceiling",
        "_floor",
        "_scale",
        "_shares",
        "_since",
        "_untried",
        "weight",
    )

    def __init__(
        self, scale: DifficultyScale, weight: int, floor: int, ceiling: int, now: float
    ) -> None:
        self._scale = scale
        self._untried = True
        self.bound(floor, ceiling)
        self.restart(weight, now)

    def bound(self, floor: int, ceiling: int) -> None:
        """The tier's and the rig's own limits; the ceiling wins where they cross."""
        self._floor = floor
        self._ceiling = ceiling

    def restart(self, weight: int, now: float) -> None:
        """Another weight is in force from now on; what was counted before tells nothing."""
        self.weight = self._clamp(weight)
        self._shares = 0.0
        self._since = now
        self._before = 0.0
        self._before_span = 0.0

    def share(self, weight: int) -> None:
        """An accepted share of this weight."""
        self._shares += weight / self.weight

    def wish(self, now: float) -> int | None:
        """The weight it should be, None while the present one will do. Call it at least each s."""
        span = max(now - self._since, 1.0) + self._before_span
        count = self._shares + self._before
        expected = span / SHARE_INTERVAL

        ratio = self._evidence(count, expected, span)
        if now - self._since >= HALF_WINDOW:
            self._before, self._before_span = self._shares, now - self._since
            self._shares, self._since = 0.0, now
        if ratio is None:
            return None

        wished = self._clamp(on_grid(self.weight * min(ratio, MAX_RAISE), self._scale))
        return None if wished == self.weight else wished

    def changed(self, weight: int, now: float) -> None:
        """The wish was granted."""
        self._untried = False
        self.restart(weight, now)

    def _evidence(self, count: float, expected: float, span: float) -> float | None:
        """How far the true rate is from the target, where that is beyond doubt."""
        ratio = count / expected
        if count >= FIRST_SHARES and _poisson_low(count) / expected > 1.25:
            return ratio
        if _poisson_high(count) / expected < 0.8:
            return (count + 1) / (expected + 1)
        if expected >= 2 * HALF_WINDOW / SHARE_INTERVAL and not 0.6 <= ratio <= 1.7:
            return ratio
        if self._untried and span >= FIRST_LOOK:
            guess = (count + 1) / (expected + 1)
            return guess if guess < 0.6 else None
        return None

    def _clamp(self, weight: int) -> int:
        return min(max(weight, self._floor), self._ceiling)


def on_grid(weight: float, scale: DifficultyScale) -> int:
    """The nearest weight that every client computes exactly: m·2^k, 8 ≤ m < 16; 2^k below 1."""
    whole = max(int(weight), 1)
    step = whole.bit_length() - (4 if whole >> scale.shift else 1)
    if step <= 0:
        return whole
    lower = whole >> step << step
    upper = lower + (1 << step)
    # Nearest by ratio: a difficulty twice too high is as wrong as one twice too low.
    return upper if weight * weight > lower * upper else lower


def _poisson_low(count: float) -> float:
    """Lower 95 % bound of the mean of a Poisson count (Wilson and Hilferty's cube)."""
    return float(count * (1 - 1 / (9 * count) - _Z95 / (3 * sqrt(count))) ** 3)


def _poisson_high(count: float) -> float:
    """Upper 95 % bound of the mean of a Poisson count."""
    more = count + 1
    return float(more * (1 - 1 / (9 * more) + _Z95 / (3 * sqrt(more))) ** 3)
