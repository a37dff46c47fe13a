"""The lines of one connection, metered: bytes go in, lines that have been paid for come out.

Metering comes before parsing and hashing. A line that can't be paid for yet is kept, not refused:
the connection stops reading until there is budget again, so a flood costs its sender time and a
rig that bursts loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from stratum.mining.limits import LineBudget
from stratum.protocol.framing import LineReader


class Intake:
    """Feed what the socket gave, then take lines until there are none."""

    __slots__ = ("_budget", "_held", "_lines", "_reader", "_unfinished_since", "is_throttled")

    def __init__(self, lines_per_second: float, now: float) -> None:
        self._budget = LineBudget(lines_per_second, now)
        self._reader = LineReader()
        self._held: list[bytes] = []
        self._lines: Iterator[bytes] = iter(())
        self._unfinished_since: float | None = None
        self.is_throttled = False  # lines may be waiting: nothing more should be read

    def feed(self, data: bytes) -> None:
        self._held.append(data)

    def next_line(self, now: float) -> bytes | None:
        """The next line, paid for; None if there is none, or none that can be paid for.

        Raises ForeignProtocol or LineTooLong.
        """
        while self._budget.has_line(now):
            line = next(self._lines, None)
            if line is not None:
                self._budget.pay()
                self._unfinished_since = None
                return line
            data = b"".join(self._held)
            self._held.clear()
            if not data:
                self._nothing_more(now)
                return None
            self._lines = self._reader.lines(data)
        self.is_throttled = True
        return None

    @property
    def throttled_for(self) -> float:
        """Seconds until a waiting line can be paid for."""
        return self._budget.wait()

    def unfinished_for(self, now: float) -> float:
        """How long the last line has been without its end. Single bytes do not reset it."""
        return now - self._unfinished_since if self._unfinished_since is not None else 0.0

    def _nothing_more(self, now: float) -> None:
        self.is_throttled = False
        if self._reader.has_partial_line and self._unfinished_since is None:
            self._unfinished_since = now
