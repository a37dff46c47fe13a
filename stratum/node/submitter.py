"""See a found block through: to disk and to every node at once, then until it is mature.

    FOUND ──────▶ ACCEPTED ──▶ (100 confirmations: file removed)
      │              │  ▲
      │              ▼  │ reorganisation
      ├─────────▶ ORPHANED ──▶ LOST      (another block 100 deep in its place)
      └─────────▶ REJECTED               (a rule: every configured node says so, or a node that
                                          says so is 100 blocks past its height)

A block is worth more than everything else a pool does in a day, so nothing here gives up early:
it is offered to each node until one has it (`offers.py`), a node that is away is waited for, with
an alarm and without a limit, a restart begins where the last run stopped. A block counts as
accepted when it is in a node's active chain, not when submitblock said so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from stratum.bitcoin.networks import MATURITY
from stratum.bitcoin.target import display
from stratum.errors import NodeError
from stratum.events import BlockFate, BlockFateChanged, BlockFound, Emit
from stratum.node.blocks import Answer, Place, Standing, SubmitResult
from stratum.node.faults import FaultLog
from stratum.node.offers import OfferNodes, Offers
from stratum.node.spool import Spool, SpooledBlock, Stage

logger = logging.getLogger(__name__)

#: A block that no node has after this long is an ERROR in the log, not a WARNING any more.
ALARM_S = 30.0

#: How often a spare is tried again that found no room on the disk.
SPARE_S = 10.0

#: A followed block is looked at when the tip changes, and so often anyway.
FOLLOW_S = 60.0

_FATES = {
    Stage.ACCEPTED: BlockFate.ACCEPTED,
    Stage.ORPHANED: BlockFate.ORPHANED,
    Stage.REJECTED: BlockFate.REJECTED,
    Stage.LOST: BlockFate.ORPHANED,
}


class BlockNodes(OfferNodes, Protocol):
    """What a submitter needs of the nodes; `Nodes` has it."""

    async def submit(self, block: bytes) -> tuple[SubmitResult, ...]: ...

    async def standing(
        self, block_hash: bytes, height: int, node: str | None = None
    ) -> Standing: ...

    async def next_tip(self) -> None: ...


class Submitter:
    """Blocks that were found and are not settled yet."""

    def __init__(self, directory: Path, nodes: BlockNodes, emit: Emit) -> None:
        """`directory` is the spool. Raises ConfigError where it can't be made."""
        self._spool = Spool(directory)
        self._nodes = nodes
        self._emit = emit
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        self._unheard: dict[bytes, asyncio.Event] = {}  # blocks that not every node has judged
        self._spare_taken = asyncio.Event()
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
            descriptor = self._spool.write(spooled, block.block)
        except OSError as exc:
            logger.error(
                "block %s is not on disk (%s); it is submitted from memory",
                display(block.block_hash),
                exc,
            )
        else:
            self._beside(self._sync(descriptor))
        self._spare_taken.set()
        self._start(spooled, block.block)

    async def run(self) -> None:
        """Take up what the last run left, and work until cancelled.

        Cancelling stops all offers; what was not accepted stays in the spool. Call `drain` first.
        """
        try:
            try:
                await self._take_up()
            except OSError as exc:
                logger.error("the spool can't be read, blocks of the last run wait: %s", exc)
            await self._keep_spare()
        finally:
            await _cancelled([*self._tasks.values(), *self._background])

    async def drain(self, limit_s: float) -> None:
        """Wait until each found block is at a node, or every node has said why it is not.

        At most `limit_s`, for the sake of a node that hangs. Before the nodes are stopped.
        """
        try:
            async with asyncio.timeout(limit_s):
                while waited := next(iter(self._unheard.values()), None):
                    await waited.wait()
        except TimeoutError:
            logger.warning("%d found blocks were not heard out", len(self._unheard))

    async def _take_up(self) -> None:
        spooled = self._spool.blocks(in_work=self._tasks)
        # One after the other: the first is on its way before the last was read and checked.
        while (block := await asyncio.to_thread(next, spooled, None)) is not None:
            if not block.stage.is_final and block.block_hash not in self._tasks:
                logger.info("block %s from the spool: %s", display(block.block_hash), block.stage)
                self._start(block, None)

    async def _keep_spare(self) -> None:
        """Keep room for the next block; what a full disk refused is asked for again, for ever."""
        log = FaultLog(logger, "keeping room for the next block")
        clock = asyncio.get_running_loop().time
        while True:
            self._spare_taken.clear()
            try:
                await asyncio.to_thread(self._spool.make_spare)
                log.clear()
            except OSError as exc:
                log.fault(f"no room can be kept for the next block that is found: {exc}", clock())
            try:
                async with asyncio.timeout(None if self._spool.has_spare else SPARE_S):
                    await self._spare_taken.wait()
            except TimeoutError:
                pass

    def _start(self, block: SpooledBlock, data: bytes | None) -> None:
        if block.stage is Stage.FOUND:
            self._unheard[block.block_hash] = asyncio.Event()
        task = asyncio.get_running_loop().create_task(self._settle(block, data))
        self._tasks[block.block_hash] = task
        task.add_done_callback(lambda _: self._forget(block.block_hash))

    def _forget(self, block_hash: bytes) -> None:
        self._tasks.pop(block_hash, None)
        self._heard_out(block_hash)

    def _heard_out(self, block_hash: bytes) -> None:
        waited = self._unheard.pop(block_hash, None)
        if waited is not None:
            waited.set()

    async def _sync(self, descriptor: int) -> None:
        try:
            await asyncio.to_thread(self._spool.sync, descriptor)
        except OSError as exc:
            logger.error("a found block can't be synced to disk: %s", exc)

    async def _settle(self, block: SpooledBlock, data: bytes | None) -> None:
        """Walk one block through its stages until a final one."""
        try:
            if block.stage is Stage.FOUND:
                data = data if data is not None else self._spool.read(block)
                block = await self._submit(block, data)
                self._heard_out(block.block_hash)
            if self._spool.holds(block):
                data = None  # up to 4 MB, not needed for the hundred blocks to come
            if not block.stage.is_final:
                await self._follow(block, data)
        except OSError as exc:
            logger.error("block %s: the spool fails: %s", display(block.block_hash), exc)
        except Exception:
            # Ours to mend, but not at the price of the block: the next start takes it up again.
            logger.exception("block %s is left in the spool", display(block.block_hash))

    async def _submit(self, block: SpooledBlock, data: bytes) -> SpooledBlock:
        """Offer a block to every node until its stage is another than FOUND."""
        log = FaultLog(logger, f"block {display(block.block_hash)}")
        clock = asyncio.get_running_loop().time
        began = clock()
        offers = Offers(self._nodes, data)
        self._beside(offers.run())
        try:
            while True:
                moved = await self._decide(block, await offers.next(), offers)
                if moved is not None:
                    return moved
                if offers.all_heard:
                    self._heard_out(block.block_hash)
                    _complain(log, block, offers, clock(), began)
        finally:
            offers.end()

    async def _decide(
        self, block: SpooledBlock, heard: SubmitResult, offers: Offers
    ) -> SpooledBlock | None:
        """The block's next stage after an answer; None where it is still open."""
        if offers.all_refused:
            return self._change(block, Stage.REJECTED, _in_words(offers))
        if heard.answer is Answer.UNREACHED:
            return None

        is_taken = heard.answer is Answer.TAKEN
        try:
            standing = await self._nodes.standing(block.block_hash, block.height, heard.node)
        except NodeError:
            # It said yes and was gone: believed, and looked at again when it is followed.
            return self._change(block, Stage.ACCEPTED, _in_words(offers)) if is_taken else None
        if standing.place is Place.ACTIVE:
            return self._change(block, Stage.ACCEPTED, _in_words(offers))
        if heard.answer is Answer.REFUSED:
            # Core knows the header of what it refused: its place says nothing, its depth does.
            buried = standing.depth > MATURITY
            return self._change(block, Stage.REJECTED, _in_words(offers)) if buried else None
        if standing.place is Place.BESIDE:
            return self._change(block, Stage.ORPHANED, "another block has its height")
        if standing.depth > MATURITY:
            return self._change(block, Stage.LOST, "its parent is in no node's chain")
        return None

    async def _follow(self, block: SpooledBlock, data: bytes | None) -> None:
        """Look at a block whenever the tip changes, until it is mature or lost."""
        while True:
            changing = asyncio.create_task(self._nodes.next_tip())
            try:
                try:
                    looked = await self._look(block, data)
                except NodeError:
                    looked = block  # nobody to ask: what we know stays
                if looked is None or looked.stage.is_final:
                    return
                block = looked
                await asyncio.wait({changing}, timeout=FOLLOW_S)
            finally:
                changing.cancel()

    async def _look(self, block: SpooledBlock, data: bytes | None) -> SpooledBlock | None:
        """Compare a block with the chain; None when there is nothing left to follow.

        `data` is given where the disk has none of it.
        """
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
            # To a node that was away when it was found; a node that hangs is not waited for.
            self._beside(self._nodes.submit(data or self._spool.read(block)))
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


def _complain(log: FaultLog, block: SpooledBlock, offers: Offers, now: float, began: float) -> None:
    name = f"block {display(block.block_hash)}"
    if now - began < ALARM_S:
        log.fault(f"{name} is at no node yet: {_in_words(offers)}", now)
        return
    text = f"{name} is at no node after {ALARM_S:g} s and offered on: {_in_words(offers)}"
    log.fault(text, now, logging.ERROR)


def _in_words(offers: Offers) -> str:
    return "; ".join(f"{one.node}: {one.reason}" for one in offers.said.values())


async def _cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    pending = list(tasks)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
