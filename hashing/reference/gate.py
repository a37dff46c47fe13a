"""The gate's state in Python; it judges nothing.

Every line is left to the caller, whose Python judges it: that is what the gate in C is compared
with. Sessions, workers, rings, budgets and counters are the same as there, for both ways through
the pool read and write them.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from hashing.reference.hashes import ShareJob
from hashing.reference.slots import LogTail
from hashing.values import (
    GATE_BUFFER,
    HASH_SIZE,
    MAX_LINE,
    MAX_WORKER_NAME,
    NEVER,
    RING_SIZE,
    VERDICTS,
    GateStatus,
    expect_multiple,
    expect_range,
    expect_size,
)


class SeenShares:
    """The shares of one block, by the first eight bytes of their hash; none is ever forgotten."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: set[int] = set()

    def holds(self, hash32: bytes) -> bool:
        return _key(hash32) in self._keys

    def add(self, hash32: bytes) -> None:
        """Remember a share."""
        self._keys.add(_key(hash32))

    def __len__(self) -> int:
        return len(self._keys)

    def make_room(self) -> None:
        """A set makes its own."""

    def keys(self) -> Iterator[bytes]:
        """All keys, eight bytes each, in pieces and in no order."""
        yield b"".join(key.to_bytes(8, "little") for key in self._keys)

    def revive(self, keys: bytes) -> None:
        """Remember all `keys` that another table told."""
        count = expect_multiple("keys", keys, 8)
        self._keys.update(
            int.from_bytes(keys[8 * at : 8 * at + 8], "little") or 1 for at in range(count)
        )


def _key(hash32: bytes) -> int:
    """In C 0 is an empty place, so that a key of 0 is kept as 1."""
    expect_size("hash32", hash32, HASH_SIZE)
    return int.from_bytes(hash32[:8], "little") or 1


class GateWork:
    """What the shares of one Work are judged by; `job_index` may be set later, -1 is not kept."""

    __slots__ = (
        "curtime",
        "generation",
        "job_index",
        "max_ntime",
        "mintime",
        "received_us",
        "share_job",
        "version",
        "version_mask",
    )

    def __init__(
        self,
        share_job: ShareJob,
        *,
        generation: int,
        job_index: int,
        received_us: int,
        curtime: int,
        mintime: int,
        max_ntime: int | None,
        version: int,
        version_mask: int,
    ) -> None:
        self.share_job = share_job
        self.generation = generation
        self.job_index = job_index
        self.received_us = received_us
        self.curtime = curtime
        self.mintime = mintime
        self.max_ntime = max_ntime
        self.version = version
        self.version_mask = version_mask


