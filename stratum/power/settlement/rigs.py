"""Each rig's interval: energy as its telemetry has it, work as its shares have it, and its state.

Telemetry is no meter: a reading of watts is taken to hold until the next one, for HOLD_MS at most,
and where the firmware says no watts there is no energy. Work that a group of rigs submits under one
name is divided by their rated hashrates, exactly. A rig that was ordered to sleep and still submits
work is `not_shed`, whatever it says itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stratum.power.brain.commands import Commands
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.state import NEVER
from stratum.power.brain.values import UNKNOWN_W, Inputs, Ints
from stratum.power.settlement.energy import HOLD_MS, MS_PER_HOUR

#: A unit of work is a thousandth of this.
_HASHES_PER_1000 = 1 << 32

#: A rig that draws no more than so many times its idle power sleeps, where it can't say so.
_ASLEEP_IDLES = 2


@dataclass(frozen=True, slots=True)
class RigRow:
    """`wh` is None where no telemetry said watts; `work` in difficulty times a thousand;
    `mj_per_th` is thousandths of a joule per 10^12 hashes, None without work or energy."""

    rig: str
    owner: str
    feeder: str
    start_ms: int
    wh: int | None
    work: int
    mj_per_th: int | None
    cycles: int
    state: str
    witnesses: str


class Rigs:
    """Told of every tick; `close` answers a row for each rig and begins the next interval."""

    def __init__(self, fleet: Fleet, from_ms: int) -> None:
        count = len(fleet)
        self._fleet = fleet
        self._from_ms = from_ms  # UTC
        self._watts = np.full(count, UNKNOWN_W, np.int64)
        self._hashing = np.full(count, -1, np.int64)
        self._asked_ms = np.full(count, NEVER, np.int64)
        self._counted_ms = np.full(count, NEVER, np.int64)
        self._energy = np.zeros(count, np.int64)  # watts times ms; a remainder stays
        self._known_ms = np.zeros(count, np.int64)
        self._ordered_w = np.full(count, UNKNOWN_W, np.int64)
        self._ordered_ms = np.full(count, NEVER, np.int64)
        self._cycles = np.zeros(count, np.int64)
        self._work = np.zeros(len(fleet.groups), np.int64)
        self._worked_ms = np.full(len(fleet.groups), NEVER, np.int64)
        self._to_wall_ms = 0

    def take(self, inputs: Inputs, commands: Commands) -> None:
        self._to_wall_ms = inputs.wall_ms - inputs.now_ms
        rows, at = inputs.devices.rig, inputs.devices.at_ms
        self._count(rows, at)
        self._watts[rows] = inputs.devices.watts
        self._hashing[rows] = inputs.devices.hashing
        self._asked_ms[rows] = at

        self._work[inputs.work.group] += inputs.work.work
        self._worked_ms[inputs.work.group[inputs.work.shares > 0]] = inputs.work.to_ms

        woken = commands.rig[(commands.power_w > 0) & (self._ordered_w[commands.rig] == 0)]
        self._cycles[woken] += 1
        self._ordered_w[commands.rig] = commands.power_w
        self._ordered_ms[commands.rig] = inputs.now_ms

    def rebooted(self) -> None:
        """Monotonic time begins anew: what was heard before lies at no time that it knows."""
        for times in (self._asked_ms, self._counted_ms, self._ordered_ms, self._worked_ms):
            times[:] = NEVER
        self._watts[:] = UNKNOWN_W

    def close(self, end_ms: int, next_ms: int) -> Iterator[RigRow]:
        """A row for each rig of the time up to `end_ms`; the next interval is of `next_ms`, UTC."""
        fleet = self._fleet
        everyone = np.arange(len(fleet), dtype=np.int64)
        end = end_ms - self._to_wall_ms
        self._count(everyone, np.full(len(fleet), end, np.int64))
        columns = zip(
            fleet.ids,
            fleet.owner.tolist(),
            fleet.feeder.tolist(),
            (self._energy // MS_PER_HOUR).tolist(),
            self._energy.tolist(),
            (self._known_ms > 0).tolist(),
            self._work_by_rig().tolist(),
            self._cycles.tolist(),
            self._states(end),
            self._witnesses(end),
            strict=True,
        )
        for rig, owner, feeder, wh, energy, known, work, cycles, state, witnesses in columns:
            # Watts times ms are millijoules, and a unit of work a thousandth of 2^32 hashes.
            hashes = work * _HASHES_PER_1000
            yield RigRow(
                rig,
                fleet.owners[owner].name,
                fleet.feeders[feeder].name,
                self._from_ms,
                wh if known else None,
                work,
                energy * 10**15 // hashes if hashes and known else None,
                cycles,
                state,
                witnesses,
            )
        self._energy %= MS_PER_HOUR
        for counter in (self._known_ms, self._work, self._cycles):
            counter[:] = 0
        self._from_ms = next_ms

    def _count(self, rows: Ints, until_ms: Ints) -> None:
        """The energy of these rigs up to these times, as their last reading has it."""
        until = np.minimum(until_ms, self._asked_ms[rows] + HOLD_MS)
        held = np.maximum(until - self._counted_ms[rows], 0)
        known = self._watts[rows] != UNKNOWN_W
        self._energy[rows] += np.where(known, self._watts[rows] * held, 0)
        self._known_ms[rows] += np.where(known, held, 0)
        self._counted_ms[rows] = np.maximum(until_ms, self._counted_ms[rows])

    def _work_by_rig(self) -> Ints:
        """A group's work by rated hashrate: floors of running sums, so that nothing is lost."""
        group, ghs = self._fleet.group, self._fleet.ghs
        order = np.argsort(group, kind="stable")
        total = np.zeros(len(self._fleet.groups), np.int64)
        np.add.at(total, group, ghs)
        alone = np.bincount(group, minlength=len(total)) == 1
        work = self._work[group].copy()
        done: dict[int, tuple[int, int]] = {}
        for row in order[~alone[group[order]]].tolist():
            name = int(group[row])
            rate, before = done.get(name, (0, 0))
            rate += int(ghs[row])
            until = int(self._work[name]) * rate // max(int(total[name]), 1)
            work[row] = until - before
            done[name] = rate, until
        return work

    def _states(self, end: int) -> list[str]:
        """`asleep`, `running`, `not_shed` or `unknown`, at the interval's end."""
        worked = self._worked_ms[self._fleet.group]
        works = worked > end - HOLD_MS
        says = (self._asked_ms > end - HOLD_MS) & (self._hashing >= 0)
        shows = (self._asked_ms > end - HOLD_MS) & (self._watts != UNKNOWN_W)
        is_low = self._watts <= _ASLEEP_IDLES * self._fleet.idle_w
        runs = np.where(says, self._hashing == 1, np.where(shows, ~is_low, works))
        known = says | shows | works
        ordered_off = self._ordered_w == 0
        settled = self._ordered_ms < end - HOLD_MS
        stayed = ordered_off & settled & (runs | (works & (worked > self._ordered_ms + HOLD_MS)))
        kinds = [stayed, known & runs, known]
        words: list[str] = np.select(kinds, ["not_shed", "running", "asleep"], "unknown").tolist()
        return words

    def _witnesses(self, end: int) -> list[str]:
        """Who spoke in the last minute: the device, its shares, both or none."""
        device = self._asked_ms > end - HOLD_MS
        shares = self._worked_ms[self._fleet.group] > end - HOLD_MS
        words = np.array(["none", "device", "shares", "device+shares"])
        spoke: list[str] = words[device.astype(np.int64) + 2 * shares].tolist()
        return spoke
