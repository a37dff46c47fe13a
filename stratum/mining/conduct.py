"""What one connection did wrong so far, and when that is enough.

Only malformed input counts, and shares that prove no work at all in one long run; a stale share,
a wrong name or an unknown method never does. The address pays with the connection, unless rigs
work behind it (`limits.Gatekeeper`).
"""

from __future__ import annotations

from stratum.errors import ProtocolError
from stratum.mining.limits import MAX_JUNK_RUN, MAX_REFUSED_AUTHORIZES, STRIKE, Gatekeeper


class CloseSession(ProtocolError):
    """The connection must end, after what is still to be written."""


class Conduct:
    """One connection's offences. Each method raises CloseSession when there were too many."""

    __slots__ = ("_address", "_gatekeeper", "_limit", "_refused_authorizes", "_score")

    def __init__(self, gatekeeper: Gatekeeper, ban_score: int, address: str) -> None:
        self._gatekeeper = gatekeeper
        self._limit = ban_score
        self._address = address
        self._score = 0
        self._refused_authorizes = 0

    def offend(self, score: int, now: float) -> None:
        """Count malformed input; 0 is none."""
        if not score:
            return
        self._score += score
        self._gatekeeper.misbehaved(self._address, score, now)
        if self._limit and self._score >= self._limit:
            raise CloseSession("too much malformed input")

    def refused_authorize(self, now: float) -> None:
        """A rig with a wrong name tries again for ever; a scanner tries many names."""
        self._refused_authorizes += 1
        if self._refused_authorizes > MAX_REFUSED_AUTHORIZES:
            self.offend(STRIKE, now)

    def junk(self, run: int, now: float) -> None:
        """A share did not meet its difficulty, the `run`-th one in a row."""
        if self._limit and run >= MAX_JUNK_RUN:
            self.offend(STRIKE, now)
            raise CloseSession(f"{MAX_JUNK_RUN} shares in a row without work")
