"""The shares seen, by previous block."""

from __future__ import annotations

import hashing
from stratum.mining.duplicates import BLOCKS_KEPT, Duplicates
from tests.mining.world import prevhash

BLOCK = prevhash(1)


def _hash(number: int) -> bytes:
    return hashing.sha256d(b"share %d" % number)


def test_share_is_known_to_its_block_only() -> None:
    shares = Duplicates()
    assert not shares.of(BLOCK).holds(_hash(1))
    shares.of(BLOCK).add(_hash(1))
    assert shares.of(BLOCK).holds(_hash(1))
    assert not shares.of(BLOCK).holds(_hash(2))
    assert not shares.of(prevhash(2)).holds(_hash(1))


def test_shares_of_a_block_that_a_reorg_brings_back_are_still_known() -> None:
    shares = Duplicates()
    shares.of(BLOCK).add(_hash(1))
    for number in range(2, BLOCKS_KEPT + 1):
        shares.of(prevhash(number)).add(_hash(number))
    assert shares.of(BLOCK).holds(_hash(1))


def test_least_lately_used_block_is_the_one_forgotten() -> None:
    shares = Duplicates()
    for number in range(1, BLOCKS_KEPT + 1):
        shares.of(prevhash(number)).add(_hash(number))
    shares.of(prevhash(1)).add(_hash(100))
    shares.of(prevhash(BLOCKS_KEPT + 1)).add(_hash(101))
    assert shares.of(prevhash(1)).holds(_hash(1))
    assert not shares.of(prevhash(2)).holds(_hash(2))


def test_what_is_told_of_live_blocks_another_process_knows() -> None:
    before, after = Duplicates(), Duplicates()
    for number in range(1000):
        before.of(prevhash(number % 2)).add(_hash(number))
    for of_block, keys in before.told({prevhash(0)}):
        after.revive(of_block, keys)
    assert all(after.of(prevhash(0)).holds(_hash(number)) for number in range(0, 1000, 2))
    assert not any(after.of(prevhash(1)).holds(_hash(number)) for number in range(1000))
