"""Judge one share: the network target first, then every reason to refuse it, cheapest first.

The order is wire.md §1.12's with one law above it: whatever is wrong with a share (a stale job,
an unknown worker, an ntime too early), if its hash is a block then the block is submitted before
the rejection is said. What can be hashed is hashed; the line budget has been paid by then.

The gate in C judges the same shares by the same rules; what differs between the two is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass

import hashing
from stratum.events import BlockFound
from stratum.mining.jobs import Variant, Work
from stratum.mining.rig import Rig, SentJob
from stratum.mining.site import AcceptedShare, Site
from stratum.mining.verdicts import Verdict
from stratum.protocol.downstream import MAX_NAME, Submit, printable

#: ntime may be rolled this far past the job's (ckpool), and this far past the clock (consensus).
NTIME_ROLL = 7000
NTIME_FUTURE = 7200

#: A target that no hash meets: for a job whose difficulty this rig was never sent.
_NO_TARGET = bytes(32)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict; `reason` overrides the verdict's usual text."""

    verdict: Verdict
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A submit with all that is needed to hash it, and what is wrong with it before hashing."""

    work: Work
    variant: Variant
    sent: SentJob | None  # None: this rig was never sent the job, or too long ago
    version: int
    refused: Verdict | None


def judge(site: Site, rig: Rig, submit: Submit, now: float) -> Judgement:
    """Judge, record and, if it is one, hand on the block. `now` is Unix time."""
    if rig.extranonce1 is None:
        return Judgement(Verdict.NOT_SUBSCRIBED)
    attempt = _prepare(site, rig, submit, now)
    if isinstance(attempt, Verdict):
        return Judgement(attempt)

    extranonce = rig.extranonce1 + submit.extranonce2
    checked = hashing.check_share(
        attempt.variant.share_job,
        extranonce,
        attempt.version,
        submit.ntime,
        submit.nonce,
        site.share_target(attempt.sent.weight) if attempt.sent else _NO_TARGET,
    )

    # A block leaves before anything is said about the share.
    place = (attempt.work.template.prevhash, rig.extranonce1, checked.hash)
    is_known = site.duplicates.holds(*place)
    has_room = True
    if checked.meets_network_target and not is_known:
        has_room = site.duplicates.add(*place)
        site.found(_block(site, attempt, checked, extranonce, submit.worker_name))

    if attempt.refused or attempt.sent is None:
        return Judgement(attempt.refused or Verdict.UNKNOWN_JOB)
    if attempt.work.generation != site.pool.generation:
        return Judgement(Verdict.STALE)
    if is_known:
        return Judgement(Verdict.DUPLICATE)
    if not checked.meets_share_target:
        return Judgement(Verdict.LOW_DIFFICULTY)
    if not checked.meets_network_target:
        has_room = site.duplicates.add(*place)
    if not has_room:
        return Judgement(Verdict.LIMITED, "too many shares on one block")
    if not site.record(_accepted(rig, submit, attempt, attempt.sent, checked)):
        return Judgement(Verdict.LIMITED, "storage full")
    _credit(site, rig, attempt.sent.weight, now)
    return Judgement(Verdict.ACCEPTED)


def _prepare(site: Site, rig: Rig, submit: Submit, now: float) -> _Attempt | Verdict:
    """Find the job and build the version, noting the first fault; a Verdict if neither can be."""
    refused = None if submit.worker_name in rig.workers else Verdict.UNAUTHORIZED
    sent = rig.sent.get(submit.job_id)
    work = sent.job.work if sent else site.pool.find(submit.job_id)
    if work is None or rig.payee is None:
        return refused or Verdict.UNKNOWN_JOB

    variant = site.pool.unproven_variant(work, rig.payee.script_pubkey)
    if not refused and sent and not _time_is_good(sent, submit.ntime, now):
        refused = Verdict.BAD_TIME
    version = merged_version(work, rig.granted_masks, submit.version_bits)
    if version is None:
        # What such a rig hashed is a guess; if it makes a block, it was right.
        version = work.version | (submit.version_bits or 0)
        refused = refused or Verdict.BAD_VERSION
    return _Attempt(work, variant, sent, version, refused)


def merged_version(work: Work, mask: int, bits: int | None) -> int | None:
    """The header's version for submitted bits; None where they leave the mask.

    BIP 310: version_bits & ~mask == 0, nVersion = (job & ~mask) | (bits & mask). Old bmminer
    sends the whole version instead: that is good where it agrees outside the mask (wire.md §1.13).
    """
    mask &= work.version_mask
    bits = bits or 0
    if bits & ~mask == 0:
        return work.version & ~mask | bits
    if bits & ~mask == work.version & ~mask:
        return bits
    return None


def _time_is_good(sent: SentJob, ntime: int, now: float) -> bool:
    """The future is judged by the node's clock, as the network will: ours may have been set."""
    work, first = sent.job.work, sent.job.ntime
    return first <= ntime <= work.bounded(min(first + NTIME_ROLL, work.ntime(now) + NTIME_FUTURE))


def _block(
    site: Site, attempt: _Attempt, checked: hashing.CheckedShare, extranonce: bytes, worker: str
) -> BlockFound:
    block = site.pool.assemble(attempt.work, attempt.variant, checked.header, extranonce)
    height = attempt.work.template.height
    name = printable(worker)[:MAX_NAME]  # it may be anything: the block test comes first
    return BlockFound(checked.hash, height, name, attempt.variant.sats, block)


def _accepted(
    rig: Rig,
    submit: Submit,
    attempt: _Attempt,
    sent: SentJob,
    checked: hashing.CheckedShare,
) -> AcceptedShare:
    assert rig.extranonce1 is not None and rig.payee is not None
    return AcceptedShare(
        account=rig.workers[submit.worker_name].account,
        script_pubkey=rig.payee.script_pubkey,
        worker_name=submit.worker_name,
        tier=rig.tier,
        log_index=attempt.work.log_index,
        weight=sent.weight,
        version=attempt.version,
        ntime=submit.ntime,
        nonce=submit.nonce,
        extranonce1=rig.extranonce1,
        extranonce2=submit.extranonce2,
        block_hash=checked.hash,
        meets_network_target=checked.meets_network_target,
    )


def _credit(site: Site, rig: Rig, weight: int, now: float) -> None:
    rig.shares += 1
    rig.last_share = now
    rig.meter.add(weight, now)
    site.totals.weight += weight
