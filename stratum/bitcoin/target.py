"""Targets: the compact form in the header, and what a hash is compared with.

A target is a 256-bit integer; a hash meets it when the hash, read as a little-endian integer,
is not above it.
"""

from __future__ import annotations

from stratum.units import DIFF1_TARGET


def target_from_nbits(nbits: int) -> int:
    """Expand the header's compact target, e.g. 0x1d00ffff at difficulty 1.

    Returns an integer in 1 … 2^256 - 1. Raises ValueError for a negative, zero or overflowing
    encoding, which Core refuses in CheckProofOfWork. Source: arith_uint256::SetCompact.
    """
    if nbits >> 32:
        raise ValueError(f"nbits {nbits:x} is not a 32-bit number")
    size = nbits >> 24
    word = nbits & 0x007FFFFF
    target = word >> 8 * (3 - size) if size <= 3 else word << 8 * (size - 3)

    if target and nbits & 0x00800000:
        raise ValueError(f"nbits {nbits:08x} is negative")
    if target >> 256:
        raise ValueError(f"nbits {nbits:08x} overflows 256 bits")
    if not target:
        raise ValueError(f"nbits {nbits:08x} is zero")
    return target


def nbits_from_target(target: int) -> int:
    """The compact form, losing what does not fit 23 bits. Source: arith_uint256::GetCompact."""
    size = (target.bit_length() + 7) // 8
    word = target << 8 * (3 - size) if size <= 3 else target >> 8 * (size - 3)
    # The sign bit must stay clear: a mantissa that would set it moves one byte down.
    if word & 0x00800000:
        word >>= 8
        size += 1
    return size << 24 | word


def difficulty_of_target(target: int) -> float:
    """bdiff, for people; judgements compare integers."""
    return DIFF1_TARGET / target


def hash_to_int(block_hash: bytes) -> int:
    """The number that is compared with a target; `block_hash` in internal order."""
    return int.from_bytes(block_hash, "little")


def display(internal: bytes) -> str:
    """A hash as bitcoin-cli prints it: bytes reversed, lower-case hex."""
    return internal[::-1].hex()


def internal(display_hex: str) -> bytes:
    """The inverse of `display`. Raises ValueError unless it is 64 hex digits."""
    block_hash = bytes.fromhex(display_hex)[::-1]
    # Both lengths: fromhex skips blanks.
    if len(display_hex) != 64 or len(block_hash) != 32:
        raise ValueError(f"hash has {len(display_hex)} digits, expected 64")
    return block_hash
