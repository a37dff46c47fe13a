"""The rigs as arrays, and what is known of their models, firmware, feeders and owners.

A fleet never changes while it is decided upon; a new inventory is a new `Fleet` and the state is
carried over by rig id (`stratum.power.brain.state.State.carried_to`). Rig i is row i everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from stratum.power.brain.values import Flags, Ints

SECOND = 1_000
MINUTE = 60 * SECOND


class Label(IntEnum):
    """An operator's word on who goes first. Caps and emergencies take the protected too, last."""

    INHERIT = 0
    PROTECTED = 1
    FIRST_SHED = 2


@dataclass(frozen=True, slots=True)
class Firmware:
    """How a kind of firmware answers a command: nothing for `dead`, then a ramp until done.

    Defaults until measured; `verification` learns the site's own.
    """

    name: str
    continuous: bool = False  # takes any power between a model's floor and its full
    reports_watts: bool = True
    down_dead_ms: int = 1 * SECOND
    down_ramp_ms: int = 4 * SECOND
    up_dead_ms: int = 2 * SECOND
    up_ramp_ms: int = 8 * SECOND
    trim_dead_ms: int = 1 * SECOND  # a new level while running
    trim_ramp_ms: int = 4 * SECOND
    min_on_ms: int = 10 * MINUTE  # N12
    min_off_ms: int = 5 * MINUTE  # N11
    confirm_ms: int = 60 * SECOND  # N13
    ladder: tuple[str, ...] = ("sleep", "second_path", "power_limit", "park", "outlet")  # §7.5
    writes_per_day: int = 0  # flash: stock Antminer 6; 0: no limit


@dataclass(frozen=True, slots=True)
class RigModel:
    """One line of the model table: power curve from its lowest running level to its full.

    `curve` is (watts, GH/s) points, rising; the last is nameplate. One point: on or off.
    """

    name: str
    curve: tuple[tuple[int, int], ...]
    idle_w: int = 25

    @property
    def rated_w(self) -> int:
        return self.curve[-1][0]


