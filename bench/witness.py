"""Rigs that remember every answer, to be held against the log after a crash.

A share here is what the log keeps of one: both extranonces, ntime, nonce and the version as
hashed. Nonces are arbitrary: the pool's difficulty must be the lowest of a test network. What was
sent and never answered may be in the log or not; what was answered true must be, and what was
refused must not.

Each rig takes up its session again after a crash, and then says some of its old shares once more:
those without an answer, as cgminer does, and a few of those that were accepted, of which none may
be answered true a second time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: In `Memory.repeated`: what no pool may say.
TRUE_AGAIN = "true, a second time"

_TRUE = b'"result":true'

#: Accepted shares that a rig says again after each reconnect, and those without an answer.
_REPEATED = 4

_RETRY_S = 0.05
_MAX_LINE = 1 << 16
_MASK = 0x1FFFE000

_SUBMIT = b'{"id":%d,"method":"mining.submit","params":["%b","%b","%b","%08x","%08x","%08x"]}\n'


class Share(NamedTuple):
    """What tells a share from every other one."""

    extranonce1: bytes
    extranonce2: bytes
    ntime: int
    nonce: int
    version: int  # of the header


class _Sent(NamedTuple):
    share: Share
    line: tuple[Any, ...]  # what _SUBMIT takes behind the id
    is_repeated: bool


@dataclass(slots=True)
class Memory:
    """What all rigs together were told."""

    accepted: set[Share] = field(default_factory=set)
    refused: set[Share] = field(default_factory=set)
    unanswered: set[Share] = field(default_factory=set)
    refusals: Counter[str] = field(default_factory=Counter)  # by the pool's words
    repeated: Counter[str] = field(default_factory=Counter)  # accepted ones, said again


@dataclass(slots=True)
class Pace:
    """How fast all rigs are; it may be changed while they work."""

    burst: int  # up to so many shares at once, as a rig flushes them
    pause: float  # seconds, after each burst


class RecordingRig:
    """One rig. `run` connects, again and again, until it is cancelled."""

    def __init__(self, name: str, port: int, memory: Memory, pace: Pace, seed: int) -> None:
        self._name = name.encode()
        self._port = port
        self._memory = memory
        self._pace = pace
        self._random = random.Random(seed)
        self._session_id = ""
        self._extranonce1 = b""
        self._job: list[Any] | None = None
        self._id = 0
        self._sent: dict[int, _Sent] = {}
        self._latest: deque[_Sent] = deque(maxlen=_REPEATED)  # of those accepted
        self._open: list[_Sent] = []  # when the connection went
        self._room = asyncio.Event()

    async def run(self) -> None:
        while True:
            try:
                with contextlib.suppress(OSError, EOFError, ValueError):
                    await self._connection()
            finally:
                self._open = [sent for sent in self._sent.values() if not sent.is_repeated]
                self._memory.unanswered.update(sent.share for sent in self._open)
                self._sent.clear()
            await asyncio.sleep(_RETRY_S)

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=_MAX_LINE)
        try:
            await self._begin(reader, writer)
            reading = asyncio.create_task(self._read(reader))
            try:
                await self._submit(writer, reading)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        finally:
            writer.transport.abort()

    async def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Up to the first job; then the old shares once more, where the session is the old one."""
        before, self._job = self._extranonce1, None
        for number, method, params in (
            (1, "mining.configure", [["version-rolling"], {"version-rolling.mask": "1fffe000"}]),
            (2, "mining.subscribe", ["witness/1", self._session_id]),
            (3, "mining.authorize", [self._name.decode(), "x"]),
        ):
            asked = {"id": number, "method": method, "params": params}
            writer.write(json.dumps(asked).encode() + b"\n")
        self._id = 10
        while self._job is None:
            line = await reader.readuntil(b"\n")
            message = json.loads(line)
            if message.get("id") == 2:
                self._session_id = message["result"][0][0][1]
                self._extranonce1 = bytes.fromhex(message["result"][1])
            self._take(line)
        if self._extranonce1 != before:
            return
        old = [sent._replace(is_repeated=True) for sent in self._latest]
        old += self._open[:_REPEATED]
        writer.write(b"".join(self._line(sent) for sent in old))

    async def _submit(self, writer: asyncio.StreamWriter, reading: asyncio.Task[None]) -> None:
        while not reading.done():
            self._room.clear()
            count = self._random.randint(1, self._pace.burst)
            writer.write(b"".join(self._line(self._share()) for _ in range(count)))
            await writer.drain()
            await asyncio.sleep(self._pace.pause)
            if len(self._sent) > 4 * self._pace.burst:
                waiting = asyncio.create_task(self._room.wait())
                await asyncio.wait((waiting, reading), return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()

    def _share(self) -> _Sent:
        assert self._job is not None
        job_id, version, ntime = self._job[0], int(self._job[5], 16), int(self._job[7], 16)
        extranonce2 = self._random.randbytes(8)
        nonce = self._random.getrandbits(32)
        bits = self._random.getrandbits(32) & _MASK
        share = Share(self._extranonce1, extranonce2, ntime, nonce, version & ~_MASK | bits)
        words = (self._name, job_id.encode(), extranonce2.hex().encode(), ntime, nonce, bits)
        return _Sent(share, words, False)

    def _line(self, sent: _Sent) -> bytes:
        self._id += 1
        self._sent[self._id] = sent
        return _SUBMIT % (self._id, *sent.line)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while True:
            self._take(await reader.readuntil(b"\n"))
            if len(self._sent) <= self._pace.burst:
                self._room.set()

    def _take(self, line: bytes) -> None:
        message = json.loads(line)
        if message.get("method") == "mining.notify":
            self._job = message["params"]
        sent = self._sent.pop(message.get("id"), None)
        if sent is not None:
            self._note(sent, _TRUE in line, message.get("error"))

    def _note(self, sent: _Sent, is_true: bool, error: Any) -> None:
        memory = self._memory
        if sent.is_repeated:
            memory.repeated[TRUE_AGAIN if is_true else str(error[1])] += 1
        elif is_true:
            memory.accepted.add(sent.share)
            self._latest.append(sent)
        else:
            memory.refused.add(sent.share)
            memory.refusals[str(error[1])] += 1
