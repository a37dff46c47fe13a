"""What an operator decides about the game: who is paid, each port's tier, each rig's limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PayoutSettings:
    """`[payout]`: who the coinbase pays."""

    scheme: str  # "solo": the finder; "prop": everything to `address`, for one owner
    address: str = ""  # the owner's
    unknown_worker: str = "operator"  # solo: farm names mine for `address`; or "refuse"
    coinbase_tag: str = "/baseload/"


@dataclass(frozen=True, slots=True)
class TierSettings:
    """One `[[listen]]` table: a port and the difficulty it starts with."""

    host: str
    port: int
    difficulty: float = 1024.0
    min_difficulty: float = 1.0
    vardiff: bool = True
    max_difficulty: float = 0.0  # 0: none


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """`[limits]`: 0 is no limit; load tests set all three to 0."""

    lines_per_second: float = 50.0  # per connection, metered before any hashing
    connections_per_address: int = 1024  # and per IPv6 /64
    ban_score: int = 100  # malformed input counts, stale shares never
