"""What a rig leaves behind when its connection breaks, for the moment it comes back.

cgminer keeps the shares it finds meanwhile and submits them after a reconnect that gave it the
same extranonce1 (reference §1.2). They name jobs of the broken connection: without these jobs,
and the difficulty each was sent with, every one of them would be refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from stratum.mining.rig import Rig

#: Strangers come and go too, and a rig's jobs are most of a kilobyte.
MAX_KEPT = 16384

#: cgminer drops shares that it could not send for 120 s.
KEPT = 180.0

_JOB = struct.Struct("<IQ")  # number, weight


@dataclass(frozen=True, slots=True)
class Remains:
    """Of one rig; `jobs` are those it was sent, each with its weight, oldest first."""

    script_pubkey: bytes
    masks: int
    jobs: bytes

    def revive(self, rig: Rig) -> None:
        """Go on with the jobs of the connection before, where they paid the same payee."""
        assert rig.payee is not None
        if rig.payee.script_pubkey == self.script_pubkey:
            revive_jobs(rig, self.jobs)
            rig.state.masks |= self.masks


def remains_of(rig: Rig) -> Remains | None:
    """What is worth keeping of a rig; None where it was never sent a job."""
    jobs = jobs_of(rig)
    if rig.payee is None or not jobs:
        return None
    return Remains(rig.payee.script_pubkey, rig.state.masks, jobs)


def jobs_of(rig: Rig) -> bytes:
    """The jobs it was sent, oldest first: 12 bytes each, number and weight, little-endian."""
    return b"".join(_JOB.pack(number, weight) for number, weight in rig.state.ring())


def revive_jobs(rig: Rig, jobs: bytes) -> None:
    """The inverse. Raises ValueError for what `jobs_of` does not give."""
    if len(jobs) % _JOB.size:
        raise ValueError(f"jobs are {len(jobs)} bytes, expected a multiple of {_JOB.size}")
    for number, weight in _JOB.iter_unpack(jobs):
        rig.state.remember(number, weight)


class Departed:
    """The rigs that left lately, by their extranonce1."""

    def __init__(self) -> None:
        self._remains: dict[bytes, tuple[float, Remains]] = {}  # oldest first

    def leave(self, extranonce1: bytes, remains: Remains, now: float) -> None:
        """A subscribed rig is gone."""
        self._forget(now)
        self._remains.pop(extranonce1, None)
        self._remains[extranonce1] = (now, remains)
        if len(self._remains) > MAX_KEPT:
            del self._remains[next(iter(self._remains))]

    def take_back(self, extranonce1: bytes, now: float) -> Remains | None:
        """What the earlier connection with this extranonce1 left, if it ended lately."""
        self._forget(now)
        entry = self._remains.pop(extranonce1, None)
        return entry[1] if entry else None

    @property
    def entries(self) -> Iterator[tuple[bytes, float, Remains]]:
        """extranonce1, when it left, what it left; oldest first."""
        return ((extranonce1, *entry) for extranonce1, entry in self._remains.items())

    def _forget(self, now: float) -> None:
        while self._remains:
            oldest = next(iter(self._remains))
            if now - self._remains[oldest][0] < KEPT:
                return
            del self._remains[oldest]
