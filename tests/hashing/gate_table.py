"""A gate with one rig, and beside it the same rules in Python: what each line must come to.

`Table` is both at once. `expect` reads a line by `stratum.protocol`, as the slow path does, says
whether it is the gate's at all, and if so its verdict, reply and record, from hashlib and the
definitions. It remembers what it has accepted, so lines must be expected in the order they are
taken.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import hashing
from hashing import VERDICTS, GateStatus, reference
from stratum.ledger.records import ShareRecord, share_flags
from stratum.mining.judge import NTIME_FUTURE, NTIME_ROLL, merged_version
from stratum.mining.verdicts import REJECTION, Verdict
from stratum.protocol.downstream import read_submit
from stratum.protocol.messages import (
    MalformedLine,
    Refusal,
    Request,
    encode_error,
    encode_id,
    encode_result,
    parse_line,
)
from stratum.units import DifficultyScale, best_of

SCALE = DifficultyScale(32)
CURTIME = 1_795_000_000
NOW_US = CURTIME * 1_000_000
EXTRANONCE1 = b"\xa1\xb2\xc3\xd4"
PAYEE = b"\x16\x00\x14" + bytes(20)
MASK = 0x1FFFE000
SEGMENT = 4096
EDGE_ID, EDGE_SEQ, FIRST_INDEX = 513, 1 << 40, 77

#: The order of verdicts is the gate's.
WORDS = list(Verdict)

Line = tuple[Verdict, bytes, bytes]  # verdict, reply, record


@dataclass(frozen=True)
class Work:
    """Arguments of a GateWork, and of its ShareJob."""

    generation: int = 1
    job_index: int = 12345
    received_us: int = NOW_US
    curtime: int = CURTIME
    mintime: int = CURTIME - 600
    max_ntime: int | None = None
    version: int = 0x20000000
    version_mask: int = MASK
    branches: int = 2
    network_target: int = 0

    def share_job(self, core: ModuleType) -> Any:
        branch = [bytes([level]) * 32 for level in range(self.branches)]
        return core.ShareJob(
            b"c" * 70, b"d" * 30, branch, b"p" * 32, 0x1F00FFFF, self.network_target, b"e" * 40
        )

    def gate_work(self, core: ModuleType) -> Any:
        return core.GateWork(
            self.share_job(core),
            generation=self.generation,
            job_index=self.job_index,
            received_us=self.received_us,
            curtime=self.curtime,
            mintime=self.mintime,
            max_ntime=self.max_ntime,
            version=self.version,
            version_mask=self.version_mask,
        )

    def latest(self, first: int, now_us: int) -> int:
        """The definition of contracts and consensus, in integers."""
        most = 0xFFFFFFFF if self.max_ntime is None else self.max_ntime
        elapsed = max(0, now_us - self.received_us) // 1_000_000
        clock = min(max(self.curtime + elapsed, self.mintime), most)
        return min(first + NTIME_ROLL, clock + NTIME_FUTURE, most)


@dataclass
class Table:
    """One session named EXTRANONCE1 in a gate of `core`."""

    core: ModuleType
    extranonce2_size: int = 8
    masks: int = MASK
    tier: int = 3
    junk_limit: int = 0
    limits: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        core = self.core
        self.gate = core.Gate(scale_shift=SCALE.shift, junk_limit=self.junk_limit, **self.limits)
        self.segment = bytearray(SEGMENT * 96)
        self.tail = core.LogTail(self.segment, 0, FIRST_INDEX, EDGE_SEQ, EDGE_ID)
        self.gate.attach(self.tail)
        self.gate.generation = 1
        self.seen = core.SeenShares()
        self.gate.use_seen(self.seen, 1)
        self.session = self.gate.open_session()
        self.session.identify(EXTRANONCE1, self.extranonce2_size, self.tier)
        self.session.masks = self.masks
        self.session.payee = PAYEE
        self.workers: dict[str, tuple[int, int]] = {}
        self.ids: list[tuple[int, int]] = []  # of workers, by index
        self.jobs: dict[int, tuple[int, Work, int]] = {}  # number → ntime, work, weight
        self.known: set[bytes] = set()
        self.records = self.junk = 0
        self.verdicts = [0] * VERDICTS

    def add_worker(self, name: str, account_id: int, worker_id: int) -> None:
        self.session.number_worker(self.add_stranger(name, account_id, worker_id), *self.ids[-1])

    def add_stranger(self, name: str, account_id: int, worker_id: int) -> int:
        """A worker that gets its number with its first good share; its index."""
        self.ids.append((account_id, worker_id))
        self.workers[name] = account_id, worker_id
        return int(self.session.add_worker(name))

    def number_stranger(self) -> None:
        """What GateStatus.WORKER asks for."""
        index = self.session.latest_worker
        assert self.session.worker_ids(index) == (0, 0)
        self.session.number_worker(index, *self.ids[index])

    def add_job(self, number: int, ntime: int, work: Work, weight: int) -> None:
        self.gate.add_job(number, ntime, work.gate_work(self.core))
        self.session.remember(number, weight)
        self.jobs[number] = ntime, work, weight

    # -- the gate --------------------------------------------------------------------------

    def take(self, data: bytes, now_us: int = NOW_US) -> tuple[GateStatus, int, bytes]:
        """Status, bytes consumed, replies; at an odd place of the buffer, junk around it."""
        self.gate.buffer[:] = b"\n" * len(self.gate.buffer)
        self.gate.buffer[7 : 7 + len(data)] = data
        status = self.gate.take(self.session, 7, 7 + len(data), now_us)
        return status, self.gate.consumed - 7, self.gate.replies()

    def record(self, place: int) -> bytes:
        """The leaf in a slot of the segment."""
        return bytes(self.segment[96 * place + 16 : 96 * place + 96])

    # -- the same in Python ----------------------------------------------------------------

    def expect(self, line: bytes, now_us: int = NOW_US) -> Line | None:
        """What a line (without its LF) comes to; None where it is the caller's."""
        request = plain_request(line.removesuffix(b"\r"))
        if request is None:
            return None
        try:
            submit = read_submit(request.params, self.extranonce2_size)
        except Refusal:
            return None
        ids = self.workers.get(submit.worker_name)
        job = self.jobs.get(int(submit.job_id, 16) if JOB_ID.fullmatch(submit.job_id) else -1)
        if ids is None or job is None or job[1].job_index < 0:
            return None
        first, work, weight = job
        place: Any = SimpleNamespace(version=work.version, version_mask=work.version_mask)
        version = merged_version(place, self.masks, submit.version_bits)
        if version is None or not first <= submit.ntime <= work.latest(first, now_us):
            return None

        checked = reference.check_share(
            work.share_job(reference),
            EXTRANONCE1 + submit.extranonce2,
            version,
            submit.ntime,
            submit.nonce,
            SCALE.target(weight).to_bytes(32, "little"),
            PAYEE,
        )
        if checked.meets_network_target:
            return None
        verdict = self._verdict(work, checked)
        if verdict is None:
            return None
        self.verdicts[WORDS.index(verdict)] += 1
        encoded_id = encode_id(request.id)
        if verdict is not Verdict.ACCEPTED:
            return verdict, encode_error(encoded_id, *REJECTION[verdict]), b""
        record = ShareRecord(
            EDGE_ID,
            share_flags(listen=self.tier),
            EDGE_SEQ + self.records,
            now_us,
            work.job_index,
            *ids,
            weight,
            version,
            submit.ntime,
            submit.nonce,
            EXTRANONCE1,
            submit.extranonce2,
            best_of(checked.hash),
        )
        self.records += 1
        return verdict, encode_result(encoded_id, True), record.pack()

    def _verdict(self, work: Work, checked: hashing.CheckedShare) -> Verdict | None:
        if work.generation != 1:
            return Verdict.STALE
        if checked.hash in self.known:
            return Verdict.DUPLICATE
        if not checked.meets_share_target:
            if self.junk + 1 == self.junk_limit:
                return None
            self.junk += 1
            return Verdict.LOW_DIFFICULTY
        self.known.add(checked.hash)
        self.junk = 0
        return Verdict.ACCEPTED


