"""Shares already seen, so that none is paid twice.

The key is the hash of the header itself: other hex case, another id or another spelling of the
same share can't differ in it, and version bits are in it. Eight bytes of the hash are kept. The
table belongs to an extranonce1, not to a connection: it outlives a reconnect and a resume, which
is when rigs submit again. It is never trimmed by age; what ends is the job the shares were for.
"""

from __future__ import annotations

#: Shares of one extranonce1 on one block; beyond that more are refused, never forgotten.
MAX_SHARES = 1 << 20

_KEY_SIZE = 8


class DuplicateTable:
    """All extranonce1 values' shares of the current and the previous block.

    Jobs of earlier blocks are stale, so their shares are refused without the table; the previous
    block's stay because a reorg can bring its prevhash back under a new job.
    """

    def __init__(self, limit: int = MAX_SHARES) -> None:
        self._limit = limit
        self._current: dict[bytes, set[bytes]] = {}
        self._previous: dict[bytes, set[bytes]] = {}

    def holds(self, extranonce1: bytes, block_hash: bytes) -> bool:
        """Whether this share was seen before; `block_hash` in internal order."""
        key = block_hash[:_KEY_SIZE]
        return key in self._current.get(extranonce1, ()) or key in self._previous.get(
            extranonce1, ()
        )

    def add(self, extranonce1: bytes, block_hash: bytes) -> bool:
        """Remember a share; False when this extranonce1 has no room left."""
        shares = self._current.setdefault(extranonce1, set())
        if len(shares) >= self._limit:
            return False
        shares.add(block_hash[:_KEY_SIZE])
        return True

    def new_block(self) -> None:
        """The previous block changed: jobs before the last one are stale now."""
        self._previous = self._current
        self._current = {}