class Gate:
    """All sessions and jobs of one process; `take` leaves every line to the caller."""

    def __init__(
        self,
        *,
        scale_shift: int,
        line_cost_us: int = 0,
        line_burst_us: int = 0,
        junk_limit: int = 0,
        share_limit: int = NEVER,
    ) -> None:
        """Weights are difficulties times 2**scale_shift; a line costs line_cost_us of a budget
        that saves up line_burst_us (no limit where it costs 0). `share_limit` is for one session
        on one block."""
        expect_range("scale_shift", scale_shift, 49)
        self.buffer = memoryview(bytearray(GATE_BUFFER))
        self.generation = 0
        self.consumed = self.lines = self.accepted = 0
        self._line_cost_us = line_cost_us
        self._line_burst_us = max(line_burst_us, line_cost_us)
        self._share_limit = share_limit
        self._jobs: dict[int, tuple[int, GateWork]] = {}
        self._sessions: list[GateSession | None] = []
        self._free: list[int] = []
        self._verdicts = [0] * VERDICTS
        self._work = 0

    def attach(self, tail: LogTail | None) -> None:
        """Here every share is Python's, and Python writes it to the log."""

    def use_seen(self, seen: SeenShares, generation: int) -> None:
        """Here duplicates are Python's."""

    def add_job(self, number: int, ntime: int, work: GateWork) -> None:
        """Shares may name this job from now on."""
        expect_range("number", number, 1 << 32)
        self._jobs[number] = ntime, work

    def keep_jobs(self, numbers: Container[int]) -> None:
        """Forget every other job."""
        self._jobs = {number: job for number, job in self._jobs.items() if number in numbers}

    def open_session(self) -> GateSession:
        """A new connection; it holds a slot until its close()."""
        slot = self._free.pop() if self._free else len(self._sessions)
        session = GateSession(self, slot)
        if slot == len(self._sessions):
            self._sessions.append(None)
        self._sessions[slot] = session
        return session

    def take(self, session: GateSession, start: int, end: int, now_us: int) -> GateStatus:
        """Look at buffer[start:end]; `consumed` is where the first line not taken begins."""
        self.consumed, self.lines, self.accepted = start, 0, 0
        data = bytes(self.buffer[start:end])
        is_python = b"\n" in data or len(data) > MAX_LINE
        return GateStatus.LINE if is_python else GateStatus.MORE

    def answer(self, session: GateSession, size: int, now_us: int) -> bytes:
        """take() of buffer[:size]; here nothing is ever taken."""
        self.take(session, 0, size, now_us)
        return b""

    def replies(self) -> bytes:
        """What the rig has to be told about the lines of the last take()."""
        return b""

    def push_job(self, number: int, weight_limit: int) -> list[int]:
        """Remember a job in every session that gets it as it is; the slots of all others."""
        others = []
        for session in self._live():
            if session.is_open and session.is_plain and session.newest != number:
                if 0 < session.weight <= weight_limit:
                    session.remember(number, session.weight)
                    continue
            others.append(session.slot)
        return others

    def due(self, now_us: int) -> list[int]:
        """The slots of sessions that want to be looked at: by the clock, or by their shares."""
        return [
            session.slot
            for session in self._live()
            if now_us >= session.wake_us or session.shares >= session.wake_shares
        ]

    @property
    def verdicts(self) -> list[int]:
        """Shares of all sessions by verdict."""
        return self._verdicts.copy()

    def count(self, verdict_index: int) -> None:
        """Count a share that was judged outside the gate."""
        self._verdicts[verdict_index] += 1

    @property
    def work(self) -> int:
        """The weights of all accepted shares."""
        return self._work

    def credit(self, weight: int) -> None:
        """Add the weight of a share that was accepted outside the gate."""
        self._work += weight

    def _live(self) -> Iterator[GateSession]:
        return (session for session in self._sessions if session is not None)

    def _close(self, session: GateSession) -> None:
        if self._sessions[session.slot] is session:
            self._sessions[session.slot] = None
            self._free.append(session.slot)


class _Worker:
    __slots__ = ("account_id", "name", "rejected", "worker_id")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.account_id = 0
        self.worker_id = 0
        self.rejected = [0] * VERDICTS


