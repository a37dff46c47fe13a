"""A small world to keep a journal of: a fleet, a second of telemetry, and a simple `decide`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from stratum.power.brain.commands import Commands, Level, Picture, Reason
from stratum.power.brain.fleet import Feeder, Firmware, Fleet, Owner, Rig, RigModel
from stratum.power.brain.settings import MeterSettings, Settings
from stratum.power.brain.state import RigState
from stratum.power.brain.values import (
    DeviceReadings,
    Inputs,
    Ints,
    JournalHealth,
    Kind,
    Market,
    MeterReading,
    Signal,
    WorkReadings,
)
from stratum.power.journal.recorder import Journal
from stratum.power.journal.writer import Writer

#: 2026-11-20 12:00 UTC.
NOON_MS = 1_795_176_000_000

MODELS = (
    RigModel("S21", ((2_500, 150_000), (3_500, 200_000))),
    RigModel("S19j Pro", ((3_068, 104_000),)),
    RigModel("M60", ((3_423, 172_000),), idle_w=60),
    RigModel("S21 Pro", ((3_510, 234_000),)),
)

SETTINGS = Settings(meters=(MeterSettings("site", register_modulus_wh=10**9),))


def fleet_of(rigs: int, seed: int = 1) -> Fleet:
    """Four models at random on four feeders of three owners."""
    random = np.random.default_rng(seed)
    models = random.integers(0, len(MODELS), rigs).tolist()
    return Fleet.of(
        rigs=[
            Rig(f"rig-{row}", MODELS[model].name, "luxos", f"f{row % 4}", f"owner-{row % 3}")
            for row, model in enumerate(models)
        ],
        models=MODELS,
        firmwares=[Firmware("luxos", continuous=True)],
        feeders=[Feeder("site"), *(Feeder(f"f{row}", "site") for row in range(4))],
        owners=[Owner(f"owner-{row}", 1_000_000) for row in range(3)],
    )


@dataclass(frozen=True, slots=True)
class Memory:
    """What this brain remembers beside the rigs."""

    last_w: int | None = None
    heard: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    tick: int
    rigs: RigState
    memory: Memory

    @classmethod
    def fresh(cls, fleet: Fleet) -> State:
        return cls(0, RigState.fresh(fleet), Memory())


@dataclass(frozen=True, slots=True)
class Decision:
    state: State
    commands: Commands
    reasons: tuple[Reason, ...]
    picture: Picture


def decide(state: State, inputs: Inputs, settings: Settings, fleet: Fleet) -> Decision:
    """Follows the last signal by switching the first rigs; enough to make a journal of."""
    rigs = state.rigs.copy()
    rigs.seen_w[inputs.devices.rig] = inputs.devices.watts
    rigs.hashing[inputs.devices.rig] = inputs.devices.hashing
    rigs.seen_ms[inputs.devices.rig] = inputs.devices.at_ms

    heard = state.memory.heard | {signal.source: signal.event_ms for signal in inputs.signals}
    wished = inputs.signals[-1].value if inputs.signals else state.memory.last_w
    target = fleet.total_w if wished is None else wished
    running = np.cumsum(fleet.rated_w) <= target
    wanted = np.where(running, fleet.rated_w, 0)
    changed = np.flatnonzero(rigs.ordered_w != wanted)
    rigs.cycles[0, changed] += wanted[changed] > 0
    rigs.ordered_w[changed] = wanted[changed]
    rigs.ordered_ms[changed] = inputs.now_ms

    count = len(changed)
    commands = Commands(
        number=state.tick * 100_000 + np.arange(count, dtype=np.int64),
        rig=changed.astype(np.int64),
        power_w=wanted[changed],
        rung=np.zeros(count, np.int64),
        cause=np.zeros(count, np.int64),
    )
    reasons = (Reason("follows", f"{target} W as asked", Level.INFO, "plant"),) if count else ()
    ordered = int(wanted.sum())
    measured = inputs.meters[-1].power_w if inputs.meters else None
    picture = Picture(
        target_w=target,
        goal_w=target,
        measured_w=measured,
        measured_from="model" if measured is None else "meter",
        settled_w=ordered,
        ordered_w=ordered,
        surplus_w=wished,
        sheddable_w=ordered,
        absorb_1min_w=0,
        absorb_5min_w=0,
        absorb_15min_w=0,
        foreign_w=0,
        unresponsive_w=0,
    )
    return Decision(State(state.tick + 1, rigs, Memory(wished, heard)), commands, reasons, picture)


@dataclass
class Site:
    """Rigs polled in turn every five seconds, with watts that jitter by 1 %, and their shares."""

    fleet: Fleet
    seed: int = 1
    wall_ms: int = NOON_MS
    now_ms: int = 1_000
    tick: int = 0
    energy_mws: int = 10**15  # the register, finer than it shows
    load_w: int | None = None  # of the meter; None: what the rigs take

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def second(self, value: int | None = None, *, step_ms: int = 1_000) -> Inputs:
        """The next tick's inputs; with a value the plant says it."""
        self.now_ms += step_ms
        self.wall_ms += step_ms
        load = self.load_w if self.load_w is not None else self.fleet.total_w
        self.energy_mws += load * step_ms
        signals = () if value is None else (self.signal(value),)
        inputs = Inputs(
            tick=self.tick,
            now_ms=self.now_ms,
            wall_ms=self.wall_ms,
            signals=signals,
            meters=(self.meter(load),),
            devices=self.devices(),
            work=self.work(),
            market=Market(155 * 10**12, 312_500_000, 4_000_000, 85_000_000_000, "x", NOON_MS),
        )
        self.tick += 1
        return inputs

    def signal(self, value: int) -> Signal:
        return Signal(
            "plant", Kind.SURPLUS_MEAS, value, self.wall_ms - 300, self.now_ms - 200, sequence=7
        )

    def meter(self, load_w: int) -> MeterReading:
        energy_wh = self.energy_mws // 3_600_000
        return MeterReading(0, load_w, self.wall_ms - 100, self.now_ms - 50, energy_wh, "M1")

    def devices(self) -> DeviceReadings:
        rows = np.arange(self.tick % 5, len(self.fleet), 5, dtype=np.int64)
        rated = self.fleet.rated_w[rows]
        jitter = self.random.integers(-(rated // 100), rated // 100 + 1)
        return DeviceReadings(
            rig=rows,
            watts=rated + jitter,
            hashing=np.ones(len(rows), np.int64),
            at_ms=self.now_ms - self.random.integers(0, 1_000, len(rows)),
        )

    def work(self) -> WorkReadings:
        """A share in five seconds a rig (`stratum.mining.vardiff`), at difficulties on its grid."""
        shares = self.random.poisson(0.2, len(self.fleet)).astype(np.int64)
        rows = np.flatnonzero(shares).astype(np.int64)
        found = shares[rows]
        difficulty = self.fleet.ghs[rows] // 16_384 * 16_384
        return WorkReadings(
            group=rows,
            shares=found,
            work=found * difficulty * 1_000,
            squares=found * difficulty * difficulty,
            from_ms=self.now_ms - 1_000,
            to_ms=self.now_ms,
        )


@dataclass
class Controller:
    """The loop around this brain: decides, and hands the journal what it decided."""

    journal: Journal[State]
    fleet: Fleet
    settings: Settings = SETTINGS
    state: State = field(init=False)

    def __post_init__(self) -> None:
        self.state = State.fresh(self.fleet)

    def take(self, inputs: Inputs) -> Decision:
        decision = decide(self.state, inputs, self.settings, self.fleet)
        self.journal.tick(self.state, inputs, decision)
        self.state = decision.state
        return decision


def wishes(ticks: int, fleet: Fleet) -> Iterator[int | None]:
    """A surplus that is said every fourth second and moves by a tenth."""
    for tick in range(ticks):
        yield fleet.total_w * (5 + tick // 4 % 6) // 10 if tick % 4 == 0 else None


def recorded(directory: Path, ticks: int = 12, rigs: int = 20, site: Site | None = None) -> Path:
    """A journal of that many ticks; its file."""
    site = site or Site(fleet_of(rigs))
    writer = Writer(directory)
    journal: Journal[State] = Journal(writer, SETTINGS, site.fleet, boot_id=bytes(range(16)))
    controller = Controller(journal, site.fleet)
    for wish in wishes(ticks, site.fleet):
        controller.take(site.second(wish))
        assert writer.drained(10)
    journal.close()
    (path,) = directory.glob("*.journal")
    return path


def with_health(inputs: Inputs, health: JournalHealth) -> Inputs:
    return replace(inputs, journal=health)


def ints(*values: int) -> Ints:
    return np.array(values, np.int64)
