"""What is in force on a pool's session, and the jobs that follow from it.

Pools tell difficulty, extranonce, mask and jobs in any order, some before they have answered the
handshake. Three rules bring order into it:

- Difficulty and extranonce1 count from the next notify on: a job carries those it came under.
- A version mask counts at once (BIP 310), so the current job is handed out again under it. So
  it is with the first difficulty of a session when it comes after the first notify: nobody means
  difficulty 1, and bmminer takes that value at once too.
- A notify waits for the subscribe answer, a job for the authorize answer: before that its
  shares would be refused.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from stratum.protocol.upstream_events import (
    DifficultyChanged,
    ExtranonceChanged,
    NotifyReceived,
    Terms,
    UpstreamEvent,
    UpstreamJob,
    VersionMaskChanged,
    share_target,
)
from stratum.protocol.upstream_lines import read_notify

#: A pool sends one or two jobs before it answers authorize; the newest matter.
_MAX_HELD_JOBS = 16

#: What every client starts with, until the pool says otherwise (rule 10).
_FIRST_DIFFICULTY = Fraction(1)

_Events = list[UpstreamEvent]


class UpstreamWork:
    """One session's terms and jobs. `extranonce1` alone outlives it, to tell a resumed session."""

    def __init__(self) -> None:
        self.extranonce1: bytes | None = None
        self.start(0)

    def start(self, wanted_mask: int) -> None:
        """A new connection: nothing is in force yet."""
        self._wanted_mask = wanted_mask
        self._extranonce2_size = 0
        self._mask: int | None = None  # None: version rolling was not agreed on
        self._difficulty: Fraction | None = None
        self._is_subscribed = False
        self._is_released = False
        self._early_notify: Any = None
        self._latest: UpstreamJob | None = None
        self._held: list[UpstreamJob] = []

    def configured(self, mask: int) -> None:
        self._mask = mask

    def subscribed(self, extranonce1: bytes, extranonce2_size: int) -> bool:
        """Tell whether the session is the earlier one, resumed."""
        resumed = extranonce1 == self.extranonce1
        self.extranonce1 = extranonce1
        self._extranonce2_size = extranonce2_size
        self._is_subscribed = True
        if self._early_notify is not None:
            self.notify(self._early_notify)
        return resumed

    def release(self) -> _Events:
        """Shares are taken from now on: the jobs that waited, oldest first."""
        self._is_released = True
        held, self._held = self._held, []
        return [NotifyReceived(job) for job in held]

    def notify(self, params: Any) -> _Events:
        if not self._is_subscribed:
            self._early_notify = params
            return []
        assert self.extranonce1 is not None
        difficulty = self._difficulty or _FIRST_DIFFICULTY
        target = share_target(difficulty)
        terms = Terms(difficulty, target, self.extranonce1, self._extranonce2_size, self._mask or 0)
        return self._offer(read_notify(params, terms))

    def set_difficulty(self, changed: DifficultyChanged) -> _Events:
        is_first = self._difficulty is None
        self._difficulty = changed.difficulty
        if not is_first or self._latest is None:
            return [changed]
        job = replace(self._latest, difficulty=changed.difficulty, target=changed.target)
        return [changed, *self._offer(job)]

    def set_extranonce(self, changed: ExtranonceChanged) -> _Events:
        if not self._is_subscribed:
            return []  # the subscribe answer brings its own
        self.extranonce1 = changed.extranonce1
        self._extranonce2_size = changed.extranonce2_size
        return [changed]

    def set_mask(self, mask: int) -> _Events:
        mask &= self._wanted_mask
        if self._mask is None or mask == self._mask:
            return []
        self._mask = mask
        if self._latest is None:
            return [VersionMaskChanged(mask)]
        return [VersionMaskChanged(mask), *self._offer(replace(self._latest, version_mask=mask))]

    def _offer(self, job: UpstreamJob) -> _Events:
        """Hand a job out, or hold it until its shares are taken."""
        self._latest = job
        if self._is_released:
            return [NotifyReceived(job)]
        earlier = [] if job.clean_jobs else [old for old in self._held if old.job_id != job.job_id]
        self._held = [*earlier, job][-_MAX_HELD_JOBS:]
        return []
