"""Shares already seen, so that none is paid twice.

The key is the hash of the header itself: other hex case, another id or another spelling of the
same share can't differ in it, and the extranonce1 and the version bits are in it. Eight bytes of
the hash are kept: two of a block's ten million shares have the same ones once in 400,000 blocks.
What was seen belongs to a previous block, not to a connection: it outlives a reconnect and a
resume, which is when rigs submit again, and a reorg that brings an earlier block back as the tip,
when a rig may find its old work good again. It is never trimmed by age.

One table for all rigs of a block rather than one for each: a new tip costs one, not ten thousand,
and a rig with three shares keeps three keys. A rig that floods takes the room of `MAX_SHARES`
keys, and not that of the others; the gate counts them.

The gate looks shares up in the same tables; they grow between its turns.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator

import hashing

#: Shares of one connection on one block; beyond that more are refused, never forgotten.
MAX_SHARES = 1 << 20

#: Previous blocks whose shares are remembered: more than any reorg on a live network swings back.
BLOCKS_KEPT = 8


class Duplicates:
    """The shares of the latest previous blocks."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[bytes, hashing.SeenShares] = OrderedDict()

    def of(self, prevhash: bytes) -> hashing.SeenShares:
        """The shares on one previous block; its hash in internal order."""
        seen = self._blocks.get(prevhash)
        if seen is None:
            seen = self._blocks[prevhash] = hashing.SeenShares()
            if len(self._blocks) > BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(prevhash)
        return seen

    def told(self, prevhashes: Collection[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """For another process: a previous block and keys of its shares, in pieces."""
        for prevhash, seen in self._blocks.items():
            if prevhash in prevhashes:
                yield from ((prevhash, keys) for keys in seen.keys())

    def revive(self, prevhash: bytes, keys: bytes) -> None:
        """What another process told."""
        self.of(prevhash).revive(keys)
