"""What a pool tells its client: the values that an `Upstream` hands out.

A job carries what was in force when it came, because a share is built and judged by that however
much later it is found. Nothing here reads or writes the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from stratum.units import DIFF1_TARGET, MAX_TARGET


@dataclass(frozen=True, slots=True)
class UpstreamJob:
    """One notify, with everything that was in force when it came.

    Difficulty, extranonce1 and its sizes belong to the job (rule 11): a share is built and judged
    by them however much later it is found. Hashes are in internal order.
    """

    job_id: str
    prevhash: bytes
    coinb1: bytes
    coinb2: bytes
    branch: tuple[bytes, ...]
    version: int
    nbits: int
    ntime: int
    clean_jobs: bool
    difficulty: Fraction
    target: int
    extranonce1: bytes
    extranonce2_size: int
    version_mask: int


@dataclass(frozen=True, slots=True)
class Submit:
    """A share on its way to the pool; `id` is the request's."""

    id: int
    user: str
    job: UpstreamJob
    extranonce2: bytes
    ntime: int
    nonce: int
    version_bits: int
    found_at: float


@dataclass(frozen=True, slots=True)
class Subscribed:
    """`resumed` tells that extranonce1 is that of the connection before: its shares still count."""

    extranonce1: bytes
    extranonce2_size: int
    session_id: str | None
    resumed: bool


@dataclass(frozen=True, slots=True)
class Authorized:
    user: str


@dataclass(frozen=True, slots=True)
class AuthorizeRefused:
    user: str
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class DifficultyChanged:
    """What the *next* job will be judged by."""

    difficulty: Fraction
    target: int


@dataclass(frozen=True, slots=True)
class NotifyReceived:
    """Mine this. A job that comes twice replaces its earlier self."""

    job: UpstreamJob


@dataclass(frozen=True, slots=True)
class SubmitAnswered:
    """`code` and `text` are 0 and "" for an accepted share."""

    id: int
    accepted: bool
    code: int
    text: str
    submit: Submit


@dataclass(frozen=True, slots=True)
class SubmitLost:
    """No answer will come: the pool was silent too long, or a new session has other work."""

    submit: Submit
    reason: str


@dataclass(frozen=True, slots=True)
class VersionMaskChanged:
    version_mask: int


@dataclass(frozen=True, slots=True)
class ExtranonceChanged:
    """What the *next* job will be built with."""

    extranonce1: bytes
    extranonce2_size: int


@dataclass(frozen=True, slots=True)
class ReconnectAsked:
    """None means "where you are now". Whether to follow elsewhere is the connector's policy."""

    host: str | None
    port: int | None
    wait_s: int


@dataclass(frozen=True, slots=True)
class MessageShown:
    text: str


UpstreamEvent = (
    Subscribed
    | Authorized
    | AuthorizeRefused
    | DifficultyChanged
    | NotifyReceived
    | SubmitAnswered
    | SubmitLost
    | VersionMaskChanged
    | ExtranonceChanged
    | ReconnectAsked
    | MessageShown
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is in force on a session, and thus for the next job."""

    difficulty: Fraction
    target: int
    extranonce1: bytes
    extranonce2_size: int
    version_mask: int


def share_target(difficulty: Fraction) -> int:
    """⌊D1 / difficulty⌋, at most 2^256 - 1; 0 for a difficulty that nothing can meet."""
    return min(DIFF1_TARGET * difficulty.denominator // difficulty.numerator, MAX_TARGET)
