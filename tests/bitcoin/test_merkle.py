"""Merkle roots and the coinbase's branch: two ways to one number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hashing
from stratum.bitcoin.merkle import coinbase_branch, merkle_root
from tests.bitcoin.real_blocks import BLOCKS, RealBlock

HASH = st.binary(min_size=32, max_size=32)


def fold(leaf: bytes, branch: list[bytes]) -> bytes:
    """What a miner does: the coinbase stays on the left."""
    for node in branch:
        leaf = hashing.sha256d(leaf + node)
    return leaf


@given(HASH, st.lists(HASH, max_size=70))
def test_a_branch_folded_from_any_coinbase_is_the_root(coinbase: bytes, txids: list[bytes]) -> None:
    branch = coinbase_branch(txids)
    assert fold(coinbase, branch) == merkle_root([coinbase, *txids])
    assert hashing.merkle_fold(coinbase, branch) == merkle_root([coinbase, *txids])


@given(st.lists(HASH, min_size=1, max_size=70))
def test_a_branch_has_one_node_per_level(txids: list[bytes]) -> None:
    assert len(coinbase_branch(txids)) == len(txids).bit_length()
    assert coinbase_branch(txids)[0] == txids[0]


def test_a_block_of_only_a_coinbase_has_no_branch() -> None:
    assert coinbase_branch([]) == []
    assert merkle_root([b"c" * 32]) == b"c" * 32


def test_an_odd_level_repeats_its_last_node() -> None:
    a, b, c = (bytes([number]) * 32 for number in (1, 2, 3))
    assert merkle_root([a, b, c]) == merkle_root([a, b, c, c])
    assert coinbase_branch([b, c]) == [b, hashing.sha256d(c + c)]


def test_a_tree_without_leaves_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one leaf"):
        merkle_root([])


def test_mainnet_block_170_has_the_root_of_its_two_transactions() -> None:
    coinbase = "b1fea52486ce0c62bb442b530a3f0132b826c74e473d1f2c220bfa78111c5082"
    payment = "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16"
    root = merkle_root([bytes.fromhex(txid)[::-1] for txid in (coinbase, payment)])
    assert root[::-1].hex() == "7dac2c5666815c17a3b36427de37bb9d2e2c5ccec3f8633eb91a4205cb4c10ff"


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_a_real_coinbase_folds_to_the_root_in_the_header(block: RealBlock) -> None:
    txid = hashing.sha256d(block.coinbase)
    assert fold(txid, list(block.branch)) == block.header[36:68]
