"""Keep a whole pool busy and unlucky for a while, and count what went wrong.

Two devnet nodes on one chain, a pool as `baseload pool` runs it, and virtual rigs that hash. The
nodes stop and come back, rivals win blocks, rigs change speed, leave and return. At the end no
share may have been refused but stale ones, every block must have met a fate, and memory must not
have grown for no reason.

    python -m bench.soak --seconds 900
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from stratum.app.demo import ADDRESS
from stratum.app.loop import run
from stratum.app.service import PoolService
from stratum.bitcoin.networks import REGTEST
from stratum.bitcoin.target import nbits_from_target
from stratum.config import PoolConfig
from stratum.events import Event, RigDisconnected
from stratum.mining.settings import PayoutSettings, TierSettings
from stratum.net.upstream import dialer
from stratum.node.devnet import DevNode
from stratum.observability.settings import HttpSettings
from stratum.protocol.upstream import UpstreamSettings
from stratum.rigs.virtual import VirtualRig

RIGS = 12
RATES = (5_000.0, 400_000.0)
SECONDS_PER_BLOCK = 5.0

#: Stale is the network's doing; nothing else may happen to an honest rig's share.
HARMLESS = {"accepted", "stale"}


@dataclass
class Report:
    """What a soak run saw."""

    seconds: float
    seed: int
    shares: dict[str, int]
    blocks: dict[str, int]
    unsettled: int
    node_failures: int
    rigs_lost: int
    peak_memory_mib: float

    @property
    def faults(self) -> list[str]:
        faults = [
            f"{count} shares {verdict}"
            for verdict, count in self.shares.items()
            if count and verdict not in HARMLESS
        ]
        if not self.shares["accepted"]:
            faults.append("no share was accepted")
        if not self.blocks.get("accepted"):
            faults.append("no block was accepted")
        if self.blocks.get("rejected"):
            faults.append(f"{self.blocks['rejected']} blocks rejected")
        if self.rigs_lost:
            faults.append(f"{self.rigs_lost} connections dropped by the pool")
        return faults


async def soak(seconds: float, seed: int) -> Report:
    rng = random.Random(seed)
    rates = [rng.uniform(*RATES) for _ in range(RIGS)]
    nbits = nbits_from_target(int(2**256 / (sum(rates) * SECONDS_PER_BLOCK)))
    async with DevNode(nbits=nbits, competitor_s=20.0) as first:
        second = DevNode(first.chain, first.mempool, nbits=nbits)
        async with second:
            with tempfile.TemporaryDirectory(prefix="soak-") as home:
                return await _soak(seconds, seed, rng, rates, [first, second], Path(home))


async def _soak(
    seconds: float,
    seed: int,
    rng: random.Random,
    rates: list[float],
    nodes: list[DevNode],
    home: Path,
) -> Report:
    lost: list[RigDisconnected] = []

    def watch(event: Event) -> None:
        if isinstance(event, RigDisconnected):
            lost.append(event)

    service = PoolService(
        PoolConfig(
            network=REGTEST,
            data_dir=home,
            nodes=tuple(node.settings for node in nodes),
            payout=PayoutSettings("solo", ADDRESS),
            listen=(TierSettings("127.0.0.1", 0, 2**-14, 2**-24),),
            http=HttpSettings("127.0.0.1", 0),
        ),
        on_event=watch,
    )
    ready = asyncio.Event()
    serving = asyncio.create_task(service.run(ready.set))
    await ready.wait()
    rigs = [_rig(service, number, rate) for number, rate in enumerate(rates)]
    mining = [asyncio.create_task(rig.run()) for rig in rigs]

    failures = await _misfortunes(seconds, rng, nodes[0], rigs)
    status = service.view.live()
    dropped = len(lost)
    for task in mining:
        task.cancel()
    await asyncio.gather(*mining, return_exceptions=True)
    service.stop()
    await serving

    fates: dict[str, int] = {}
    for block in status.blocks:
        fates[block.fate] = fates.get(block.fate, 0) + 1
    return Report(
        seconds=seconds,
        seed=seed,
        shares=dict(status.shares),
        blocks=fates,
        unsettled=fates.get("found", 0),
        node_failures=failures,
        rigs_lost=dropped,
        peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


async def _misfortunes(
    seconds: float, rng: random.Random, node: DevNode, rigs: list[VirtualRig]
) -> int:
    """Until the time is over: the preferred node fails now and then, rigs change speed."""
    failures = 0
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(left, rng.uniform(2, 6)))
        rng.choice(rigs).set_rate(rng.uniform(*RATES))
        if rng.random() < 0.3 and end - time.monotonic() > 8:
            failures += 1
            await node.stop()
            await asyncio.sleep(rng.uniform(0.5, 4))
            await node.start()
    return failures


def _rig(service: PoolService, number: int, rate: float) -> VirtualRig:
    dial = dialer(f"stratum+tcp://127.0.0.1:{service.server.ports[0]}")
    name = f"soak.rig{number}"
    return VirtualRig(name, rate, UpstreamSettings(name), dial)


async def _main(seconds: float, seed: int, as_json: bool) -> int:
    report = await soak(seconds, seed)
    if as_json:
        print(json.dumps(asdict(report)))
    else:
        for key, value in asdict(report).items():
            print(f"{key:18} {value}")
    for fault in report.faults:
        print(f"FAULT: {fault}", file=sys.stderr)
    return 1 if report.faults else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    return run(_main(options.seconds, options.seed, options.json))


if __name__ == "__main__":
    sys.exit(main())
