"""One rig as the rules see it: who it is, what it was sent, what it may roll.

Several small states live side by side here, because miners interleave them freely; each is read
by the requests named beside it:

    extranonce1     None until subscribed       submit (25)
    workers, payee  empty until authorized      submit (24), the coinbase it mines on
    version masks   0 until configured          submit (bits outside are 20)
    sent            empty until the first job   submit (21, and the difficulty it is judged by)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from stratum.mining.jobs import Job, Variant
from stratum.mining.names import Payee
from stratum.mining.rate import RateMeter

#: Jobs remembered per rig: 32 minutes of ordinary refreshes on one block.
RING_SIZE = 64

MAX_WORKERS = 1024


@dataclass(frozen=True, slots=True)
class SentJob:
    """A job as this rig got it. Its difficulty judges its shares, whatever came later."""

    job: Job
    weight: int


@dataclass(slots=True)
class Rig:
    """The state of one connection that shares are judged by."""

    tier: int
    meter: RateMeter
    extranonce1: bytes | None = None
    workers: dict[str, Payee] = field(default_factory=dict)
    payee: Payee | None = None  # of the first worker: what the coinbase pays
    requested_mask: int = 0
    mask: int = 0  # granted last, of those bits
    granted_masks: int = 0  # the union: a job keeps the mask it was sent under (wire.md §1.11)
    sent: dict[str, SentJob] = field(default_factory=dict)
    variant: Variant | None = None  # of the job it has now; older ones are built again at need

    # What vardiff, statistics and pages read; never an event per share.
    shares: int = 0
    rejected: int = 0
    last_share: float = 0.0

    def grant(self, offered_mask: int) -> int:
        """The version bits it may roll of those asked for."""
        self.mask = self.requested_mask & offered_mask
        self.granted_masks |= self.mask
        return self.mask

    def inherit(self, former: Rig) -> None:
        """Go on with the jobs of the connection before, where they paid the same payee."""
        assert self.payee is not None and former.payee is not None
        if self.payee.script_pubkey == former.payee.script_pubkey:
            self.sent.update(former.sent)
            self.granted_masks |= former.granted_masks

    def remember(self, sent: SentJob, variant: Variant) -> None:
        """Keep the newest RING_SIZE jobs."""
        self.variant = variant
        self.sent[sent.job.job_id] = sent
        if len(self.sent) > RING_SIZE:
            del self.sent[next(iter(self.sent))]
