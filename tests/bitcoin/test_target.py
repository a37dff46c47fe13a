"""Compact targets as Core reads and writes them, and real hashes below them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.bitcoin.target import (
    difficulty_of_target,
    display,
    hash_to_int,
    internal,
    nbits_from_target,
    target_from_nbits,
)
from stratum.units import DIFF1_TARGET, MAX_TARGET, DifficultyScale
from tests.bitcoin.real_blocks import BLOCKS, VECTORS, RealBlock

#: Core's cases (arith_uint256_tests.cpp, bignum_SetCompact) that are a target.
COMPACT = {
    0x01123456: 0x12,
    0x02008000: 0x80,
    0x02123456: 0x1234,
    0x03123456: 0x123456,
    0x04123456: 0x12345600,
    0x05009234: 0x92340000,
    0x20123456: 0x123456 << 29 * 8,
    0x1D00FFFF: DIFF1_TARGET,
    0x207FFFFF: 0x7FFFFF << 232,  # regtest
}


@pytest.mark.parametrize(("nbits", "target"), COMPACT.items())
def test_a_compact_target_expands_as_in_core(nbits: int, target: int) -> None:
    assert target_from_nbits(nbits) == target


@pytest.mark.parametrize(
    "nbits",
    [
        0, 0x00123456, 0x01003456, 0x02000056, 0x03000000, 0x04000000,
        0x00923456, 0x01803456, 0x02800056, 0x03800000, 0x04800000,
    ],
)  # fmt: skip
def test_a_zero_target_is_refused(nbits: int) -> None:
    # The sign of zero does not count: 0x04800000 is zero, not negative.
    with pytest.raises(ValueError, match="is zero"):
        target_from_nbits(nbits)


@pytest.mark.parametrize("nbits", [0x01FEDCBA, 0x04923456, 0x03800001])
def test_a_negative_target_is_refused(nbits: int) -> None:
    with pytest.raises(ValueError, match="is negative"):
        target_from_nbits(nbits)


@pytest.mark.parametrize("nbits", [0xFF123456, 0x23000001, 0x22000100, 0x21010000])
def test_an_overflowing_target_is_refused(nbits: int) -> None:
    with pytest.raises(ValueError, match="overflows 256 bits"):
        target_from_nbits(nbits)


@pytest.mark.parametrize("nbits", [0x22000001, 0x220000FF, 0x2100FFFF, 0x207FFF00])
def test_the_largest_sizes_that_fit_are_taken(nbits: int) -> None:
    assert 0 < target_from_nbits(nbits) <= MAX_TARGET


@pytest.mark.parametrize("nbits", [-1, 2**32, int("1d00ffff" * 5, 16)])
def test_what_is_no_32_bit_number_is_refused_at_once(nbits: int) -> None:
    with pytest.raises(ValueError, match="is not a 32-bit number"):
        target_from_nbits(nbits)


@given(st.integers(0, 2**32 - 1))
def test_any_compact_target_expands_or_is_refused(nbits: int) -> None:
    try:
        target = target_from_nbits(nbits)
    except ValueError:
        return
    assert 1 <= target <= MAX_TARGET
    assert target_from_nbits(nbits_from_target(target)) == target


@pytest.mark.parametrize(
    ("target", "nbits"),
    [
        (0, 0),
        (0x12, 0x01120000),
        (0x80, 0x02008000),  # 0x01800000 would be negative
        (0x1234, 0x02123400),
        (0x123456, 0x03123456),
        (0x12345600, 0x04123456),
        (0x92340000, 0x05009234),
        (DIFF1_TARGET, 0x1D00FFFF),
        (DIFF1_TARGET + 1, 0x1D00FFFF),
        (MAX_TARGET, 0x2100FFFF),
    ],
)
def test_a_target_is_packed_as_in_core(target: int, nbits: int) -> None:
    assert nbits_from_target(target) == nbits


@given(st.integers(1, MAX_TARGET))
def test_packing_loses_at_most_what_does_not_fit_15_bits(target: int) -> None:
    packed = target_from_nbits(nbits_from_target(target))
    assert packed <= target
    assert target - packed <= target >> 15


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_a_real_block_meets_its_target(block: RealBlock) -> None:
    block_hash = internal(block.block_hash_hex)
    assert hash_to_int(block_hash) <= target_from_nbits(block.nbits)
    assert display(block_hash) == block.block_hash_hex


@pytest.mark.parametrize(
    ("number", "sdiff", "network_difficulty"),
    [
        (0, 156680868556518.218750, 138955357012247.296875),
        (1, 1449241560655.469971, 888171856257.320557),
        (2, 1.945204, 1.0),
        (3, 354890553.885685, 50542155.963906),
        (4, 1.316766, 1.0),
    ],
)
def test_difficulties_are_those_of_the_reference(
    number: int, sdiff: float, network_difficulty: float
) -> None:
    block = BLOCKS[number]
    share = difficulty_of_target(hash_to_int(internal(block.block_hash_hex)))
    assert share == pytest.approx(sdiff, rel=1e-6)
    network = difficulty_of_target(target_from_nbits(block.nbits))
    assert network == pytest.approx(network_difficulty, rel=1e-6)


@pytest.mark.parametrize("share", VECTORS["shares"], ids=lambda share: share["name"][:2])
def test_recorded_shares_have_the_difficulty_that_their_source_says(share: dict[str, str]) -> None:
    difficulty = difficulty_of_target(hash_to_int(internal(share["hash"])))
    assert f"{difficulty:.6f}" == share["sdiff"]


@pytest.mark.parametrize(
    ("number", "difficulty", "is_met"),
    [(0, 18, True), (0, 19, False), (1, 683, True), (1, 684, False), (2, 512, True), (3, 1, False)],
)
def test_a_recorded_share_meets_the_difficulty_it_was_found_at(
    number: int, difficulty: int, is_met: bool
) -> None:
    # The last one is the third without its version bits: what a server that ignores them sees.
    share_hash = hash_to_int(internal(VECTORS["shares"][number]["hash"]))
    assert (share_hash <= DifficultyScale(0).target(difficulty)) == is_met


@given(st.binary(min_size=32, max_size=32))
def test_display_and_internal_undo_each_other(block_hash: bytes) -> None:
    assert internal(display(block_hash)) == block_hash
    assert hash_to_int(block_hash) == int(display(block_hash), 16)


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, "00 " * 21 + "0", "é" * 64])
def test_what_is_not_64_hex_digits_is_no_hash(text: str) -> None:
    with pytest.raises(ValueError):
        internal(text)


def test_blanks_do_not_make_a_short_hash() -> None:
    with pytest.raises(ValueError, match="expected 64"):
        internal("00" * 31 + "  ")
