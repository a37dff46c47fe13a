"""Difficulty as an integer, and the few figures that people read.

The wire speaks *difficulty* (bdiff: `DIFF1_TARGET / target`), often as a fraction on test
networks. Money is counted in *weight*: an integer number of difficulty units, where the unit is
1 on main and 2^-32 on every other network (DESIGN §8.4). A weight has exactly one target and
exactly one spelling on the wire, so what a rig is told, what its share is judged by and what
the ledger credits can never differ by a rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

#: Target of difficulty 1 (bdiff), as cgminer, ckpool and ESP-Miner compute it. Not pdiff.
DIFF1_TARGET = 0xFFFF << 208

MAX_TARGET = 2**256 - 1

#: Expected hashes for one share of difficulty 1: 2^256 / DIFF1_TARGET, to seven digits 2^32.
HASHES_PER_DIFFICULTY = 2**48 / 0xFFFF

#: Braiins OS keeps a difficulty as a 32-bit float: 24 bits of integer are exact there.
_EXACT_IN_FLOAT32 = 1 << 24

#: Beyond that, ten significant bits: every client's arithmetic stays exact (wire.md §3).
_SIGNIFICANT_BITS = 10

#: A weight must fit the share record's u64.
_MAX_WEIGHT = 2**63


@dataclass(frozen=True, slots=True)
class DifficultyScale:
    """Weights are difficulties times 2**shift: shift is 0 on main, 32 on test networks."""

    shift: int

    def settle(self, difficulty: float | Fraction) -> int:
        """The largest weight not above `difficulty` that every client computes exactly.

        Whole numbers up to 2^24 stay as they are; above, ten significant bits; below 1 a power
        of two. Never less than one unit. Raises ValueError for a negative or non-finite input.
        """
        try:
            exact = Fraction(difficulty)
        except (OverflowError, ValueError) as exc:
            raise ValueError(f"difficulty is {difficulty}, expected a finite number") from exc
        if exact < 0:
            raise ValueError(f"difficulty is {difficulty}, expected a positive number")

        whole = int(exact)
        if whole > _EXACT_IN_FLOAT32:
            drop = whole.bit_length() - _SIGNIFICANT_BITS
            whole = whole >> drop << drop
        if whole:
            return min(whole << self.shift, _MAX_WEIGHT)
        return power_of_two_below(int(exact * (1 << self.shift)))

    def target(self, weight: int) -> int:
        """Share target of a weight: ⌊DIFF1_TARGET / difficulty⌋, at most 2^256 - 1."""
        return min((DIFF1_TARGET << self.shift) // weight, MAX_TARGET)

    def weight_of_target(self, target: int) -> int:
        """The difficulty of a target in whole units, rounded down, at least one unit."""
        return max(1, (DIFF1_TARGET << self.shift) // target)

    def difficulty(self, weight: int) -> float:
        """For people and rates; money and targets use the weight itself."""
        return weight / (1 << self.shift)

    def wire(self, weight: int) -> str:
        """The exact decimal that `mining.set_difficulty` carries: no exponent, no `.0`."""
        whole, rest = divmod(weight, 1 << self.shift)
        if not rest:
            return str(whole)
        # A fraction over 2^shift has at most `shift` decimals: the expansion below is exact.
        digits = rest * 10**self.shift >> self.shift
        return f"{whole}.{digits:0{self.shift}d}".rstrip("0")


def power_of_two_below(number: int) -> int:
    """The largest power of two not above `number`; 1 for anything smaller than 2."""
    return 1 << max(number, 1).bit_length() - 1


def show_hashrate(rate: float) -> str:
    """`1.23 TH/s` for 1.23e12 H/s."""
    for prefix in ("", "k", "M", "G", "T", "P"):
        if rate < 999.5:  # more would be shown as 1e+03
            return f"{rate:.3g} {prefix}H/s"
        rate /= 1000
    return f"{rate:.4g} EH/s" if rate < 9999.5 else f"{rate:.0f} EH/s"


def best_of(block_hash: bytes) -> int:
    """Two bytes that tell how good a hash (internal order) was.

    Leading zero bits of the hash as people read it, times 256, plus the 8 bits that follow the
    zeros: enough to show a worker's best share to one part in 128. 0xFFFF for the zero hash.
    """
    number = int.from_bytes(block_hash, "little")
    zeros = 256 - number.bit_length()
    if zeros == 256:
        return 0xFFFF
    return zeros << 8 | (number << zeros) >> 248