@dataclass(frozen=True, slots=True)
class Feeder:
    """A node of the tree of caps; exactly one has no parent and is the site."""

    name: str
    parent: str | None = None
    cap_w: int | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose rigs: `contracted_w` is what fairness is counted against; `weight_bp` what the
    contract says of its part of curtailment (10,000: like everyone)."""

    name: str
    contracted_w: int
    weight_bp: int = 10_000


@dataclass(frozen=True, slots=True)
class Rig:
    id: str
    model: str
    firmware: str
    feeder: str
    owner: str
    label: Label = Label.INHERIT
    group: str = ""  # worker name its shares come under; "": its own id
    managed: bool = True  # False: counted as load, never commanded


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """Everything above, looked up once and laid out in rows."""

    ids: tuple[str, ...]
    models: tuple[RigModel, ...]
    firmwares: tuple[Firmware, ...]
    feeders: tuple[Feeder, ...]  # parents before children; 0 is the site
    owners: tuple[Owner, ...]
    groups: tuple[str, ...]

    model: Ints
    firmware: Ints
    feeder: Ints
    owner: Ints
    group: Ints
    label: Ints
    managed: Flags

    rated_w: Ints
    floor_w: Ints  # lowest running level; rated_w where there is but one
    idle_w: Ints
    ghs: Ints  # GH/s at rated_w
    continuous: Flags
    down_dead_ms: Ints
    down_ramp_ms: Ints
    up_dead_ms: Ints
    up_ramp_ms: Ints
    trim_dead_ms: Ints
    trim_ramp_ms: Ints
    min_on_ms: Ints
    min_off_ms: Ints
    confirm_ms: Ints

    parent: Ints  # of each feeder; -1 for the site
    feeder_cap_w: Ints  # -1: none

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def total_w(self) -> int:
        """Rated watts of all rigs."""
        return int(self.rated_w.sum())

    def by_feeder(self, watts: Ints) -> Ints:
        """Sum of a figure per rig under each feeder, children included.

        bincount adds in float64: exact, as every partial sum is an integer below 2^53.
        """
        sums = np.bincount(self.feeder, watts, len(self.feeders)).astype(np.int64)
        for child in range(len(self.feeders) - 1, 0, -1):
            sums[self.parent[child]] += sums[child]
        return sums

    @classmethod
    def of(
        cls,
        rigs: Sequence[Rig],
        models: Sequence[RigModel],
        firmwares: Sequence[Firmware],
        feeders: Sequence[Feeder],
        owners: Sequence[Owner],
    ) -> Fleet:
        """Lay out an inventory. Names must be unique and refer to what is given: else KeyError
        or ValueError, since the operator's file was checked before."""
        ordered = parents_first(feeders)
        model_row = rows(model.name for model in models)
        firmware_row = rows(firmware.name for firmware in firmwares)
        feeder_row = rows(feeder.name for feeder in ordered)
        owner_row = rows(owner.name for owner in owners)
        rows(rig.id for rig in rigs)
        groups = tuple(dict.fromkeys(rig.group or rig.id for rig in rigs))
        group_row = rows(groups)

        model = ints(model_row[rig.model] for rig in rigs)
        firmware = ints(firmware_row[rig.firmware] for rig in rigs)
        continuous = flags(kind.continuous for kind in firmwares)[firmware]
        rated = ints(kind.rated_w for kind in models)[model]
        lowest = ints(kind.curve[0][0] for kind in models)[model]

        def of_firmware(name: str) -> Ints:
            return ints(getattr(kind, name) for kind in firmwares)[firmware]

        return cls(
            ids=tuple(rig.id for rig in rigs),
            models=tuple(models),
            firmwares=tuple(firmwares),
            feeders=ordered,
            owners=tuple(owners),
            groups=groups,
            model=model,
            firmware=firmware,
            feeder=ints(feeder_row[rig.feeder] for rig in rigs),
            owner=ints(owner_row[rig.owner] for rig in rigs),
            group=ints(group_row[rig.group or rig.id] for rig in rigs),
            label=ints(int(rig.label) for rig in rigs),
            managed=flags(rig.managed for rig in rigs),
            rated_w=rated,
            floor_w=np.where(continuous, lowest, rated),
            idle_w=ints(kind.idle_w for kind in models)[model],
            ghs=ints(kind.curve[-1][1] for kind in models)[model],
            continuous=continuous & (lowest < rated),
            down_dead_ms=of_firmware("down_dead_ms"),
            down_ramp_ms=of_firmware("down_ramp_ms"),
            up_dead_ms=of_firmware("up_dead_ms"),
            up_ramp_ms=of_firmware("up_ramp_ms"),
            trim_dead_ms=of_firmware("trim_dead_ms"),
            trim_ramp_ms=of_firmware("trim_ramp_ms"),
            min_on_ms=of_firmware("min_on_ms"),
            min_off_ms=of_firmware("min_off_ms"),
            confirm_ms=of_firmware("confirm_ms"),
            parent=ints(-1 if f.parent is None else feeder_row[f.parent] for f in ordered),
            feeder_cap_w=ints(-1 if f.cap_w is None else f.cap_w for f in ordered),
        )


def parents_first(feeders: Sequence[Feeder]) -> tuple[Feeder, ...]:
    """The tree in an order where no feeder comes before its parent.

    Raises ValueError unless there is exactly one root and everything hangs under it.
    """
    roots = [feeder for feeder in feeders if feeder.parent is None]
    if len(roots) != 1:
        raise ValueError(f"{len(roots)} feeders without a parent, one is the site")
    ordered = [roots[0]]
    for feeder in ordered:  # grows as it is walked
        ordered += [child for child in feeders if child.parent == feeder.name]
    if len(ordered) != len(feeders):
        lost = {feeder.name for feeder in feeders} - {feeder.name for feeder in ordered}
        raise ValueError(f"feeders in a circle or under an unknown parent: {sorted(lost)}")
    return tuple(ordered)


def rows(names: Iterable[str]) -> dict[str, int]:
    """Row of each name; ValueError for a name given twice."""
    found: dict[str, int] = {}
    for row, name in enumerate(names):
        if name in found:
            raise ValueError(f"{name} is given twice")
        found[name] = row
    return found


def ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, np.int64)


def flags(values: Iterable[bool]) -> Flags:
    return np.fromiter(values, np.bool_)
