"""How much work came in lately: rings of sums in numpy, one row a series.

A series is a worker, an account, a tier or the whole site. Per series two rings: eleven minutes
for the rates over 1 and 10 minutes, and 145 buckets of ten minutes for those over 1 and 24 hours.
A window is its whole buckets and the one that is running, so it lasts a little longer than its
name, and no share is weighed by a guess about where in its bucket it lay. A ring of 1440 minutes
would cost nine times the memory for the same answer.

Two sums are enough for a rate and its confidence: the work, and the sum of squared weights. Where
difficulties differ, shares are no plain Poisson count, and one hard share must not look as sure
as a thousand easy ones with the same work. The effective count (sum w)² / (sum w²) is the count
of equal shares with the same relative scatter (Kish); with one difficulty it is the count itself.
The fold sums weights and not their squares, so a row of n shares and work W is taken for n equal
shares, which adds W²/n. That is exact but for a row that a retarget runs through, and rows are
one worker's in one second.

Single precision: a rate is shown to three digits, and 20,000 workers cost 37 MB (1.8 KB each).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stratum.units import HASHES_PER_DIFFICULTY

_Rows = NDArray[np.int64]
_Sums = NDArray[np.float32]
_Values = NDArray[np.float64]

#: The windows that are shown, seconds.
WINDOWS = (60, 600, 3600, 86400)

#: Of the normal distribution, for 95 % between the limits.
_Z = 1.959964

#: Upper 97.5 % limit of a Poisson mean of which nothing was seen: -ln(0.025).
_NONE_SEEN = 3.688879

_FIRST_ROWS = 64


@dataclass(frozen=True, slots=True)
class Rate:
    """H/s over one window; with 95 % confidence it is between `low` and `high`."""

    hashrate: float = 0.0
    low: float = 0.0
    high: float = 0.0
    #: What the window covers; less than its name says for a series that began inside it.
    seconds: float = 0.0


class Deltas(NamedTuple):
    """Columns of equal length: what to add where. Work in difficulty, time in Unix minutes."""

    rows: _Rows
    minutes: _Rows
    work: _Values
    squares: _Values


class _Ring:
    """`size` buckets of `minutes` each; the newest is `head`, in Unix time over bucket length."""

    def __init__(self, minutes: int, size: int, sums: int) -> None:
        self.minutes = minutes
        self.size = size
        self.head = 0
        #: Before this moment the ring knows nothing, Unix seconds.
        self.began = 0.0
        #: [which sum, row, bucket]. Rows that were never used are pages that were never touched.
        self.sums: _Sums = np.zeros((sums, _FIRST_ROWS, size), np.float32)
        self.used = 0

    def advance(self, minute: int) -> None:
        """Make room for `minute`: what it shoves out of the ring is forgotten."""
        bucket = minute // self.minutes
        fresh = min(bucket - self.head, self.size)
        if fresh > 0:
            columns = [(bucket - back) % self.size for back in range(fresh)]
            self.sums[:, : self.used, columns] = 0
            self.head = bucket

    def add(self, which: int, rows: _Rows, minutes: _Rows, values: _Values) -> None:
        """What belongs to a forgotten bucket is dropped; to a later one, counted in the newest."""
        buckets = np.minimum(minutes // self.minutes, self.head)
        held = buckets > self.head - self.size
        columns = buckets[held] % self.size
        np.add.at(self.sums[which], (rows[held], columns), values[held])

    def clear(self, began: float) -> None:
        """Forget every sum."""
        self.sums[:, : self.used] = 0
        self.head = 0
        self.began = began

    def grow(self) -> None:
        sums, rows, size = self.sums.shape
        grown: _Sums = np.zeros((sums, 2 * rows, size), np.float32)
        grown[:, :rows] = self.sums
        self.sums = grown

    def window(self, which: int, rows: _Rows, seconds: int) -> _Values:
        """The sum of each row over the whole buckets of `seconds` and the running one."""
        columns = [(self.head - back) % self.size for back in range(self.whole(seconds) + 1)]
        picked = self.sums[which][rows][..., columns]
        total: _Values = picked.sum(axis=-1, dtype=np.float64)
        return total

    def start(self, seconds: int) -> float:
        return (self.head - self.whole(seconds)) * self.minutes * 60.0

    def whole(self, seconds: int) -> int:
        return seconds // (60 * self.minutes)


_WORK, _SQUARES, _LOST = range(3)


class RateTable:
    """Rows are given out by add_row() and taken back by drop_row()."""

    def __init__(self) -> None:
        self._fine = _Ring(1, 11, 2)
        self._coarse = _Ring(10, 145, 3)
        self._since = np.zeros(_FIRST_ROWS)
        self._free = list(range(_FIRST_ROWS))[::-1]
        #: The moment that the sums are complete for, Unix seconds.
        self.as_of = 0.0

    @property
    def bytes_held(self) -> int:
        return self._fine.sums.nbytes + self._coarse.sums.nbytes + self._since.nbytes

    def add_row(self, since: float) -> int:
        """`since`: from when on this series is counted, Unix seconds."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self._since[row] = since
        for ring in (self._fine, self._coarse):
            ring.used = max(ring.used, row + 1)
        return row

    def start_row(self, row: int, since: float) -> None:
        """Count this series from a later moment on."""
        self._since[row] = since

    def drop_row(self, row: int) -> None:
        for ring in (self._fine, self._coarse):
            ring.sums[:, row] = 0
        self._free.append(row)

    def begin(self, at: float) -> None:
        """Forget every sum: nothing before `at` is known."""
        for ring in (self._fine, self._coarse):
            ring.clear(at)
        self.as_of = at
        self.advance(at)

    def advance(self, to: float) -> None:
        """The sums are complete up to this moment; never goes back."""
        self.as_of = max(self.as_of, to)
        for ring in (self._fine, self._coarse):
            ring.advance(int(self.as_of) // 60)

    def add(self, deltas: Deltas) -> None:
        for ring in (self._fine, self._coarse):
            ring.add(_WORK, deltas.rows, deltas.minutes, deltas.work)
            ring.add(_SQUARES, deltas.rows, deltas.minutes, deltas.squares)

    def add_coarse(self, deltas: Deltas, lost: _Values) -> None:
        """What the database kept of the time before this process, ten minutes a row.

        From then on the ten-minute buckets are taken for complete.
        """
        self._coarse.began = 0.0
        self._coarse.add(_WORK, deltas.rows, deltas.minutes, deltas.work)
        self._coarse.add(_SQUARES, deltas.rows, deltas.minutes, deltas.squares)
        self._coarse.add(_LOST, deltas.rows, deltas.minutes, lost)

    def add_lost(self, row: int, minute: int, work: float) -> None:
        """Work that was refused, for efficiency()."""
        self._coarse.add(_LOST, np.array([row]), np.array([minute]), np.array([work]))

    def hashrates(self, rows: Sequence[int], seconds: int) -> _Values:
        """H/s of many rows over one window, to sort them by."""
        chosen = np.asarray(rows, np.int64)
        work = self._ring(seconds).window(_WORK, chosen, seconds)
        return _per_second(work, self._spans(chosen, seconds)) * HASHES_PER_DIFFICULTY

    def rates(self, rows: Sequence[int], difficulties: Sequence[float]) -> list[tuple[Rate, ...]]:
        """Per row one Rate for each of WINDOWS.

        `difficulties`: of one share of each series, which says what it means to have seen none.
        """
        chosen = np.asarray(rows, np.int64)
        columns = []
        for seconds in WINDOWS:
            ring = self._ring(seconds)
            work = ring.window(_WORK, chosen, seconds).tolist()
            squares = ring.window(_SQUARES, chosen, seconds).tolist()
            spans = self._spans(chosen, seconds).tolist()
            columns.append(list(map(_rate, work, squares, spans, difficulties)))
        return list(zip(*columns, strict=True))

    def efficiencies(self, rows: Sequence[int]) -> list[float | None]:
        """Work that counted over all that was proved, 24 hours; None where there was none."""
        chosen = np.asarray(rows, np.int64)
        counted = self._coarse.window(_WORK, chosen, WINDOWS[-1]).tolist()
        lost = self._coarse.window(_LOST, chosen, WINDOWS[-1]).tolist()
        return [
            good / (good + bad) if good + bad else None
            for good, bad in zip(counted, lost, strict=True)
        ]

    def _spans(self, rows: _Rows, seconds: int) -> _Values:
        """For how long each row has been counted inside a window."""
        ring = self._ring(seconds)
        start = max(ring.start(seconds), ring.began)
        spans: _Values = self.as_of - np.maximum(self._since[rows], start)
        return spans

    def _ring(self, seconds: int) -> _Ring:
        return self._fine if seconds <= 600 else self._coarse

    def _grow(self) -> None:
        rows = len(self._since)
        for ring in (self._fine, self._coarse):
            ring.grow()
        self._since = np.concatenate((self._since, np.zeros(rows)))
        self._free = list(range(rows, 2 * rows))[::-1]


def _per_second(work: _Values, spans: _Values) -> _Values:
    return np.divide(work, spans, out=np.zeros_like(work), where=spans > 0)


def _rate(work: float, squares: float, span: float, difficulty: float) -> Rate:
    """Of sums in difficulty, over `span` seconds."""
    if span <= 0:
        return Rate()
    scale = HASHES_PER_DIFFICULTY / span
    if not work or not squares:
        return Rate(0.0, 0.0, _NONE_SEEN * difficulty * scale, span)

    count = work * work / squares
    low, high = poisson_limits(count)
    hashrate = work * scale
    return Rate(hashrate, hashrate * low / count, hashrate * high / count, span)


def poisson_limits(count: float) -> tuple[float, float]:
    """95 % limits of the mean behind a Poisson count, which may be an effective one.

    Byar's approximation of the exact (Garwood) limits, whose error is below 1 % from a count of
    2 on (Breslow and Day, Statistical Methods in Cancer Research II, p. 69).
    """
    if count <= 0:
        return 0.0, _NONE_SEEN
    low = count * (1 - 1 / (9 * count) - _Z / (3 * math.sqrt(count))) ** 3
    above = count + 1
    high = above * (1 - 1 / (9 * above) + _Z / (3 * math.sqrt(above))) ** 3
    return max(low, 0.0), high
