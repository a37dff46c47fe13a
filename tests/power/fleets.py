"""Small fleets for tests: whatever is not said is alike for all rigs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stratum.power.brain.fleet import Feeder, Firmware, Fleet, Label, Owner, Rig, RigModel

FAST = Firmware(name="fast")
TRIM = Firmware(name="trim", continuous=True)
STOCK = Firmware(
    name="stock",
    reports_watts=False,
    down_dead_ms=5_000,
    down_ramp_ms=55_000,
    up_dead_ms=10_000,
    up_ramp_ms=300_000,
    min_off_ms=600_000,
    confirm_ms=120_000,
)
S21 = RigModel("S21", curve=((3_500, 200_000),), idle_w=25)
S21_TRIM = RigModel("S21 trim", curve=((1_800, 120_000), (3_500, 200_000)), idle_w=25)
S19 = RigModel("S19", curve=((3_250, 95_000),), idle_w=50)

SITE = Feeder("site")


def fleet(
    count: int,
    trimming: int = 0,
    feeders: Sequence[Feeder] = (SITE,),
    owners: Sequence[Owner] = (),
    labels: dict[int, Label] | None = None,
    firmware: Firmware = FAST,
    model: RigModel = S21,
    groups: dict[int, str] | None = None,
) -> Fleet:
    """`count` rigs, the last `trimming` of them with a power target, dealt out to leaf feeders and
    owners in turn."""
    parents = {feeder.parent for feeder in feeders}
    leaves = [feeder.name for feeder in feeders if feeder.name not in parents]
    owned = list(owners) or [Owner("us", max(1, count) * model.rated_w)]
    rigs = []
    for row in range(count):
        trims = row >= count - trimming
        rigs.append(
            Rig(
                id=f"rig{row}",
                model=S21_TRIM.name if trims else model.name,
                firmware=TRIM.name if trims else firmware.name,
                feeder=leaves[row % len(leaves)],
                owner=owned[row % len(owned)].name,
                label=(labels or {}).get(row, Label.INHERIT),
                group=(groups or {}).get(row, ""),
            )
        )
    models = {each.name: each for each in (model, S21, S21_TRIM)}
    firmwares = {each.name: each for each in (firmware, FAST, TRIM)}
    return Fleet.of(rigs, list(models.values()), list(firmwares.values()), feeders, owned)


def quick(firmware: Firmware, **changes: int) -> Firmware:
    """A firmware with other times."""
    return replace(firmware, **changes)  # type: ignore[arg-type]
