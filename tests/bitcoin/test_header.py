"""Headers: real ones taken apart and put together, in the pool's way and in the miner's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hashing
from stratum.bitcoin.header import HEADER_SIZE, Header
from stratum.bitcoin.target import display, hash_to_int, target_from_nbits
from tests.bitcoin.real_blocks import BLOCKS, VECTORS, RealBlock, flip_words

ENTRIES = [*VECTORS["blocks"], *VECTORS["headers"], *VECTORS["shares"]]

REAL = pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_real_header_comes_back_as_it_was_and_has_its_hash(entry: dict[str, str]) -> None:
    header = Header.parse(bytes.fromhex(entry["header"]))
    assert header.serialize().hex() == entry["header"]
    assert display(header.block_hash) == entry["hash"]


def merged_versions(job: int, bits: int, mask: int) -> set[int]:
    """BIP 310 substitutes, ckpool and DATUM OR, public-pool and btcpool XOR."""
    return {(job & ~mask) | (bits & mask), job | bits, job ^ bits}


@REAL
def test_a_header_is_built_from_notify_and_submit(block: RealBlock) -> None:
    versions = merged_versions(block.version, block.version_bits, block.mask)
    assert len(versions) == 1
    header = Header(
        versions.pop(),
        flip_words(block.prevhash_words),
        hashing.merkle_fold(hashing.sha256d(block.coinbase), list(block.branch)),
        block.ntime,
        block.nbits,
        block.nonce,
    )
    assert header.serialize() == block.header
    assert header.nbits == block.nbits
    assert hash_to_int(header.block_hash) <= target_from_nbits(header.nbits)


@REAL
def test_cgminers_way_gives_the_same_header(block: RealBlock) -> None:
    """Everything as big-endian words, then every word of the 80 bytes flipped."""
    root = hashing.merkle_fold(hashing.sha256d(block.coinbase), list(block.branch))
    words = b"".join(
        [
            (block.version | block.version_bits).to_bytes(4, "big"),
            block.prevhash_words,
            flip_words(root),
            block.ntime.to_bytes(4, "big"),
            block.nbits.to_bytes(4, "big"),
            block.nonce.to_bytes(4, "big"),
        ]
    )
    assert flip_words(words) == block.header


@pytest.mark.parametrize("entry", VECTORS["headers"], ids=lambda entry: str(entry["height"]))
def test_mainnet_headers_are_rebuilt_from_their_fields(entry: dict[str, str]) -> None:
    fields = dict(re.findall(r"([\w()]+)=([0-9a-f]+)", entry["fields"]))
    raw = bytes.fromhex(entry["header"])
    header = Header(
        int(fields["version(masked)"], 16) | int(fields["version_bits"], 16),
        flip_words(bytes.fromhex(fields["prevhash"])),
        raw[36:68],
        int(fields["ntime"], 16),
        int(fields["nbits"], 16),
        int(fields["nonce"], 16),
    )
    assert header.serialize() == raw
    assert header == Header.parse(raw)
    assert hash_to_int(header.block_hash) <= target_from_nbits(header.nbits)


@given(st.binary(min_size=HEADER_SIZE, max_size=HEADER_SIZE))
def test_any_80_bytes_are_a_header_and_come_back(raw: bytes) -> None:
    assert Header.parse(raw).serialize() == raw


@given(st.binary(max_size=200).filter(lambda raw: len(raw) != HEADER_SIZE))
def test_any_other_length_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=f"header is {len(raw)} bytes, expected 80"):
        Header.parse(raw)
