"""A pool for tests, made of the wire's own pieces: it checks every share it is sent.

One job at a time, judged as a real pool would: by the job's own difficulty, by its hash, and by
what was sent before. What arrives is awaited, not slept for.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import hashing
from stratum.net.upstream import UpstreamConnection, connect
from stratum.protocol.framing import LineReader
from stratum.protocol.messages import (
    Request,
    encode_error,
    encode_id,
    encode_notification,
    encode_result,
    parse_line,
    swap_words,
)
from stratum.protocol.upstream import Upstream
from stratum.protocol.upstream_events import ReconnectAsked
from stratum.units import DIFF1_TARGET

MASK = 0x1FFFE000
PREVHASH = bytes(range(32))
COINB1 = bytes.fromhex("0200000001") + bytes(36)
COINB2 = bytes.fromhex("ffffffff00")
BRANCH = (b"\x11" * 32, b"\x22" * 32)
VERSION = 0x20000000
NTIME = 0x6A1A5C2F


@dataclass(frozen=True, slots=True)
class Share:
    user: str
    job_id: str
    block_hash: bytes
    verdict: int  # 0: accepted


class FakePool:
    """Serves any number of rigs on an ephemeral port; `one_in` sets the difficulty."""

    def __init__(self, one_in: int = 64, nbits: int = 0x1D00FFFF) -> None:
        self.target = (1 << 256) // one_in
        self.nbits = nbits
        self.extranonce1 = b"\xaa\xbb\xcc\xdd"
        self.is_crowded = False  # many rigs: each has an extranonce1 of its own
        self.prevhash = PREVHASH
        self.authorize_result = True
        self.shares: list[Share] = []
        self.subscribes: list[list[Any]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self._jobs: dict[str, int] = {}
        self._news = asyncio.Condition()
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._names = 0
        self._extranonces: dict[asyncio.StreamWriter, bytes] = {}

    async def __aenter__(self) -> FakePool:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for writer in self._open.values():
            writer.transport.abort()
        await asyncio.gather(*self._open)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"stratum+tcp://127.0.0.1:{self.port}"

    async def connect(self, upstream: Upstream, asked: ReconnectAsked | None) -> UpstreamConnection:
        """What a miner is handed to reach this pool."""
        return await connect(self.url, upstream)

    def verdicts(self, user: str | None = None) -> list[int]:
        return [share.verdict for share in self.shares if user in (None, share.user)]

    async def until(self, count: int, user: str | None = None) -> None:
        """Wait for so many shares."""
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: len(self.verdicts(user)) >= count)

    async def until_subscribed(self, times: int) -> None:
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: len(self.subscribes) >= times)

    def notify(self, clean_jobs: bool = True) -> str:
        """Send a new job to everyone; its id."""
        self._names += 1
        job_id = f"{self._names:x}"
        if clean_jobs:
            self._jobs.clear()
        self._jobs[job_id] = self.target
        for writer in self.writers:
            self._send_job(writer, job_id, clean_jobs)
        return job_id

    def say(self, method: str, *params: Any) -> None:
        for writer in self.writers:
            writer.write(encode_notification(method, list(params)))

    def hang_up(self) -> None:
        for writer in self.writers:
            writer.close()
        self.writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        lines = LineReader()
        try:
            while data := await reader.read(65536):
                for line in lines.lines(data):
                    message = parse_line(line)
                    if isinstance(message, Request):
                        await self._answer(message, writer)
        except ConnectionError:
            return
        finally:
            del self._open[task]
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        request_id = encode_id(request.id)
        match request.method:
            case "mining.configure":
                granted = {"version-rolling": True, "version-rolling.mask": f"{MASK:08x}"}
                writer.write(encode_result(request_id, granted))
            case "mining.subscribe":
                if self.is_crowded:
                    self._extranonces[writer] = len(self.subscribes).to_bytes(4, "big")
                extranonce1 = self._extranonces.get(writer, self.extranonce1)
                result = [[["mining.notify", "5e55"]], extranonce1.hex(), 4]
                writer.write(encode_result(request_id, result))
                self.subscribes.append(request.params)
            case "mining.authorize":
                writer.write(encode_result(request_id, self.authorize_result))
                if self.authorize_result:
                    job_id = self._current()
                    self.writers.append(writer)
                    self._send_job(writer, job_id, True)
            case "mining.submit":
                verdict = self._judge(request.params, writer)
                reply = encode_error(request_id, verdict, "no") if verdict else None
                writer.write(reply or encode_result(request_id, True))
            case _:
                writer.write(encode_result(request_id, True))
        async with self._news:
            self._news.notify_all()

    def _current(self) -> str:
        return next(reversed(self._jobs), "") or self.notify()

    def _send_job(self, writer: asyncio.StreamWriter, job_id: str, clean_jobs: bool) -> None:
        difficulty = DIFF1_TARGET / self._jobs[job_id]
        writer.write(encode_notification("mining.set_difficulty", [difficulty]))
        ntime = NTIME + int(job_id, 16)
        params = [job_id, swap_words(self.prevhash).hex(), COINB1.hex(), COINB2.hex()]
        rest = [f"{number:08x}" for number in (VERSION, self.nbits, ntime)]
        branch = [node.hex() for node in BRANCH]
        writer.write(encode_notification("mining.notify", [*params, branch, *rest, clean_jobs]))

    def _judge(self, params: list[Any], writer: asyncio.StreamWriter) -> int:
        user, job_id, extranonce2, ntime, nonce, *rolled = params
        version_bits = rolled[0] if rolled else "0"
        job = hashing.ShareJob(COINB1, COINB2, BRANCH, self.prevhash, self.nbits, 0)
        checked = hashing.check_share(
            job,
            self._extranonces.get(writer, self.extranonce1) + bytes.fromhex(extranonce2),
            VERSION | int(version_bits, 16),
            int(ntime, 16),
            int(nonce, 16),
            # A float's worth of slack: this pool prints its difficulty as one.
            int(self._jobs.get(job_id, 0) * (1 + 1e-12)).to_bytes(32, "little"),
        )
        verdict = 0
        if job_id not in self._jobs:
            verdict = 21
        elif any(share.block_hash == checked.hash for share in self.shares):
            verdict = 22
        elif not checked.meets_share_target:
            verdict = 23
        self.shares.append(Share(user, job_id, checked.hash, verdict))
        return verdict


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
