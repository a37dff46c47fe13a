"""The table of shares seen, by previous block and extranonce1."""

from __future__ import annotations

import hashing
from stratum.mining.duplicates import BLOCKS_KEPT, Duplicates
from tests.mining.world import prevhash

ONE, OTHER = b"\0\0\0\1", b"\0\0\0\2"
BLOCK = prevhash(1)


def _hash(number: int) -> bytes:
    return hashing.sha256d(b"share %d" % number)


def test_share_is_known_to_its_block_and_extranonce1_only() -> None:
    shares = Duplicates()
    assert not shares.table(BLOCK, ONE).holds(_hash(1))
    assert shares.table(BLOCK, ONE).add(_hash(1))
    assert shares.table(BLOCK, ONE).holds(_hash(1))
    assert not shares.table(BLOCK, OTHER).holds(_hash(1))
    assert not shares.table(BLOCK, ONE).holds(_hash(2))
    assert not shares.table(prevhash(2), ONE).holds(_hash(1))


def test_shares_of_a_block_that_a_reorg_brings_back_are_still_known() -> None:
    shares = Duplicates()
    shares.table(BLOCK, ONE).add(_hash(1))
    for number in range(2, BLOCKS_KEPT + 1):
        shares.table(prevhash(number), ONE).add(_hash(number))
    assert shares.table(BLOCK, ONE).holds(_hash(1))


def test_least_lately_used_block_is_the_one_forgotten() -> None:
    shares = Duplicates()
    for number in range(1, BLOCKS_KEPT + 1):
        shares.table(prevhash(number), ONE).add(_hash(number))
    shares.table(prevhash(1), ONE).add(_hash(100))
    shares.table(prevhash(BLOCKS_KEPT + 1), ONE).add(_hash(101))
    assert shares.table(prevhash(1), ONE).holds(_hash(1))
    assert not shares.table(prevhash(2), ONE).holds(_hash(2))


def test_full_table_refuses_and_never_forgets() -> None:
    shares = Duplicates(limit=3)
    assert [shares.table(BLOCK, ONE).add(_hash(n)) for n in range(4)] == [True, True, True, False]
    assert all(shares.table(BLOCK, ONE).holds(_hash(number)) for number in range(3))
    assert shares.table(BLOCK, OTHER).add(_hash(3))
    assert shares.table(prevhash(2), ONE).add(_hash(3))
