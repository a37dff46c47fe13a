"""The tariff at which a rig earns nothing, and the rig for which a tariff leaves nothing.

One MWh at e J/TH is 3.6e9 / e TH of work, and a hashprice HP per PH/s and day pays
HP / 86.4e6 per TH: a MWh earns HP / (0.024 · e), less what is rejected and what the pool keeps.
The site takes κ MWh for each MWh at the rigs (cooling, transformers, network).
"""

from __future__ import annotations

from dataclasses import dataclass

#: 24 h · 1e-3: with HP per PH/day and J/TH the result is per MWh.
_MWH = 0.024


@dataclass(frozen=True, slots=True)
class Losses:
    """What lies between a hash and the money, and between the meter and the rig."""

    stale: float = 0.0  # ρ: part of the work that is rejected or stale
    pool_fee: float = 0.0  # φ: part of the earnings
    overhead: float = 1.0  # κ: site energy per rig energy, 1.02 to 1.10

    def __post_init__(self) -> None:
        if not (0 <= self.stale < 1 and 0 <= self.pool_fee < 1):
            raise ValueError(f"stale {self.stale} and fee {self.pool_fee} are parts of 1")
        if not self.overhead > 0:
            raise ValueError(f"overhead is {self.overhead}, expected about 1.05")

    @property
    def kept(self) -> float:
        """What is left of a hash's worth."""
        return (1 - self.stale) * (1 - self.pool_fee)


LOSSLESS = Losses()


def revenue_per_mwh(
    hashprice_per_ph_day: float, j_per_th: float, losses: Losses = LOSSLESS
) -> float:
    """What a MWh at the rig (not at the meter) earns."""
    return hashprice_per_ph_day * losses.kept / (_MWH * j_per_th)


def breakeven_tariff(
    hashprice_per_ph_day: float, j_per_th: float, losses: Losses = LOSSLESS
) -> float:
    """Currency per MWh at the meter at which the margin is zero."""
    return revenue_per_mwh(hashprice_per_ph_day, j_per_th, losses) / losses.overhead


def breakeven_j_per_th(
    hashprice_per_ph_day: float, tariff_per_mwh: float, losses: Losses = LOSSLESS
) -> float:
    """The least efficient rig that still pays; infinite where energy costs nothing or less."""
    if tariff_per_mwh <= 0:
        return float("inf")
    return hashprice_per_ph_day * losses.kept / (_MWH * tariff_per_mwh * losses.overhead)
