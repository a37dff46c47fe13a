"""Shares already seen, so that none is paid twice.

The key is the hash of the header itself: other hex case, another id or another spelling of the
same share can't differ in it, and version bits are in it. Eight bytes of the hash are kept. A
table belongs to a previous block and an extranonce1, not to a connection: it outlives a reconnect
and a resume, which is when rigs submit again, and a reorg that brings an earlier block back as
the tip, when a rig may find its old work good again. It is never trimmed by age.

The gate looks shares up in the same tables; they grow between its turns.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator

import hashing

#: Shares of one extranonce1 on one block; beyond that more are refused, never forgotten.
MAX_SHARES = 1 << 20

#: Previous blocks whose shares are remembered: more than any reorg on a live network swings back.
BLOCKS_KEPT = 8

_Tables = dict[bytes, hashing.SeenShares]  # by extranonce1


class Duplicates:
    """The shares of the latest previous blocks."""

    def __init__(self, limit: int = MAX_SHARES) -> None:
        self._limit = limit
        self._blocks: OrderedDict[bytes, _Tables] = OrderedDict()

    def table(self, prevhash: bytes, extranonce1: bytes) -> hashing.SeenShares:
        """The shares of one extranonce1 on one previous block; hashes in internal order."""
        tables = self._of_block(prevhash)
        table = tables.get(extranonce1)
        if table is None:
            table = tables[extranonce1] = hashing.SeenShares(self._limit)
        return table

    def told(self, prevhashes: Collection[bytes]) -> Iterator[tuple[bytes, bytes, bytes]]:
        """For another process: previous block, extranonce1 and keys of every table of these."""
        for prevhash, tables in self._blocks.items():
            if prevhash in prevhashes:
                yield from ((prevhash, of, table.keys()) for of, table in tables.items())

    def revive(self, prevhash: bytes, extranonce1: bytes, keys: bytes) -> None:
        """What another process told of one table."""
        self.table(prevhash, extranonce1).revive(keys)

    def _of_block(self, prevhash: bytes) -> _Tables:
        tables = self._blocks.get(prevhash)
        if tables is None:
            tables = self._blocks[prevhash] = {}
            if len(self._blocks) > BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(prevhash)
        return tables
