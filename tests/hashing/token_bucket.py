"""A token bucket as the textbook has it: what the gate's meter must come to."""

from __future__ import annotations


class TokenBucket:
    """Lines; `rate` 0 is no limit."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._tokens = self._burst
        self._when = now

    def has_line(self, now: float) -> bool:
        """Whether one more line can be paid for."""
        if not self._rate:
            return True
        elapsed = max(now - self._when, 0.0)
        self._tokens = min(self._burst, self._tokens + elapsed * self._rate)
        self._when = now
        return self._tokens >= 1

    def pay(self) -> None:
        self._tokens -= 1

    def wait(self) -> float:
        """Seconds until the next line can be paid for."""
        return max(0.0, (1 - self._tokens) / self._rate) if self._rate else 0.0
