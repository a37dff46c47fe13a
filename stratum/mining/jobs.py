"""Work, its refreshes and its variants: one template, serialized once, sent to thousands.

    Work     one template: version, branch, prevhash, and a log index of its own
    Job      one refresh of a Work: an id and an ntime; the same content never under two ids
    Variant  the coinbase of one payee in one Work

    notify = job.head ‖ variant.fragment ‖ job.tail

Every session on a variant writes the same bytes (DESIGN §8.3). A job id is six hex digits of
work and two of refresh: it names its Work by itself, also for a process that was started after
the job was sent.
"""

from __future__ import annotations

import binascii
from collections import deque
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

import hashing
from stratum.bitcoin.coinbase import Coinbase
from stratum.bitcoin.template import Template
from stratum.protocol.messages import swap_words

MAX_REFRESHES = 256
_WORK_IDS = 1 << 24

#: Shares may name any job of this age (ntime may be rolled 7000 s, wire.md §1.12).
JOB_LIFETIME = 7200.0

#: Avalon firmware tells its last jobs apart by CRC-16 of the id.
_CRC_MEMORY = 8


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Variant:
    """One payee's coinbase in one Work, ready to check shares and to be written."""

    coinbase: Coinbase
    sats: int
    layout: str
    share_job: hashing.ShareJob
    fragment: bytes  # `"coinb1","coinb2"`


@dataclass(slots=True)
class Work:
    """A template with the version rigs get. `generation` counts changes of the previous block."""

    work_id: int
    generation: int
    template: Template
    version: int  # mask bits zero (rule 15)
    version_mask: int
    received: float  # when the template came: its curtime goes on from there
    coinb1: bytes  # the same for every payee
    weight_limit: int  # no share of it may be harder than this
    max_ntime: int | None = None  # the latest the chain's own rules allow, beside the clock's
    log_index: int = 0
    refreshes: int = 0
    restored: bool = False  # made by an earlier process; its jobs were not kept one by one
    # By the payee's script, for as long as a rig is on it: addresses that strangers make up
    # leave nothing behind.
    variants: WeakValueDictionary[bytes, Variant] = field(default_factory=WeakValueDictionary)

    def ntime(self, now: float) -> int:
        """The node's idea of the time now, within what the template allows."""
        template = self.template
        elapsed = max(0, int(now - self.received))
        return self.bounded(max(template.curtime + elapsed, template.mintime))

    def bounded(self, ntime: int) -> int:
        return ntime if self.max_ntime is None else min(ntime, self.max_ntime)


@dataclass(frozen=True, slots=True)
class Job:
    """One refresh of a Work, with the bytes that all its notifications share."""

    job_id: str
    work: Work
    ntime: int
    made: float
    head: bytes
    tail: bytes  # up to the last parameter, clean_jobs

    def notify(self, variant: Variant, clean_jobs: bool) -> bytes:
        """The line for one variant. clean_jobs is the last element (rule 13)."""
        return self.head + variant.fragment + self.tail + _CLEAN[clean_jobs]


_CLEAN = {False: b"false]}\n", True: b"true]}\n"}


def make_job(work: Work, refresh: int, ntime: int, now: float) -> Job:
    """Serialize what every variant of a refresh has in common."""
    template = work.template
    job_id = f"{work.work_id:06x}{refresh:02x}"
    prevhash = swap_words(template.prevhash).hex()
    branch = ",".join(f'"{node.hex()}"' for node in template.branch)
    return Job(
        job_id,
        work,
        ntime,
        now,
        f'{{"id":null,"method":"mining.notify","params":["{job_id}","{prevhash}",'.encode(),
        f',[{branch}],"{work.version:08x}","{template.nbits:08x}","{ntime:08x}",'.encode(),
    )


def make_variant(template: Template, coinbase: Coinbase, layout: str) -> Variant:
    share_job = hashing.ShareJob(
        coinbase.coinb1,
        coinbase.coinb2,
        template.branch,
        template.prevhash,
        template.nbits,
        template.network_target,
    )
    fragment = f'"{coinbase.coinb1.hex()}","{coinbase.coinb2.hex()}"'.encode()
    return Variant(coinbase, template.coinbasevalue, layout, share_job, fragment)


class JobBook:
    """Every job that a rig may still name, and the ids of those to come."""

    def __init__(self, first_work_id: int) -> None:
        """Ids go on from `first_work_id`, which should be above any used in the last hours."""
        self._next_work_id = first_work_id % _WORK_IDS
        self._works: dict[int, Work] = {}
        self._jobs: dict[str, Job] = {}
        self._recent_crcs: deque[int] = deque(maxlen=_CRC_MEMORY)

    @property
    def works(self) -> dict[int, Work]:
        return self._works

    def new_work_id(self) -> int:
        work_id = self._next_work_id
        self._next_work_id = (work_id + 1) % _WORK_IDS
        return work_id

    def add_work(self, work: Work) -> None:
        self._works[work.work_id] = work

    def restore(self, work: Work) -> None:
        """A Work from before a restart: known for the sake of its blocks, and its id not reused."""
        self._works[work.work_id] = work
        is_behind = (self._next_work_id - work.work_id - 1) % _WORK_IDS >= _WORK_IDS // 2
        if is_behind:
            self._next_work_id = (work.work_id + 1) % _WORK_IDS
        work.refreshes = MAX_REFRESHES

    def new_job(self, work: Work, ntime: int, now: float) -> Job | None:
        """The next refresh of a Work; None when its ids are used up."""
        while work.refreshes < MAX_REFRESHES:
            job = make_job(work, work.refreshes, ntime, now)
            work.refreshes += 1
            crc = binascii.crc_hqx(job.job_id.encode(), 0)
            if crc in self._recent_crcs:
                continue
            self._recent_crcs.append(crc)
            self._jobs[job.job_id] = job
            return job
        return None

    def find(self, job_id: str) -> Work | None:
        """The Work a job id names; ids are opaque and case-sensitive."""
        job = self._jobs.get(job_id)
        if job is not None:
            return job.work
        return self._restored_work(job_id)

    def forget(self, generation: int, now: float) -> None:
        """Drop Works older than the generation before this one, and jobs past their lifetime."""
        old = [w for w in self._works.values() if w.generation < generation - 1]
        for work in old:
            del self._works[work.work_id]
        self._jobs = {
            job_id: job
            for job_id, job in self._jobs.items()
            if job.work.work_id in self._works and now - job.made < JOB_LIFETIME
        }
        live = {job.work.work_id for job in self._jobs.values()}
        for work in [w for w in self._works.values() if w.refreshes and w.work_id not in live]:
            if now - work.received >= JOB_LIFETIME:
                del self._works[work.work_id]

    def _restored_work(self, job_id: str) -> Work | None:
        """A job sent before a restart: only its Work was kept, and all that it needs."""
        if len(job_id) != 8 or not set(job_id) <= _LOWER_HEX:
            return None
        work = self._works.get(int(job_id[:6], 16))
        return work if work is not None and work.restored else None


_LOWER_HEX = frozenset("0123456789abcdef")
