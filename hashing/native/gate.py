"""The gate in C; see csrc/gate.c. Jobs, sessions and buffers lie in memory that this module owns.

Sessions lie in slabs, so that a broadcast and a look at the clock walk through memory in a line;
they never move. take() and replies() are the hot path of the pool: one crossing for a read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container
from typing import Any

from hashing._native import ffi, lib
from hashing.native.hashes import ShareJob
from hashing.native.seen import SeenShares
from hashing.native.sessions import GateSession
from hashing.native.slots import LogTail
from hashing.values import GATE_BUFFER, NEVER, GateStatus, expect_range

_SLAB = 256
_JOB_ROOM = 64  # at first; a power of two

_REPLY_ROOM: int = lib.GATE_LINES * lib.GATE_REPLY_MAX
_NO_LIMIT = (1 << 32) - 1

_STATUS: tuple[GateStatus, ...] = tuple(GateStatus)
_MORE: int = lib.GATE_MORE
_FIGURES = struct.Struct("=IIII")  # of gate_result: reply_size, consumed, lines, accepted
_FIGURES_AT = ffi.offsetof("struct gate_result", "reply_size")

_SESSIONS = ffi.typeof(f"struct gate_session[{_SLAB}]")
_JOBS = ffi.typeof("struct gate_job[]")

_take = lib.gate_take


class GateWork:
    """What the shares of one Work are judged by; `job_index` may be set later, -1 is not kept."""

    __slots__ = ("_share_job", "_struct")

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
        self._share_job = share_job
        work = self._struct = ffi.new("struct gate_work *")
        work.share = share_job._struct
        work.generation = generation
        work.job_index = job_index
        work.received_us = received_us
        work.curtime = curtime
        work.mintime = mintime
        work.max_ntime = _NO_LIMIT if max_ntime is None else max_ntime
        work.version = version
        work.version_mask = version_mask

    @property
    def job_index(self) -> int:
        """The log index of its JOB record."""
        return int(self._struct.job_index)

    @job_index.setter
    def job_index(self, index: int) -> None:
        self._struct.job_index = index

    @property
    def generation(self) -> int:
        """Of the previous block."""
        return int(self._struct.generation)

    @generation.setter
    def generation(self, generation: int) -> None:
        self._struct.generation = generation


class Gate:
    """All sessions and jobs of one process, and the buffer that every socket is read into."""

    __slots__ = (
        "_buffer",
        "_figures",
        "_free",
        "_indexes",
        "_jobs",
        "_numbers",
        "_reply",
        "_result",
        "_reply_size",
        "_seen",
        "_slabs",
        "_struct",
        "_tail",
        "accepted",
        "buffer",
        "consumed",
        "lines",
    )

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
        memory = bytearray(GATE_BUFFER)
        self.buffer = memoryview(memory)
        self._buffer = ffi.from_buffer("uint8_t[]", memory)
        self.consumed = self.lines = self.accepted = 0

        result = self._result = ffi.new("struct gate_result *")
        reply = ffi.new("uint8_t[]", _REPLY_ROOM)
        result.reply, result.reply_room = reply, _REPLY_ROOM
        self._reply = memoryview(ffi.buffer(reply))
        self._reply_size = 0
        self._figures = memoryview(ffi.buffer(result))[_FIGURES_AT:]

        self._struct = ffi.new("struct gate *")
        self._struct.scale_shift = scale_shift
        self._struct.junk_limit = junk_limit
        self._struct.line_cost_us = line_cost_us
        self._struct.line_burst_us = max(line_burst_us, line_cost_us)
        self._struct.share_limit = share_limit
        self._seen: SeenShares | None = None
        self._tail: LogTail | None = None
        self._numbers: dict[int, tuple[int, GateWork]] = {}
        self._make_jobs(_JOB_ROOM)

        self._slabs: list[Any] = []
        self._free: list[int] = []
        self._indexes = ffi.new("uint32_t[]", _SLAB)

    def attach(self, tail: LogTail | None) -> None:
        """Write accepted shares there from now on; None writes them nowhere."""
        self._tail = tail
        self._struct.log = tail._struct if tail else ffi.NULL

    @property
    def generation(self) -> int:
        """Of the previous block; shares of any other are stale."""
        return int(self._struct.generation)

    @generation.setter
    def generation(self, generation: int) -> None:
        self._struct.generation = generation

    def use_seen(self, seen: SeenShares, generation: int) -> None:
        """Look for duplicates there while the previous block is that one."""
        self._seen = seen
        self._struct.seen = seen._struct
        self._struct.seen_generation = generation

    # -- jobs ------------------------------------------------------------------------------

    def add_job(self, number: int, ntime: int, work: GateWork) -> None:
        """Shares may name this job from now on."""
        expect_range("number", number, 1 << 32)
        if not lib.gate_add_job(self._struct, number, ntime, work._struct):
            self._make_jobs(2 * self._struct.job_room)
            lib.gate_add_job(self._struct, number, ntime, work._struct)
        self._numbers[number] = ntime, work

    def keep_jobs(self, numbers: Container[int]) -> None:
        """Forget every other job."""
        self._numbers = {number: job for number, job in self._numbers.items() if number in numbers}
        self._make_jobs(self._struct.job_room)

    def _make_jobs(self, room: int) -> None:
        """A table of its own for the jobs there are: nothing is ever taken out of one."""
        self._jobs = ffi.new(_JOBS, room)
        self._struct.jobs = self._jobs
        self._struct.job_room, self._struct.job_count = room, 0
        for number, (ntime, work) in self._numbers.items():
            lib.gate_add_job(self._struct, number, ntime, work._struct)

    # -- sessions --------------------------------------------------------------------------

    def open_session(self) -> GateSession:
        """A new connection; it holds a slot until its close()."""
        if not self._free:
            first = len(self._slabs) * _SLAB
            self._slabs.append(ffi.new(_SESSIONS))
            self._free.extend(range(first + _SLAB - 1, first - 1, -1))
        slot = self._free.pop()
        slab = self._slabs[slot // _SLAB]
        return GateSession(self._struct, self._free, slab, slot % _SLAB, slot)

    def push_job(self, number: int, weight_limit: int) -> list[int]:
        """Remember a job in every session that gets it as it is; the slots of all others."""
        expect_range("number", number, 1 << 32)
        limit = min(weight_limit, NEVER)
        return self._slots(lambda indexes, slab: lib.gate_push(indexes, slab, _SLAB, number, limit))

    def due(self, now_us: int) -> list[int]:
        """The slots of sessions that want to be looked at: by the clock, or by their shares."""
        return self._slots(lambda indexes, slab: lib.gate_due(indexes, slab, _SLAB, now_us))

    def _slots(self, find: Callable[[Any, Any], int]) -> list[int]:
        slots: list[int] = []
        for place, slab in enumerate(self._slabs):
            count = find(self._indexes, slab)
            first = place * _SLAB
            slots.extend([first + index for index in ffi.unpack(self._indexes, count)])
        return slots

    # -- shares ----------------------------------------------------------------------------

    def take(self, session: GateSession, start: int, end: int, now_us: int) -> GateStatus:
        """Look at buffer[start:end]; `consumed` is where the first line not taken begins."""
        if not 0 <= start <= end <= GATE_BUFFER:
            raise ValueError(f"buffer[{start}:{end}] is outside {GATE_BUFFER} bytes")
        status: int = _take(
            self._result, self._struct, session._struct, self._buffer, start, end, now_us
        )
        self._reply_size, self.consumed, self.lines, self.accepted = _FIGURES.unpack_from(
            self._figures
        )
        return _STATUS[status]

    def answer(self, session: GateSession, size: int, now_us: int) -> bytes:
        """take() of buffer[:size], where that takes all of it: the replies.

        Nothing where lines are left; then it is as after take(). Most reads are one share, and
        this is one call for each of them.
        """
        if not 0 <= size <= GATE_BUFFER:
            raise ValueError(f"buffer[:{size}] is outside {GATE_BUFFER} bytes")
        status = _take(self._result, self._struct, session._struct, self._buffer, 0, size, now_us)
        reply_size, consumed, lines, accepted = _FIGURES.unpack_from(self._figures)
        if status == _MORE and consumed == size:
            return self._reply[:reply_size].tobytes()
        self._reply_size, self.consumed, self.lines, self.accepted = (
            reply_size,
            consumed,
            lines,
            accepted,
        )
        return b""

    def replies(self) -> bytes:
        """What the rig has to be told about the lines of the last take()."""
        return self._reply[: self._reply_size].tobytes()

    @property
    def verdicts(self) -> list[int]:
        """Shares of all sessions by verdict."""
        return list(self._struct.verdicts)

    def count(self, verdict_index: int) -> None:
        """Count a share that was judged outside the gate."""
        self._struct.verdicts[verdict_index] += 1

    @property
    def work(self) -> int:
        """The weights of all accepted shares."""
        return int(self._struct.work_high << 64 | self._struct.work_low)

    def credit(self, weight: int) -> None:
        """Add the weight of a share that was accepted outside the gate."""
        total = self.work + weight
        self._struct.work_high, self._struct.work_low = total >> 64, total & NEVER
