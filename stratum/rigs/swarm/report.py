"""What came of it: counts by verdict, percentiles, tips, in the words of the field."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hashing.tallies import Latencies, Refusal, SwarmTally
from stratum.mining.verdicts import REJECTION, Verdict
from stratum.protocol.messages import ErrorCode, Response
from stratum.protocol.upstream_lines import read_refusal

_PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9}

_VERDICT_OF_WORDS = {(int(code), text): verdict for verdict, (code, text) in REJECTION.items()}

#: Of pools with other words than ours, the code tells.
_VERDICT_OF_CODE = {
    ErrorCode.JOB_NOT_FOUND: Verdict.STALE,
    ErrorCode.DUPLICATE: Verdict.DUPLICATE,
    ErrorCode.LOW_DIFFICULTY: Verdict.LOW_DIFFICULTY,
    ErrorCode.UNAUTHORIZED: Verdict.UNAUTHORIZED,
    ErrorCode.NOT_SUBSCRIBED: Verdict.NOT_SUBSCRIBED,
}
OTHER = "other"

#: What a rig may be told of old work.
_OF_OLD_WORK = (Verdict.STALE, Verdict.UNKNOWN_JOB)


@dataclass(frozen=True, slots=True)
class Reject:
    """One kind of rejection; `late` were sent before the rig knew that its work was void."""

    verdict: str
    code: int
    text: str
    count: int
    late: int


@dataclass(frozen=True, slots=True)
class TipSpread:
    """How a new previous block reached the rigs; first and last are Unix time."""

    prevhash: str
    first: float
    last: float
    spread_ms: float
    rigs: int


@dataclass(frozen=True, slots=True)
class Report:
    """The keys of `--json`. Counts are of the whole run, latencies of its measured part."""

    rigs: int
    connected: int  # rigs that ever had their shares taken
    failed: int  # connections that never came so far
    disconnected: int  # connections lost after that
    reasons: dict[str, int]  # of both
    seconds: float  # measured
    submitted: int
    shares: dict[str, int]  # answers by verdict
    shares_per_second: float  # answers while measured
    rejects: tuple[Reject, ...]
    wrong_rejects: int
    unanswered: int
    unsent: int  # due, but the rig had no work or too many in flight
    unfound: int  # given up: the difficulty is too high for a swarm that hashes
    never_read_submitted: int  # by rigs that never read; in no other count
    latency_ms: dict[str, float]
    tip_latency_ms: dict[str, float]
    lag_ms: dict[str, float]  # from due to written: the swarm's own part of the latency
    tips: tuple[TipSpread, ...]
    cpu_seconds: float  # of this process, while measured


def read_reject(refusal: Refusal) -> Reject:
    """A refusal's code, text and verdict, from the error as the pool wrote it."""
    try:
        error: Any = json.loads(refusal.text)
    except ValueError:
        error = refusal.text.decode("utf-8", "replace")
    code, text = read_refusal(Response(None, None, None if error is False else error, None))
    verdict = _VERDICT_OF_WORDS.get((code, text)) or _VERDICT_OF_CODE.get(code)
    return Reject(str(verdict or OTHER), int(code), text, refusal.count, refusal.late)


def count_verdicts(accepted: int, rejects: Sequence[Reject]) -> dict[str, int]:
    """Answers by verdict, those that came at all."""
    counts = Counter({str(Verdict.ACCEPTED): accepted})
    for reject in rejects:
        counts[reject.verdict] += reject.count
    return {verdict: count for verdict, count in counts.items() if count}


def count_wrong(rejects: Sequence[Reject], *, blind: bool) -> int:
    """Rejects that a rig did not deserve.

    Deserved are stale shares sent before the rig could know better, and, of rigs that did not
    hash, shares of low difficulty.
    """
    wrong = 0
    for reject in rejects:
        if reject.verdict in _OF_OLD_WORK:
            wrong += reject.count - reject.late
        elif not (blind and reject.verdict == Verdict.LOW_DIFFICULTY):
            wrong += reject.count
    return wrong


def answered(tally: SwarmTally) -> int:
    return tally.accepted + sum(refusal.count for refusal in tally.refusals)


def show_latencies(latencies: Latencies) -> dict[str, float]:
    """Milliseconds at the usual percentiles, and how many were timed; zeros where none were."""
    shown = {name: latencies.percentile_us(at) / 1000 for name, at in _PERCENTILES.items()}
    return {"count": latencies.total, **shown, "max": latencies.max_us / 1000}


def spread_tips(
    tally: SwarmTally, start_ns: int, end_ns: int, unix_ahead_ns: int
) -> tuple[TipSpread, ...]:
    """Tips that began in between, with their times turned into Unix time."""
    return tuple(
        TipSpread(
            tip.prevhash,
            (tip.first_ns + unix_ahead_ns) / 1e9,
            (tip.last_ns + unix_ahead_ns) / 1e9,
            (tip.last_ns - tip.first_ns) / 1e6,
            tip.rigs,
        )
        for tip in tally.tips
        if start_ns <= tip.first_ns < end_ns
    )
