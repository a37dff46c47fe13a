"""Hashes per second over the last minute, cheaply."""

from __future__ import annotations

from collections import deque

WINDOW_S = 60.0

#: Reports closer together than this share a bucket: a minute is at most 120 of them.
_BUCKET_S = 0.5


class HashrateMeter:
    """A sliding window. Fed with (now, hashes); `now` is any clock that only grows."""

    __slots__ = ("_buckets", "_in_window", "_started", "total")

    def __init__(self, now: float) -> None:
        self.total = 0
        self._started = now
        self._in_window = 0
        self._buckets: deque[tuple[float, int]] = deque()

    def add(self, now: float, hashes: int) -> None:
        self.total += hashes
        self._in_window += hashes
        if self._buckets and now - self._buckets[-1][0] < _BUCKET_S:
            since, earlier = self._buckets[-1]
            self._buckets[-1] = since, earlier + hashes
        else:
            self._buckets.append((now, hashes))
        self._forget(now)

    def rate(self, now: float) -> float:
        """H/s; over the time since the start while that is shorter than the window."""
        self._forget(now)
        span = min(now - self._started, WINDOW_S)
        return self._in_window / span if span > 0 else 0.0

    def _forget(self, now: float) -> None:
        while self._buckets and self._buckets[0][0] <= now - WINDOW_S:
            self._in_window -= self._buckets.popleft()[1]
