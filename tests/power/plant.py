"""A plant that speaks to the brain's signal side: clocks, sources, overrides, arbitration.

Time is a number of milliseconds that moves by `tick`; the wall clock may be skewed from the true
time by `skew_ms`. What is said goes into the next tick.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from stratum.power.brain.arbitration import Order, arbitrate
from stratum.power.brain.clocks import ClockState, watch
from stratum.power.brain.commands import Reason
from stratum.power.brain.fleet import Feeder, Firmware, Fleet, Owner, Rig, RigModel
from stratum.power.brain.line import SourceView, Standing
from stratum.power.brain.overrides import OrderEffect, OverrideState, apply
from stratum.power.brain.settings import SECOND, Settings, SourceSettings
from stratum.power.brain.sources import SourceMemory, advance
from stratum.power.brain.values import Inputs, Kind, OperatorOrder, OrderKind, Signal

MW = 1_000_000
FLEET_W = 30 * MW
NOON = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * SECOND


def utc(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * SECOND  # type: ignore[misc, arg-type]


def source(
    name: str = "dispatch", kind: Kind = Kind.SETPOINT_ABS, **more: object
) -> SourceSettings:
    return replace(SourceSettings(name, kind), **more)  # type: ignore[arg-type]


def small_fleet() -> Fleet:
    """Four rigs: two in hall A, one in its cellar, one in hall B."""
    halls = {"a": "A", "b": "A", "c": "A cellar", "d": "B"}
    return Fleet.of(
        [Rig(name, "S21", "fast", feeder, "us") for name, feeder in halls.items()],
        [RigModel("S21", ((3_500, 200_000),))],
        [Firmware("fast")],
        [Feeder("site"), Feeder("A", "site"), Feeder("A cellar", "A"), Feeder("B", "site")],
        [Owner("us", 14_000)],
    )


class Plant:
    """The signal side of `decide`, tick by tick."""

    def __init__(
        self, *sources: SourceSettings, start_ms: int = NOON, total_w: int = FLEET_W, **more: object
    ) -> None:
        self.settings: Settings = replace(Settings(), sources=sources, **more)  # type: ignore[arg-type]
        self.kinds = {setting.name: setting.kind for setting in sources}
        self.fleet = small_fleet()
        self.total_w = total_w
        self.true_ms = start_ms
        self.now_ms = 0
        self.skew_ms = 0
        self.load_w: int | None = None
        self.upstream_lost = False
        self.clocks = ClockState()
        self.sources = SourceMemory.fresh(self.settings)
        self.overrides = OverrideState.fresh(self.settings)
        self.reasons: list[Reason] = []  # of the last tick
        self.effects: tuple[OrderEffect, ...] = ()
        self.codes: list[str] = []  # of all ticks
        self._said: list[Signal] = []
        self._ordered: list[OperatorOrder] = []
        self._tick = 0

    @property
    def wall_ms(self) -> int:
        return self.true_ms + self.skew_ms

    def say(self, name: str, value: int | None, *, late_ms: int = 0, **more: object) -> None:
        """A sample, stamped by the plant's clock, which is right."""
        signal = Signal(name, self.kinds[name], value, self.true_ms - late_ms, self.now_ms)
        self.send(replace(signal, **more))  # type: ignore[arg-type]

    def send(self, *signals: Signal) -> None:
        self._said += signals

    def order(self, kind: OrderKind, scope: str = "", **more: object) -> None:
        self._ordered.append(
            replace(OperatorOrder(kind, "anna", "test", scope), **more)  # type: ignore[arg-type]
        )

    def tick(self, step_ms: int = SECOND) -> Order:
        """What was said is heard and decided upon; then time goes on."""
        now, settings = self.now_ms, self.settings
        self.clocks, told = watch(self.clocks, now, self.wall_ms, settings)
        self.reasons = list(told)
        self.overrides, self.effects, told = apply(
            self.overrides, self._ordered, now, settings, self.fleet, load_w=self.load_w
        )
        self.reasons += told
        self.sources, told = advance(
            self.sources,
            tuple(self._said),
            now,
            self.clocks.wall_ms,
            settings,
            self.total_w,
            self.clocks.reject_wall_timed,
            load_w=self.load_w,
            cleared=self.overrides.cleared,
        )
        self.reasons += told
        inputs = Inputs(self._tick, now, self.wall_ms, upstream_lost=self.upstream_lost)
        order, told = arbitrate(
            self.sources.views, self.overrides, self.load_w, settings, self.total_w, inputs
        )
        self.reasons += told
        self.codes += [reason.code for reason in self.reasons]
        self._said, self._ordered = [], []
        self._tick += 1
        self.now_ms += step_ms
        self.true_ms += step_ms
        return order

    def run(self, seconds: int, said: Iterable[tuple[str, int]] = ()) -> Order:
        """So many ticks of a second, each source of `said` heard in each."""
        said = tuple(said)
        for _ in range(seconds):
            for name, value in said:
                self.say(name, value)
            order = self.tick()
        return order

    def view(self, name: str) -> SourceView:
        return next(view for view in self.sources.views if view.name == name)

    def standing(self, name: str) -> Standing:
        return self.view(name).standing

    def text(self, code: str) -> str:
        """What was told under this code in the last tick."""
        return next(reason.text for reason in self.reasons if reason.code == code)
