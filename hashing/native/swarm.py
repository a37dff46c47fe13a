"""The swarm's core in C; see csrc/swarm.c. Its slabs live here, one struct and one ring a rig."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from functools import partial
from typing import Any

from hashing._native import ffi, lib
from hashing.tallies import (
    IN_SIZE,
    JOB_SPACE,
    OUT_SIZE,
    Latencies,
    Refusal,
    SwarmTally,
    Tip,
    expect_extranonce,
    expect_submit_line,
)
from hashing.values import expect_range, target_bytes

_SWARM = ffi.typeof("struct swarm *")
_RIGS = ffi.typeof("struct swarm_rig[]")
_SHARES = ffi.typeof("struct swarm_share[]")
_TIPS: int = lib.SWARM_TIPS


class SwarmCore:
    """Virtual rigs: what pools send goes in, submit lines come out, answers become tallies.

    Put what a socket gave into `buffer` and call `receive`; send what it says of `out`. Where it
    returns LINE, `line()` is not the core's business: do what it asks, then `resume`. PARTIAL:
    send `out_size` bytes, and put `rest()` before what comes next.
    """

    #: The three that run once per share: straight into C, without a frame of Python.
    receive: Callable[[int, int, int], int]
    resume: Callable[[int, int], int]
    submit: Callable[[int, int, int], int]

    def __init__(self, rigs: int, in_flight: int, *, blind: bool = False) -> None:
        """`in_flight` is how many shares of a rig may wait for answers: a power of two.

        `blind` rigs don't hash: their shares are good wherever any hash is.
        """
        if rigs < 1 or in_flight < 1 or in_flight & (in_flight - 1):
            raise ValueError(f"{rigs} rigs with {in_flight} in flight, expected a power of two")
        self._struct = struct = ffi.new(_SWARM)
        self._rigs = ffi.new(_RIGS, rigs)
        self._shares = ffi.new(_SHARES, rigs * in_flight)
        self._in_flight = in_flight
        # Anonymous memory is given out page by page as jobs fill it.
        self._space = None if blind else ffi.from_buffer(mmap.mmap(-1, rigs * JOB_SPACE))
        self._lines: dict[int, Any] = {}
        self._memory = bytearray(IN_SIZE), bytearray(OUT_SIZE)
        self._exports = [ffi.from_buffer(memory) for memory in self._memory]
        self.buffer, self.out = (memoryview(memory) for memory in self._memory)

        struct.rigs = self._rigs
        struct.rig_count = rigs
        struct.out_room = OUT_SIZE
        struct.got = ffi.cast("uint8_t *", self._exports[0])
        struct.out = ffi.cast("uint8_t *", self._exports[1])
        self.receive = partial(lib.swarm_receive, struct)
        self.resume = partial(lib.swarm_resume, struct)
        self.submit = partial(lib.swarm_submit, struct)

    # -- what the core says ----------------------------------------------------------------

    def line(self) -> bytes:
        """The line at which the core stopped, without its end."""
        start = int(self._struct.line_at)
        return bytes(self.buffer[start : start + int(self._struct.line_size)])

    def rest(self) -> bytes:
        """The beginning of a line whose end has not come."""
        return bytes(self.buffer[int(self._struct.got_used) : int(self._struct.got_size)])

    @property
    def out_size(self) -> int:
        """How much of `out` is to be sent."""
        return int(self._struct.out_size)

    # -- rigs ------------------------------------------------------------------------------

    def set_rig(
        self,
        index: int,
        line: bytes,
        *,
        first_id: int,
        same_id: bool = False,
        ntime_roll: int = 0,
        window: int = 0,
        is_tracked: bool = True,
    ) -> None:
        """How a rig submits: its line, with PUT_ bytes where values go, each at most once.

        Ids below `first_id` are not the core's; `same_id` rigs give it to every share. With a
        `window` so many shares are kept in flight; untracked rigs wait for no answers.
        """
        rig = self._rig(index)
        expect_submit_line(line)
        expect_range("window", window, self._in_flight + 1)
        self._lines[index] = kept = ffi.from_buffer(line)
        rig.line, rig.line_size = kept, len(line)
        rig.first_id, rig.same_id = first_id, same_id
        rig.ntime_roll, rig.window = ntime_roll, window
        rig.in_flight = self._shares + index * self._in_flight if is_tracked else ffi.NULL
        rig.in_flight_size = self._in_flight
        if self._space is not None:
            rig.space = ffi.cast("uint8_t *", self._space) + index * JOB_SPACE
            rig.space_size = JOB_SPACE

    def set_extranonce(
        self, index: int, extranonce1: bytes, extranonce2_size: int, *, at_once: bool = False
    ) -> None:
        """Counts from the next notify on, or also for the present job."""
        expect_extranonce(extranonce1, extranonce2_size)
        rig = self._rig(index)
        for terms in (rig.next, rig.terms) if at_once else (rig.next,):
            terms.extranonce1 = extranonce1
            terms.extranonce1_size = len(extranonce1)
            terms.extranonce2_size = extranonce2_size

    def set_target(self, index: int, target: int, *, at_once: bool = False) -> None:
        """Counts from the next notify on, or also for the present job."""
        rig = self._rig(index)
        for terms in (rig.next, rig.terms) if at_once else (rig.next,):
            terms.target = target_bytes("target", target)

    def set_version_mask(self, index: int, mask: int) -> None:
        """Counts at once (BIP 310)."""
        self._rig(index).version_mask = mask

    def set_ready(self, index: int) -> None:
        """The pool takes shares from this rig now."""
        self._rig(index).is_ready = 1

    def disconnect(self, index: int) -> None:
        """The connection is gone: no job, and what was in flight is lost."""
        self._rig(index)
        lib.swarm_disconnect(self._struct, index)

    def has_job(self, index: int) -> bool:
        return bool(self._rig(index).job_id_size)

    def waiting(self, index: int) -> int:
        """Shares without an answer."""
        return int(self._rig(index).waiting)

    def _rig(self, index: int) -> Any:
        expect_range("index", index, len(self._rigs))
        return self._rigs[index]

    # -- all of them -----------------------------------------------------------------------

    def open(self, is_open: bool) -> None:
        """Shares are sent, or no more."""
        self._struct.is_open = is_open

    def time(self, is_timed: bool) -> None:
        """Latencies are counted, or not."""
        self._struct.is_timed = is_timed

    def tally(self) -> SwarmTally:
        """Everything counted so far."""
        struct = self._struct
        count = int(struct.tip_count)
        kept = range(max(0, count - _TIPS), count)
        calm, tip, recent = (_latencies(part) for part in (struct.calm, struct.tip, struct.recent))
        if struct.tip_end > struct.second:
            tip += recent
        else:
            calm += recent
        return SwarmTally(
            int(struct.submitted),
            int(struct.untracked),
            int(struct.accepted),
            int(struct.unsent),
            int(struct.unfound),
            int(struct.lost),
            tuple(_refusal(struct.refusals[kind]) for kind in range(struct.refusal_count)),
            tuple(_tip(struct.tips[number % _TIPS]) for number in kept),
            calm,
            tip,
            _latencies(struct.lag),
        )


def _refusal(struct: Any) -> Refusal:
    text = bytes(ffi.buffer(struct.text)[: struct.text_size])
    return Refusal(text, int(struct.count), int(struct.late))


def _tip(struct: Any) -> Tip:
    prevhash = bytes(ffi.buffer(struct.prevhash)).decode("latin-1")
    return Tip(prevhash, int(struct.first_ns), int(struct.last_ns), int(struct.rigs))


def _latencies(struct: Any) -> Latencies:
    counts = memoryview(bytes(ffi.buffer(struct.counts))).cast("Q").tolist()
    return Latencies(counts, int(struct.max_us))
