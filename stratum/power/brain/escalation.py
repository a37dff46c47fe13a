"""What is tried next on a rig that should sleep and does not: the ladder of `reference` §7.5.

A ladder is the list of names in the rig's firmware; what a name means stands in `RUNGS`. On each
rung the command is sent once and repeated after the pauses of N17; then comes the next rung that
the rig's limits allow. After the last one it is a human's: the rig is left alone and goes on being
counted at its worst. Nothing here is urgent, because what such a rig takes was compensated the
second it was found out.

A rig that should run and does not gets the repetitions and no rung: there is no way to force one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stratum.power.brain.fleet import Fleet
from stratum.power.brain.pacing import ramp_down_w
from stratum.power.brain.settings import DAY, MINUTE, Settings
from stratum.power.brain.state import NEVER, RigState
from stratum.power.brain.values import Flags, Ints, no_ints


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to bring a rig down, and when it may be used."""

    name: str
    meaning: str
    writes: bool = False  # wears the rig's flash on firmware that counts writes
    at_floor: bool = False  # asks for the lowest running level, not for sleep
    by_name: bool = False  # only for a rig that is known to be the one
    patience_ms: int = 0  # not before the rig has disobeyed for so long
    pause_ms: int = 0  # not twice within this time


PARK = "park"

#: The outlet is last: it ages power supplies (three in two years, hass-miner#170), so it waits
#: until a rig that merely hangs (100 s are common, pyasic's read timeout) has answered.
RUNGS = {
    rung.name: rung
    for rung in (
        Rung("sleep", "the firmware's own sleep or pause", writes=True),
        Rung("second_path", "the same by another interface, after a new login", writes=True),
        Rung("power_limit", "the lowest power it runs at", writes=True, at_floor=True),
        Rung(PARK, "its Stratum session closed and refused", by_name=True),
        Rung(
            "outlet",
            "its outlet or contactor",
            by_name=True,
            patience_ms=5 * MINUTE,
            pause_ms=DAY,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Retries:
    """Commands to send now, one row a rig: not new orders, so nobody resets tries or due times."""

    rig: Ints = field(default_factory=no_ints)
    power_w: Ints = field(default_factory=no_ints)
    rung: Ints = field(default_factory=no_ints)

    def __len__(self) -> int:
        return len(self.rig)


@dataclass(slots=True, eq=False)
class Attempts:
    """What has been tried on each rig; a copy is written to within a tick."""

    act_ms: Ints  # when the next attempt is due; NEVER: none is
    writes: Ints  # commands of this day that wear flash
    day: int
    seldom_ms: Ints  # last use of a rung that may not be used often
    parked: Flags  # its session has been refused since its last order to run
    outlets_ms: int  # when the next outlet may open: what we start falls by the ramp

    @classmethod
    def fresh(cls, fleet: Fleet) -> Attempts:
        count = len(fleet)
        return cls(
            act_ms=np.full(count, NEVER, np.int64),
            writes=np.zeros(count, np.int64),
            day=0,
            seldom_ms=np.full(count, NEVER, np.int64),
            parked=np.zeros(count, np.bool_),
            outlets_ms=NEVER,
        )

    def copy(self) -> Attempts:
        return Attempts(
            self.act_ms.copy(),
            self.writes.copy(),
            self.day,
            self.seldom_ms.copy(),
            self.parked.copy(),
            self.outlets_ms,
        )


def count_orders(attempts: Attempts, ordered: Flags, now_ms: int) -> None:
    """Commands that dispatch sent by itself wear flash as well."""
    if now_ms // DAY != attempts.day:
        attempts.day = now_ms // DAY
        attempts.writes[:] = 0
    attempts.writes[ordered] += 1


def writes_left(attempts: Attempts, fleet: Fleet) -> Ints:
    """Commands that each rig's flash still allows today; a large number where nobody counts."""
    limits = np.array([kind.writes_per_day or 1 << 30 for kind in fleet.firmwares], np.int64)
    left: Ints = np.maximum(limits[fleet.firmware] - attempts.writes, 0)
    return left


def is_left(rigs: RigState, rows: Ints, fleet: Fleet) -> Flags:
    """Which of these rigs' ladders are at their end: a human's."""
    lengths = np.array([len(kind.ladder) for kind in fleet.firmwares], np.int64)
    left: Flags = rigs.rung[rows] >= lengths[fleet.firmware[rows]]
    return left


def begin(attempts: Attempts, rows: Ints, pauses: tuple[int, ...], now_ms: int) -> None:
    """These rigs have just been found not to do as ordered; what was tried before stays tried."""
    attempts.act_ms[rows] = now_ms + (pauses[0] if pauses else 0)


def begin_again(attempts: Attempts, rigs: RigState, rows: Ints, now_ms: int) -> None:
    """These were silent since they were ordered to sleep and answer now: what was sent meanwhile
    may be lost, so the ladder begins anew."""
    rigs.rung[rows] = rigs.tries[rows] = 0
    attempts.act_ms[rows] = now_ms


def shed_again(
    attempts: Attempts,
    rigs: RigState,
    rows: Ints,
    suspects: Flags,
    settle_ms: Ints,
    settings: Settings,
    fleet: Fleet,
    now_ms: int,
) -> Retries:
    """The next attempt on each of `rows`, rigs that should sleep and whose time to act has come.

    `suspects` are rigs of which only their number is known, `settle_ms` is how long each rig takes
    to sleep; both of the whole fleet. Writes `rung` and `tries`; rigs
    whose ladder ends here are told by `is_left`.
    """
    writes = np.array([rung.writes for rung in _rungs(rigs, rows, fleet)], np.bool_)
    repeated = rigs.tries[rows] < len(settings.retry_ms)
    repeated &= ~writes | (writes_left(attempts, fleet)[rows] > 0)
    repeats = rows[repeated]
    rigs.tries[repeats] += 1
    climbed = _climb(attempts, rigs, rows[~repeated], suspects, settings, fleet, now_ms)
    sent = np.sort(np.concatenate([repeats, climbed]))
    if not len(sent):
        return Retries()

    rungs = _rungs(rigs, sent, fleet)
    at_floor = np.array([rung.at_floor for rung in rungs], np.bool_)
    seldom = np.array([rung.pause_ms > 0 for rung in rungs], np.bool_)
    attempts.writes[sent] += np.array([rung.writes for rung in rungs], np.int64)
    attempts.seldom_ms[sent[seldom]] = now_ms
    attempts.parked[sent] |= np.array([rung.name == PARK for rung in rungs], np.bool_)
    rigs.tries[sent[seldom]] = len(settings.retry_ms)  # nor is it repeated

    settled_ms = now_ms + settle_ms[sent] + settings.verify_margin_ms
    pauses = np.array([*settings.retry_ms, 0], np.int64)
    tries = rigs.tries[sent]
    waits_ms = now_ms + pauses[tries]
    is_new = np.isin(sent, climbed)
    waits_ms = np.where(is_new, settled_ms + pauses[tries], waits_ms)
    is_last = tries == len(settings.retry_ms)
    attempts.act_ms[sent] = np.where(is_last, settled_ms, waits_ms)
    return Retries(sent, np.where(at_floor, fleet.floor_w[sent], 0), rigs.rung[sent].copy())


def wake_again(
    attempts: Attempts,
    rigs: RigState,
    rows: Ints,
    settle_ms: Ints,
    settings: Settings,
    now_ms: int,
) -> Retries:
    """One more order to run for rigs that did not wake; each repetition has its time to do so."""
    rigs.tries[rows] += 1
    pauses = np.array([*settings.retry_ms, 0], np.int64)
    settled_ms = now_ms + settle_ms[rows] + settings.verify_margin_ms
    is_last = rigs.tries[rows] >= len(settings.retry_ms)
    attempts.act_ms[rows] = np.where(is_last, NEVER, settled_ms + pauses[rigs.tries[rows]])
    return Retries(rows, rigs.ordered_w[rows].copy(), np.zeros(len(rows), np.int64))


def _rungs(rigs: RigState, rows: Ints, fleet: Fleet) -> list[Rung]:
    ladders = [[RUNGS[name] for name in kind.ladder] for kind in fleet.firmwares]
    return [
        ladders[kind][step]
        for kind, step in zip(fleet.firmware[rows], rigs.rung[rows], strict=True)
    ]


def _climb(
    attempts: Attempts,
    rigs: RigState,
    rows: Ints,
    suspects: Flags,
    settings: Settings,
    fleet: Fleet,
    now_ms: int,
) -> Ints:
    """Set each row on the next rung that may be used; returns those to be sent from there.

    A rung whose time has not come is waited for, one that is used up for the day is left out.
    Outlets open one after the other, no faster than our own ramp takes load off: what a rig takes
    was made up for long before.
    """
    climbed: list[int] = []
    if not len(rows):
        return no_ints()
    left, worst_w = writes_left(attempts, fleet), rigs.worst_w(fleet)
    ramp_w = max(1, ramp_down_w(settings, fleet))
    for row in rows.tolist():  # rare: three or four times in a rig's disobedience
        ladder = fleet.firmwares[fleet.firmware[row]].ladder
        step = int(rigs.rung[row]) + 1
        while step < len(ladder) and not _is_allowed(
            RUNGS[ladder[step]],
            writes_left=int(left[row]),
            has_levels=bool(fleet.continuous[row]),
            is_known=not suspects[row],
            answers=bool(rigs.seen_ms[row] > rigs.ordered_ms[row]),
            used_ms=now_ms - int(attempts.seldom_ms[row]),
        ):
            step += 1
        if step < len(ladder):
            rung = RUNGS[ladder[step]]
            ready_ms = int(rigs.ordered_ms[row]) + rung.patience_ms
            if rung.pause_ms:
                ready_ms = max(ready_ms, attempts.outlets_ms)
            if now_ms < ready_ms:
                attempts.act_ms[row] = ready_ms
                continue
            if rung.pause_ms:
                attempts.outlets_ms = now_ms + int(worst_w[row]) * MINUTE // ramp_w
            climbed.append(row)
        rigs.rung[row] = step
        rigs.tries[row] = 0
    return np.array(climbed, np.int64)


def _is_allowed(
    rung: Rung,
    *,
    writes_left: int,
    has_levels: bool,
    is_known: bool,
    answers: bool,
    used_ms: int,
) -> bool:
    if rung.by_name and not is_known:
        return False
    if rung.writes and not writes_left:
        return False
    # A rig that hangs may do what it was told last: to sleep, not to run at its floor.
    if rung.at_floor and not (has_levels and answers):
        return False
    return used_ms >= rung.pause_ms
