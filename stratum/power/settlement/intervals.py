"""A minute, five or fifteen of the site: ordered, metered, delivered, and what lay in the surplus.

Orders and surplus come from the ticks, energy from the meters, and these come later: an interval is
closed when every meter has told of all of it. `delivered` counts in the direction of the order:
metered above the baseline where more was ordered than that, below it where less. `inside` is the
part of the metered energy that the surplus covered, second by second, in proportion to the load as
it was seen; where no surplus was known at the time, nothing counts as inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from stratum.power.brain.commands import Picture
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Settings
from stratum.power.brain.values import Inputs, Ints, MeterReading
from stratum.power.settlement.baselines import Baseline, Metered
from stratum.power.settlement.energy import (
    MS_PER_HOUR,
    Quality,
    Register,
    Stretch,
    worse,
)
from stratum.power.settlement.events import held_ms

#: Less of an interval's time than this under our eyes, and its figures are an estimate.
_SEEN_BP = 9_000

#: A meter's clock may run ahead of ours by this much.
FUTURE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Interval:
    """Means in watts, times in UTC ms; None is not known."""

    start_ms: int
    end_ms: int
    ordered_w: int | None
    baseline_w: int | None
    metered_w: int | None
    delivered_w: int | None
    energy_wh: int | None
    inside_wh: int | None
    outside_wh: int | None
    shares_w: int | None
    quality: Quality
    event_id: str


@dataclass(slots=True)
class _Account:
    """What is known so far of an interval: watts times ms, and the ms they were known for."""

    ordered: int = 0
    seen_ms: int = 0
    load: int = 0
    inside: int = 0
    surplus_ms: int = 0
    work_nj: int = 0
    energy_wh: int = 0
    metered_ms: dict[str, int] = field(default_factory=dict)
    quality: Quality = Quality.OK
    event: tuple[int, str] | None = None
    ids: dict[str, None] = field(default_factory=dict)


class Intervals:
    """Told of every tick, answers the intervals that are complete, oldest first."""

    def __init__(
        self, length_ms: int, fleet: Fleet, settings: Settings, baseline: Baseline
    ) -> None:
        assert length_ms in (60_000, 300_000, 900_000), "a minute, five or fifteen"
        self._length_ms = length_ms
        self._baseline = baseline
        self._names: dict[int, str] = {}
        self._registers: dict[str, Register] = {}  # by feeder
        self._until: dict[str, int] = {}  # told by each, UTC
        self.carry(fleet, settings)
        self._accounts: dict[int, _Account] = {}
        self._closed_ms = 0
        self._last: tuple[Inputs, Picture] | None = None

    def carry(self, fleet: Fleet, settings: Settings) -> None:
        """Another inventory or other settings from now on; a meter that stays goes on counting."""
        self._work_nj = work_energy_nj(fleet)
        self._names = {row: fleet.feeders[row].name for row in settled_feeders(fleet, settings)}
        for gone in set(self._registers) - set(self._names.values()):
            self._finish(gone)
            del self._registers[gone], self._until[gone]
        modulus = {meter.feeder: meter.register_modulus_wh for meter in settings.meters}
        rated = fleet.by_feeder(fleet.rated_w)
        for row, name in self._names.items():
            if name not in self._registers:
                self._registers[name] = Register(modulus[name], 2 * int(rated[row]))
                self._until[name] = 0

    def take(
        self, inputs: Inputs, picture: Picture, event: tuple[int, str] | None
    ) -> Iterator[Interval]:
        """`event` is the order in force: when it was decided, and its id."""
        self._baseline.hear(inputs)
        for reading in inputs.meters:
            self._read(reading, inputs.wall_ms)
        if self._last is not None:
            self._add(*self._last, inputs.now_ms)
        self._last = inputs, picture

        account = self._account(inputs.wall_ms)
        account.event = account.event or event
        if event is not None and event[1]:
            account.ids[event[1]] = None
        rows = inputs.work.group
        account.work_nj += int((inputs.work.work * self._work_nj[rows]).sum())
        yield from self._complete()

    def finish(self) -> Iterator[Interval]:
        """The rest: what no meter told of any more is MISSING."""
        for name in self._registers:
            self._finish(name)
        for start in sorted(self._accounts):
            yield self._interval(start)
        self._accounts.clear()

    def _read(self, reading: MeterReading, wall_ms: int) -> None:
        name = self._names.get(reading.feeder)
        # A stamp of tomorrow would make everything until then come late.
        if name is None or reading.event_ms > wall_ms + FUTURE_MS:
            return
        for stretch in self._registers[name].take(reading):
            self._metered(name, stretch)

    def _finish(self, name: str) -> None:
        for stretch in self._registers[name].finish():
            self._metered(name, stretch)

    def _metered(self, name: str, stretch: Stretch) -> None:
        self._until[name] = stretch.to_ms
        self._baseline.meter(stretch)
        for start, span_ms, energy in stretch.parts(self._length_ms):
            account = self._account(start)
            account.quality = worse(account.quality, stretch.quality)
            if energy is not None:
                account.energy_wh += energy
                account.metered_ms[name] = account.metered_ms.get(name, 0) + span_ms

    def _add(self, inputs: Inputs, picture: Picture, now_ms: int) -> None:
        """What the last tick's figures make of the time until this one."""
        held = held_ms(inputs.now_ms, now_ms)
        load = picture.settled_w if picture.measured_w is None else picture.measured_w
        at, end = inputs.wall_ms, inputs.wall_ms + held
        while at < end:
            account = self._account(at)
            span = min(end, at - at % self._length_ms + self._length_ms) - at
            account.seen_ms += span
            account.ordered += picture.target_w * span
            account.load += load * span
            if picture.surplus_w is not None:
                account.surplus_ms += span
                account.inside += max(0, min(load, picture.surplus_w)) * span
            at += span

    def _account(self, at_ms: int) -> _Account:
        """The interval of that moment; a clock that went back finds the oldest still open."""
        start = max(at_ms - at_ms % self._length_ms, self._closed_ms)
        return self._accounts.setdefault(start, _Account())

    def _complete(self) -> Iterator[Interval]:
        """Every meter has told of the time up to the slowest one."""
        known = min(self._until.values(), default=0)
        while self._accounts:
            start = min(self._accounts)
            if start + self._length_ms > known:
                return
            yield self._interval(start)
            del self._accounts[start]
            self._closed_ms = start + self._length_ms

    def _interval(self, start: int) -> Interval:
        account, length = self._accounts[start], self._length_ms
        least = min((account.metered_ms.get(name, 0) for name in self._registers), default=0)
        quality = account.quality
        if account.seen_ms * 10_000 < length * _SEEN_BP:
            quality = worse(quality, Quality.ESTIMATED)
        if least < length:
            quality = Quality.MISSING
        energy = account.energy_wh if account.metered_ms else None
        metered = energy * MS_PER_HOUR // length if energy is not None and least == length else None

        whole = energy if metered is not None else None
        would = self._baseline.watts(Metered(start, start + length, whole, account.event))
        ordered = account.ordered // account.seen_ms if account.seen_ms else None
        inside = _inside_wh(account, energy)
        return Interval(
            start_ms=start,
            end_ms=start + length,
            ordered_w=ordered,
            baseline_w=would,
            metered_w=metered,
            delivered_w=delivered_w(ordered, would, metered),
            energy_wh=energy,
            inside_wh=inside,
            outside_wh=None if inside is None or energy is None else energy - inside,
            shares_w=account.work_nj // (length * 1_000_000),
            quality=quality,
            event_id=" ".join(account.ids),
        )


