"""extranonce1: four bytes that keep any two live connections out of each other's hashes.

A session id is `extranonce1 ‖ HMAC(key, extranonce1 ‖ address)`, so a rig that comes back, even
after a crash of ours, proves that the extranonce1 is its own without our having kept a thing.
cgminer then submits again what it found meanwhile (reference §1.2).
"""

from __future__ import annotations

import hmac

EXTRANONCE1_SIZE = 4

#: A freed extranonce1 rests this long: late shares of its jobs still name it.
QUARANTINE = 600.0

_MAC_SIZE = 8
_SPACE = 1 << 8 * EXTRANONCE1_SIZE


class ExtranonceSpaceFull(Exception):
    """Every extranonce1 is in use or resting; refuse the connection."""


class Extranonces:
    """Allots extranonce1 values; two live holders never share one."""

    def __init__(self, key: bytes, start: int) -> None:
        """`key` is secret and lasts across restarts; `start` should differ at each start."""
        self._key = key
        self.next_value = start % _SPACE
        self._live: set[bytes] = set()
        self._resting: dict[bytes, float] = {}  # until when; in the order of their release

    def allot(self, now: float) -> bytes:
        """A value nobody holds and nobody held lately."""
        self._end_rests(now)
        if len(self._live) + len(self._resting) >= _SPACE:
            raise ExtranonceSpaceFull
        while True:
            extranonce1 = self.next_value.to_bytes(EXTRANONCE1_SIZE, "big")
            self.next_value = (self.next_value + 1) % _SPACE
            if extranonce1 not in self._live and extranonce1 not in self._resting:
                self._live.add(extranonce1)
                return extranonce1

    def resume(self, session_id: str, address: str) -> bytes | None:
        """The extranonce1 of an earlier session from the same address, if nobody holds it now."""
        if len(session_id) != 2 * (EXTRANONCE1_SIZE + _MAC_SIZE) or not session_id.isascii():
            return None
        try:
            extranonce1 = bytes.fromhex(session_id[: 2 * EXTRANONCE1_SIZE])
        except ValueError:
            return None
        if not hmac.compare_digest(session_id, self.session_id(extranonce1, address)):
            return None
        if extranonce1 in self._live:
            return None
        self._resting.pop(extranonce1, None)
        self._live.add(extranonce1)
        return extranonce1

    def adopt(self, extranonce1: bytes) -> None:
        """A connection that another process has handed over holds it. Raises ValueError where one
        of ours does."""
        if extranonce1 in self._live or len(extranonce1) != EXTRANONCE1_SIZE:
            raise ValueError(f"extranonce1 {extranonce1.hex()} can't be taken over")
        self._resting.pop(extranonce1, None)
        self._live.add(extranonce1)

    def release(self, extranonce1: bytes, now: float) -> None:
        """The connection is gone; only its own rig may have the value back before it has rested."""
        self._live.discard(extranonce1)
        self._resting[extranonce1] = now + QUARANTINE

    def session_id(self, extranonce1: bytes, address: str) -> str:
        mac = hmac.digest(self._key, extranonce1 + address.encode(), "sha256")
        return (extranonce1 + mac[:_MAC_SIZE]).hex()

    def _end_rests(self, now: float) -> None:
        while self._resting:
            oldest = next(iter(self._resting))
            if self._resting[oldest] > now:
                return
            del self._resting[oldest]
