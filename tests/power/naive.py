"""A controller that knows nothing: rigs on or off by their row, as the last surplus says.

It shows that the twin, the run and the score work without the brain, and what not being careful
costs. Nothing of it is an example to follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratum.power.brain.commands import Commands, Picture, Reason
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Settings
from stratum.power.brain.values import Inputs, Ints


@dataclass(frozen=True, slots=True)
class State:
    ordered_w: Ints
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    state: State
    commands: Commands
    reasons: tuple[Reason, ...]
    picture: Picture


def fresh(fleet: Fleet, settings: Settings) -> State:
    return State(fleet.rated_w.copy())


def decide(state: State, inputs: Inputs, settings: Settings, fleet: Fleet) -> Decision:
    """All rigs up to where the nameplates add up to the signal."""
    values = [signal.value for signal in inputs.signals if signal.value is not None]
    target_w = values[0] if values else int(state.ordered_w.sum())
    wanted_w = np.where(np.cumsum(fleet.rated_w) <= target_w, fleet.rated_w, 0)
    changed = np.flatnonzero(wanted_w != state.ordered_w)
    none = np.zeros(len(changed), np.int64)
    commands = Commands(
        np.arange(state.sent, state.sent + len(changed)), changed, wanted_w[changed], none, none
    )
    picture = Picture(
        target_w=target_w,
        goal_w=target_w,
        measured_w=inputs.meters[-1].power_w if inputs.meters else None,
        measured_from="meter",
        settled_w=int(wanted_w.sum()),
        ordered_w=int(wanted_w.sum()),
        surplus_w=target_w,
        sheddable_w=0,
        absorb_1min_w=0,
        absorb_5min_w=0,
        absorb_15min_w=0,
        foreign_w=0,
        unresponsive_w=0,
    )
    return Decision(State(wanted_w, state.sent + len(changed)), commands, (), picture)
