"""`baseload demo`: the whole of it on one machine, in one process, in one command.

An embedded devnet node with transactions and a rival who also finds blocks, the pool exactly as
`baseload pool` runs it, and virtual rigs that really hash. Only the devnet's difficulty is chosen:
such that the rigs find a block about every six seconds.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from stratum import __version__
from stratum.app.books import run_books
from stratum.app.loop import run
from stratum.app.service import PoolService
from stratum.bitcoin.networks import REGTEST
from stratum.bitcoin.target import nbits_from_target
from stratum.config import PoolConfig
from stratum.config.values import Endpoint
from stratum.events import BlockFate, BlockFateChanged, Event
from stratum.mining.settings import PayoutSettings, TierSettings
from stratum.net.upstream import dialer
from stratum.node.devnet import DevNode
from stratum.observability.settings import HttpSettings
from stratum.protocol.upstream import UpstreamSettings
from stratum.rigs.virtual import VirtualRig
from stratum.units import show_hashrate

logger = logging.getLogger(__name__)

#: Slow and fast ones: vardiff must give each its own pace. H/s.
RIG_RATES = (20_000.0, 60_000.0, 180_000.0)

#: A newcomer waits for the first one: it is later than a minute once in twenty thousand runs.
SECONDS_PER_BLOCK = 6.0
RIVAL_PAUSE = 45.0
SUMMARY_INTERVAL = 10.0

#: P2WSH of a script that is only OP_TRUE: nobody's money, on a chain that nobody keeps.
ADDRESS = "bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85"


def demo(rigs: int, listen: Endpoint, http: Endpoint, data_dir: Path) -> int:
    """Run until a signal. Each run has a data_dir of its own: its chain ends with it."""
    return run(_demo(rigs, listen, http, data_dir / time.strftime("%Y%m%d-%H%M%S")))


async def _demo(rigs: int, listen: Endpoint, http: Endpoint, data_dir: Path) -> int:
    rates = list(islice(cycle(RIG_RATES), rigs))
    async with DevNode(nbits=_nbits(sum(rates)), competitor_s=RIVAL_PAUSE) as node:
        config = PoolConfig(
            network=REGTEST,
            data_dir=data_dir,
            nodes=(node.settings,),
            payout=PayoutSettings("solo", ADDRESS),
            # Low enough for the slowest rig; vardiff finds the rest.
            listen=(TierSettings(listen.host, listen.port, 2**-16, 2**-24),),
            http=HttpSettings(http.host, http.port),
        )
        service = PoolService(config, on_event=_tell)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, service.stop)
        return await _run(config, service, rates)


def _nbits(hashrate: float) -> int:
    return nbits_from_target(int(2**256 / (hashrate * SECONDS_PER_BLOCK)))


async def _run(config: PoolConfig, service: PoolService, rates: list[float]) -> int:
    ready = asyncio.Event()
    serving = asyncio.create_task(service.run(ready.set))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()

    others: list[asyncio.Task[object]] = []
    if not serving.done():
        _announce(config, service)
        rigs = _rigs(config.listen[0].host, service.server.ports[0], rates)
        others = [asyncio.create_task(rig.run()) for rig in rigs]
        others.append(asyncio.create_task(run_books(config, asyncio.Event())))
        others.append(asyncio.create_task(_summarize(service)))
    try:
        return await serving
    finally:
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def _rigs(host: str, port: int, rates: list[float]) -> Iterator[VirtualRig]:
    dial = dialer(f"stratum+tcp://{Endpoint(_reachable(host), port)}")
    for number, rate in enumerate(rates, 1):
        name = f"demo.rig{number}"
        settings = UpstreamSettings(name, "x", f"baseload-rig/{__version__}")
        yield VirtualRig(name, rate, settings, dial)


def _announce(config: PoolConfig, service: PoolService) -> None:
    stratum = Endpoint(_reachable(config.listen[0].host), service.server.ports[0])
    page = Endpoint(_reachable(config.http.host), service.http_port)
    logger.info("rigs of your own: stratum+tcp://%s -u any.name", stratum)
    logger.info("look at http://%s/ ; Ctrl-C ends the demo", page)


def _reachable(host: str) -> str:
    """Where to dial what listens on `host`."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _tell(event: Event) -> None:
    if isinstance(event, BlockFateChanged) and event.fate is BlockFate.ACCEPTED:
        logger.info("block %s accepted by the devnet node", event.height)


async def _summarize(service: PoolService) -> None:
    while True:
        await asyncio.sleep(SUMMARY_INTERVAL)
        live, figures = service.view.live(), service.view.figures()
        blocks = sum(block.fate == BlockFate.ACCEPTED for block in live.blocks)
        logger.info(
            "%s rigs, %s, %s shares accepted, %s blocks accepted, working on height %s",
            live.rigs,
            show_hashrate(figures.hashrate),
            live.shares["accepted"],
            blocks,
            live.job.height if live.job else "?",
        )
