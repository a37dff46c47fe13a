"""Work and its refreshes: one template, serialized once, sent to thousands.

    Work   one template with its coinbase but for the payee, and a log index of its own
    Job    one refresh of a Work: an id and an ntime; the same content never under two ids

    notify = job.head ‖ payee ‖ job.tail

All rigs paid alike are written the same bytes, and ten thousand solo payees cost ten thousand
joins of three strings (DESIGN §8.3). A job id is six hex digits of work and two of refresh: it
names its Work by itself, also for a process that was started after the job was sent.
"""

from __future__ import annotations

import binascii
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

import hashing
from stratum.bitcoin.coinbase import OpenCoinbase
from stratum.bitcoin.template import Template
from stratum.mining.names import Payee
from stratum.protocol.messages import swap_words

MAX_REFRESHES = 256
_WORK_IDS = 1 << 24

#: Shares may name any job of this age (ntime may be rolled 7000 s, wire.md §1.12).
JOB_LIFETIME = 7200.0

#: Avalon firmware tells its last jobs apart by CRC-16 of the id.
_CRC_MEMORY = 8

#: A Work that is not written down (yet): rigs mine on it for its blocks, its shares are refused.
NOT_KEPT = -1


def microseconds(now: float) -> int:
    """A time as the gate and the log count it."""
    return int(now * 1_000_000)


@dataclass(slots=True)
class Work:
    """A template with the version rigs get. `generation` counts changes of the previous block."""

    work_id: int
    generation: int
    template: Template
    version: int  # mask bits zero (rule 15)
    version_mask: int
    received: float  # when the template came: its curtime goes on from there
    coinbase: OpenCoinbase
    weight_limit: int  # no share of it may be harder than this
    max_ntime: int | None = None  # the latest the chain's own rules allow, beside the clock's
    refreshes: int = 0
    restored: bool = False  # made by an earlier process; its jobs were not kept one by one
    share_job: hashing.ShareJob = field(init=False)
    gate_work: hashing.GateWork = field(init=False)  # the same, as the gate judges by it

    def __post_init__(self) -> None:
        template, coinbase = self.template, self.coinbase
        self.share_job = hashing.ShareJob(
            coinbase.coinb1,
            coinbase.coinb2,
            template.branch,
            template.prevhash,
            template.nbits,
            template.network_target,
            coinbase.coinb2_end,
        )
        self.gate_work = hashing.GateWork(
            self.share_job,
            generation=self.generation,
            job_index=NOT_KEPT,
            received_us=microseconds(self.received),
            curtime=template.curtime,
            mintime=template.mintime,
            max_ntime=self.max_ntime,
            version=self.version,
            version_mask=self.version_mask,
        )

    @property
    def log_index(self) -> int:
        """Of its JOB record; NOT_KEPT before there is one."""
        return self.gate_work.job_index

    @log_index.setter
    def log_index(self, index: int) -> None:
        self.gate_work.job_index = index

    def revive(self, generation: int, weight_limit: int) -> None:
        """Rigs are served on it again, by a process that did not make it."""
        self.generation = self.gate_work.generation = generation
        self.weight_limit = weight_limit
        self.restored = False

    def ntime(self, now_us: int) -> int:
        """The node's idea of the time now, within what the template allows."""
        template = self.template
        elapsed = max(0, now_us - microseconds(self.received)) // 1_000_000
        return self.bounded(max(template.curtime + elapsed, template.mintime))

    def bounded(self, ntime: int) -> int:
        return ntime if self.max_ntime is None else min(ntime, self.max_ntime)


@dataclass(frozen=True, slots=True)
class Job:
    """One refresh of a Work, with the bytes that all its notifications share."""

    job_id: str
    number: int  # the same as a number
    work: Work
    ntime: int
    made: float
    head: bytes  # up to the payee, in the middle of coinb2
    tail: bytes  # from there to the last parameter, clean_jobs

    def notify(self, payee: Payee, clean_jobs: bool) -> bytes:
        """The line for one payee. clean_jobs is the last element (rule 13)."""
        return b"".join((self.head, payee.coinbase_hex, self.tail, _CLEAN[clean_jobs]))


_CLEAN = {False: b"false]}\n", True: b"true]}\n"}


def make_job(work: Work, refresh: int, ntime: int, now: float) -> Job:
    """Serialize what every payee's notification of a refresh has in common."""
    template, coinbase = work.template, work.coinbase
    number = work.work_id << 8 | refresh
    job_id = f"{number:08x}"
    prevhash = swap_words(template.prevhash).hex()
    branch = ",".join(f'"{node.hex()}"' for node in template.branch)
    head = (
        f'{{"id":null,"method":"mining.notify","params":["{job_id}","{prevhash}",'
        f'"{coinbase.coinb1.hex()}","{coinbase.coinb2.hex()}'
    )
    tail = (
        f'{coinbase.coinb2_end.hex()}",[{branch}],'
        f'"{work.version:08x}","{template.nbits:08x}","{ntime:08x}",'
    )
    return Job(job_id, number, work, ntime, now, head.encode(), tail.encode())


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

    def revive(self, work: Work, refresh: int, ntime: int, made: float) -> Job:
        """A job that another process made and sent."""
        job = self._jobs[f"{work.work_id << 8 | refresh:08x}"] = make_job(
            work, refresh, ntime, made
        )
        return job

    @property
    def jobs(self) -> Collection[Job]:
        return self._jobs.values()

    @property
    def numbers(self) -> set[int]:
        """Of every job that is still known."""
        return {job.number for job in self._jobs.values()}

    def job(self, job_id: str) -> Job | None:
        """Ids are opaque and case-sensitive."""
        return self._jobs.get(job_id)

    def find(self, job_id: str) -> Work | None:
        """The Work a job id names."""
        job = self._jobs.get(job_id)
        return job.work if job is not None else self._restored_work(job_id)

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
