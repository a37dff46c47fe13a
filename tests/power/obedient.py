"""A farm without surprises: every rig does at once what it is told, and says so each tick.

For what takes days, owners' parts or prices, where the twin's honesty would only cost time. The
meter is exact, and a tick may be long.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stratum.power.brain.dispatch import Decision, State, decide
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Settings
from stratum.power.brain.values import (
    DeviceReadings,
    Inputs,
    Kind,
    Market,
    MeterReading,
    OperatorOrder,
    Signal,
    WorkReadings,
)

WALL = 1_790_000_000_000
SOURCE = "plant"


@dataclass
class Farm:
    """`step` once a tick with what the plant has to give."""

    fleet: Fleet
    settings: Settings
    tick_ms: int
    tick: int = 0
    market: Market | None = None
    orders: tuple[OperatorOrder, ...] = ()
    decisions: list[Decision] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = State.fresh(self.fleet, self.settings)
        self.power_w = self.fleet.rated_w.copy()

    @property
    def load_w(self) -> int:
        return int(self.power_w.sum())

    def step(self, surplus_w: int) -> Decision:
        now_ms = self.tick * self.tick_ms
        decision = decide(self.state, self.image(surplus_w, now_ms), self.settings, self.fleet)
        told = decision.commands
        self.power_w[told.rig] = np.where(
            told.power_w > 0, told.power_w, self.fleet.idle_w[told.rig]
        )
        self.state = decision.state
        self.tick += 1
        self.orders = ()
        return decision

    def image(self, surplus_w: int, now_ms: int) -> Inputs:
        count = len(self.fleet)
        hashing = (self.power_w > self.fleet.idle_w).astype(np.int64)
        rows = np.flatnonzero(hashing)
        shares = np.full(len(rows), 10, np.int64)
        work = self.fleet.ghs[rows] * self.tick_ms * 1_000_000_000 >> 32  # thousandths
        return Inputs(
            tick=self.tick,
            now_ms=now_ms,
            wall_ms=WALL + now_ms,
            signals=(Signal(SOURCE, Kind.SURPLUS_MEAS, surplus_w, WALL + now_ms, now_ms),),
            meters=(MeterReading(0, self.load_w, WALL + now_ms, now_ms),),
            devices=DeviceReadings(
                rig=np.arange(count, dtype=np.int64),
                watts=self.power_w.copy(),
                hashing=hashing,
                at_ms=np.full(count, now_ms, np.int64),
            ),
            work=WorkReadings(
                group=self.fleet.group[rows],
                shares=shares,
                work=work,
                squares=np.zeros(len(rows), np.int64),
                from_ms=max(0, now_ms - self.tick_ms),
                to_ms=now_ms,
            ),
            market=self.market,
            orders=self.orders,
        )
