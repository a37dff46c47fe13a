"""A hundred times `kill -9` under load, then a full disk under load: is any promise broken?

The rounds: rigs submit some 2,000 shares a second and remember each answer. At a random moment
the pool dies: all of it at once, or the process that answers shares alone, or all of it while it
starts. It is started again on the same data_dir, and the rigs go on. At the end each share that
was answered true is in the log exactly once and none other is, the log has no gap, and the
database equals a recount.

The disk: data_dir is a small filesystem of its own, which is filled while rigs submit as fast as
they can. Once the segments at hand are full, shares must be refused as `storage full`; blocks
must go out all the same; a pool that is killed then must come back; and when there is room again
shares must be accepted again. Mounting needs root.

    python -m bench.crash --rounds 100
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from bench.evidence import book_faults, log_faults, records_booked
from bench.pool import PINNED, Pool
from bench.servers import scratch
from bench.witness import Memory, Pace, RecordingRig
from stratum.app.loop import run
from stratum.bitcoin.target import nbits_from_target
from stratum.ledger.errors import LogDamaged
from stratum.ledger.log import Log
from stratum.node.devnet import DevNode

#: One share in so many is a block: one every four seconds.
NBITS = nbits_from_target(2**256 >> 13)

#: Before the disk is full none is: a job that can't be written down would end it too soon.
NO_BLOCK_NBITS = 0x1A00FFFF

RIGS = 50
SHARES_PER_SECOND = 2_000

#: Shares that a rig sends at once at most; half of it on average.
BURST = 8
PAUSE = RIGS * (BURST + 1) / 2 / SHARES_PER_SECOND

#: While the disk is filled.
FLOOD = 64

#: What there is for data_dir: room for a small segment, a whole one, and not for another.
DISK = 64 << 20

#: Slots of the segment that fills while the disk is full.
FIRST_SEGMENT = 1 << 15

_LONGEST_LIFE_S = 2.0
_PATIENCE_S = 120.0
_LOOK_S = 0.1


class CantMount(Exception):
    """No small filesystem is to be had here."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A pool on a devnet node, and what its rigs remember."""

    node: DevNode
    pool: Pool
    memory: Memory


@contextlib.asynccontextmanager
async def scene(home: Path, data_dir: Path, nbits: int) -> AsyncIterator[Scene]:
    async with DevNode(nbits=nbits) as node:
        pool = Pool(home, node.settings, PINNED, data_dir=data_dir)
        await asyncio.to_thread(pool.start)
        try:
            yield Scene(node, pool, Memory())
        finally:
            if pool.is_running:
                await asyncio.to_thread(pool.kill)


@contextlib.asynccontextmanager
async def rigs(at: Scene, pace: Pace, seed: int) -> AsyncIterator[None]:
    """All of them at work, until the end of the block."""
    working = [
        asyncio.create_task(
            RecordingRig(f"crash.rig{number}", at.pool.port, at.memory, pace, seed + number).run()
        )
        for number in range(RIGS)
    ]
    try:
        yield
    finally:
        for task in working:
            task.cancel()
        outcomes = await asyncio.gather(*working, return_exceptions=True)
        for outcome in outcomes:
            if not isinstance(outcome, asyncio.CancelledError):
                raise RuntimeError("a rig failed") from outcome


# -- the rounds ----------------------------------------------------------------------------


async def crash(rounds: int, seed: int, progress: Progress) -> list[str]:
    """Faults, after so many deaths."""
    rng = random.Random(seed)
    with scratch() as home:
        async with scene(home, home / "data", NBITS) as at:
            async with rigs(at, Pace(BURST, PAUSE), seed):
                for _ in progress.track(range(rounds), description="kill -9"):
                    await _die(at.pool, rng)
                await _until(_more_accepted(at.memory), "an accepted share after the last death")
            return await _closing_faults(at, progress.console)


async def _die(pool: Pool, rng: random.Random) -> None:
    """One death at a moment that nobody chose, and the return."""
    await asyncio.sleep(rng.uniform(0.1, _LONGEST_LIFE_S))
    manner = rng.random()
    if manner < 0.25:
        await asyncio.to_thread(pool.kill_server)
        await _return_by_itself(pool)
        return
    await asyncio.to_thread(pool.kill)
    if manner < 0.5:
        pool.launch()
        await asyncio.sleep(rng.uniform(0.0, 1.0))
        await asyncio.to_thread(pool.kill)
    await asyncio.to_thread(pool.start)


async def _return_by_itself(pool: Pool) -> None:
    """Whoever watches over the server starts it again; where nobody does, we do."""
    await asyncio.sleep(_LOOK_S)
    deadline = time.monotonic() + _PATIENCE_S
    while pool.is_running and time.monotonic() < deadline:
        if await asyncio.to_thread(lambda: pool.is_ready):
            return
        await asyncio.sleep(_LOOK_S)
    if pool.is_running:
        raise RuntimeError(f"the pool did not come back by itself:\n{pool.said[-2000:]}")
    await asyncio.to_thread(pool.start)


