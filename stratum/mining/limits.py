"""What one connection, one address may do before it is slowed down or sent away.

Lines are metered, not rejected: a rig that sends too many is read more slowly, and its shares
arrive late instead of being lost. Only malformed input scores towards a ban, stale shares never;
an address with a working rig behind it is never banned, because a whole farm may share it.
"""

from __future__ import annotations

import ipaddress
from collections import Counter

from stratum.mining.settings import LimitSettings

#: A rig on an easy port bursts when it connects; the bucket holds this many seconds of its rate.
BURST_SECONDS = 8.0

#: Five strikes of malformed input reach the default ban_score of 100.
STRIKE = 20

#: One malformed request that is answered and kept open: a confused rig, not yet a scanner.
MALFORMED_REQUEST = 2

#: Shares in a row that prove no work at all, each within the line budget: ckpool gives such a
#: client 180 s; two of our bursts are more than any difficulty change makes of an honest rig.
MAX_JUNK_RUN = 800

#: Wrong names tried on one connection before each further one is a strike.
MAX_REFUSED_AUTHORIZES = 8

SCORE_LIFETIME = 600.0
BAN_TIME = 600.0

#: Addresses remembered for their score; beyond that the oldest is forgotten.
MAX_SCORED = 65536


def line_cost(lines_per_second: float) -> tuple[int, int]:
    """What the gate's meter needs: microseconds that a line costs, and that can be saved up.

    A line is metered by time: it may pass while those before it are paid for, up to a burst. No
    limit is no cost.
    """
    if not lines_per_second:
        return 0, 0
    cost = max(round(1_000_000 / lines_per_second), 1)
    return cost, max(round(cost * lines_per_second * BURST_SECONDS), cost)


class Gatekeeper:
    """Counts connections and misdeeds by address; IPv6 counts by /64, one customer's network."""

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self._connections: Counter[str] = Counter()
        self._working: Counter[str] = Counter()
        self._scores: dict[str, tuple[float, float]] = {}  # neighbourhood → (score, expires)
        self._banned: dict[str, float] = {}  # neighbourhood → until

    def refusal(self, address: str, now: float) -> str | None:
        """Why a new connection must be closed, or None; asked before anything is allocated."""
        place = neighbourhood(address)
        until = self._banned.get(place)
        if until is not None:
            if now < until and not self._working[place]:
                return "banned"
            del self._banned[place]
        most = self._limits.connections_per_address
        if most and self._connections[place] >= most:
            return f"more than {most} connections from one address"
        return None

    def connected(self, address: str) -> None:
        self._connections[neighbourhood(address)] += 1

    def disconnected(self, address: str) -> None:
        _decrease(self._connections, neighbourhood(address))

    def started_working(self, address: str) -> None:
        """A rig there is authorized: its address can't be banned while it stays."""
        self._working[neighbourhood(address)] += 1

    def stopped_working(self, address: str) -> None:
        _decrease(self._working, neighbourhood(address))

    def misbehaved(self, address: str, score: int, now: float) -> bool:
        """Add to an address's score; True when that bans it."""
        limit = self._limits.ban_score
        place = neighbourhood(address)
        if not limit or self._working[place]:
            return False
        old, expires = self._scores.pop(place, (0.0, 0.0))
        total = score + (old if now < expires else 0.0)
        if total < limit:
            self._scores[place] = (total, now + SCORE_LIFETIME)
            if len(self._scores) > MAX_SCORED:
                del self._scores[next(iter(self._scores))]
            return False
        self._banned[place] = now + BAN_TIME
        if len(self._banned) > MAX_SCORED:
            del self._banned[next(iter(self._banned))]
        return True


def neighbourhood(address: str) -> str:
    """The IPv4 address itself, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _decrease(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