def delivered_w(ordered: int | None, would: int | None, metered: int | None) -> int | None:
    """How far the load lay from the baseline, in the direction of the order."""
    if ordered is None or would is None or metered is None:
        return None
    return metered - would if ordered >= would else would - metered


def _inside_wh(account: _Account, energy: int | None) -> int | None:
    if energy is None or not account.surplus_ms:
        return None
    return energy * account.inside // account.load if account.load > 0 else energy


def work_energy_nj(fleet: Fleet) -> Ints:
    """Of each group: nanojoules that a unit of its work took, at its rigs' rated efficiency.

    A unit is a thousandth of 2^32 hashes; J per GH is W per GH/s.
    """
    watts = np.zeros(len(fleet.groups), np.int64)
    ghs = np.zeros(len(fleet.groups), np.int64)
    np.add.at(watts, fleet.group, fleet.rated_w)
    np.add.at(ghs, fleet.group, fleet.ghs)
    energy: Ints = watts * (1 << 32) // (1_000 * np.maximum(ghs, 1))
    return energy


def settled_feeders(fleet: Fleet, settings: Settings) -> Sequence[int]:
    """The meters that add up to the site: those with no other meter above them."""
    names = [feeder.name for feeder in fleet.feeders]
    metered = {names.index(meter.feeder) for meter in settings.meters if meter.feeder in names}
    return [row for row in sorted(metered) if not metered & set(_above(fleet, row))]


def _above(fleet: Fleet, row: int) -> Iterator[int]:
    while (row := int(fleet.parent[row])) >= 0:
        yield row
