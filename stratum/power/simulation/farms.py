"""Fleets to rehearse with: a size, a mix of firmware, a trim group, a tree of feeders."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stratum.power.brain.fleet import Feeder, Firmware, Fleet, Owner, Rig, RigModel
from stratum.power.twin import firmware

#: power.md §6; the lowest level of a model that takes a power target is half of its nameplate
#: (assumed, 28-60 %: LuxOS makes 16 profiles of 25 MHz below the default, D docs.luxor.tech;
#: an S19K Pro under Braiins OS goes down to 771 W of 2,760, I hass-miner#586). Hashrate falls
#: slower than power: 110 of 200 TH/s at half the watts is assumed.
S21 = RigModel("S21", ((1_750, 110_000), (3_500, 200_000)))
S19J_PRO = RigModel("S19j Pro", ((1_534, 57_000), (3_068, 104_000)))
S19_XP = RigModel("S19 XP", ((1_505, 77_000), (3_010, 140_000)))
M50SPP = RigModel("M50S++", ((3_080, 140_000),), idle_w=40)
S19_STOCK = RigModel("S19j Pro stock", ((3_068, 104_000),), idle_w=60)
#: A Gamma: 1.2 TH/s at 18 W, [K].
GAMMA = RigModel("Bitaxe Gamma", ((18, 1_200),), idle_w=3)

FEEDERS = 8
OWNERS = ("north", "south", "guests")


class Mix(StrEnum):
    """What runs on the rigs that are no trim group."""

    FAST = "fast"  # LuxOS, on or off
    STOCK = "stock"  # Bitmain's own
    SIX = "six"  # all six kinds, Braiins OS and power targets among them


@dataclass(frozen=True, slots=True)
class Farm:
    """`trim_bp` of the rated power takes a power target; the rest is on or off, as `mix` says."""

    mix: Mix = Mix.FAST
    trim_bp: int = 2_000
    feeder_cap_bp: int | None = None  # of what hangs under each feeder

    def fleet(self, rigs: int) -> Fleet:
        """`rigs` of them: feeder by feeder, owners dealt out like cards."""
        dealt = self._deal(rigs)
        under = [row * FEEDERS // rigs for row in range(rigs)]
        feeders = [Feeder("site")]
        for row in range(FEEDERS):
            share = sum(
                model.rated_w for (model, _), at in zip(dealt, under, strict=True) if at == row
            )
            cap = None if self.feeder_cap_bp is None else share * self.feeder_cap_bp // 10_000
            feeders.append(Feeder(f"feeder-{row + 1}", "site", cap))
        contracted = [
            sum(model.rated_w for model, _ in dealt[row :: len(OWNERS)])
            for row in range(len(OWNERS))
        ]
        return Fleet.of(
            [
                Rig(
                    id=f"rig-{row:05}",
                    model=model.name,
                    firmware=kind.name,
                    feeder=f"feeder-{under[row] + 1}",
                    owner=OWNERS[row % len(OWNERS)],
                )
                for row, (model, kind) in enumerate(dealt)
            ],
            list(dict.fromkeys(model for model, _ in dealt)),
            list(dict.fromkeys(kind for _, kind in dealt)),
            feeders,
            [Owner(name, watts) for name, watts in zip(OWNERS, contracted, strict=True)],
        )

    def _deal(self, rigs: int) -> list[tuple[RigModel, Firmware]]:
        """One after the other; the next joins the trim group whenever that is behind its part."""
        dealt: list[tuple[RigModel, Firmware]] = []
        trim_w = total_w = 0
        for row in range(rigs):
            if trim_w * 10_000 < self.trim_bp * (total_w + S21.rated_w):
                dealt.append((S21, firmware.LUXOS_TARGET))
                trim_w += S21.rated_w
            else:
                dealt.append(self._other(row))
            total_w += dealt[-1][0].rated_w
        return dealt

    def _other(self, row: int) -> tuple[RigModel, Firmware]:
        model = (S21, S19J_PRO, S19_XP)[row % 3]
        if self.mix is Mix.FAST:
            return model, firmware.LUXOS
        if self.mix is Mix.STOCK:
            return S19_STOCK, firmware.STOCK
        return (
            (model, firmware.LUXOS),
            (model, firmware.BRAIINS),
            (S19_STOCK, firmware.STOCK),
            (M50SPP, firmware.WHATSMINER),
            (model, firmware.VNISH),
            (GAMMA, firmware.BITAXE),
        )[row % 6]
