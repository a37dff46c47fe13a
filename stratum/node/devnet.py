"""A regtest node of our own, so that a demo or a test needs nothing installed.

It speaks the JSON-RPC of Bitcoin Core (`devnet_rpc.py`) over HTTP with user and password, judges
blocks by the rules (`devnet_chain.py`), offers transactions (`devnet_mempool.py`), and can have a
competitor: somebody else's blocks, so that the tip moves as it does in the world. Not a node for
anybody's money: it has no peers, no scripts and no disk.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

import hashing
from stratum.bitcoin.block import assemble_block
from stratum.bitcoin.coinbase import build_coinbase
from stratum.bitcoin.header import HEADER_SIZE, Header
from stratum.bitcoin.merkle import merkle_root
from stratum.bitcoin.networks import REGTEST
from stratum.bitcoin.target import display
from stratum.bitcoin.template import parse_template
from stratum.bitcoin.transaction import Output
from stratum.node.devnet_chain import EASIEST_NBITS, DevChain
from stratum.node.devnet_mempool import DevMempool
from stratum.node.devnet_rpc import DevRpc, RpcFault, encode
from stratum.node.settings import NodeSettings

logger = logging.getLogger(__name__)

#: A longpoll also returns when only transactions have come, after Core's minute.
LONGPOLL_REFRESH_S = 60.0

_MAX_REQUEST = 16 << 20  # a block of 4 MB is 8 MB of hex
_OP_TRUE = b"\x51"

#: Nonces per crossing into C: short, so that a competitor gives the processor back often.
_SEARCH_CHUNK = 1 << 18
_NONCES = 1 << 32


class DevNode:
    """One node on one chain. Two nodes may share a chain, as if they were perfect peers."""

    def __init__(
        self,
        chain: DevChain | None = None,
        mempool: DevMempool | None = None,
        *,
        nbits: int = EASIEST_NBITS,
        user: str = "baseload",
        password: str = "devnet",
        host: str = "127.0.0.1",
        port: int = 0,
        competitor_s: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`port` 0 takes a free one. `competitor_s` is the pause before each rival block."""
        if (chain is None) != (mempool is None):
            raise ValueError("a chain and its mempool are given together")
        self.mempool = mempool or DevMempool()
        self.chain = chain or DevChain(self.mempool.known, nbits)
        self._rpc = DevRpc(self.chain, self.mempool, clock)
        self._user, self._password = user, password
        self._host, self._port = host, port
        self._competitor_s = competitor_s
        self._clock = clock
        self._tip_moved = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._competitor: asyncio.Task[None] | None = None
        self._mined = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    @property
    def settings(self) -> NodeSettings:
        """How a pool reaches this node."""
        return NodeSettings(self.url, user=self._user, password=self._password)

    async def start(self) -> None:
        """Serve. Raises OSError where the port is taken."""
        app = web.Application(client_max_size=_MAX_REQUEST)
        app.router.add_post("/", self._serve)
        # Handlers are cancelled with their connection: a longpoll must not outlive its caller.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True,
                                     shutdown_timeout=0.1)  # fmt: skip
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        # The port stays, so that a stopped node comes back where its clients look for it.
        self._port = self._runner.addresses[0][1]
        self.chain.watch(self._ring)
        if self._competitor_s is not None:
            self._competitor = asyncio.create_task(self._compete(self._competitor_s))

    async def stop(self) -> None:
        """Close every connection at once, as a killed node does; `start` brings it back."""
        if self._competitor is not None:
            self._competitor.cancel()
            await asyncio.gather(self._competitor, return_exceptions=True)
            self._competitor = None
        if self._runner is not None:
            self.chain.unwatch(self._ring)
            await self._runner.cleanup()
            self._runner = None

    def _ring(self) -> None:
        self._tip_moved.set()
        self._tip_moved = asyncio.Event()

    async def _serve(self, request: web.Request) -> web.Response:
        if not self._authorized(request.headers.get("Authorization", "")):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="jsonrpc"'})
        identity = None
        try:
            call = json.loads(await request.read())
            identity = call.get("id")
            result = await self.answer(call["method"], call.get("params") or [])
        except RpcFault as fault:
            status = 404 if fault.code == -32601 else 500
            body = encode(identity, None, fault)
        except (AttributeError, KeyError, TypeError, ValueError):
            status, body = 500, encode(identity, None, RpcFault(-32700, "Parse error"))
        else:
            status, body = 200, encode(identity, result, None)
        return web.Response(status=status, body=body, content_type="application/json")

    def _authorized(self, header: str) -> bool:
        expected = base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        return hmac.compare_digest(header.encode(), f"Basic {expected}".encode())

    async def answer(self, method: str, params: list[Any]) -> Any:
        """Answer one call; a getblocktemplate with `longpollid` waits for news first."""
        if method == "getblocktemplate" and params and isinstance(params[0], dict):
            longpollid = params[0].get("longpollid")
            if longpollid is not None:
                await self._wait_for_news(str(longpollid))
        return self._rpc.call(method, params)

    async def _wait_for_news(self, longpollid: str) -> None:
        moved = self._tip_moved
        if longpollid[:64] != display(self.chain.tip.block_hash):
            return
        while True:
            try:
                async with asyncio.timeout(LONGPOLL_REFRESH_S):
                    await moved.wait()
            except TimeoutError:
                self.mempool.grow(self._clock())
                if self._rpc.longpollid() == longpollid:
                    continue
            return

    async def mine(self, count: int = 1, script_pubkey: bytes = _OP_TRUE) -> list[bytes]:
        """Mine blocks on the tip as somebody else would; their hashes."""
        return [await self._mine_one(script_pubkey) for _ in range(count)]

    async def _mine_one(self, script_pubkey: bytes) -> bytes:
        while True:
            header, block = self._candidate(script_pubkey)
            nonce = await self._search(header)
            if nonce is None:
                continue  # the tip moved, or all nonces are spent: another candidate
            solved = header.serialize()[:76] + nonce.to_bytes(4, "little")
            refusal = self._rpc.submitblock((solved + block[HEADER_SIZE:]).hex())
            if refusal is None:
                return hashing.header_hash(solved)
            # The only honest reason: another block was faster while the nonce was searched.
            assert refusal == "inconclusive", refusal

    def _candidate(self, script_pubkey: bytes) -> tuple[Header, bytes]:
        """An unsolved block on the present tip, with a coinbase never used before."""
        self._mined += 1
        template = parse_template(self._rpc.getblocktemplate({"rules": ["segwit"]}), REGTEST)
        outputs = [Output(template.coinbasevalue, script_pubkey)]
        coinbase = build_coinbase(
            template.height, b"/devnet/", 8, outputs, template.witness_commitment
        )
        extranonce = self._mined.to_bytes(8, "big")
        root = merkle_root([hashing.sha256d(coinbase.stripped(extranonce)), *template.txids])
        header = Header(
            template.version, template.prevhash, root, template.curtime, template.nbits, 0
        )
        serialized = coinbase.serialize(extranonce)
        return header, assemble_block(header.serialize(), serialized, template.transactions)

    async def _search(self, header: Header) -> int | None:
        """A nonce; None where the tip moved first or all 2^32 failed."""
        serialized = header.serialize()
        for start in range(0, _NONCES, _SEARCH_CHUNK):
            nonce = await asyncio.to_thread(
                hashing.search_nonce, serialized, self.chain.target, start, _SEARCH_CHUNK
            )
            if nonce is not None or header.prevhash != self.chain.tip.block_hash:
                return nonce
        return None

    async def _compete(self, pause_s: float) -> None:
        while True:
            await asyncio.sleep(pause_s)
            block_hash = await self._mine_one(_OP_TRUE)
            logger.info("the devnet's competitor found block %s", display(block_hash))
