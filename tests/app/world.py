"""A whole pool in this process: a real PoolService on a devnet node, rigs on real sockets.

Only the clock may be the test's, and then only tests move it: `world.later(120)`. Blocks are
2^16 hashes and shares 16, so that a share is hardly ever a block and both take no time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import hashing
from stratum.app.service import PoolService
from stratum.bitcoin.networks import REGTEST
from stratum.bitcoin.target import hash_to_int, nbits_from_target, target_from_nbits
from stratum.bitcoin.template import Template
from stratum.config import PoolConfig
from stratum.events import ActiveNodeChanged
from stratum.mining.settings import LimitSettings, PayoutSettings, TierSettings
from stratum.node.settings import NodeSettings
from stratum.observability.settings import HttpSettings
from stratum.protocol.messages import swap_words
from tests.e2e.programs import ADDRESS
from tests.e2e.rig import Rig, Solution
from tests.node.world import Listener, OddNode

#: Bounds a hang; no measurement.
PATIENCE_S = 30.0

BLOCK_NBITS = nbits_from_target(2**240)

TIER = TierSettings("127.0.0.1", 0, difficulty=2**-28, min_difficulty=2**-32, vardiff=False)


def a_node() -> OddNode:
    """A devnet node with the blocks of this world, answering as usual until a test says else."""
    return OddNode(nbits=BLOCK_NBITS)


class Clock:
    """The time, as a number that stands still."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class HandRig(Rig):
    """A rig that also makes shares, waits for the end, and may name its firmware."""

    async def begin(self, session_id: str = "", agent: str = "byhand/1") -> Self:
        """Subscribe and authorize; a job may come or not."""
        answer = await self.call("mining.subscribe", [agent, session_id])
        self.session_id = answer["result"][0][0][1]
        self.extranonce1 = bytes.fromhex(answer["result"][1])
        assert (await self.call("mining.authorize", [self.user, "x"]))["result"] is True
        return self

    async def ready(self, session_id: str = "", agent: str = "byhand/1") -> Self:
        """Begin, and wait for the first job."""
        await self.begin(session_id, agent)
        if not self.job:
            await self.next_job()
        return self

    async def sync(self) -> None:
        """Whatever the pool wrote before now has been read when this returns."""
        await self.call("mining.extranonce.subscribe", [])

    async def ended(self) -> None:
        """Read until the pool ends the connection."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                while True:
                    await self._read()
            except ConnectionError:
                return

    async def submit(self, solution: Solution) -> dict[str, Any]:
        return await self.call("mining.submit", solution.params)

    @property
    def jobs(self) -> list[list[Any]]:
        """The parameters of every notify so far."""
        return [one["params"] for one in self.notifications if one["method"] == "mining.notify"]

    @property
    def messages(self) -> list[str]:
        return [
            one["params"][0] for one in self.notifications if one["method"] == "client.show_message"
        ]

    @property
    def target(self) -> int:
        """Of the difficulty told last."""
        told = [one for one in self.notifications if one["method"] == "mining.set_difficulty"]
        return REGTEST.scale.target(int(told[-1]["params"][0] * 2**REGTEST.scale.shift))

    def share(self, nth: int = 0, version_bits: int = 0) -> Solution:
        """Find a share on the present job that is no block, not submitting it."""
        job_id, prevhash, coinb1, coinb2, branch, version, nbits, ntime, _ = self.job
        extranonce2 = nth.to_bytes(8, "big")
        coinbase = bytes.fromhex(coinb1) + self.extranonce1 + extranonce2 + bytes.fromhex(coinb2)
        root = hashing.merkle_fold(hashing.sha256d(coinbase), [bytes.fromhex(b) for b in branch])
        start = (
            (int(version, 16) | version_bits).to_bytes(4, "little")
            + swap_words(bytes.fromhex(prevhash))
            + root
            + bytes.fromhex(ntime)[::-1]
            + bytes.fromhex(nbits)[::-1]
        )
        first = 0
        while True:
            nonce = hashing.search_nonce(start + bytes(4), self.target, first, 1 << 20)
            assert nonce is not None
            block_hash = hashing.header_hash(start + nonce.to_bytes(4, "little"))
            if hash_to_int(block_hash) > target_from_nbits(int(nbits, 16)):
                break
            first = nonce + 1
        params = [self.user, job_id, extranonce2.hex(), ntime, f"{nonce:08x}"]
        return Solution(params + [f"{version_bits:08x}"] * bool(version_bits), block_hash)


class World:
    """One run of a pool. Enter it: it serves and, unless told otherwise, has work."""

    def __init__(
        self,
        data_dir: Path,
        *nodes: NodeSettings,
        clock: Callable[[], float] | None = None,
        waits_for_work: bool = True,
        **changes: Any,
    ) -> None:
        """`changes` are fields of the PoolConfig."""
        config = PoolConfig(
            network=REGTEST,
            data_dir=data_dir,
            nodes=nodes,
            payout=PayoutSettings("solo", ADDRESS),
            listen=(TIER,),
            limits=LimitSettings(0, 0, 0),
            http=HttpSettings("127.0.0.1", 0),
        )
        self.config = replace(config, **changes)
        self.data_dir = data_dir
        self.listener = Listener()
        self.clock = clock
        self._waits_for_work = waits_for_work
        self._rigs = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.service = PoolService(self.config, on_event=self.listener.emit, clock=self.clock)
        started = asyncio.Event()
        self.running = asyncio.create_task(self.service.run(started.set))
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait((self.running, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._waits_for_work and not self.running.done():
            await self.listener.until(lambda: self.service.view.not_ready() is None)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._rigs.aclose()
        self.service.stop()
        await asyncio.wait({self.running}, timeout=PATIENCE_S)
        if error is None:
            assert self.running.done(), "the pool does not stop"

    async def stop(self) -> int:
        """As a signal does; the exit code."""
        self.service.stop()
        async with asyncio.timeout(PATIENCE_S):
            return await self.running

    # -- rigs ------------------------------------------------------------------------------

    async def connect(self, user: str = "farm.byhand", tier: int = 0) -> HandRig:
        """A rig that has said nothing yet; it leaves with the world."""
        rig = HandRig(self.service.server.ports[tier], user)
        await self._rigs.enter_async_context(rig)
        return rig

    async def rig(
        self, user: str = "farm.byhand", *, tier: int = 0, agent: str = "byhand/1"
    ) -> HandRig:
        """A rig with a job."""
        return await (await self.connect(user, tier)).ready(agent=agent)

    async def is_refused(self) -> bool:
        """Whether a rig that comes now is turned away."""
        rig = await self.connect()
        try:
            await rig.begin()
        except ConnectionError:
            return True
        return False

    # -- time ------------------------------------------------------------------------------

    def later(self, seconds: float) -> None:
        """So much time passes, and both timers look at the clock."""
        assert isinstance(self.clock, Clock)
        self.clock.now += seconds
        self.service._tick(self.clock.now)
        self.service.server.tick()

    # -- nodes -----------------------------------------------------------------------------

    async def until_work_from(self, node: str | None) -> None:
        """Wait until templates come from this node; None: from nowhere."""

        def seen() -> bool:
            changes = [one for one in self.listener.events if isinstance(one, ActiveNodeChanged)]
            return bool(changes) and changes[-1].node == node

        await self.listener.until(seen)

    @property
    def template(self) -> Template:
        """Of the newest job."""
        job = self.service._pool.current
        assert job is not None
        return job.work.template

    def sample(self, name: str) -> float:
        """A metric's value now."""
        value = self.service._metrics.registry.get_sample_value(name)
        assert value is not None, name
        return value

    def spooled(self) -> list[str]:
        """Suffixes of the blocks in the spool."""
        names = (path.name for path in (self.data_dir / "spool").iterdir())
        return sorted(name.partition(".")[2] for name in names if "-" in name)


@asynccontextmanager
async def a_pool(data_dir: Path, **options: Any) -> AsyncIterator[tuple[World, OddNode]]:
    """The usual world: one node, one pool on it."""
    async with a_node() as node, World(data_dir, node.settings, **options) as world:
        yield world, node
