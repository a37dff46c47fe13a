"""A yard of rigs for the witnesses: they hash, answer and obey as each was told to; no dispatch.

Not the twin: nothing here is meant to be realistic, everything is meant to be readable in a test.
Orders are written into the state as dispatch writes them. A rig obeys after `delay_ms`, at once
and with all its power; its words, watts and work can each be made to differ from what it does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stratum.power.brain.commands import Reason
from stratum.power.brain.escalation import PARK
from stratum.power.brain.estimator import MeterView
from stratum.power.brain.fleet import Feeder, Firmware, Fleet, Owner, Rig, RigModel
from stratum.power.brain.settings import Settings
from stratum.power.brain.state import NEVER, RigState, Status
from stratum.power.brain.values import (
    OUTCOMES,
    DeviceReadings,
    Flags,
    Inputs,
    Ints,
    Outcome,
    OutletReadings,
    Results,
    WorkReadings,
)
from stratum.power.brain.verification import VerificationState, Verified, verify
from stratum.power.brain.witnesses import rate

FULL_W, FLOOR_W, IDLE_W, GHS = 3_500, 2_000, 25, 200_000
S21 = RigModel("S21", ((FLOOR_W, 130_000), (FULL_W, GHS)), IDLE_W)
FAST = Firmware("fast")  # t95 5 s down, 10 s up
MUTE = Firmware("mute", reports_watts=False)

SHARE_MS = 5_000  # a share of each rig on average
POLL = 5  # seconds between two readings of a rig


def fleet_of(
    count: int, *, firmware: Firmware = FAST, group_size: int = 1, feeders: int = 1
) -> Fleet:
    """Rigs r0.. on feeders f0.. under the site, `group_size` of them under one worker name."""
    return Fleet.of(
        [
            Rig(
                f"r{row}",
                S21.name,
                firmware.name,
                f"f{row * feeders // count}",
                "owner",
                group=f"w{row // group_size}" if group_size > 1 else "",
            )
            for row in range(count)
        ],
        [S21],
        [firmware],
        [Feeder("site"), *(Feeder(f"f{row}", "site") for row in range(feeders))],
        [Owner("owner", count * FULL_W)],
    )


class Yard:
    """The rigs and a clock that is a number; `tick` lets a second pass and has it judged."""

    def __init__(self, fleet: Fleet, settings: Settings | None = None, seed: int = 1) -> None:
        print(f"seed {seed}")  # pytest shows it where a test fails
        self.fleet, self.settings = fleet, settings or Settings()
        self.rigs, self.state = RigState.fresh(fleet), VerificationState.fresh(fleet)
        self.now_ms = 0
        self.random = np.random.default_rng(seed)
        count = len(fleet)
        # What they do.
        self.does_run = np.ones(count, np.bool_)
        self.goal = np.ones(count, np.bool_)
        self.goal_ms = np.full(count, NEVER, np.int64)
        self.delay_ms = np.full(count, 2_000, np.int64)
        self.obeys = np.ones(count, np.bool_)
        self.works_here = np.ones(count, np.bool_)
        self.parked = np.zeros(count, np.bool_)
        # What they say.
        self.answers = np.ones(count, np.bool_)
        self.lies = np.zeros(count, np.bool_)  # says asleep and draws 25 W, always
        self.has_watts = np.array([kind.reports_watts for kind in fleet.firmwares])[fleet.firmware]
        self.base_w = 0
        self.real_full_w = FULL_W
        self.meter_sign = 1
        self.meters = True
        self.outcome: Results = Results()
        self.outlets = OutletReadings()
        self.upstream_lost = False
        # What came of it.
        self.reasons: list[tuple[int, Reason]] = []
        self.tried: list[tuple[int, int, int, int]] = []  # at, rig, power, rung
        self.seen: Verified | None = None
        self.owed_w: int | None = None

    @property
    def status(self) -> Ints:
        return self.rigs.status

    @property
    def now(self) -> Verified:
        assert self.seen is not None, "no tick yet"
        return self.seen

    def count(self, status: Status) -> int:
        return int((self.status == status).sum())

    def codes(self) -> set[str]:
        return {reason.code for _, reason in self.reasons}

    @property
    def real_w(self) -> Ints:
        return np.where(self.does_run, self.real_full_w, IDLE_W)

    def order(self, rows: Ints, power_w: int) -> None:
        """As dispatch writes a command, at the end of a tick."""
        rigs, fleet = self.rigs, self.fleet
        on = power_w > 0
        learned = self.state.learned.settle_ms(fleet, down=not on)[rows]
        rigs.from_w[rows] = rigs.assumed_w(fleet)[rows]
        rigs.ordered_w[rows] = power_w
        rigs.ordered_ms[rows] = self.now_ms
        rigs.due_ms[rows] = self.now_ms + learned + self.settings.verify_margin_ms
        rigs.status[rows] = Status.WAKING if on else Status.SHEDDING
        (rigs.on_ms if on else rigs.off_ms)[rows] = self.now_ms
        self.parked[rows] &= not on
        self.deliver(rows, on)

    def deliver(self, rows: Ints, on: bool) -> None:
        """The rigs that obey will have done it after their delay."""
        new = rows[self.obeys[rows] & (self.goal[rows] != on)]
        self.goal[new] = on
        self.goal_ms[new] = self.now_ms + self.delay_ms[new]

    def force(self, rows: Ints, on: bool) -> None:
        """Something else than us moves them: a reboot, another controller, a fuse."""
        self.goal[rows] = self.does_run[rows] = on

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.tick()

    def tick(self) -> None:
        self.now_ms += 1_000
        due = self.goal_ms <= self.now_ms
        self.does_run[due] = self.goal[due]
        self.rigs = self.rigs.copy()
        fleet, tick = self.fleet, self.now_ms // 1_000
        inputs = Inputs(
            tick,
            self.now_ms,
            self.now_ms,
            devices=self._poll(tick),
            work=self._work(),
            results=self.outcome,
            outlets=self.outlets,
            upstream_lost=self.upstream_lost,
        )
        self.outcome, self.outlets = Results(), OutletReadings()
        power_w = self.meter_sign * (int(self.real_w.sum()) + self.base_w)
        meters = (MeterView(0, power_w, self.now_ms, True),) if self.meters else ()
        self.seen = verify(
            self.rigs, self.state, inputs, self.settings, self.fleet, meters, owed_w=self.owed_w
        )
        self.state = self.seen.state
        self.reasons += [(self.now_ms, reason) for reason in self.seen.reasons]
        retries = self.seen.retries
        for rig, watts, rung in zip(retries.rig, retries.power_w, retries.rung, strict=True):
            self.tried.append((self.now_ms, int(rig), int(watts), int(rung)))
            self.parked[rig] |= fleet.firmwares[0].ladder[rung] == PARK
            self.deliver(np.array([rig]), bool(watts))

    def refuse(self, rows: Ints, outcome: Outcome) -> None:
        """The next tick hears that commands to these rigs were not delivered."""
        code = OUTCOMES.index(outcome)
        self.outcome = Results(np.zeros(len(rows), np.int64), rows, np.full(len(rows), code))

    def _poll(self, tick: int) -> DeviceReadings:
        rows = np.arange(tick % POLL, len(self.fleet), POLL)
        rows = rows[self.answers[rows]]
        says_run: Flags = self.does_run[rows] & ~self.lies[rows]
        watts = np.where(says_run, FULL_W, IDLE_W)
        return DeviceReadings(
            rows,
            np.where(self.has_watts[rows], watts, -1),
            says_run.astype(np.int64),
            np.full(len(rows), self.now_ms - 100, np.int64),
        )

    def _work(self) -> WorkReadings:
        """Poisson arrivals of equal shares under each name."""
        fleet = self.fleet
        hashing = np.zeros(len(fleet.groups), np.int64)
        shown = self.does_run & self.works_here & ~self.parked
        np.add.at(hashing, fleet.group, shown)
        shares = self.random.poisson(hashing * 1_000 / SHARE_MS)
        group = np.flatnonzero(shares)
        one = int(rate(fleet)[0]) * SHARE_MS // 1_000
        count = shares[group].astype(np.int64)
        # Squares of a real difficulty times 10^6 do not fit where a name has many rigs; the
        # witness falls back on the count, which is exact here.
        squares = np.zeros(len(group), np.int64)
        return WorkReadings(group, count, count * one, squares, self.now_ms - 1_000, self.now_ms)


def settled(fleet: Fleet, settings: Settings | None = None, seed: int = 1) -> Yard:
    """A yard whose rigs all run and were seen to, with every window full."""
    yard = Yard(fleet, settings, seed)
    yard.run(90)
    assert yard.count(Status.RUNNING) == len(fleet)
    return yard


def settings_of(**changes: object) -> Settings:
    return replace(Settings(), **changes)  # type: ignore[arg-type]
