"""What became of a share, in one word, and how the wire says it."""

from __future__ import annotations

from enum import StrEnum

from stratum.protocol.messages import ErrorCode


class Verdict(StrEnum):
    """The words are those of logs, metrics and books (DESIGN §8.7)."""

    ACCEPTED = "accepted"
    STALE = "stale"
    UNKNOWN_JOB = "unknown_job"
    DUPLICATE = "duplicate"
    LOW_DIFFICULTY = "low_difficulty"
    BAD_TIME = "bad_time"
    BAD_VERSION = "bad_version"
    MALFORMED = "malformed"
    UNAUTHORIZED = "unauthorized"
    NOT_SUBSCRIBED = "not_subscribed"
    LIMITED = "limited"


#: The place of each in tables of counters, those of the gate in C above all.
NUMBER: dict[Verdict, int] = {verdict: number for number, verdict in enumerate(Verdict)}

#: Code and text of every rejection. No client reads the number, people read the text.
REJECTION: dict[Verdict, tuple[int, str]] = {
    Verdict.STALE: (ErrorCode.JOB_NOT_FOUND, "Stale share"),
    Verdict.UNKNOWN_JOB: (ErrorCode.JOB_NOT_FOUND, "Job not found"),
    Verdict.DUPLICATE: (ErrorCode.DUPLICATE, "Duplicate share"),
    Verdict.LOW_DIFFICULTY: (ErrorCode.LOW_DIFFICULTY, "Low difficulty share"),
    Verdict.BAD_TIME: (ErrorCode.OTHER, "ntime out of range"),
    Verdict.BAD_VERSION: (ErrorCode.OTHER, "Invalid version mask"),
    Verdict.MALFORMED: (ErrorCode.OTHER, "Malformed share"),
    Verdict.UNAUTHORIZED: (ErrorCode.UNAUTHORIZED, "Unauthorized worker"),
    Verdict.NOT_SUBSCRIBED: (ErrorCode.NOT_SUBSCRIBED, "Not subscribed"),
    Verdict.LIMITED: (ErrorCode.OTHER, "Share limit reached"),
}
