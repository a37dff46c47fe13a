"""Follow the log from a cursor: shares folded to sums, records that matter as effects.

Nothing that a power cut could take back is read (`synced_only`), so that books which were
committed never run ahead of the log. That the log is still the one that was read is told by the
last record: it is kept with the cursor, and compared before anything is read on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import hashing
from hashing.values import SLOT_SIZE, ShareSum
from stratum.ledger.effects import EFFECTIVE, BlockKept, Effect, read_effect
from stratum.ledger.errors import LogDamaged, LogRewound
from stratum.ledger.notary import Notary
from stratum.ledger.records import BodyLeaf, RecordType
from stratum.ledger.rollups import Cursor
from stratum.ledger.segment import leaf_in
from stratum.ledger.tail import LogReader

#: Sums kept at a time: room for every worker of a large site, so that those of a minute meet.
_SUMS_ROOM = 1 << 15


@dataclass(frozen=True, slots=True)
class News:
    """What happened between two cursors."""

    works: list[ShareSum]  # by minute
    effects: list[Effect]
    cursor: Cursor


class Follower:
    """Call step() until it answers 0, take() now and then; close() it.

    Raises LogRewound at construction where the log is not the one that the cursor was read in.
    """

    def __init__(self, directory: Path, cursor: Cursor, notary: Notary | None = None) -> None:
        """`notary` is shown each full segment and each block."""
        expect_record_before(directory, cursor)
        self._notary = notary
        self._reader = LogReader(directory, cursor.next_index, synced_only=True)
        self._edge = _edge(cursor)
        self._sums = hashing.ShareSums(_SUMS_ROOM)
        self._works: list[ShareSum] = []
        self._effects: list[Effect] = []
        self._last_leaf = cursor.last_leaf

    def step(self, limit: int) -> int:
        """Fold up to `limit` further records; how many there were.

        Raises LogDamaged, OSError; then nothing more can be asked of this follower.
        """
        run = self._reader.read(limit)
        slots = memoryview(run.slots)
        place = 0
        while place < run.count:
            place += hashing.fold(slots[place * SLOT_SIZE :], self._edge, self._sums)
            if place == run.count:
                break
            leaf = leaf_in(slots, place)
            if leaf[0] == RecordType.SHARE:
                self._works += self._sums.take()  # there was no room for it
            else:
                self._read_record(run.first_index + place, leaf)
                place += 1
        if run.count:
            self._last_leaf = leaf_in(slots, run.count - 1)
        if run.seals is not None and self._notary is not None:
            self._notary.seal(run.seals, self._edge)
        return run.count

    @property
    def is_full(self) -> bool:
        """There is enough for one take()."""
        return bool(self._works)

    def take(self) -> News:
        """Everything since the last call."""
        works, self._works = self._works + self._sums.take(), []
        effects, self._effects = self._effects, []
        cursor = Cursor(self._reader.cursor, self._last_leaf, self._edge.to_bytes())
        return News(sorted(works), effects, cursor)

    def close(self) -> None:
        self._reader.close()

    def _read_record(self, index: int, leaf: bytes) -> None:
        try:
            body_leaf = BodyLeaf.unpack(leaf)
        except ValueError as exc:
            raise LogDamaged(f"record {index} of the log: {exc}") from exc
        self._edge.append(leaf)
        if body_leaf.type in EFFECTIVE:
            body = self._reader.body(index, body_leaf).body
            effect = read_effect(index, body_leaf, body)
            self._effects.append(effect)
            if isinstance(effect, BlockKept) and self._notary is not None:
                self._notary.seal_block(effect.block_hash, self._edge)


def _edge(cursor: Cursor) -> hashing.MerkleEdge:
    if not cursor.next_index:
        return hashing.MerkleEdge()
    return hashing.MerkleEdge.from_bytes(cursor.edge)


def expect_record_before(directory: Path, cursor: Cursor) -> None:
    """Raises LogRewound where the record that was read last is not there, or is another one."""
    if not cursor.next_index:
        return
    last = cursor.next_index - 1
    with LogReader(directory, last, synced_only=True) as reader:
        run = reader.read(1)
    if not run.count:
        raise LogRewound(f"the log ends before record {last}, which had been read")
    if leaf_in(run.slots, 0) != cursor.last_leaf:
        raise LogRewound(f"record {last} of the log is not the one that had been read")
