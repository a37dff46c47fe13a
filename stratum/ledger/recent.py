"""The last blocks that rigs found and what became of them, as the log tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from stratum.events import BlockFate
from stratum.ledger.database.recall import BlockFact
from stratum.ledger.effects import BlockKept, FateKept


class RecentBlocks:
    """Iterates the newest first."""

    #: What somebody may still want to look at.
    KEPT = 100

    def __init__(self, newest_first: Iterable[BlockFact] = ()) -> None:
        self._blocks = {fact.block_hash: fact for fact in reversed(list(newest_first))}

    def __iter__(self) -> Iterator[BlockFact]:
        return reversed(self._blocks.values())

    def add(self, effect: BlockKept | FateKept) -> None:
        """A fate of a block that is not among the last ones changes nothing."""
        known = self._blocks.get(effect.block_hash)
        if isinstance(effect, FateKept):
            if known is not None:
                self._blocks[effect.block_hash] = replace(
                    known, fate=effect.fate, reason=effect.reason
                )
        elif known is None:
            self._blocks[effect.block_hash] = BlockFact(
                effect.block_hash,
                effect.height,
                effect.worker,
                effect.sats,
                effect.time_us,
                BlockFate.FOUND,
                "",
            )
            if len(self._blocks) > self.KEPT:
                del self._blocks[next(iter(self._blocks))]
