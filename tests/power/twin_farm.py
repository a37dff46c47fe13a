"""Small farms for tests: one model, one kind of firmware, as many feeders as one likes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stratum.power.brain.commands import Commands
from stratum.power.brain.fleet import Feeder, Firmware, Fleet, Owner, Rig, RigModel
from stratum.power.twin.firmware import LUXOS
from stratum.power.twin.world import Twin

FULL_W = 3_500
MODEL = RigModel("S21", ((1_750, 110_000), (FULL_W, 200_000)))


def fleet_of(
    kinds: Sequence[Firmware], *, model: RigModel = MODEL, feeders: int = 2, group: str = ""
) -> Fleet:
    """A rig for each entry of `kinds`, dealt over the feeders."""
    return Fleet.of(
        [
            Rig(
                f"rig-{row}", model.name, kind.name, f"feeder-{row % feeders}", "owner", group=group
            )
            for row, kind in enumerate(kinds)
        ],
        [model],
        list(dict.fromkeys(kinds)),
        [Feeder("site"), *(Feeder(f"feeder-{row}", "site") for row in range(feeders))],
        [Owner("owner", len(kinds) * model.rated_w)],
    )


def order(rigs: Sequence[int], power_w: int, *, rung: int = 0, first: int = 0) -> Commands:
    """The same order to some rigs, numbered from `first`."""
    count = len(rigs)
    return Commands(
        number=np.arange(first, first + count),
        rig=np.array(rigs, np.int64),
        power_w=np.full(count, power_w),
        rung=np.full(count, rung),
        cause=np.zeros(count, np.int64),
    )


class Farm:
    """A twin and its clock: `after` lets seconds pass, the first of them with commands."""

    def __init__(self, kinds: Sequence[Firmware] = (LUXOS,) * 4, seed: int = 7) -> None:
        print(f"seed {seed}")  # pytest shows it where a test fails
        self.twin = Twin(fleet_of(kinds), seed)
        self.second = 0

    def after(self, seconds: int, commands: Commands | None = None) -> Farm:
        for _ in range(seconds):
            self.second += 1
            self.twin.step(self.second * 1_000, commands or Commands())
            commands = None
        return self

    @property
    def watts(self) -> list[int]:
        return [round(float(watts)) for watts in self.twin.rigs.power_w]