JOB_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)
_ID_STRING = re.compile(r"[ !#-\[\]-~]{1,100}", re.ASCII)
_ID_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


def plain_request(line: bytes) -> Request | None:
    """A submit in the words that the gate reads: no escape, no odd id, no key of its own."""
    try:
        request = parse_line(line)
    except MalformedLine:
        return None
    if not isinstance(request, Request) or request.method != "mining.submit":
        return None
    # The same line once more, for what parse_line smooths over: spelling of ids, other keys.
    spelt = json.loads(line, parse_int=Spelt, parse_float=Spelt, parse_constant=Spelt)
    request_id, params = spelt.get("id"), spelt.get("params")
    if type(request_id) is Spelt:
        is_plain_id = _ID_NUMBER.fullmatch(request_id.digits) is not None
    else:
        is_plain_id = type(request_id) is str and _ID_STRING.fullmatch(request_id) is not None
    is_plain = (
        b"\\" not in line
        and set(line) <= set(b"\t\r" + bytes(range(0x20, 0x7F)))
        and set(spelt) == {"id", "method", "params"}
        and is_plain_id
        and type(params) is list
        and len(params) in (5, 6)
    )
    return request if is_plain else None


@dataclass(frozen=True)
class Spelt:
    """A number as its digits."""

    digits: str
