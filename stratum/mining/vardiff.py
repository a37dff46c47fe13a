"""Choose each rig's difficulty so that its shares arrive at a steady rate.

A Vardiff is told of work and of time, and answers a new weight or None; the session decides
when to announce it, and a job keeps the difficulty it was sent with, so no change ever costs a
share. Shares are counted in units of the weight now in force: a late share of an easier job
counts for what it proves. Time alone is evidence too: a rig that goes quiet falls without one.

Three questions are asked of the same Poisson arrivals:

    fall   has the rate halved lately?          Page's CUSUM: sees a step as fast as any test can
    rise   has it doubled lately?               the same, the other way
    trim   is it a little off, ever since?      a 95 % confidence interval, memory 30 min

The CUSUMs begin again whenever their evidence is used up, so a step is judged by what came after
it, not by the calm hour before. A plain window of 20 shares (wire.md §3.2) needs minutes for the
same, or raises a false alarm as often as this one does for half the delay.
"""

from __future__ import annotations

from math import log, sqrt

from stratum.units import DifficultyScale

#: One share per five seconds: ckpool 3.3, DATUM 7.5, public-pool 10.
SHARE_INTERVAL = 5.0

FIRST_LOOK = 20.0
MEMORY = 1800.0

#: A reconnecting rig flushes what it found meanwhile in one burst; one step believes this much.
MAX_RAISE = 16.0

#: Thresholds in nats. Eight shares at once pass RISE. A halved rate is followed in 70 s (median),
#: and within 180 s six times in seven; the price is that a steady one falls by mistake a few times
#: an hour, which RISE repairs within a minute. What lowers one of the two raises the other.
RISE = 5.0
FALL = 3.5

#: Seconds between two looks. What costs in a look is not the arithmetic but to fetch a rig that
#: nobody has touched for a while, so it is left alone while there is little to see. Looked at every
#: five seconds, a rig is as fast within three minutes of a halved rate, and changed by mistake half
#: as often again (800 seeds).
SOONEST_LOOK = 5.0
LATEST_LOOK = 15.0

#: Closer to the target than this no trim is worth a message: half a step of the grid is 6 %.
GOOD_ENOUGH = 1.1

_LN2 = log(2)
_Z95 = 1.96


class Vardiff:
    """One rig's difficulty control. Weights in units of the network's scale, times in seconds."""

    __slots__ = (
        "_ceiling",
        "_fall",
        "_fall_since",
        "_floor",
        "_rise",
        "_rise_since",
        "_scale",
        "_shares",
        "_since",
        "is_untried",
        "weight",
    )

    def __init__(
        self, scale: DifficultyScale, weight: int, floor: int, ceiling: int, now: float
    ) -> None:
        self._scale = scale
        self.is_untried = True  # the weight is a setting or a wish, not yet a measurement
        self.bound(floor, ceiling)
        self.restart(weight, now)

    def bound(self, floor: int, ceiling: int) -> None:
        """The tier's and the rig's own limits; the ceiling wins where they cross."""
        self._floor = floor
        self._ceiling = ceiling

    def restart(self, weight: int, now: float) -> None:
        """Another weight is in force from now on; what was counted before tells nothing."""
        self.weight = self._clamp(weight)
        self._shares = self._fall = self._rise = 0.0
        self._since = self._fall_since = self._rise_since = now

    def work(self, weight: int) -> None:
        """Accepted shares of this weight together."""
        shares = weight / self.weight
        self._shares += shares
        self._fall += shares
        self._rise += shares

    def patience(self, now: float) -> float:
        """Seconds after which it should be asked again: half of those in which a rig that finds
        no more would pass FALL."""
        shares_short = 2 * (FALL + self._fall * _LN2) - _due(self._fall_since, now)
        return min(max(shares_short * SHARE_INTERVAL / 2, SOONEST_LOOK), LATEST_LOOK)

    def wish(self, now: float) -> int | None:
        """The weight it should be, None while the present one will do. See `patience`."""
        ratio = self._step(now) or self._trim(now)
        if ratio is None:
            return None
        wished = self._clamp(on_grid(self.weight * min(ratio, MAX_RAISE), self._scale))
        return None if wished == self.weight else wished

    def changed(self, weight: int, now: float) -> None:
        """The wish was granted."""
        self.is_untried = False
        self.restart(weight, now)

    def _step(self, now: float) -> float | None:
        """How far off the rate is since it last changed by a step, where it did."""
        due = _due(self._rise_since, now)
        doubled = self._rise * _LN2 - due
        if doubled > RISE:
            return self._rise / max(due, 1 / SHARE_INTERVAL)
        if doubled < 0:
            self._rise, self._rise_since = 0.0, now

        due = _due(self._fall_since, now)
        halved = due / 2 - self._fall * _LN2
        if halved > FALL:
            return (self._fall + 1) / (due + 1)
        if halved < 0:
            self._fall, self._fall_since = 0.0, now
        return None

    def _trim(self, now: float) -> float | None:
        """How far off the rate is since the last change, where that is beyond doubt."""
        if now - self._since > MEMORY:
            self._shares /= 2
            self._since = now - MEMORY / 2
        count, due = self._shares, _due(self._since, now)

        if _poisson_low(count) > due * GOOD_ENOUGH and due >= 1:
            return count / due
        if _poisson_high(count) * GOOD_ENOUGH < due:
            return (count + 1) / (due + 1)
        if self.is_untried and now - self._since >= FIRST_LOOK:
            guess = (count + 1) / (due + 1)
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


def _due(since: float, now: float) -> float:
    """Shares that the target rate brings in that time; a clock set back counts as no time."""
    return max(now - since, 0.0) / SHARE_INTERVAL


def _poisson_low(count: float) -> float:
    """Lower 95 % bound of the mean of a Poisson count (Wilson and Hilferty's cube)."""
    if not count:
        return 0.0
    return float(count * (1 - 1 / (9 * count) - _Z95 / (3 * sqrt(count))) ** 3)


def _poisson_high(count: float) -> float:
    """Upper 95 % bound of the mean of a Poisson count."""
    more = count + 1
    return float(more * (1 - 1 / (9 * more) + _Z95 / (3 * sqrt(more))) ** 3)
