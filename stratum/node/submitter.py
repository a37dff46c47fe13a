"""See a found block through: to disk and to every node at once, then until it is mature.

    FOUND ──────▶ ACCEPTED ──▶ (100 confirmations: file removed)
      │              │  ▲
      │              ▼  │ reorganisation
      ├─────────▶ ORPHANED ──▶ LOST      (another block 100 deep in its place)
      └─────────▶ REJECTED               (a rule; every node that could be asked says so)

A block is worth more than everything else a pool does in a day, so nothing here gives up early:
an answer that is not a plain refusal is asked for again, a node that was away is asked when it is
back, a restart begins where the last run stopped. A block counts as accepted when it is in a
node's active chain, not when submitblock said so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from typing import Any, Protocol

from stratum.bitcoin.networks import MATURITY
from stratum.bitcoin.target import display
from stratum.errors import NodeError
from stratum.events import BlockFate, BlockFateChanged, BlockFound, Emit
from stratum.node.blocks import Answer, Place, Standing, SubmitResult
from stratum.node.faults import FaultLog
from stratum.node.spool import Spool, SpooledBlock, Stage

logger = logging.getLogger(__name__)

#: Between rounds of submission, one after the other; the last repeats. The first is short: a
#: node that lacks our block's parent usually gets it within a second.
BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)

#: Refused by all nodes that answer while another is away: how long that one is waited for.
GRACE_S = 30.0

#: A followed block is looked at when the tip changes, and so often anyway.
FOLLOW_S = 60.0

_FATES = {
    Stage.ACCEPTED: BlockFate.ACCEPTED,
    Stage.ORPHANED: BlockFate.ORPHANED,
    Stage.REJECTED: BlockFate.REJECTED,
    Stage.LOST: BlockFate.ORPHANED,
}


class BlockNodes(Protocol):
    """What a submitter needs of the nodes; `Nodes` has it."""

    async def submit(
        self, block: bytes, report: Callable[[SubmitResult], None] = ...
    ) -> tuple[SubmitResult, ...]: ...

    async def standing(
        self, block_hash: bytes, height: int, node: str | None = None
    ) -> Standing: ...

    async def next_tip(self) -> None: ...


class Submitter:
    """Blocks that were found and are not settled yet."""

    def __init__(self, directory: Path, nodes: BlockNodes, emit: Emit) -> None:
        """`directory` is the spool. Raises OSError where it can't be used."""
        self._spool = Spool(directory)
        self._nodes = nodes
        self._emit = emit
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[Any]] = set()

    @property
    def unsettled(self) -> int:
        """Blocks being submitted or followed."""
        return len(self._tasks)

    def found(self, block: BlockFound) -> None:
        """Write the block to the spool and start to submit it; call it in the event loop.

        When it returns, a kill of this process no longer loses the block. A disk that refuses
        stops nothing: the block is then submitted from memory.
        """
        if block.block_hash in self._tasks:
            return
        spooled = SpooledBlock(block.block_hash, block.height, Stage.FOUND)
        try:
            self._spool.write(spooled, block.block)
        except OSError as exc:
            logger.error(
                "block %s is not on disk (%s); it is submitted from memory",
                display(block.block_hash),
                exc,
            )
        else:
            self._beside(self._sync(spooled))
        self._start(spooled, block.block)

    async def run(self) -> None:
        """Take up what the last run left, and work until cancelled."""
        for block in await asyncio.to_thread(lambda: list(self._spool.blocks())):
            if not block.stage.is_final and block.block_hash not in self._tasks:
                logger.info("block %s from the spool: %s", display(block.block_hash), block.stage)
                self._start(block, None)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await _cancelled([*self._tasks.values(), *self._background])

    def _start(self, block: SpooledBlock, data: bytes | None) -> None:
        task = asyncio.get_running_loop().create_task(self._settle(block, data))
        self._tasks[block.block_hash] = task
        task.add_done_callback(lambda _: self._tasks.pop(block.block_hash, None))

    async def _sync(self, block: SpooledBlock) -> None:
        try:
            await asyncio.to_thread(self._spool.sync, block)
        except OSError as exc:
            logger.error("the spool can't be synced to disk: %s", exc)

    async def _settle(self, block: SpooledBlock, data: bytes | None) -> None:
        """Walk one block through its stages until a final one."""
        try:
            if block.stage is Stage.FOUND:
                block = await self._submit(block, data)
            del data  # up to 4 MB, not needed for the hundred blocks to come
            if not block.stage.is_final:
                await self._follow(block)
        except OSError as exc:
            logger.error("block %s: the spool fails: %s", display(block.block_hash), exc)
        except Exception:
            # Ours to mend, but not at the price of the block: the next start takes it up again.
            logger.exception("block %s is left in the spool", display(block.block_hash))

    async def _submit(self, block: SpooledBlock, data: bytes | None) -> SpooledBlock:
        """Offer a block round after round until its stage is another than FOUND."""
        data = data if data is not None else self._spool.read(block)
        name = f"block {display(block.block_hash)}"
        log = FaultLog(logger, name)
        clock = asyncio.get_running_loop().time
        refused_at: float | None = None
        for pause_s in chain(BACK_OFF_S, repeat(BACK_OFF_S[-1])):
            said = await self._round(data)
            moved = await self._decide(block, said)
            if moved is not None:
                return moved

            text = _in_words(said)
            answers = {result.answer for result in said}
            if answers == {Answer.REFUSED, Answer.UNREACHED}:
                refused_at = refused_at if refused_at is not None else clock()
                if clock() - refused_at >= GRACE_S:
                    return self._change(block, Stage.REJECTED, text)
            else:
                refused_at = None
            log.fault(f"{name} is at no node yet: {text}", clock())
            await asyncio.sleep(pause_s)
        raise AssertionError("repeat() has no end")

    async def _round(self, data: bytes) -> tuple[SubmitResult, ...]:
        """Offer a block to every node; the answers, as far as they came before the first yes.

        The nodes that have not answered by then get the block all the same.
        """
        said: list[SubmitResult] = []
        enough = asyncio.Event()

        def hear(result: SubmitResult) -> None:
            said.append(result)
            if result.answer is Answer.TAKEN:
                enough.set()

        offering = self._beside(self._nodes.submit(data, hear))
        offering.add_done_callback(lambda _: enough.set())
        await enough.wait()
        return tuple(said)

    async def _decide(
        self, block: SpooledBlock, said: tuple[SubmitResult, ...]
    ) -> SpooledBlock | None:
        """The block's next stage after a round; None where it is still open."""
        if said and all(result.answer is Answer.REFUSED for result in said):
            return self._change(block, Stage.REJECTED, _in_words(said))
        taker = next((one.node for one in said if one.answer is Answer.TAKEN), None)
        if taker is None and not any(one.answer is Answer.UNDECIDED for one in said):
            return None

        try:
            standing = await self._nodes.standing(block.block_hash, block.height, taker)
        except NodeError:
            # It said yes and was gone: believed, and looked at again when it is followed.
            return self._change(block, Stage.ACCEPTED, _in_words(said)) if taker else None
        if standing.place is Place.ACTIVE:
            return self._change(block, Stage.ACCEPTED, _in_words(said))
        if standing.place is Place.BESIDE:
            return self._change(block, Stage.ORPHANED, "another block has its height")
        if standing.depth > MATURITY:
            return self._change(block, Stage.LOST, "its parent is in no node's chain")
        return None

    async def _follow(self, block: SpooledBlock) -> None:
        """Look at a block whenever the tip changes, until it is mature or lost."""
        while True:
            changing = asyncio.create_task(self._nodes.next_tip())
            try:
                try:
                    looked = await self._look(block)
                except NodeError:
                    looked = block  # nobody to ask: what we know stays
                if looked is None or looked.stage.is_final:
                    return
                block = looked
                await asyncio.wait({changing}, timeout=FOLLOW_S)
            finally:
                changing.cancel()

    async def _look(self, block: SpooledBlock) -> SpooledBlock | None:
        """Compare a block with the chain; None when there is nothing left to follow."""
        standing = await self._nodes.standing(block.block_hash, block.height)
        if standing.place is Place.ACTIVE:
            if standing.depth >= MATURITY:
                logger.info("block %s is mature", display(block.block_hash))
                self._spool.remove(block)
                return None
            if block.stage is not Stage.ACCEPTED:
                return self._change(block, Stage.ACCEPTED, "a reorganisation brought it back")
            return block

        if standing.depth > MATURITY:
            return self._change(block, Stage.LOST, "another chain is 100 blocks longer")
        if standing.place is Place.UNKNOWN:
            await self._round(self._spool.read(block))  # a node that was away when it was found
        elif block.stage is not Stage.ORPHANED:
            return self._change(block, Stage.ORPHANED, "a reorganisation left it behind")
        return block

    def _change(self, block: SpooledBlock, stage: Stage, reason: str) -> SpooledBlock:
        """Tell and record a stage. Told first: twice after a crash is better than never."""
        fate = _FATES[stage]
        if fate is not _FATES.get(block.stage):
            level = logging.INFO if fate is BlockFate.ACCEPTED else logging.ERROR
            logger.log(
                level,
                "block %s at height %d is %s: %s",
                display(block.block_hash),
                block.height,
                fate,
                reason,
            )
            self._emit(BlockFateChanged(block.block_hash, block.height, fate, reason))
        try:
            return self._spool.move(block, stage)
        except FileNotFoundError:
            return replace(block, stage=stage)  # the disk refused it when it was found

    def _beside(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something that nobody waits for, but that ends with this submitter."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task


def _in_words(said: Iterable[SubmitResult]) -> str:
    return "; ".join(f"{one.node}: {one.reason}" for one in said) or "no node is being watched"


async def _cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    pending = list(tasks)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
