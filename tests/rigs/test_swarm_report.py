"""A pool's words, made verdicts."""

from __future__ import annotations

import pytest

from hashing.tallies import BUCKETS, Latencies, Refusal, SwarmTally, Tip, bucket_of
from stratum.mining.verdicts import REJECTION, Verdict
from stratum.protocol.messages import encode_error
from stratum.rigs.swarm.report import (
    count_verdicts,
    count_wrong,
    read_reject,
    show_latencies,
    spread_tips,
)


@pytest.mark.parametrize("verdict", REJECTION)
def test_our_own_words_give_our_own_verdicts(verdict: Verdict) -> None:
    line = encode_error(b"1", *REJECTION[verdict])
    text = line.partition(b'"error":')[2].removesuffix(b"}\n")
    assert read_reject(Refusal(text, 1, 0)).verdict == verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (b'[21,"stale-prevblk",null]', "stale"),  # DATUM
        (b'"Stale"', "stale"),  # ckpool's reject-reason
        (b'"Above target"', "low_difficulty"),
        (b'{"code":22,"message":"dup"}', "duplicate"),
        (b"false", "other"),
        (b'[20,"storage full",null]', "other"),
        (b'[23,"cut off', "other"),
        (b"", "other"),
    ],
)
def test_the_words_of_others_are_understood(text: bytes, verdict: str) -> None:
    assert read_reject(Refusal(text, 1, 0)).verdict == verdict


REJECTS = [
    read_reject(Refusal(b'[21,"Stale share",null]', 10, 7)),
    read_reject(Refusal(b'[21,"Job not found",null]', 5, 5)),
    read_reject(Refusal(b'[23,"Low difficulty share",null]', 4, 1)),
]


def test_a_share_may_be_stale_before_the_rig_knew_but_nothing_else() -> None:
    assert count_wrong(REJECTS, blind=False) == 3 + 0 + 4
    assert count_wrong(REJECTS, blind=True) == 3


def test_verdicts_that_did_not_come_are_not_listed() -> None:
    counts = {"accepted": 2, "stale": 10, "unknown_job": 5, "low_difficulty": 4}
    assert count_verdicts(2, REJECTS) == counts
    assert count_verdicts(0, []) == {}


def test_latencies_are_shown_in_milliseconds() -> None:
    counts = [0] * BUCKETS
    counts[bucket_of(1500)] = 1000
    shown = show_latencies(Latencies(counts, 1500))
    assert shown == {"count": 1000, "p50": 1.5, "p90": 1.5, "p99": 1.5, "p999": 1.5, "max": 1.5}
    assert not any(show_latencies(Latencies([0] * BUCKETS, 0)).values())


def test_tips_are_those_of_the_measured_time_in_unix_time() -> None:
    none = Latencies([0] * BUCKETS, 0)
    tips = tuple(Tip(f"{n}" * 64, n * 10**9, n * 10**9 + 2_000_000, 5) for n in (1, 2, 3))
    tally = SwarmTally(0, 0, 0, 0, 0, 0, (), tips, none, none, none)
    (tip,) = spread_tips(tally, 2 * 10**9, 3 * 10**9, 100 * 10**9)
    assert (tip.prevhash[0], tip.first, tip.last, tip.spread_ms) == ("2", 102.0, 102.002, 2.0)
