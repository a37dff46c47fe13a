"""A devnet node for load tests, in a process of its own: a full mempool, new tips on command.

Its blocks need no work, so that a tip can be had at once while no share of the load is a block;
they are empty, so that every template has the same 2,500 transactions and a branch of 12.

A real node builds its templates on a core of its own. Here that core is the rigs', whose clocks
are the measurement: so a template on a new tip is made half a second late, as on a busy node, and
there is no longpoll, whose answer would be made in the very instant of the tip. ZMQ tells of it.

    python -m bench.node      prints {"url", "zmq"}; a line on stdin moves the tip and is answered
                              with {"prevhash", "at"}; the end of stdin ends it
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import zmq

import hashing
from stratum.bitcoin.block import assemble_block
from stratum.bitcoin.coinbase import build_coinbase
from stratum.bitcoin.header import Header
from stratum.bitcoin.merkle import merkle_root
from stratum.bitcoin.networks import REGTEST, subsidy
from stratum.bitcoin.target import display
from stratum.bitcoin.template import witness_commitment
from stratum.bitcoin.transaction import Output
from stratum.node.devnet import DevNode
from stratum.node.devnet_chain import DevChain
from stratum.node.devnet_mempool import DevMempool

#: Difficulty 2^24: of 10^9 shares none is a block, with 99.999999 % probability.
HARD_NBITS = 0x1A00FFFF

#: A branch of 12, as `share_check` has it.
TRANSACTIONS = 2_500

TEMPLATE_PAUSE_S = 0.5

#: Blocks that are there from the start, ten minutes apart: the median of eleven then lies in the
#: past, as on any chain, and a job's ntime need not run ahead of the rigs' clocks.
_HISTORY = 12
_SPACING_S = 600

_OP_TRUE = b"\x51"
_VERSION = 0x20000000


class LoadNode(DevNode):
    """A DevNode whose tip moves when it is told to."""

    def __init__(self) -> None:
        mempool = DevMempool(rate_per_s=0.0, most_waiting=TRANSACTIONS)
        mempool.add(TRANSACTIONS)
        super().__init__(DevChain(mempool.known, HARD_NBITS, needs_work=False), mempool)
        self._moved_at = 0.0
        self._context = zmq.Context()
        self._publisher = self._context.socket(zmq.PUB)
        port = self._publisher.bind_to_random_port("tcp://127.0.0.1")
        self.zmq_hashblock = f"tcp://127.0.0.1:{port}"
        self._published = 0
        now = time.time()
        for age in range(_HISTORY, 0, -1):
            self._extend(int(now) - age * _SPACING_S, now)

    async def stop(self) -> None:
        await super().stop()
        self._publisher.close(linger=0)
        self._context.term()

    async def answer(self, method: str, params: list[Any]) -> Any:
        if method != "getblocktemplate":
            return await super().answer(method, params)
        await asyncio.sleep(self._moved_at + TEMPLATE_PAUSE_S - time.monotonic())
        reply = await super().answer(method, params)
        if isinstance(reply, dict):
            del reply["longpollid"]
        return reply

    def move_tip(self) -> tuple[bytes, float]:
        """Add an empty block; its hash, and the Unix time at which it became the tip."""
        moved = time.time()
        self._moved_at = time.monotonic()
        self._extend(int(moved), moved)
        self._published += 1
        block_hash = self.chain.tip.block_hash
        sequence = self._published.to_bytes(4, "little")
        self._publisher.send_multipart([b"hashblock", block_hash[::-1], sequence])
        return block_hash, moved

    def _extend(self, ntime: int, now: float) -> None:
        refusal = self.chain.submit(self._empty_block(ntime), now)
        assert refusal is None, refusal

    def _empty_block(self, ntime: int) -> bytes:
        tip = self.chain.tip
        height = tip.height + 1
        outputs = [Output(subsidy(height, REGTEST.halving_interval), _OP_TRUE)]
        coinbase = build_coinbase(height, b"/load/", 8, outputs, witness_commitment([]))
        extranonce = height.to_bytes(8, "big")
        root = merkle_root([hashing.sha256d(coinbase.stripped(extranonce))])
        ntime = max(ntime, tip.mediantime + 1)
        header = Header(_VERSION, tip.block_hash, root, ntime, self.chain.nbits, 0)
        return assemble_block(header.serialize(), coinbase.serialize(extranonce), ())


async def _main() -> None:
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with LoadNode() as node:
        _say({"url": node.url, "zmq": node.zmq_hashblock})
        while await lines.readline():
            block_hash, moved = node.move_tip()
            _say({"prevhash": display(block_hash), "at": moved})


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
