"""The swarm's core in Python: the same answers, share by share. csrc/hashing.h is the rule."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hashing.reference.hashes import ShareJob, check_share, search_nonce
from hashing.tallies import (
    BUCKETS,
    IN_SIZE,
    JOB_SPACE,
    LINE,
    MAX_JOB_ID,
    OUT_SIZE,
    PARTIAL,
    REFUSALS,
    TEXT,
    TIPS,
    Latencies,
    Refusal,
    SwarmTally,
    Tip,
    bucket_of,
    expect_extranonce,
    expect_submit_line,
)
from hashing.values import NONCE_SPACE, expect_range, target_bytes

_SECOND_NS = 10**9
_SEARCH_NONCES = 1 << 18
_SEARCH_ROWS = 4
_SCATTER = 0x9E3779B1
_MAX_BRANCH = 24
_MOST_VALUES = 64 + 2 * 16 + 3 * 8 + 20


@dataclass(slots=True)
class _Terms:
    target: bytes = bytes(32)
    extranonce1: bytes = b""
    extranonce2_size: int = 0


@dataclass(slots=True)
class _Share:
    due_ns: int
    number: int
    epoch: int


@dataclass(slots=True)
class _Rig:
    """A rig, and the job it has while job_id is not empty."""

    line: bytes = b""
    first_id: int = 0
    same_id: bool = False
    ntime_roll: int = 0
    window: int = 0
    is_tracked: bool = True
    version_mask: int = 0
    is_ready: bool = False
    next: _Terms = field(default_factory=_Terms)
    terms: _Terms = field(default_factory=_Terms)
    job: ShareJob | None = None
    prevhash: str = ""
    job_id: str = ""
    version: int = 0
    ntime: int = 0
    epoch: int = 0
    job_ns: int = 0
    extranonce2: int = 0
    sent: int = 0
    waiting: dict[int, _Share] = field(default_factory=dict)
    early: list[tuple[list[Any], int]] = field(default_factory=list)


def _recorded(latencies: Latencies, from_ns: int, to_ns: int) -> Latencies:
    us = min(max(to_ns - from_ns, 0) // 1000, 0xFFFFFFFF)
    counts = list(latencies.counts)
    counts[bucket_of(us)] += 1
    return Latencies(counts, max(latencies.max_us, us))


class SwarmCore:
    """As native's SwarmCore, whose docstrings say what each method does."""

    def __init__(self, rigs: int, in_flight: int, *, blind: bool = False) -> None:
        if rigs < 1 or in_flight < 1 or in_flight & (in_flight - 1):
            raise ValueError(f"{rigs} rigs with {in_flight} in flight, expected a power of two")
        self._rigs = [_Rig() for _ in range(rigs)]
        self._in_flight = in_flight
        self._blind = blind
        self.buffer = memoryview(bytearray(IN_SIZE))
        self.out = memoryview(bytearray(OUT_SIZE))
        self.out_size = 0
        self._in_size = self._in_used = 0
        self._line = b""
        self._is_open = self._is_timed = False
        self._submitted = self._untracked = self._accepted = 0
        self._unsent = self._unfound = self._lost = 0
        self._refusals: list[list[Any]] = []  # text, count, late
        self._tips: list[Tip] = []
        self._second = self._tip_end = 0
        self._recent, self._calm, self._tip, self._lag = (
            Latencies([0] * BUCKETS, 0) for _ in range(4)
        )

    # -- bytes -----------------------------------------------------------------------------

    def receive(self, index: int, size: int, now_ns: int) -> int:
        self._in_size, self._in_used, self.out_size = size, 0, 0
        return self.resume(index, now_ns)

    def resume(self, index: int, now_ns: int) -> int:
        rig = self._rigs[index]
        outcome = 0
        while self._in_used < self._in_size:
            data = bytes(self.buffer[self._in_used : self._in_size])
            line, end, _ = data.partition(b"\n")
            if not end:
                outcome = PARTIAL
                break
            self._line = line
            self._in_used += len(line) + 1
            if not self._take_line(rig, line, now_ns):
                return LINE
        while len(rig.waiting) < rig.window and self._send(rig, now_ns, now_ns):
            continue
        return outcome or self.out_size

    def submit(self, index: int, due_ns: int, now_ns: int) -> int:
        self.out_size = 0
        if not self._send(self._rigs[index], due_ns, now_ns):
            self._unsent += 1
        return self.out_size

    def line(self) -> bytes:
        return self._line

    def rest(self) -> bytes:
        return bytes(self.buffer[self._in_used : self._in_size])

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
        rig = self._rig(index)
        expect_submit_line(line)
        expect_range("window", window, self._in_flight + 1)
        rig.line, rig.first_id, rig.same_id = line, first_id, same_id
        rig.ntime_roll, rig.window, rig.is_tracked = ntime_roll, window, is_tracked

    def set_extranonce(
        self, index: int, extranonce1: bytes, extranonce2_size: int, *, at_once: bool = False
    ) -> None:
        expect_extranonce(extranonce1, extranonce2_size)
        rig = self._rig(index)
        for terms in (rig.next, rig.terms) if at_once else (rig.next,):
            terms.extranonce1, terms.extranonce2_size = extranonce1, extranonce2_size

    def set_target(self, index: int, target: int, *, at_once: bool = False) -> None:
        rig = self._rig(index)
        for terms in (rig.next, rig.terms) if at_once else (rig.next,):
            terms.target = target_bytes("target", target)

    def set_version_mask(self, index: int, mask: int) -> None:
        self._rig(index).version_mask = mask

    def set_ready(self, index: int) -> None:
        self._rig(index).is_ready = True

    def disconnect(self, index: int) -> None:
        rig = self._rig(index)
        self._lost += len(rig.waiting)
        rig.waiting.clear()
        rig.early.clear()
        rig.job_id = ""
        rig.is_ready = False

    def has_job(self, index: int) -> bool:
        return self._rig(index).job_id != ""

    def waiting(self, index: int) -> int:
        return len(self._rig(index).waiting)

    def _rig(self, index: int) -> _Rig:
        expect_range("index", index, len(self._rigs))
        return self._rigs[index]

    def open(self, is_open: bool) -> None:
        self._is_open = is_open

    def time(self, is_timed: bool) -> None:
        self._is_timed = is_timed

    # -- shares ----------------------------------------------------------------------------

    def _send(self, rig: _Rig, due_ns: int, now_ns: int) -> bool:
        room = OUT_SIZE - self.out_size >= len(rig.line) + _MOST_VALUES
        taken = rig.sent - self._in_flight in rig.waiting
        has_work = rig.job_id and rig.terms.extranonce2_size
        if not (self._is_open and rig.is_ready and has_work and room) or taken:
            return False

        ntime = rig.ntime + min((now_ns - rig.job_ns) // _SECOND_NS, rig.ntime_roll)
        nonce: int | None = rig.sent * _SCATTER & 0xFFFFFFFF
        assert nonce is not None
        bits = nonce & rig.version_mask
        extranonce2 = _next_extranonce2(rig)
        if not self._blind:
            for _ in range(_SEARCH_ROWS):
                found = _find_nonce(rig, extranonce2, ntime, nonce, bits)
                if found is not None:
                    break
                extranonce2 = _next_extranonce2(rig)
            else:
                self._unfound += 1
                return False
            nonce = found

        text = (
            rig.line.replace(b"\x02", rig.job_id.encode("latin-1"))
            .replace(b"\x01", b"%d" % (rig.first_id + rig.sent))
            .replace(b"\x03", extranonce2.hex().encode())
            .replace(b"\x04", b"%08x" % ntime)
            .replace(b"\x05", b"%08x" % nonce)
            .replace(b"\x06", b"%08x" % bits)
        )
        self.out[self.out_size : self.out_size + len(text)] = text
        self.out_size += len(text)
        number, rig.sent = rig.sent, rig.sent + 1
        if not rig.is_tracked:
            self._untracked += 1
            return True
        rig.waiting[number] = _Share(due_ns, number, rig.epoch)
        self._submitted += 1
        if self._is_timed:
            self._lag = _recorded(self._lag, due_ns, now_ns)
        return True

    # -- lines -----------------------------------------------------------------------------

    def _take_line(self, rig: _Rig, line: bytes, now_ns: int) -> bool:
        try:
            message = json.loads(line)
        except ValueError:
            return False
        if type(message) is not dict:
            return False
        if "method" not in message:
            return self._take_answer(rig, message, line, now_ns)
        return message["method"] == "mining.notify" and self._take_notify(
            rig, message.get("params"), now_ns
        )

    def _take_answer(self, rig: _Rig, message: dict[str, Any], line: bytes, now_ns: int) -> bool:
        share = _asked(rig, message.get("id"))
        if share is None or not {"result", "error", "reject-reason"} & set(message):
            return False
        del rig.waiting[share.number]
        self._time_answer(share.due_ns, now_ns)
        key = next(
            (key for key in ("error", "reject-reason") if message.get(key) is not None), "result"
        )
        if message.get("result") is True and key != "error":
            self._accepted += 1
            return True

        kind = self._kind_of_refusal(_written(line, key)[:TEXT])
        kind[1] += 1
        if share.epoch != rig.epoch:
            kind[2] += 1
        else:
            if rig.early and rig.early[-1][0] is not kind:
                rig.early.clear()
            rig.early.append((kind, now_ns))
        return True

    def _kind_of_refusal(self, text: bytes) -> list[Any]:
        for kind in self._refusals:
            if kind[0] == text:
                return kind
        if len(self._refusals) < REFUSALS:
            is_last = len(self._refusals) == REFUSALS - 1
            self._refusals.append([b"" if is_last else text, 0, 0])
        return self._refusals[-1]

    def _take_notify(self, rig: _Rig, params: Any, now_ns: int) -> bool:
        try:
            job_id, prevhash, coinb1, coinb2, branch, *numbers = params
            version, nbits, ntime = (_hex32(number) for number in numbers[:3])
            if type(job_id) is not str or not 0 < len(job_id) <= MAX_JOB_ID:
                return False
            if type(prevhash) is not str or len(prevhash) != 64 or len(params) > 16:
                return False
            had_job, rig.job_id = bool(rig.job_id), ""
            if not self._blind:
                rig.job = _load_work(prevhash, coinb1, coinb2, branch, nbits)
        except (TypeError, ValueError):
            return False

        is_new = rig.prevhash != prevhash
        if is_new:
            rig.prevhash = prevhash
            rig.extranonce2 = 0
            if had_job:
                self._count_tip(prevhash, now_ns)
        if is_new or (len(params) > 8 and params[-1] is True):
            rig.epoch += 1
            if rig.early and now_ns - rig.early[-1][1] < _SECOND_NS:
                rig.early[-1][0][2] += len(rig.early)
            rig.early.clear()
        rig.job_id, rig.version, rig.ntime, rig.job_ns = job_id, version, ntime, now_ns
        rig.terms = _Terms(rig.next.target, rig.next.extranonce1, rig.next.extranonce2_size)
        return True

    # -- tallies ---------------------------------------------------------------------------

    def _time_answer(self, due_ns: int, now_ns: int) -> None:
        if self._is_timed:
            self._turn_to(now_ns)
            is_tip = due_ns // _SECOND_NS < self._tip_end
            if is_tip:
                self._tip = _recorded(self._tip, due_ns, now_ns)
            else:
                self._recent = _recorded(self._recent, due_ns, now_ns)

    def _turn_to(self, now_ns: int) -> None:
        if now_ns // _SECOND_NS != self._second:
            self._calm, self._tip = self._settled()
            self._recent = Latencies([0] * BUCKETS, 0)
            self._second = now_ns // _SECOND_NS

    def _settled(self) -> tuple[Latencies, Latencies]:
        """Calm and tip, with the recent ones where they belong by what is known now."""
        if self._tip_end > self._second:
            return self._calm, self._tip + self._recent
        return self._calm + self._recent, self._tip

    def _count_tip(self, prevhash: str, now_ns: int) -> None:
        self._turn_to(now_ns)
        self._tip_end = self._second + 1
        for place in reversed(range(len(self._tips))):
            tip = self._tips[place]
            if tip.prevhash == prevhash:
                self._tips[place] = Tip(prevhash, tip.first_ns, now_ns, tip.rigs + 1)
                return
        self._tips = [*self._tips, Tip(prevhash, now_ns, now_ns, 1)][-TIPS:]

    def tally(self) -> SwarmTally:
        return SwarmTally(
            self._submitted,
            self._untracked,
            self._accepted,
            self._unsent,
            self._unfound,
            self._lost,
            tuple(Refusal(*kind) for kind in self._refusals),
            tuple(self._tips),
            *self._settled(),
            self._lag,
        )


def _next_extranonce2(rig: _Rig) -> bytes:
    rig.extranonce2 += 1
    return (rig.extranonce2 - 1).to_bytes(16, "little")[: rig.terms.extranonce2_size]


def _find_nonce(rig: _Rig, extranonce2: bytes, ntime: int, nonce: int, bits: int) -> int | None:
    assert rig.job is not None
    extranonce = rig.terms.extranonce1 + extranonce2
    version = rig.version & ~rig.version_mask | bits
    checked = check_share(rig.job, extranonce, version, ntime, nonce, rig.terms.target)
    if checked.meets_share_target:
        return nonce
    target = int.from_bytes(rig.terms.target, "little")
    return search_nonce(checked.header, target, nonce, min(_SEARCH_NONCES, NONCE_SPACE - nonce))


def _asked(rig: _Rig, request_id: Any) -> _Share | None:
    if type(request_id) is str and request_id.isascii() and request_id.isdigit():
        request_id = int(request_id)
    if type(request_id) is not int:
        return None
    number = request_id - rig.first_id
    if rig.same_id:
        return next(iter(rig.waiting.values()), None) if number == 0 else None
    return rig.waiting.get(number)


def _written(line: bytes, key: str) -> bytes:
    """The value of a member of the object, as it stands in the line."""
    text = line.decode("latin-1")
    decoder = json.JSONDecoder()
    at = text.index("{") + 1
    while True:
        at = _skip(text, at, " \t\r,")
        name, at = decoder.raw_decode(text, at)
        start = _skip(text, at, " \t\r:")
        _, at = decoder.raw_decode(text, start)
        if name == key:
            return text[start:at].encode("latin-1")


def _skip(text: str, at: int, blanks: str) -> int:
    while text[at] in blanks:
        at += 1
    return at


def _hex32(value: Any) -> int:
    if type(value) is not str or not 0 < len(value) <= 8:
        raise ValueError("no 32-bit number")
    return int(value, 16)


def _load_work(prevhash: str, coinb1: str, coinb2: str, branch: list[str], nbits: int) -> ShareJob:
    words = bytes.fromhex(prevhash)
    internal = b"".join(words[at : at + 4][::-1] for at in range(0, 32, 4))
    nodes = [bytes.fromhex(node) for node in branch]
    parts = bytes.fromhex(coinb1), bytes.fromhex(coinb2)
    if sum(map(len, parts)) + 32 * len(nodes) > JOB_SPACE or len(nodes) > _MAX_BRANCH:
        raise ValueError("no room for the job")
    return ShareJob(*parts, nodes, internal, nbits, 0)
