"""A rig by hand: says what the test says, and solves blocks without sending them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import hashing
from stratum.bitcoin.target import target_from_nbits
from stratum.protocol.messages import swap_words
from tests.e2e.programs import PATIENCE_S


@dataclass(frozen=True)
class Solution:
    """A submit's parameters for a block, and the block's hash."""

    params: list[str]
    block_hash: bytes


class Rig:
    """One connection. `notifications` gathers what the pool says unasked."""

    def __init__(self, port: int, user: str = "farm.byhand") -> None:
        self.user = user
        self.session_id = ""
        self.extranonce1 = b""
        self.job: list[Any] = []
        self.notifications: list[dict[str, Any]] = []
        self._port = port
        self._next_id = 0

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            pass  # the pool ended it first, which a test may well have wanted

    async def call(self, method: str, params: list[Any]) -> dict[str, Any]:
        """Ask and wait for the answer to this question."""
        self._next_id += 1
        asked = {"id": self._next_id, "method": method, "params": params}
        self._writer.write(json.dumps(asked).encode() + b"\n")
        async with asyncio.timeout(PATIENCE_S):
            while (message := await self._read())["id"] != self._next_id:
                pass
        return message

    async def _read(self) -> dict[str, Any]:
        line = await self._reader.readline()
        if not line:
            raise ConnectionError("the pool closed the connection")
        message: dict[str, Any] = json.loads(line)
        if message.get("method") == "mining.notify":
            self.job = message["params"]
        if message["id"] is None:
            self.notifications.append(message)
        return message

    async def start(self, session_id: str = "") -> None:
        """Subscribe, authorize, and wait for the first job."""
        answer = await self.call("mining.subscribe", ["byhand/1", session_id])
        self.session_id = answer["result"][0][0][1]
        self.extranonce1 = bytes.fromhex(answer["result"][1])
        assert (await self.call("mining.authorize", [self.user, "x"]))["result"] is True
        await self.next_job()

    async def next_job(self) -> None:
        """Wait for the next notify, unless one has come that nobody waited for."""
        before = self.job
        async with asyncio.timeout(PATIENCE_S):
            while self.job is before:
                await self._read()

    def solve(self, nth: int = 0) -> Solution:
        """Find a block on the present job, not submitting it."""
        job_id, prevhash, coinb1, coinb2, branch, version, nbits, ntime, _ = self.job
        extranonce2 = nth.to_bytes(8, "big")
        coinbase = bytes.fromhex(coinb1) + self.extranonce1 + extranonce2 + bytes.fromhex(coinb2)
        root = hashing.merkle_fold(hashing.sha256d(coinbase), [bytes.fromhex(b) for b in branch])
        start = (
            bytes.fromhex(version)[::-1]
            + swap_words(bytes.fromhex(prevhash))
            + root
            + bytes.fromhex(ntime)[::-1]
            + bytes.fromhex(nbits)[::-1]
        )
        target = target_from_nbits(int(nbits, 16))
        nonce = hashing.search_nonce(start + bytes(4), target, 0, 1 << 32)
        assert nonce is not None
        header = start + nonce.to_bytes(4, "little")
        params = [self.user, job_id, extranonce2.hex(), ntime, f"{nonce:08x}"]
        return Solution(params, hashing.header_hash(header))
