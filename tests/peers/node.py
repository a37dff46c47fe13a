"""What a test asks of a real full node, whichever software it is.

A subclass knows how to start its software on regtest with a data directory that survives a
restart, and which address prefixes it uses. All else is RPC and hand-made blocks.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import aiohttp
import pytest

import hashing
from stratum.bitcoin.block import assemble_block, parse_block
from stratum.bitcoin.coinbase import build_coinbase
from stratum.bitcoin.header import Header
from stratum.bitcoin.networks import MATURITY, REGTEST, subsidy
from stratum.bitcoin.target import display, internal, target_from_nbits
from stratum.bitcoin.template import Template
from stratum.bitcoin.transaction import Output
from stratum.errors import NodeError
from stratum.node.rpc import NodeRpc
from stratum.node.settings import NodeSettings
from stratum.node.tips import ask_template
from tests.peers.spends import LOCKS, P2SH_TRUE, P2WSH_TRUE, Coin, address, spend

START_S = 60.0
_STOP_S = 20.0
_CALL_S = 60.0  # hundreds of blocks in one call, on a busy machine


def missing(what: str) -> NoReturn:
    """Skip a test for want of a peer; in CI the peer has to be there, so it fails."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class FullNode(ABC):
    """A regtest node in a process of its own; `async with` starts and removes it."""

    bech32_prefix: str
    p2sh_version: int
    segwit_height: int  # the first block that its templates give witnesses to

    def __init__(self, settings: NodeSettings) -> None:
        self.settings = settings
        self._home = tempfile.TemporaryDirectory(prefix="peer-")
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None

    @abstractmethod
    def command(self, home: Path) -> tuple[list[str], dict[str, str]]:
        """Arguments and additional environment of the process."""

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        try:
            await self.start()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        assert self._http is not None
        await self.stop()
        await self._http.close()
        self._home.cleanup()

    async def start(self) -> None:
        """Start the process and wait until it answers."""
        home = Path(self._home.name)
        arguments, environment = self.command(home)
        with (home / "output.log").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | environment,
            )
        async with asyncio.timeout(START_S):
            while not await self._answers():
                if self._process.returncode is not None:
                    pytest.fail(f"{arguments[0]} ended:\n{(home / 'output.log').read_text()}")
                await asyncio.sleep(0.05)  # another process's start can only be asked for

    async def _answers(self) -> bool:
        try:
            await self.rpc("getblockcount")
        except NodeError:
            return False
        return True

    async def stop(self) -> None:
        """End the process as an operator would; the chain stays on disk."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """End the process as a crash would."""
        await self._end(signal.SIGKILL)

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def restart(self) -> None:
        """Stop and start again at the same address, with the same chain."""
        await self.stop()
        await self.start()

    def pause(self) -> None:
        """Make the process hang: its port stays open and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def rpc(self, method: str, *params: Any) -> Any:
        """One call. Raises NodeError."""
        assert self._http is not None
        return await NodeRpc(self.settings, self._http).call(method, *params, timeout=_CALL_S)

    async def template(self) -> Template:
        assert self._http is not None
        return await ask_template(NodeRpc(self.settings, self._http), REGTEST, None)

    async def height(self) -> int:
        return int(await self.rpc("getblockcount"))

    async def mine(self, count: int = 1, script_pubkey: bytes = P2WSH_TRUE) -> list[bytes]:
        """Let the node mine; the hashes of the blocks."""
        to = address(script_pubkey, self.bech32_prefix, self.p2sh_version)
        return [internal(one) for one in await self.rpc("generatetoaddress", count, to)]

    async def mine_to(self, height: int) -> None:
        """Mine up to a height, if the chain is not there yet."""
        count = height - await self.height()
        if count > 0:
            await self.mine(count)

    async def activate_segwit(self) -> None:
        """Mine until the next block may hold witnesses."""
        await self.mine_to(self.segwit_height - 1)

    async def fund_and_spam(self, count: int) -> list[bytes]:
        """Put `count` transactions, half of them segwit, into the mempool; their txids.

        Every fourth spends an output of the one before it, so that the template has an order.
        """
        coinbases = [await self._coinbase(lock) for lock in LOCKS]
        await self.mine(MATURITY)
        await self.activate_segwit()

        coins = []
        for coin in coinbases:
            funding, parts = spend(coin, [lock for lock in LOCKS for _ in range(count // 4 + 1)])
            await self.rpc("sendrawtransaction", funding.hex())
            coins += parts
        await self._waiting(len(coinbases))
        # Confirmed, since Core limits how many children wait behind one unconfirmed parent.
        await self.mine()

        coins.sort(key=lambda coin: (coin.index, coin.txid))
        by_lock = [[coin for coin in coins if coin.script_pubkey == lock] for lock in LOCKS]
        txids: list[bytes] = []
        change: list[Coin] = []
        for number in range(count):
            lock = number % 2
            coin = change.pop() if number % 4 == 3 else by_lock[lock].pop()
            serialized, change = spend(coin, [P2WSH_TRUE, P2SH_TRUE])
            await self.rpc("sendrawtransaction", serialized.hex())
            txids.append(change[0].txid)
        await self._waiting(count)
        return txids

    async def _waiting(self, count: int) -> None:
        """Until the mempool holds `count`: bcoin answers before it has judged a transaction."""
        async with asyncio.timeout(10):
            while len(await self.rpc("getrawmempool")) < count:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.01)

    async def _coinbase(self, lock: bytes) -> Coin:
        block_hash = (await self.mine(1, lock))[0]
        raw = bytes.fromhex(await self.rpc("getblock", display(block_hash), 0))
        coinbase = parse_block(raw).transactions[0]
        return Coin(coinbase.txid, 0, coinbase.outputs[0].sats, lock)

    async def reorganise(self, depth: int) -> list[bytes]:
        """Replace the last `depth` blocks by a branch that is one longer; its hashes.

        The branch is made by hand from empty blocks and arrives by submitblock, as another
        miner's would arrive from the network.
        """
        template = await self.template()
        fork = template.height - 1 - depth
        parent = await self.rpc("getblockheader", await self.rpc("getblockhash", fork))
        previous = internal(parent["hash"])
        ntime = max(int(time.time()), int(parent["mediantime"]) + 1)
        hashes = []
        for height in range(fork + 1, fork + depth + 2):
            # Another second each, so that the branch satisfies any median of times.
            block = _empty_block(template, previous, height, ntime + height - fork)
            await self.rpc("submitblock", block.hex())
            previous = hashing.header_hash(block[:80])
            hashes.append(previous)
        assert internal(await self.rpc("getbestblockhash")) == previous
        return hashes


def _empty_block(template: Template, previous: bytes, height: int, ntime: int) -> bytes:
    outputs = [Output(subsidy(height, REGTEST.halving_interval), P2WSH_TRUE)]
    coinbase = build_coinbase(height, b"/other/", 8, outputs).stripped(bytes(8))
    header = Header(template.version, previous, hashing.sha256d(coinbase), ntime, template.nbits, 0)
    return assemble_block(solve(header), coinbase, [])


def solve(header: Header) -> bytes:
    """The serialized header with a nonce that meets its own target; regtest's is easy."""
    serialized = header.serialize()
    nonce = hashing.search_nonce(serialized, target_from_nbits(header.nbits), 0, 1 << 32)
    assert nonce is not None
    return serialized[:76] + nonce.to_bytes(4, "little")
