"""The table of shares seen, by previous block and extranonce1."""

from __future__ import annotations

import hashing
from stratum.mining.duplicates import BLOCKS_KEPT, DuplicateTable
from tests.mining.world import prevhash

ONE, OTHER = b"\0\0\0\1", b"\0\0\0\2"
BLOCK = prevhash(1)


def _hash(number: int) -> bytes:
    return hashing.sha256d(b"share %d" % number)


def test_share_is_known_to_its_block_and_extranonce1_only() -> None:
    table = DuplicateTable()
    assert not table.holds(BLOCK, ONE, _hash(1))
    assert table.add(BLOCK, ONE, _hash(1))
    assert table.holds(BLOCK, ONE, _hash(1))
    assert not table.holds(BLOCK, OTHER, _hash(1)) and not table.holds(BLOCK, ONE, _hash(2))
    assert not table.holds(prevhash(2), ONE, _hash(1))


def test_shares_of_a_block_that_a_reorg_brings_back_are_still_known() -> None:
    table = DuplicateTable()
    table.add(BLOCK, ONE, _hash(1))
    for number in range(2, BLOCKS_KEPT + 1):
        table.add(prevhash(number), ONE, _hash(number))
    assert table.holds(BLOCK, ONE, _hash(1))


def test_least_lately_used_block_is_the_one_forgotten() -> None:
    table = DuplicateTable()
    for number in range(1, BLOCKS_KEPT + 1):
        table.add(prevhash(number), ONE, _hash(number))
    table.add(prevhash(1), ONE, _hash(100))
    table.add(prevhash(BLOCKS_KEPT + 1), ONE, _hash(101))
    assert table.holds(prevhash(1), ONE, _hash(1))
    assert not table.holds(prevhash(2), ONE, _hash(2))


def test_full_table_refuses_and_never_forgets() -> None:
    table = DuplicateTable(limit=3)
    assert [table.add(BLOCK, ONE, _hash(n)) for n in range(4)] == [True, True, True, False]
    assert all(table.holds(BLOCK, ONE, _hash(number)) for number in range(3))
    assert table.add(BLOCK, OTHER, _hash(3))
    assert table.add(prevhash(2), ONE, _hash(3))
