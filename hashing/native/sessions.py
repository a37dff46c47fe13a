"""What the gate knows of one connection, in C's memory; see csrc/sessions.c."""

from __future__ import annotations

from typing import Any

from hashing._native import ffi, lib
from hashing.values import (
    MAX_WORKER_NAME,
    NEVER,
    RING_SIZE,
    VERDICTS,
    expect_range,
)

_SESSION = ffi.typeof("struct gate_session *")
_WORKERS = ffi.typeof("struct gate_worker[]")

#: What a slot holds when it is opened.
_BLANK = ffi.new(_SESSION, {"is_live": 1, "wake_us": NEVER, "wake_shares": NEVER})


class _Number:
    """A member of the struct, read and written as it is."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, session: GateSession, owner: type) -> int:
        return int(getattr(session._struct, self._name))

    def __set__(self, session: GateSession, value: int) -> None:
        setattr(session._struct, self._name, value)


class _Flag(_Number):
    def __get__(self, session: GateSession, owner: type) -> bool:
        return bool(getattr(session._struct, self._name))


class GateSession:
    """What the gate knows of one connection."""

    __slots__ = ("_free", "_gate", "_payee", "_slab", "_struct", "_workers", "slot")

    is_open = _Flag()
    is_plain = _Flag()
    masks = _Number()
    weight = _Number()
    wake_us = _Number()
    wake_shares = _Number()
    last_line_us = _Number()
    last_share_us = _Number()
    shares = _Number()
    rejected = _Number()
    best = _Number()
    junk_run = _Number()

    def __init__(self, gate: Any, free: list[int], slab: Any, index: int, slot: int) -> None:
        self._gate = gate
        self._free = free
        self._slab = slab
        self._struct = slab + index
        self._struct[0] = _BLANK[0]
        self._payee = b""
        self._workers = ffi.NULL
        self.slot = slot

    def close(self) -> None:
        """Give the slot back. What this object holds stays readable."""
        if self._slab is None:
            return
        own = ffi.new(_SESSION, self._struct[0])
        self._struct.is_live = 0
        self._struct = own
        self._slab = None
        self._free.append(self.slot)

    def identify(self, extranonce1: bytes, extranonce2_size: int, tier: int) -> None:
        """Who its shares are from: at most eight bytes of each extranonce."""
        expect_range("size of extranonce1", len(extranonce1), 9)
        expect_range("extranonce2_size", extranonce2_size, 9)
        session = self._struct
        session.extranonce1_size = len(extranonce1)
        ffi.memmove(session.extranonce1, extranonce1, len(extranonce1))
        session.extranonce2_size = extranonce2_size
        session.tier = min(tier, 255)  # beyond that a record keeps it as 255

    @property
    def extranonce1(self) -> bytes:
        return bytes(ffi.buffer(self._struct.extranonce1, self._struct.extranonce1_size))

    @property
    def payee(self) -> bytes:
        """Its part of the coinbase, as ShareJob's."""
        return self._payee

    @payee.setter
    def payee(self, payee: bytes) -> None:
        self._payee = payee  # bytes do not move: the struct points into them
        self._struct.payee = ffi.from_buffer(payee)
        self._struct.payee_size = len(payee)

    # -- workers ---------------------------------------------------------------------------

    def add_worker(self, name: str) -> int:
        """The index of a worker, new or known."""
        known = self.worker_index(name)
        if known is not None:
            return known
        encoded = _encoded(name)
        expect_range("size of the worker's name", len(encoded), MAX_WORKER_NAME + 1)
        index = int(self._struct.worker_count)
        if not self._workers or index == len(self._workers):
            self._grow_workers(2 * index or 1)
        worker = self._workers[index]
        worker.name_size = len(encoded)
        ffi.memmove(worker.name, encoded, len(encoded))
        self._struct.worker_count = index + 1
        return index

    def _grow_workers(self, room: int) -> None:
        workers = ffi.new(_WORKERS, room)
        for index in range(self._struct.worker_count):
            workers[index] = self._workers[index]
        self._struct.workers = workers
        self._workers = workers

    def worker_index(self, name: str) -> int | None:
        encoded = _encoded(name)
        index: int = lib.gate_worker_index(self._struct, encoded, len(encoded))
        return None if index < 0 else index

    def number_worker(self, index: int, account_id: int, worker_id: int) -> None:
        """From now on the gate takes this worker's shares; a worker_id of 0 stops that."""
        worker = self._worker(index)
        worker.account_id, worker.worker_id = account_id, worker_id

    @property
    def latest_worker(self) -> int:
        """The index of the worker whose line was looked at last."""
        return int(self._struct.worker_hint)

    def worker_ids(self, index: int) -> tuple[int, int]:
        """account_id and worker_id; 0 where it has no number yet."""
        worker = self._worker(index)
        return int(worker.account_id), int(worker.worker_id)

    def take_rejects(self, index: int) -> list[int]:
        """A worker's rejected shares by verdict, since the last time."""
        worker = self._worker(index)
        rejected = list(worker.rejected)
        worker.rejected = [0] * VERDICTS
        return rejected

    def reject(self, index: int | None, verdict_index: int) -> None:
        """Count a share that was rejected outside the gate; None for no worker of ours."""
        self._struct.rejected += 1
        if index is not None:
            self._worker(index).rejected[verdict_index] += 1

    def _worker(self, index: int) -> Any:
        if not 0 <= index < self._struct.worker_count:
            raise IndexError(f"worker {index} of {self._struct.worker_count}")
        return self._workers[index]

    # -- jobs ------------------------------------------------------------------------------

    def remember(self, number: int, weight: int) -> None:
        """It was sent this job, and its shares there are worth `weight`."""
        expect_range("number", number, 1 << 32)
        expect_range("weight - 1", weight - 1, NEVER)
        lib.gate_remember(self._struct, number, weight)

    def weight_of(self, number: int) -> int | None:
        return lib.gate_weight_of(self._struct, number) or None

    @property
    def newest(self) -> int | None:
        """The job remembered last."""
        session = self._struct
        if not session.ring_count:
            return None
        return int(session.ring_numbers[(session.ring_next - 1) % RING_SIZE])

    def ring(self) -> list[tuple[int, int]]:
        """Jobs and weights, the oldest first."""
        session = self._struct
        first = session.ring_next - session.ring_count
        places = [(first + age) % RING_SIZE for age in range(session.ring_count)]
        return [(session.ring_numbers[at], session.ring_weights[at]) for at in places]

    # -- shares ----------------------------------------------------------------------------

    @property
    def work(self) -> int:
        """The weights of its accepted shares."""
        return int(self._struct.work_high << 64 | self._struct.work_low)

    def count_share(self, weight: int, best: int, now_us: int) -> None:
        """Count a share that was accepted outside the gate; it ends a run of junk."""
        lib.gate_count_share(self._gate, self._struct, weight, best, now_us)

    @property
    def is_full(self) -> bool:
        """It has had as many shares on the present block as one session may."""
        return bool(lib.gate_is_full(self._gate, self._struct))

    # -- the line budget -------------------------------------------------------------------

    def pay_line(self, now_us: int) -> bool:
        """Pay for a line that the gate has left to the caller; False where it has to wait."""
        return bool(lib.gate_pay_line(self._gate, self._struct, now_us))

    def line_wait_us(self, now_us: int) -> int:
        """How long until the next line can be paid for."""
        return int(lib.gate_line_wait(self._gate, self._struct, now_us))


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")
