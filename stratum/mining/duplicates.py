"""Shares already seen, so that none is paid twice.

The key is the hash of the header itself: other hex case, another id or another spelling of the
same share can't differ in it, and version bits are in it. Eight bytes of the hash are kept. The
table belongs to a previous block and an extranonce1, not to a connection: it outlives a reconnect
and a resume, which is when rigs submit again, and a reorg that brings an earlier block back as
the tip, when a rig may find its old work good again. It is never trimmed by age.
"""

from __future__ import annotations

from collections import OrderedDict

#: Shares of one extranonce1 on one block; beyond that more are refused, never forgotten.
MAX_SHARES = 1 << 20

#: Previous blocks whose shares are remembered: more than any reorg on a live network swings back.
BLOCKS_KEPT = 8

_KEY_SIZE = 8

_Shares = dict[bytes, set[bytes]]  # extranonce1 → keys


class DuplicateTable:
    """The shares of the latest previous blocks, by extranonce1."""

    def __init__(self, limit: int = MAX_SHARES) -> None:
        self._limit = limit
        self._blocks: OrderedDict[bytes, _Shares] = OrderedDict()

    def holds(self, prevhash: bytes, extranonce1: bytes, block_hash: bytes) -> bool:
        """Whether this share was seen before; hashes in internal order."""
        shares = self._blocks.get(prevhash)
        return shares is not None and block_hash[:_KEY_SIZE] in shares.get(extranonce1, ())

    def add(self, prevhash: bytes, extranonce1: bytes, block_hash: bytes) -> bool:
        """Remember a share; False when this extranonce1 has no room left on this block."""
        seen = self._of_block(prevhash).setdefault(extranonce1, set())
        if len(seen) >= self._limit:
            return False
        seen.add(block_hash[:_KEY_SIZE])
        return True

    def _of_block(self, prevhash: bytes) -> _Shares:
        shares = self._blocks.get(prevhash)
        if shares is None:
            shares = self._blocks[prevhash] = {}
            if len(self._blocks) > BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(prevhash)
        return shares
