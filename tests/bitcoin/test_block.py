"""Whole blocks: the genesis of every network, and blocks made here."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hashing
from stratum.bitcoin.block import assemble_block, parse_block
from stratum.bitcoin.coinbase import build_coinbase
from stratum.bitcoin.header import Header
from stratum.bitcoin.merkle import coinbase_branch, merkle_root
from stratum.bitcoin.networks import MAIN, REGTEST, SIGNET, TESTNET4, Network
from stratum.bitcoin.script import push_data
from stratum.bitcoin.target import display, hash_to_int, target_from_nbits
from stratum.bitcoin.template import witness_commitment
from stratum.bitcoin.transaction import Input, Output
from tests.bitcoin.transactions import Made, count, transactions

#: Bitcoin Core, src/kernel/chainparams.cpp: CreateGenesisBlock.
TIMES = b"The Times 03/Jan/2009 Chancellor on brink of second bailout for banks"
TIMES_KEY = bytes.fromhex(
    "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec1"
    "12de5c384df7ba0b8d578a4c702b6bf11d5f"
)
TESTNET4_TEXT = b"03/May/2024 000000000000000000001ebd58c244970b3aa9d783bb001011fbe8ea8e98e00e"

#: network, text and key of the coinbase, ntime, nbits, nonce
GENESIS = [
    (MAIN, TIMES, TIMES_KEY, 1231006505, 0x1D00FFFF, 2083236893),
    (TESTNET4, TESTNET4_TEXT, bytes(33), 1714777860, 0x1D00FFFF, 393743547),
    (SIGNET, TIMES, TIMES_KEY, 1598918400, 0x1E0377AE, 52613770),
    (REGTEST, TIMES, TIMES_KEY, 1296688602, 0x207FFFFF, 2),
]
NAMES = [network.name for network, *_ in GENESIS]


def genesis(text: bytes, key: bytes, ntime: int, nbits: int, nonce: int) -> bytes:
    script_sig = bytes.fromhex("04ffff001d0104") + push_data(text)
    reward = Output(5_000_000_000, push_data(key) + b"\xac")
    source = Input(bytes(32), 0xFFFFFFFF, script_sig, 0xFFFFFFFF)
    coinbase = Made(1, (source,), (reward,), (), 0).serialized
    root = merkle_root([hashing.sha256d(coinbase)])
    header = Header(1, bytes(32), root, ntime, nbits, nonce)
    return assemble_block(header.serialize(), coinbase, [])


@pytest.mark.parametrize(("network", "text", "key", "ntime", "nbits", "nonce"), GENESIS, ids=NAMES)
def test_the_genesis_block_of_each_network_is_the_one_we_ask_nodes_for(
    network: Network, text: bytes, key: bytes, ntime: int, nbits: int, nonce: int
) -> None:
    block = parse_block(genesis(text, key, ntime, nbits, nonce))
    assert display(block.header.block_hash) == network.genesis_hex
    assert hash_to_int(block.header.block_hash) <= target_from_nbits(nbits)


def test_the_main_genesis_block_is_285_bytes_and_comes_back() -> None:
    raw = genesis(*GENESIS[0][1:])
    assert len(raw) == 285
    block = parse_block(raw)
    coinbase = block.transactions[0]
    assert assemble_block(block.header.serialize(), coinbase.serialized, []) == raw
    txid = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
    assert display(coinbase.txid) == txid


@settings(max_examples=50)
@given(st.lists(transactions(), max_size=6), st.binary(min_size=12, max_size=12))
def test_a_block_made_from_a_template_holds_together(made: list[Made], extranonce: bytes) -> None:
    """Commitment, root from the branch, and every transaction: as a node would check them."""
    txids = [hashing.sha256d(one.stripped) for one in made]
    wtxids = [hashing.sha256d(one.serialized) for one in made]
    commitment = witness_commitment(wtxids)
    coinbase = build_coinbase(840_000, b"/t/", 12, [Output(1, b"\x51")], commitment)
    txid = hashing.sha256d(coinbase.stripped(extranonce))
    header = Header(
        0x20000000, bytes(32), hashing.merkle_fold(txid, coinbase_branch(txids)), 1, 0x207FFFFF, 0
    ).serialize()

    raw = assemble_block(header, coinbase.serialize(extranonce), [one.serialized for one in made])
    block = parse_block(raw)

    assert block.header.merkle_root == merkle_root([part.txid for part in block.transactions])
    assert [part.serialized for part in block.transactions[1:]] == [one.serialized for one in made]
    reserved = block.transactions[0].witness[0][0]
    witness_root = merkle_root([bytes(32), *(part.wtxid for part in block.transactions[1:])])
    expected = bytes.fromhex("6a24aa21a9ed") + hashing.sha256d(witness_root + reserved)
    assert block.transactions[0].outputs[-1] == Output(0, expected)


def test_a_block_of_300_transactions_has_a_count_of_three_bytes() -> None:
    one = Made(2, (Input(bytes(32), 0, b"", 0),), (Output(1, b"\x51"),), (), 0).serialized
    raw = assemble_block(bytes(80), one, [one] * 299)
    assert raw[80:83] == count(300)
    assert len(parse_block(raw).transactions) == 300


@given(st.data())
def test_a_block_that_ends_early_is_refused(data: st.DataObject) -> None:
    raw = genesis(*GENESIS[0][1:])
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(ValueError):
        parse_block(raw[:cut])


def test_a_block_that_goes_on_is_refused() -> None:
    with pytest.raises(ValueError, match="1 bytes after the last transaction"):
        parse_block(genesis(*GENESIS[0][1:]) + b"\x00")


def test_a_block_without_a_coinbase_is_refused() -> None:
    with pytest.raises(ValueError, match="a block needs a coinbase"):
        parse_block(bytes(80) + b"\x00")
