"""The shares that a pool has not answered yet.

They outlive the connection: after a reconnect those built with the new session's extranonce1 are
sent again (cgminer's rule), the rest is reported lost. Bounded in number and in age, because a
pool that never answers must cost neither memory nor a wrong count.
"""

from __future__ import annotations

import math

from stratum.errors import UpstreamError
from stratum.protocol.messages import encode_request
from stratum.protocol.upstream_events import Submit, SubmitLost

ANSWER_S = 120  # cgminer.c:9108


class PendingShares:
    """Submits by request id, oldest first."""

    __slots__ = ("_limit", "_shares")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._shares: dict[int, Submit] = {}

    def __len__(self) -> int:
        return len(self._shares)

    def add(self, share: Submit) -> None:
        """Raises UpstreamError when too many wait already."""
        if len(self._shares) >= self._limit:
            raise UpstreamError(f"{self._limit} shares wait for an answer already")
        self._shares[share.id] = share

    def take(self, request_id: int) -> Submit | None:
        return self._shares.pop(request_id, None)

    def deadline(self) -> float:
        oldest = next(iter(self._shares.values()), None)
        return oldest.found_at + ANSWER_S if oldest else math.inf

    def expire(self, now: float) -> list[SubmitLost]:
        """Give up those whose answer is overdue."""
        late = []
        for share in self._shares.values():
            if now < share.found_at + ANSWER_S:
                break
            late.append(share)
        return [self._lose(share, f"no answer in {ANSWER_S} s") for share in late]

    def keep_only(self, extranonce1: bytes) -> list[SubmitLost]:
        """Give up those that a session with this extranonce1 would not take."""
        foreign = [s for s in self._shares.values() if s.job.extranonce1 != extranonce1]
        return [self._lose(share, "the new session has another extranonce1") for share in foreign]

    def encode(self) -> list[bytes]:
        return [encode_submit(share) for share in self._shares.values()]

    def _lose(self, share: Submit, reason: str) -> SubmitLost:
        del self._shares[share.id]
        return SubmitLost(share, reason)


def encode_submit(share: Submit) -> bytes:
    """Five parameters, or six where version rolling was agreed on (BIP 310)."""
    params = [
        share.user,
        share.job.job_id,
        share.extranonce2.hex(),
        f"{share.ntime:08x}",
        f"{share.nonce:08x}",
    ]
    if share.job.version_mask:
        params.append(f"{share.version_bits:08x}")
    return encode_request(share.id, "mining.submit", params)
