"""The sources in line: what each counts as now, who leads whom, and how that is said.

A source that is named as another's fallback stands behind it, whatever the priorities say, so that
a plan and the dispatcher it stands in for are never two masters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stratum.power.brain.arrival import shown
from stratum.power.brain.commands import Level, Reason
from stratum.power.brain.settings import SECOND, Settings, SourceSettings
from stratum.power.brain.values import Kind

#: A limit that isn't one: a source at rest that speaks only in emergencies.
NO_LIMIT_W = 1 << 60


class Standing(StrEnum):
    LIVE = "live"
    HELD = "held"
    RAMPING = "ramping"
    FALLBACK = "fallback"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class SourceView:
    """What one source counts as in this tick.

    `value_w` is watts of consumption (a price: micro-units per MWh); None is a price not known.
    """

    name: str
    kind: Kind
    value_w: int | None
    standing: Standing
    rank: tuple[int, int, int]  # the lowest leads; equals are masters of one rank
    held_w: int | None = None  # its last word, while it is lost
    event_id: str = ""
    latched: bool = False
    why: str = ""  # what it was lost by: stale, frozen, expired

    @property
    def word_w(self) -> int | None:
        """What it last said itself; None where it never said anything."""
        if self.standing is Standing.SILENT:
            return None
        return self.value_w if self.standing is Standing.LIVE else self.held_w

    @property
    def surplus_w(self) -> int | None:
        """All there is to take, our own load in it; None unless a surplus is said or held."""
        is_said = self.standing in (Standing.LIVE, Standing.HELD)
        return self.value_w if is_said and self.kind is Kind.SURPLUS_MEAS else None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source stands in line."""

    priority: int
    depth: int  # behind how many others it is named
    fallback: int  # row of the source that holds when this one is lost; -1: a figure does


def places(settings: tuple[SourceSettings, ...]) -> tuple[Place, ...]:
    """Who stands behind whom. A name that leads nowhere, to a price or back to itself is none."""
    rows = {setting.name: row for row, setting in enumerate(settings)}
    named = [rows.get(setting.fallback_source, -1) for setting in settings]
    named = [-1 if row >= 0 and settings[row].kind is Kind.PRICE else row for row in named]
    named = [-1 if _comes_back(start, named) else row for start, row in enumerate(named)]

    priority = [setting.priority for setting in settings]
    depth = [0] * len(settings)
    for _ in settings:  # a chain is at most as long as there are sources
        for row, behind in enumerate(named):
            if behind >= 0:
                depth[behind] = max(depth[behind], depth[row] + 1)
                priority[behind] = max(priority[behind], priority[row])
    return tuple(map(Place, priority, depth, named))


def _comes_back(start: int, named: list[int]) -> bool:
    row = named[start]
    for _ in named:
        if row in (start, -1):
            break
        row = named[row]
    return row == start


def fallback_w(setting: SourceSettings, settings: Settings) -> int:
    return settings.floor_w if setting.fallback_w is None else setting.fallback_w


def first_view(setting: SourceSettings, place: Place, settings: Settings) -> SourceView:
    """Never heard: at its fallback, or at rest where silence means that all is well."""
    value: int | None = fallback_w(setting, settings)
    standing = Standing.SILENT
    if setting.kind is Kind.PRICE:
        value = None
    elif setting.kind is Kind.EMERGENCY and setting.on_event:
        value, standing = NO_LIMIT_W, Standing.LIVE
    rank = (place.priority, place.depth, 0)
    return SourceView(setting.name, setting.kind, value, standing, rank)


def change_told(
    setting: SourceSettings, before: SourceView, view: SourceView, settings: Settings
) -> tuple[Reason, ...]:
    """A sentence where the source stands otherwise than a tick ago."""
    told: tuple[Reason, ...] = ()
    if view.latched and not before.latched and view.kind is Kind.EMERGENCY:
        text = f"{view.name}: emergency, at most {shown(view.value_w or 0)} until it is cleared"
        told = (Reason("latched", text, Level.ALARM, view.name),)
    if view.standing is before.standing:
        return told
    if view.value_w is None:
        text, level = f"no price is known ({view.why})", Level.WARNING
    else:
        text, level = _in_words(setting, view, shown(view.value_w, view.kind), settings)
    code = f"source_{view.standing}"
    return (*told, Reason(code, f"{view.name}: {text}", level, view.name))


def _in_words(
    setting: SourceSettings, view: SourceView, value: str, settings: Settings
) -> tuple[str, Level]:
    named = setting.fallback_source
    goal = f"what {named} says" if named else shown(fallback_w(setting, settings))
    match view.standing:
        case Standing.HELD:
            hold = settings.hold_ms // SECOND
            text = f"lost ({view.why}), {value} holds for {hold} s, then down to {goal}"
            return text, Level.WARNING
        case Standing.RAMPING:
            ramp = settings.lost_ramp_ms // SECOND
            text = f"still lost ({view.why}), down from {value} to {goal} in {ramp} s"
            return text, Level.WARNING
        case Standing.FALLBACK:
            return f"still lost ({view.why}), stays at {value}", Level.ALARM
        case Standing.SILENT:
            return f"counts as never heard, at {value}", Level.WARNING
        case Standing.LIVE:
            return f"live at {value}", Level.INFO