class GateSession:
    """What the gate knows of one connection."""

    __slots__ = (
        "_block_generation",
        "_block_shares",
        "_gate",
        "_paid_until_us",
        "_ring",
        "_workers",
        "best",
        "extranonce1",
        "is_open",
        "is_plain",
        "junk_run",
        "last_line_us",
        "last_share_us",
        "masks",
        "payee",
        "rejected",
        "shares",
        "slot",
        "wake_shares",
        "wake_us",
        "weight",
        "work",
    )

    def __init__(self, gate: Gate, slot: int) -> None:
        self._gate = gate
        self._paid_until_us = 0
        self._block_generation = self._block_shares = 0
        self._ring: dict[int, int] = {}
        self._workers: list[_Worker] = []
        self.slot = slot
        self.extranonce1 = b""
        self.payee = b""
        self.masks = self.weight = 0
        self.is_open = self.is_plain = False
        self.wake_us = self.wake_shares = NEVER
        self.last_line_us = self.last_share_us = 0
        self.shares = self.work = self.best = self.rejected = self.junk_run = 0

    def close(self) -> None:
        """Give the slot back. What this object holds stays readable."""
        self._gate._close(self)

    def identify(self, extranonce1: bytes, extranonce2_size: int, tier: int) -> None:
        """Who its shares are from: at most eight bytes of each extranonce."""
        expect_range("size of extranonce1", len(extranonce1), 9)
        expect_range("extranonce2_size", extranonce2_size, 9)
        self.extranonce1 = extranonce1

    # -- workers ---------------------------------------------------------------------------

    def add_worker(self, name: str) -> int:
        """The index of a worker, new or known."""
        known = self.worker_index(name)
        if known is not None:
            return known
        encoded = _encoded(name)
        expect_range("size of the worker's name", len(encoded), MAX_WORKER_NAME + 1)
        self._workers.append(_Worker(encoded))
        return len(self._workers) - 1

    def worker_index(self, name: str) -> int | None:
        encoded = _encoded(name)
        found = (index for index, worker in enumerate(self._workers) if worker.name == encoded)
        return next(found, None)

    def number_worker(self, index: int, account_id: int, worker_id: int) -> None:
        """From now on the gate takes this worker's shares; a worker_id of 0 stops that."""
        worker = self._workers[index]
        worker.account_id, worker.worker_id = account_id, worker_id

    @property
    def latest_worker(self) -> int:
        """Here no line is looked at."""
        return 0

    def worker_ids(self, index: int) -> tuple[int, int]:
        """account_id and worker_id; 0 where it has no number yet."""
        worker = self._workers[index]
        return worker.account_id, worker.worker_id

    def take_rejects(self, index: int) -> list[int]:
        """A worker's rejected shares by verdict, since the last time."""
        worker = self._workers[index]
        rejected, worker.rejected = worker.rejected, [0] * VERDICTS
        return rejected

    def reject(self, index: int | None, verdict_index: int) -> None:
        """Count a share that was rejected outside the gate; None for no worker of ours."""
        self.rejected += 1
        if index is not None:
            self._workers[index].rejected[verdict_index] += 1

    # -- jobs ------------------------------------------------------------------------------

    def remember(self, number: int, weight: int) -> None:
        """It was sent this job, and its shares there are worth `weight`."""
        expect_range("number", number, 1 << 32)
        expect_range("weight - 1", weight - 1, (1 << 64) - 1)
        self._ring.pop(number, None)
        self._ring[number] = weight
        if len(self._ring) > RING_SIZE:
            del self._ring[next(iter(self._ring))]

    def weight_of(self, number: int) -> int | None:
        return self._ring.get(number)

    @property
    def newest(self) -> int | None:
        """The job remembered last."""
        return next(reversed(self._ring), None)

    def ring(self) -> list[tuple[int, int]]:
        """Jobs and weights, the oldest first."""
        return list(self._ring.items())

    # -- shares ----------------------------------------------------------------------------

    def count_share(self, weight: int, best: int, now_us: int) -> None:
        """Count a share that was accepted outside the gate; it ends a run of junk."""
        if self._block_generation != self._gate.generation:
            self._block_generation, self._block_shares = self._gate.generation, 0
        self._block_shares += 1
        self.shares += 1
        self.work += weight
        self.best = max(self.best, best)
        self.last_share_us = now_us
        self.junk_run = 0

    @property
    def is_full(self) -> bool:
        """It has had as many shares on the present block as one session may."""
        return (
            self._block_generation == self._gate.generation
            and self._block_shares >= self._gate._share_limit
        )

    # -- the line budget -------------------------------------------------------------------

    def pay_line(self, now_us: int) -> bool:
        """Pay for a line that the gate has left to the caller; False where it has to wait."""
        if self.line_wait_us(now_us):
            return False
        if self._gate._line_cost_us:
            self._paid_until_us = self._paid_from(now_us) + self._gate._line_cost_us
        return True

    def line_wait_us(self, now_us: int) -> int:
        """How long until the next line can be paid for."""
        cost, burst = self._gate._line_cost_us, self._gate._line_burst_us
        return max(0, self._paid_from(now_us) + cost - burst - now_us) if cost else 0

    def _paid_from(self, now_us: int) -> int:
        """More than the burst ahead is a clock that was set back: that costs nothing."""
        is_ahead = now_us < self._paid_until_us <= now_us + self._gate._line_burst_us
        return self._paid_until_us if is_ahead else now_us


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")
