"""What is remembered of an order, from the moment it goes out."""

from __future__ import annotations

from stratum.power.brain.commands import Commands
from stratum.power.brain.draft import Draft
from stratum.power.brain.estimator import Load, predicted_w
from stratum.power.brain.learning import Learned
from stratum.power.brain.settings import HOUR, Settings
from stratum.power.brain.state import HOURS, Status, one_of

#: From these a rig is woken; from any other it is set to another level.
_STILL = one_of(Status.SHED, Status.DEAD)


def send(
    commands: Commands,
    draft: Draft,
    load: Load,
    learned: Learned,
    settings: Settings,
    now_ms: int,
) -> None:
    """Write the tick's orders into the rigs' arrays. A repeat is no new order: its rig keeps its
    time, its verdict and its place on the ladder."""
    new = ~draft.repeats[commands.rig]
    rows, power_w = commands.rig[new], commands.power_w[new]
    if not len(rows):
        return
    rigs, fleet = draft.rigs, draft.fleet
    was_asleep = _STILL[rigs.status[rows]]
    slept, woken = rows[power_w == 0], rows[(power_w > 0) & was_asleep]
    trimmed = rows[(power_w > 0) & ~was_asleep]

    rigs.from_w[rows] = predicted_w(rigs, fleet, now_ms, load.assumed_w)[rows]
    rigs.ordered_w[rows] = power_w
    rigs.ordered_ms[rows] = now_ms
    rigs.cause[rows] = commands.cause[new]
    rigs.rung[rows] = 0
    rigs.tries[rows] = 0

    margin_ms = settings.verify_margin_ms
    down_ms, up_ms = (learned.settle_ms(fleet, down=is_down) for is_down in (True, False))
    rigs.status[slept] = Status.SHEDDING
    rigs.off_ms[slept] = now_ms
    rigs.due_ms[slept] = now_ms + down_ms[slept] + margin_ms
    rigs.status[woken] = Status.WAKING
    rigs.on_ms[woken] = now_ms
    rigs.due_ms[woken] = now_ms + up_ms[woken] + margin_ms
    rigs.due_ms[trimmed] = now_ms + (fleet.trim_dead_ms + fleet.trim_ramp_ms)[trimmed] + margin_ms
    rigs.cycles[now_ms // HOUR % HOURS, woken] += 1
