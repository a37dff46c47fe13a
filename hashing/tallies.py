"""What the swarms of native and reference have in common: a line's alphabet, and the tallies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: In a submit line these bytes stand for what differs from share to share.
PUT_ID = b"\x01"
PUT_JOB_ID = b"\x02"
PUT_EXTRANONCE2 = b"\x03"
PUT_NTIME = b"\x04"
PUT_NONCE = b"\x05"
PUT_VERSION_BITS = b"\x06"

#: What `receive` and `resume` return instead of a number of bytes.
LINE = -1
PARTIAL = -2

#: What one socket may give at a time, and the lines that follow from it.
IN_SIZE = 1 << 18
OUT_SIZE = 1 << 17

#: A job's coinbase and branch; memory that no job needs is never touched.
JOB_SPACE = 1 << 13

BUCKETS = 896
REFUSALS = 32
TIPS = 256
TEXT = 96
MAX_JOB_ID = 64
MAX_EXTRANONCE1 = 32
MAX_EXTRANONCE2 = 16
MAX_LINE = 512

_MAX_SHIFT = BUCKETS // 32 - 2


@dataclass(frozen=True, slots=True)
class Latencies:
    """A histogram of microseconds, to within 3 %; csrc/hashing.h says what lies in which bucket."""

    counts: Sequence[int]
    max_us: int

    @property
    def total(self) -> int:
        return sum(self.counts)

    def percentile_us(self, percent: float) -> int:
        """The value that so many percent do not exceed; 0 where nothing was counted."""
        wanted = self.total * percent / 100
        seen = 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return min(highest_of_bucket(bucket), self.max_us)
        return 0

    def __add__(self, other: Latencies) -> Latencies:
        counts = [ours + theirs for ours, theirs in zip(self.counts, other.counts, strict=True)]
        return Latencies(counts, max(self.max_us, other.max_us))


def bucket_of(us: int) -> int:
    """Where a value is counted."""
    shift = max(us.bit_length() - 6, 0)
    return 32 * shift + (us >> shift)


def highest_of_bucket(bucket: int) -> int:
    """The largest value that is counted there."""
    shift = min(max(bucket // 32 - 1, 0), _MAX_SHIFT)
    return (bucket - 32 * shift + 1 << shift) - 1


@dataclass(frozen=True, slots=True)
class Refusal:
    """One kind of refused share: its error as the pool wrote it, at most 96 bytes of it.

    `late` counts those sent before the rig knew that its work was void; empty text is what found
    no room of its own.
    """

    text: bytes
    count: int
    late: int


@dataclass(frozen=True, slots=True)
class Tip:
    """A new previous block: `prevhash` in hex as on the wire, times by the caller's clock."""

    prevhash: str
    first_ns: int
    last_ns: int
    rigs: int


@dataclass(frozen=True, slots=True)
class SwarmTally:
    """Everything a swarm has counted so far."""

    submitted: int  # by rigs whose answers are waited for
    untracked: int  # by the others
    accepted: int
    unsent: int  # due, but the rig was not ready or had too many in flight
    unfound: int  # no nonce met the target within reason
    lost: int  # in flight when the connection went
    refusals: tuple[Refusal, ...]
    tips: tuple[Tip, ...]
    calm: Latencies
    tip: Latencies  # of shares answered in a second with a tip, or due before it was over
    lag: Latencies  # from when a share was due to when it was made


def expect_submit_line(line: bytes) -> None:
    """ValueError for a line that the core could not fill within the room it keeps."""
    if not 0 < len(line) <= MAX_LINE:
        raise ValueError(f"submit line is {len(line)} bytes, expected 1 to {MAX_LINE}")
    for byte in range(1, 7):
        if line.count(byte) > 1:
            raise ValueError(f"submit line has placeholder {byte} more than once")


def expect_extranonce(extranonce1: bytes, extranonce2_size: int) -> None:
    if len(extranonce1) > MAX_EXTRANONCE1:
        raise ValueError(
            f"extranonce1 is {len(extranonce1)} bytes, expected up to {MAX_EXTRANONCE1}"
        )
    if not 1 <= extranonce2_size <= MAX_EXTRANONCE2:
        raise ValueError(f"extranonce2_size is {extranonce2_size}, expected 1 to {MAX_EXTRANONCE2}")
