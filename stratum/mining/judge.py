"""Judge one share: the network target first, then every reason to refuse it, cheapest first.

The order is wire.md §1.12's with one law above it: whatever is wrong with a share (a stale job,
an unknown worker, an ntime too early), if its hash is a block then the block is submitted before
the rejection is said. What can be hashed is hashed; the line budget has been paid by then.

The gate in C judges plain shares by the same rules, and leaves the rest to this: what it is not
sure of, and blocks. What differs between the two is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass

import hashing
from stratum.events import BlockFound
from stratum.mining.jobs import Job, Work, microseconds
from stratum.mining.rig import Rig
from stratum.mining.site import AcceptedShare, Site
from stratum.mining.verdicts import Verdict
from stratum.protocol.downstream import MAX_NAME, Submit, printable
from stratum.units import best_of

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
    weight: int | None  # None: this rig was never sent the job, or too long ago
    version: int
    refused: Verdict | None


def judge(site: Site, rig: Rig, submit: Submit, now: float) -> Judgement:
    """Judge, count, record and, if it is one, hand on the block. `now` is Unix time."""
    now_us = microseconds(now)
    worker = rig.state.worker_index(submit.worker_name)
    judgement = _judge(site, rig, submit, worker, now_us)
    if judgement.verdict is not Verdict.ACCEPTED:
        site.refuse(rig, worker, judgement.verdict)
    return judgement


def _judge(site: Site, rig: Rig, submit: Submit, worker: int | None, now_us: int) -> Judgement:
    if rig.extranonce1 is None:
        return Judgement(Verdict.NOT_SUBSCRIBED)
    attempt = _prepare(site, rig, submit, worker, now_us)
    if isinstance(attempt, Verdict):
        return Judgement(attempt)

    assert rig.payee is not None
    extranonce = rig.extranonce1 + submit.extranonce2
    checked = hashing.check_share(
        attempt.work.share_job,
        extranonce,
        attempt.version,
        submit.ntime,
        submit.nonce,
        _NO_TARGET if attempt.weight is None else site.share_target(attempt.weight),
        rig.payee.coinbase_part,
    )

    # A block leaves before anything is said about the share.
    seen = site.duplicates.of(attempt.work.template.prevhash)
    is_known = seen.holds(checked.hash)
    if checked.meets_network_target and not is_known:
        seen.add(checked.hash)
        site.found(_block(site, rig, attempt, checked, extranonce, submit.worker_name))

    if attempt.refused or attempt.weight is None:
        return Judgement(attempt.refused or Verdict.UNKNOWN_JOB)
    if attempt.work.generation != site.pool.generation:
        return Judgement(Verdict.STALE)
    if is_known:
        return Judgement(Verdict.DUPLICATE)
    if not checked.meets_share_target:
        return Judgement(Verdict.LOW_DIFFICULTY)
    if rig.state.is_full:
        return Judgement(Verdict.LIMITED, "too many shares on one block")

    # Recorded before it is remembered: what found no room in the log may be submitted again.
    assert worker is not None
    ids = site.record(_accepted(rig, submit, attempt, worker, checked, now_us))
    if ids is None:
        return Judgement(Verdict.LIMITED, "storage full")
    if not checked.meets_network_target:
        seen.add(checked.hash)
    rig.state.number_worker(worker, *ids)
    rig.state.count_share(attempt.weight, best_of(checked.hash), now_us)
    rig.state.junk_run = 0
    site.accept(attempt.weight)
    return Judgement(Verdict.ACCEPTED)


def _prepare(
    site: Site, rig: Rig, submit: Submit, worker: int | None, now_us: int
) -> _Attempt | Verdict:
    """Find the job and build the version, noting the first fault; a Verdict if neither can be."""
    refused = Verdict.UNAUTHORIZED if worker is None else None
    job, weight = _sent(site, rig, submit.job_id)
    work = job.work if job else site.pool.find(submit.job_id)
    if work is None or rig.payee is None:
        return refused or Verdict.UNKNOWN_JOB

    if not refused and job and not _time_is_good(job, submit.ntime, now_us):
        refused = Verdict.BAD_TIME
    version = merged_version(work, rig.state.masks, submit.version_bits)
    if version is None:
        # What such a rig hashed is a guess; if it makes a block, it was right.
        version = work.version | (submit.version_bits or 0)
        refused = refused or Verdict.BAD_VERSION
    return _Attempt(work, weight, version, refused)


def _sent(site: Site, rig: Rig, job_id: str) -> tuple[Job, int] | tuple[None, None]:
    """The job and the weight this rig was sent it with, if it was."""
    job = site.pool.job(job_id)
    weight = rig.state.weight_of(job.number) if job else None
    return (None, None) if job is None or weight is None else (job, weight)


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


def _time_is_good(job: Job, ntime: int, now_us: int) -> bool:
    """The future is judged by the node's clock, as the network will: ours may have been set."""
    work, first = job.work, job.ntime
    return (
        first <= ntime <= work.bounded(min(first + NTIME_ROLL, work.ntime(now_us) + NTIME_FUTURE))
    )


def _block(
    site: Site,
    rig: Rig,
    attempt: _Attempt,
    checked: hashing.CheckedShare,
    extranonce: bytes,
    worker: str,
) -> BlockFound:
    assert rig.payee is not None
    template = attempt.work.template
    block = site.pool.assemble(attempt.work, rig.payee, checked.header, extranonce)
    name = printable(worker)[:MAX_NAME]  # it may be anything: the block test comes first
    return BlockFound(checked.hash, template.height, name, template.coinbasevalue, block)


def _accepted(
    rig: Rig,
    submit: Submit,
    attempt: _Attempt,
    worker: int,
    checked: hashing.CheckedShare,
    now_us: int,
) -> AcceptedShare:
    assert rig.extranonce1 is not None and rig.payee is not None and attempt.weight is not None
    return AcceptedShare(
        account=rig.workers[worker].payee.account,
        script_pubkey=rig.payee.script_pubkey,
        worker_name=submit.worker_name,
        tier=rig.tier,
        log_index=attempt.work.log_index,
        time_us=now_us,
        weight=attempt.weight,
        version=attempt.version,
        ntime=submit.ntime,
        nonce=submit.nonce,
        extranonce1=rig.extranonce1,
        extranonce2=submit.extranonce2,
        best=best_of(checked.hash),
        meets_network_target=checked.meets_network_target,
    )