async def _closing_faults(at: Scene, console: Console) -> list[str]:
    """Stop it as an operator would, and look at what is left."""
    code = await asyncio.to_thread(at.pool.stop)
    memory = at.memory
    console.print(
        f"{len(memory.accepted):,} shares accepted, {len(memory.refused):,} refused"
        f" {dict(memory.refusals)}, {len(memory.unanswered):,} unanswered;"
        f" said again: {dict(memory.repeated)}; {at.node.chain.tip.height} blocks"
    )
    faults = [f"the pool ended with {code}"] if code else []
    if "Traceback" in at.pool.said:
        faults.append(f"the pool failed:\n{at.pool.said[-2000:]}")
    try:
        faults += log_faults(at.pool.data_dir, memory)
        faults += book_faults(at.pool.data_dir)
        console.print(f"the database has read {records_booked(at.pool.data_dir):,} records")
    except (LogDamaged, sqlite3.Error) as exc:
        faults.append(str(exc))
    if not memory.accepted:
        faults.append("no share was accepted")
    return faults


# -- the disk ------------------------------------------------------------------------------


async def fill_disk(seed: int, console: Console) -> list[str]:
    """Faults, after the disk was full for a while."""
    with scratch() as home, small_disk(DISK) as disk:
        _begin_log(disk / "data")
        async with scene(home, disk / "data", NO_BLOCK_NBITS) as at:
            pace = Pace(BURST, PAUSE)
            async with rigs(at, pace, seed):
                await _until(_more_accepted(at.memory), "an accepted share")
                await _full(at, pace, disk, console)
                console.print("room again")
                await _until(_more_accepted(at.memory), "a share accepted with room again")
                await _blocks_go_out(at)
            return await _closing_faults(at, console)


def _begin_log(data_dir: Path) -> None:
    """A log whose first segment is small, so that it fills in seconds on any machine."""
    data_dir.mkdir()

    def failed(exc: OSError) -> None:
        raise exc

    Log(data_dir, on_failure=failed, room=FIRST_SEGMENT).close()


async def _full(at: Scene, pace: Pace, disk: Path, console: Console) -> None:
    """From the moment there is no room to the moment there is again."""
    ballast = disk / "ballast"
    console.print("filling the disk")
    filling = asyncio.create_task(_keep_full(ballast))
    try:
        pace.burst, pace.pause = FLOOD, 0.0
        await _until(lambda: at.memory.refusals["storage full"] > 1000, "shares refused for room")
        pace.burst, pace.pause = BURST, PAUSE
        console.print(f"full after {len(at.memory.accepted):,} shares; blocks must go out")
        at.node.chain.retarget(NBITS)
        await at.node.mine()
        await _blocks_go_out(at)
        await asyncio.to_thread(at.pool.kill)
        await asyncio.to_thread(at.pool.start)
        console.print("killed and started again on the full disk")
        await _blocks_go_out(at)
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
        ballast.unlink()


async def _blocks_go_out(at: Scene) -> None:
    height = at.node.chain.tip.height
    await _until(lambda: at.node.chain.tip.height >= height + 3, "three blocks")
    if not at.pool.is_running:
        raise RuntimeError(f"the pool died:\n{at.pool.said[-2000:]}")


async def _keep_full(ballast: Path) -> None:
    """Whatever room the pool makes is taken away at once."""
    with ballast.open("ab", buffering=0) as file:
        while True:
            for size in (1 << 20, 4096):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)):
                        pass
            await asyncio.sleep(_LOOK_S)


@contextlib.contextmanager
def small_disk(size: int) -> Iterator[Path]:
    """A filesystem of that size, until the end of the block. Raises CantMount."""
    with tempfile.TemporaryDirectory(prefix="bench-disk-") as place:
        mounting = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place],
            capture_output=True,
            text=True,
        )
        if mounting.returncode:
            raise CantMount(mounting.stderr.strip() or "mount failed")
        try:
            yield Path(place)
        finally:
            subprocess.run(["umount", place], check=True)


# -- waiting -------------------------------------------------------------------------------


def _more_accepted(memory: Memory) -> Callable[[], bool]:
    """Whether shares were accepted since this was asked for."""
    before = len(memory.accepted)
    return lambda: len(memory.accepted) > before


async def _until(holds: Callable[[], bool], what: str) -> None:
    """Another process sets no Event. Raises RuntimeError."""
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not come in {_PATIENCE_S:.0f} s")
        await asyncio.sleep(_LOOK_S)


# -- the command ---------------------------------------------------------------------------


async def _main(rounds: int, seed: int) -> int:
    console = Console(stderr=True)
    console.print(f"seed {seed}")
    faults: list[str] = []
    try:
        with Progress(console=console) as progress:
            faults += await crash(rounds, seed, progress)
        faults += await fill_disk(seed, console)
    except CantMount as exc:
        console.print(f"the full disk is left out, which needs a filesystem of its own: {exc}")
    except RuntimeError as exc:
        faults.append(str(exc))
    for fault in faults:
        console.print(f"FAULT: {fault}", markup=False)
    console.print("no promise was broken" if not faults else f"{len(faults)} faults")
    return 1 if faults else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.crash",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=100, metavar="N", help="deaths [100]")
    parser.add_argument("--quick", action="store_true", help="three deaths [off]")
    parser.add_argument(
        "--seed",
        type=int,
        default=random.SystemRandom().randrange(2**32),
        help="of moments and shares [random]",
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    return run(_main(3 if options.quick else options.rounds, options.seed))


if __name__ == "__main__":
    sys.exit(main())
