"""The twin itself: commands in, a second passes, readings out.

`step` carries commands out from the moment of the last step, so a command that was decided upon at
second k begins to work between k and k+1. `read` hands over what arrived since it was last asked:
meters late by their delay, each device once in `poll_ms`, shares of the second before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stratum.power.brain.commands import Commands
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.values import (
    DeviceReadings,
    Flags,
    Ints,
    MeterReading,
    Results,
    WorkReadings,
)
from stratum.power.twin import faults
from stratum.power.twin.meter import Meter
from stratum.power.twin.rigs import DAY, Floats, Rigs
from stratum.power.twin.work import Work

#: Every device is asked once in this time (assumed; N27 wants its word younger than 60 s), and its
#: answer is taken up this much later.
POLL_MS = 10_000
POLL_DELAY_MS = 1_000

SITE = 0


@dataclass(frozen=True, slots=True)
class Readings:
    """What `brain.values.Inputs` wants of the world."""

    devices: DeviceReadings = field(default_factory=DeviceReadings)
    meters: tuple[MeterReading, ...] = ()
    work: WorkReadings = field(default_factory=WorkReadings)
    results: Results = field(default_factory=Results)


class Twin:
    """A farm. Everything public but `step`, `read` and `suffer` is the truth, for the score."""

    def __init__(
        self,
        fleet: Fleet,
        seed: int,
        *,
        now_ms: int = 0,
        meters: Sequence[int] = (SITE,),
        share_rate_per_min: float = 20.0,
        poll_ms: int = POLL_MS,
        deaths_per_rig_day: float = 0.0,
        meter_modulus_wh: int = 0,
    ) -> None:
        self.fleet = fleet
        self.now_ms = now_ms
        self._rng = np.random.default_rng(seed)
        self.rigs = Rigs(fleet, self._rng, now_ms)
        self.meters = tuple(
            Meter(feeder, self._rng, serial=f"twin-{feeder}", modulus_wh=meter_modulus_wh)
            for feeder in meters
        )
        self._work = Work(fleet, self._rng, share_rate_per_min)
        self._poll_ms = poll_ms
        self._deaths = deaths_per_rig_day / DAY
        self._idle_until_ms = now_ms  # no work is handed out before
        self._polled: deque[tuple[int, DeviceReadings]] = deque()
        self._done: list[WorkReadings] = []
        self._order_of_polls = self._rng.permutation(len(fleet))
        self.feeder_w = self._by_feeder()

    @property
    def power_w(self) -> float:
        """What the site truly takes."""
        return float(self.feeder_w[SITE])

    def step(self, now_ms: int, commands: Commands, wall_ms: int | None = None) -> None:
        """Carry `commands` out and let the time pass until `now_ms`."""
        last_ms, before_w = self.now_ms, self.feeder_w
        self.rigs.obey(commands)
        self._let_die(now_ms - last_ms)
        self.rigs.advance(now_ms)
        self.now_ms = now_ms
        self.feeder_w = self._by_feeder()

        wall_ms = now_ms if wall_ms is None else wall_ms
        for meter in self.meters:
            power_w = float(self.feeder_w[meter.feeder])
            mean_w = (float(before_w[meter.feeder]) + power_w) / 2.0
            meter.sample(power_w, mean_w, now_ms - last_ms, now_ms, wall_ms)
        self._poll(last_ms, now_ms)
        self._hash(last_ms, now_ms)

    def read(self, now_ms: int) -> Readings:
        """Everything that arrived since the last call."""
        command, rig, outcome = self.rigs.answers(now_ms)
        return Readings(
            devices=self._telemetry(now_ms),
            meters=tuple(reading for meter in self.meters for reading in meter.read(now_ms)),
            work=self._submitted(),
            results=Results(command, rig, outcome),
        )

    def lull(self, share_bp: int) -> None:
        """So many of them have been asleep for long: how a scenario may begin."""
        self.rigs.fall_asleep(self._some(share_bp))
        self.feeder_w = self._by_feeder()

    # -- faults ----------------------------------------------------------------------------

    def suffer(self, fault: faults.Fault) -> None:
        """It happens now."""
        now, rigs = self.now_ms, self.rigs
        match fault:
            case faults.Lie(share_bp):
                rigs.liar[self._some(share_bp)] = True
            case faults.Hang(share_bp, for_ms):
                rigs.hung_ms[self._some(share_bp)] = now + for_ms
            case faults.Silence(share_bp, for_ms):
                rigs.silent_ms[self._some(share_bp)] = now + for_ms
            case faults.Die(share_bp):
                rigs.dead[self._some(share_bp)] = True
            case faults.Crash(share_bp, which, forget):
                chosen = self._some(share_bp, which)
                rigs.boot(chosen, np.full(len(chosen), now), forget)
            case faults.Meddle(share_bp):
                sleepers = max(int(np.count_nonzero(rigs.asleep)), 1)
                of_sleepers = min(share_bp * len(self.fleet) // sleepers, 10_000)
                rigs.wake(self._some(of_sleepers, faults.Which.ASLEEP))
            case faults.Trip(feeder, for_ms, forget):
                dark = np.flatnonzero(self._under(feeder))
                rigs.dark_ms[dark] = now + for_ms
                rigs.boot(dark, np.full(len(dark), now + for_ms), forget)
            case faults.NoWork(for_ms):
                self._idle_until_ms = now + for_ms
            case faults.Meter(feeder, ailment):
                row = self._feeder(feeder)
                for meter in self.meters:
                    if meter.feeder == row:
                        meter.ailment = ailment
        rigs.advance(now)
        self.feeder_w = self._by_feeder()

    def _some(self, share_bp: int, which: faults.Which = faults.Which.ALL) -> Ints:
        alive = ~(self.rigs.dead | self.rigs.cut | (self.rigs.dark_ms > self.now_ms))
        if which is faults.Which.ASLEEP:
            alive &= self.rigs.asleep
        elif which is faults.Which.RUNNING:
            alive &= self.rigs.hashes
        candidates = np.flatnonzero(alive)
        count = -(-len(candidates) * share_bp // 10_000)
        return np.sort(self._rng.choice(candidates, count, replace=False)).astype(np.int64)

    def _let_die(self, took_ms: int) -> None:
        if not self._deaths:
            return
        count = self._rng.binomial(len(self.fleet), min(self._deaths * took_ms, 1.0))
        self.rigs.dead[self._rng.integers(0, len(self.fleet), count)] = True

    def _feeder(self, name: str) -> int:
        return [feeder.name for feeder in self.fleet.feeders].index(name)

    def _under(self, name: str) -> Flags:
        """Rigs under a feeder or any of its children."""
        row = self._feeder(name)
        inside = np.zeros(len(self.fleet.feeders), np.bool_)
        inside[row] = True
        for child in range(row + 1, len(inside)):  # parents stand before children
            inside[child] |= inside[self.fleet.parent[child]]
        return inside[self.fleet.feeder]

    # -- witnesses -------------------------------------------------------------------------

    def _by_feeder(self) -> Floats:
        sums: Floats = np.bincount(
            self.fleet.feeder, self.rigs.power_w, len(self.fleet.feeders)
        ).astype(np.float64)
        for child in range(len(sums) - 1, 0, -1):
            sums[self.fleet.parent[child]] += sums[child]
        return sums

    def _poll(self, last_ms: int, now_ms: int) -> None:
        """The next few in turn, so that each is asked once in `poll_ms`."""
        count = len(self.fleet)
        first, last = (
            count * (at % self._poll_ms) // self._poll_ms if at % self._poll_ms else 0
            for at in (last_ms, now_ms)
        )
        if now_ms - last_ms >= self._poll_ms:
            turn = self._order_of_polls
        elif last > first:
            turn = self._order_of_polls[first:last]
        else:
            turn = np.concatenate([self._order_of_polls[first:], self._order_of_polls[:last]])
        rigs = self.rigs
        turn = turn[rigs.answers_calls[turn]]
        watts, hashing = rigs.claims_w[turn], rigs.claims_hashing[turn]
        asked = DeviceReadings(turn, watts, hashing, np.full(len(turn), now_ms))
        self._polled.append((now_ms + POLL_DELAY_MS, asked))

    def _telemetry(self, now_ms: int) -> DeviceReadings:
        arrived = []
        while self._polled and self._polled[0][0] <= now_ms:
            arrived.append(self._polled.popleft()[1])
        if len(arrived) <= 1:
            return arrived[0] if arrived else DeviceReadings()
        # Two polls of one rig in one reading: the later counts.
        rig, watts, hashing, at_ms = (
            np.concatenate([getattr(part, name) for part in reversed(arrived)])
            for name in ("rig", "watts", "hashing", "at_ms")
        )
        rig, first = np.unique(rig, return_index=True)
        return DeviceReadings(rig, watts[first], hashing[first], at_ms[first])

    def _hash(self, last_ms: int, now_ms: int) -> None:
        if now_ms <= self._idle_until_ms:
            return
        ghs = self._work.hashrate(self.rigs)
        self._done.append(self._work.done(ghs, ~self.rigs.parked, last_ms, now_ms))

    def _submitted(self) -> WorkReadings:
        done, self._done = self._done, []
        if not done:
            return WorkReadings(from_ms=self.now_ms, to_ms=self.now_ms)
        if len(done) == 1:
            return done[0]
        group, place = np.unique(np.concatenate([part.group for part in done]), return_inverse=True)

        def total(name: str) -> Ints:
            sums = np.zeros(len(group), np.int64)
            np.add.at(sums, place, np.concatenate([getattr(part, name) for part in done]))
            return sums

        return WorkReadings(
            group=group,
            shares=total("shares"),
            work=total("work"),
            squares=total("squares"),
            from_ms=done[0].from_ms,
            to_ms=done[-1].to_ms,
        )
