"""What a hash is expected to earn: difficulty, subsidy, fees and the coin's price.

A share of the network's difficulty takes D · 2^48 / 65535 hashes on average (DIFF1_TARGET is
0xFFFF · 2^208), 0.0015 % more than the D · 2^32 of most pages. Fractions here are exact; floats
are for people. Beware of a widely copied formula that has the ratio upside down.
"""

from __future__ import annotations

from fractions import Fraction

SATS_PER_COIN = 10**8
SECONDS_PER_DAY = 86_400
TERA = 10**12
PETA = 10**15
EXA = 10**18
MICRO = 10**6


def hashes_per_block(difficulty: int | Fraction) -> Fraction:
    """Hashes that one block takes on average."""
    return Fraction(difficulty) * 2**48 / 0xFFFF


def micro_per_eh(
    difficulty: int | Fraction, subsidy_sats: int, fees_sats: int, coin_price_micro: int
) -> int:
    """Millionths of the currency that 10^18 hashes earn, rounded down.

    The brain's unit: six digits are left at today's 0.40 USD.
    """
    block_micro = Fraction((subsidy_sats + fees_sats) * coin_price_micro, SATS_PER_COIN)
    return int(EXA * block_micro / hashes_per_block(difficulty))


def btc_per_th_day(difficulty: float, reward_btc: float) -> float:
    """For people and plans; `reward_btc` is subsidy and mean fees of a block."""
    return TERA * SECONDS_PER_DAY * reward_btc * 0xFFFF / (difficulty * 2.0**48)


def price_per_ph_day(difficulty: float, reward_btc: float, coin_price: float) -> float:
    """The hashprice as the trade quotes it: currency per PH/s and day."""
    return btc_per_th_day(difficulty, reward_btc) * (PETA // TERA) * coin_price
