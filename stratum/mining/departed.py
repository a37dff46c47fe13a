"""What a rig leaves behind when its connection breaks, for the moment it comes back.

cgminer keeps the shares it finds meanwhile and submits them after a reconnect that gave it the
same extranonce1 (reference §1.2). They name jobs of the broken connection: without these jobs,
and the difficulty each was sent with, every one of them would be refused.
"""

from __future__ import annotations

from stratum.mining.rig import Rig

#: Strangers come and go too, and a rig's jobs are some kilobytes.
MAX_KEPT = 16384

#: cgminer drops shares that it could not send for 120 s.
KEPT = 180.0


class Departed:
    """The rigs that left lately, by their extranonce1."""

    def __init__(self) -> None:
        self._rigs: dict[bytes, tuple[float, Rig]] = {}  # oldest first

    def leave(self, rig: Rig, now: float) -> None:
        """A subscribed rig is gone."""
        assert rig.extranonce1 is not None
        self._forget(now)
        if rig.sent:
            self._rigs.pop(rig.extranonce1, None)
            self._rigs[rig.extranonce1] = (now, rig)
            if len(self._rigs) > MAX_KEPT:
                del self._rigs[next(iter(self._rigs))]

    def take_back(self, extranonce1: bytes, now: float) -> Rig | None:
        """What the earlier connection with this extranonce1 was, if it ended lately."""
        self._forget(now)
        entry = self._rigs.pop(extranonce1, None)
        return entry[1] if entry else None

    def _forget(self, now: float) -> None:
        while self._rigs:
            oldest = next(iter(self._rigs))
            if now - self._rigs[oldest][0] < KEPT:
                return
            del self._rigs[oldest]
