"""The fleet as arrays: what each rig truly takes, and what it makes of a command.

Power moves along straight lines. A rig is on one (`from_w` to `goal_w`, between two times) and may
have the next one ready, which begins when a boot or a preheat ends. A command waits out its dead
time while the old line is followed; a newer command takes its place without starting the wait anew,
since a firmware reads its last order when it gets there. So a stream of new levels is obeyed late,
and is never starved.

Drift multiplies all of it: the hall's day and each rig's own slow wandering, ±5 % together.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from stratum.power.brain.commands import Commands
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.values import OUTCOMES, Flags, Ints, Outcome
from stratum.power.twin.firmware import BY_NAME, COOL_MS, Claim, Range

Floats = NDArray[np.float64]

LONG_AGO = -(1 << 60)
FAR = 1 << 60
MINUTE = 60_000
DAY = 1_440 * MINUTE

#: Nameplate against truth: ±5 % (§6, "don't trust nameplate"); 2 % as one sigma, cut at 5 %.
NAMEPLATE_SIGMA = 0.02
#: A firmware's own estimate of its watts: 5-20 % wrong (§1, Foreman); 3 % assumed, tuned by vendor.
ESTIMATE_SIGMA = 0.03
#: Drift: the hall's day, 2 %, and each rig's own, 1.2 % within an hour; ±5 % at most (assumed;
#: watts rise with board temperature at a fixed frequency, §6).
HALL_DRIFT = 0.02
OWN_DRIFT = 0.012
OWN_DRIFT_MINUTES = 60.0
MOST_DRIFT = 0.05
#: A driver gives up after so long when nobody is there.
UNREACHABLE_MS = 5_000
#: A parked ESP-Miner cuts its power: three attempts of 1 + 5 + 5 s (§4).
PARKED_ESP_MS = 12_000

SENT, UNREACHABLE = (OUTCOMES.index(o) for o in (Outcome.SENT, Outcome.UNREACHABLE))


class Rung(IntEnum):
    """Steps of the ladders (`brain.fleet.Firmware.ladder`), and whether the firmware can lie."""

    SLEEP = 0
    SECOND_PATH = 1
    POWER_LIMIT = 2
    PARK = 3
    OUTLET = 4


class Rigs:
    """True state of every rig. Watts are floats, times monotonic milliseconds."""

    def __init__(self, fleet: Fleet, rng: np.random.Generator, now_ms: int) -> None:
        count = len(fleet)
        self.fleet = fleet
        self.now_ms = now_ms
        self._rng = rng
        self._kinds = tuple(BY_NAME[firmware.name] for firmware in fleet.firmwares)
        self._rungs = _rungs(fleet)

        spread = np.clip(rng.normal(1.0, NAMEPLATE_SIGMA, count), 0.95, 1.05)
        self.full_w: Floats = fleet.rated_w * spread
        self.floor_w: Floats = fleet.floor_w * spread
        self.idle_w = self._idle(fleet)
        self.estimate: Floats = np.clip(rng.normal(1.0, ESTIMATE_SIGMA, count), 0.9, 1.1)
        self.efficiency: Floats = np.clip(rng.normal(1.0, NAMEPLATE_SIGMA, count), 0.95, 1.05)

        self.from_w: Floats = self.full_w.copy()
        self.goal_w: Floats = self.full_w.copy()
        self.begin_ms: Ints = np.full(count, LONG_AGO)
        self.end_ms: Ints = np.full(count, LONG_AGO + 1)
        self.next_w: Floats = np.zeros(count)
        self.next_ms: Ints = np.full(count, FAR)  # when the next line begins
        self.next_ramp_ms: Ints = np.zeros(count, np.int64)
        self.order_w: Floats = np.zeros(count)  # a command in its dead time
        self.order_ms: Ints = np.full(count, FAR)  # when it takes effect

        self.asleep: Flags = np.zeros(count, np.bool_)  # by command, or by a boot that kept it
        self.asleep_ms: Ints = np.full(count, LONG_AGO)
        self.told_w: Floats = self.full_w.copy()  # last order taken: what a config says
        self.liar: Flags = np.zeros(count, np.bool_)
        self.dead: Flags = np.zeros(count, np.bool_)
        self.cut: Flags = np.zeros(count, np.bool_)  # its outlet is open
        self.parked: Flags = np.zeros(count, np.bool_)
        self.dark_ms: Ints = np.full(count, LONG_AGO)  # its feeder is back then
        self.hung_ms: Ints = np.full(count, LONG_AGO)
        self.silent_ms: Ints = np.full(count, LONG_AGO)
        self.boot_ms: Ints = np.full(count, LONG_AGO)  # up again then
        self.wakes: Ints = np.zeros(count, np.int64)  # from sleep, by command: wear

        self._own_drift: Floats = rng.normal(0.0, OWN_DRIFT, count)
        self._wander(now_ms)
        self._answers: list[tuple[Ints, Ints, Ints, Ints]] = []  # due, command, rig, outcome
        self.power_w: Floats = self._power()

    def _idle(self, fleet: Fleet) -> Floats:
        low, high = (
            np.array([kind.idle_w[end] if kind.idle_w else -1 for kind in self._kinds], np.float64)
            for end in (0, 1)
        )
        drawn = self._rng.uniform(low[fleet.firmware], high[fleet.firmware])
        return np.where(drawn < 0, fleet.idle_w, drawn)

    # -- time ------------------------------------------------------------------------------

    def advance(self, now_ms: int) -> None:
        """Every order whose dead time is over is begun, every line followed to `now_ms`."""
        self.now_ms = now_ms
        due = self.order_ms <= now_ms
        if due.any():
            self._begin_orders(np.flatnonzero(due))
        due = self.next_ms <= now_ms
        if due.any():
            self._begin_next(np.flatnonzero(due))
        if now_ms - self._drift_ms >= MINUTE:
            self._wander(now_ms)
        self.power_w = self._power()

    def _power(self) -> Floats:
        part = (self.now_ms - self.begin_ms) / (self.end_ms - self.begin_ms)
        np.clip(part, 0.0, 1.0, out=part)
        part *= self.goal_w - self.from_w
        part += self.from_w
        part *= self._drift
        part[self.dead | self.cut | (self.dark_ms > self.now_ms)] = 0.0
        return part

    def _wander(self, now_ms: int) -> None:
        self._drift_ms = now_ms
        keep = np.exp(-1.0 / OWN_DRIFT_MINUTES)
        noise = self._rng.normal(0.0, OWN_DRIFT, len(self.fleet))
        self._own_drift = keep * self._own_drift + np.sqrt(1.0 - keep * keep) * noise
        hall = HALL_DRIFT * np.sin(2.0 * np.pi * now_ms / DAY)
        self._drift: Floats = 1.0 + np.clip(hall + self._own_drift, -MOST_DRIFT, MOST_DRIFT)

    def _line(self, rigs: Ints, goal_w: Floats, begin_ms: Ints, ramp_ms: Ints) -> None:
        """From where they are to `goal_w`; what was to come next is forgotten."""
        self.from_w[rigs] = self.power_w[rigs] / self._drift[rigs]
        self.goal_w[rigs] = goal_w
        self.begin_ms[rigs] = begin_ms
        self.end_ms[rigs] = begin_ms + np.maximum(ramp_ms, 1)
        self.next_ms[rigs] = FAR

    def _begin_next(self, rigs: Ints) -> None:
        self._line(rigs, self.next_w[rigs], self.next_ms[rigs], self.next_ramp_ms[rigs])

    def _begin_orders(self, rigs: Ints) -> None:
        at_ms, order_w = self.order_ms[rigs], self.order_w[rigs]
        self.order_ms[rigs] = FAR
        sleeps, slept = order_w <= 0, self.asleep[rigs]
        falls, wakes, stays_on = sleeps & ~slept, ~sleeps & slept, ~sleeps & ~slept
        self._fall(rigs[falls], at_ms[falls])
        self._rise(rigs[wakes], order_w[wakes], at_ms[wakes])
        self._trim(rigs[stays_on], order_w[stays_on], at_ms[stays_on])

    def _fall(self, rigs: Ints, at_ms: Ints) -> None:
        self.asleep[rigs] = True
        self.asleep_ms[rigs] = at_ms
        self._line(rigs, self.idle_w[rigs], at_ms, self._draw("down_ramp_ms", rigs))

    def _rise(self, rigs: Ints, goal_w: Floats, at_ms: Ints) -> None:
        self.wakes[rigs] += 1
        self.asleep[rigs] = False
        self._line(rigs, goal_w, at_ms, self._draw("up_ramp_ms", rigs))
        cold = at_ms - self.asleep_ms[rigs] > COOL_MS
        self._preheat(rigs[cold], goal_w[cold], at_ms[cold])

    def _trim(self, rigs: Ints, goal_w: Floats, at_ms: Ints) -> None:
        """Another level. It shortens no boot, no preheat and no rise; the same one is no news."""
        waits = self.next_ms[rigs] < FAR
        self.next_w[rigs[waits]] = goal_w[waits]
        new = ~waits & (np.abs(goal_w - self.goal_w[rigs]) >= 1.0)
        rigs, goal_w, at_ms = rigs[new], goal_w[new], at_ms[new]
        left_ms = np.where(self.goal_w[rigs] > self.from_w[rigs], self.end_ms[rigs] - at_ms, 0)
        ramp_ms = np.maximum(self._draw("trim_ramp_ms", rigs), left_ms)
        self._line(rigs, goal_w, at_ms, ramp_ms)

    def _preheat(self, rigs: Ints, goal_w: Floats, at_ms: Ints) -> None:
        """Those that warm up first hold a part of full before they rise."""
        warm = self._of("warm_bp", rigs) > 0
        rigs, goal_w, at_ms = rigs[warm], goal_w[warm], at_ms[warm]
        if not len(rigs):
            return
        ramp = self.end_ms[rigs] - self.begin_ms[rigs]
        self.goal_w[rigs] = np.minimum(
            self.full_w[rigs] * self._of("warm_bp", rigs) / 10_000, goal_w
        )
        self.end_ms[rigs] = at_ms + ramp // 3
        self.next_w[rigs] = goal_w
        self.next_ms[rigs] = self.end_ms[rigs] + self._draw("warm_ms", rigs)
        self.next_ramp_ms[rigs] = ramp

    # -- commands --------------------------------------------------------------------------

    def obey(self, commands: Commands) -> None:
        """Each as its firmware does; the answers come later, and prove nothing."""
        if not len(commands):
            return
        rig, now = commands.rig, self.now_ms
        rung = self._rungs[self.fleet.firmware[rig], commands.rung]
        sleeps = commands.power_w <= 0
        switched = self._switch(rig, sleeps, rung)
        self._park(rig, sleeps, rung)

        by_api = (rung <= Rung.POWER_LIMIT) & ~switched
        gone = self.dead | self.cut | (self.dark_ms > now) | (self.boot_ms > now)
        hears = by_api & ~gone[rig]
        lost = self._rng.integers(0, 10_000, len(rig)) < self._of("deaf_bp", rig)
        lies = self.liar[rig] & (commands.power_w < self.goal_w[rig])
        self.told_w[rig[hears]] = commands.power_w[hears]
        obeys = hears & ~lies & ~(lost & (rung == Rung.SLEEP))
        self._order(rig[obeys], self._wish(commands, rung)[obeys])

        answer = np.maximum(now, np.where(by_api, self.hung_ms[rig], now))
        answer = answer + self._draw("answer_ms", rig)
        unheard = by_api & gone[rig]
        outcome = np.where(unheard, UNREACHABLE, SENT)
        due = np.where(unheard, now + UNREACHABLE_MS, answer)
        self._answers.append((due, commands.number, rig, outcome))

    def _wish(self, commands: Commands, rung: Ints) -> Floats:
        """Watts that the firmware will aim at: its own idea of them is off by its estimate."""
        rig = commands.rig
        aimed = np.where(
            self.fleet.continuous[rig],
            np.clip(commands.power_w / self.estimate[rig], self.floor_w[rig], self.full_w[rig]),
            self.full_w[rig],
        )
        limited = np.where(rung == Rung.POWER_LIMIT, self.floor_w[rig], 0.0)
        return np.where(commands.power_w <= 0, limited, aimed)

    def _order(self, rigs: Ints, power_w: Floats) -> None:
        hangs = self.hung_ms[rigs] > self.now_ms
        dead = np.where(
            power_w <= 0,
            self._draw("down_dead_ms", rigs),
            np.where(
                self.asleep[rigs],
                self._draw("up_dead_ms", rigs),
                self._draw("trim_dead_ms", rigs),
            ),
        )
        heard_ms = np.where(hangs, self.hung_ms[rigs], self.now_ms) + dead
        self.order_w[rigs] = power_w
        self.order_ms[rigs] = np.where(hangs, heard_ms, np.minimum(self.order_ms[rigs], heard_ms))

    def _switch(self, rig: Ints, sleeps: Flags, rung: Ints) -> Flags:
        """Outlets: off at once, whatever the firmware says; any order to run closes an open one.

        Which of the commands were a matter of the outlet.
        """
        opens = sleeps & (rung == Rung.OUTLET)
        closes = ~sleeps & self.cut[rig]
        self.cut[rig[opens]] = True
        closed = rig[closes]
        if len(closed):
            self.cut[closed] = False
            self.wakes[closed] += 1
            self.boot(closed, np.full(len(closed), self.now_ms), forget=True)
        switched: Flags = opens | closes
        return switched

    def _park(self, rig: Ints, sleeps: Flags, rung: Ints) -> None:
        """No session for it: no shares here. Only an ESP-Miner saves power by that (§4)."""
        parks = sleeps & (rung == Rung.PARK)
        self.parked[rig[parks]] = True
        self.parked[rig[~sleeps]] = False
        stops = rig[parks & (self._of("parks_cold", rig) > 0)]
        if len(stops):
            self.order_w[stops] = 0.0
            self.order_ms[stops] = self.now_ms + PARKED_ESP_MS

    def answers(self, now_ms: int) -> tuple[Ints, Ints, Ints]:
        """Commands answered by now: command, rig, outcome."""
        if not self._answers:
            empty = np.zeros(0, np.int64)
            return empty, empty, empty
        due, number, rig, outcome = (
            np.concatenate(part) for part in zip(*self._answers, strict=True)
        )
        here = due <= now_ms
        waiting = ~here
        self._answers = (
            [(due[waiting], number[waiting], rig[waiting], outcome[waiting])]
            if waiting.any()
            else []
        )
        return number[here], rig[here], outcome[here]

    # -- misfortune ------------------------------------------------------------------------

    def boot(self, rigs: Ints, at_ms: Ints, forget: bool) -> None:
        """Power is there from `at_ms`; mining after the boot, unless it keeps its sleep."""
        ready = at_ms + self._draw("boot_ms", rigs)
        stays = self.asleep[rigs] & (self._of("keeps_sleep", rigs) > 0) & (not forget)
        self._line(rigs, self.idle_w[rigs], at_ms, np.ones(len(rigs), np.int64))
        self.from_w[rigs] = self.idle_w[rigs]
        self.order_ms[rigs] = FAR
        self.boot_ms[rigs] = ready
        runs = rigs[~stays]
        self.next_w[runs] = self.full_w[runs]
        self.next_ms[runs] = ready[~stays]
        self.next_ramp_ms[runs] = self._draw("up_ramp_ms", runs)
        self.asleep[runs] = False
        self.told_w[runs] = self.full_w[runs]

    def wake(self, rigs: Ints) -> None:
        """By somebody else, in the firmware's own way."""
        self.told_w[rigs] = self.full_w[rigs]
        self._order(rigs, self.full_w[rigs])

    def fall_asleep(self, rigs: Ints) -> None:
        """As they would have been for hours: where a scenario begins."""
        self.asleep[rigs] = True
        self.told_w[rigs] = 0.0
        self.from_w[rigs] = self.goal_w[rigs] = self.idle_w[rigs]
        self.power_w = self._power()

    # -- what is true ----------------------------------------------------------------------

    @property
    def hashes(self) -> Flags:
        """Above idle by a tenth of what lies between it and full: boards are up."""
        return self.power_w > self.idle_w + (self.full_w - self.idle_w) / 10.0

    @property
    def claims_hashing(self) -> Ints:
        """What each says of itself: 1, 0, or -1 where it says nothing."""
        claim = np.array([kind.claims for kind in self._kinds], np.int64)[self.fleet.firmware]
        told = (self.told_w > 0).astype(np.int64)
        measured = np.where(self.liar, told, self.hashes.astype(np.int64))
        return np.where(claim == Claim.CONFIG, told, np.where(claim == Claim.NOTHING, -1, measured))

    @property
    def claims_w(self) -> Ints:
        """Watts as each says, whole; -1 where it says none. A liar claims what it was ordered."""
        says = np.array([kind.told.reports_watts for kind in self._kinds])[self.fleet.firmware]
        pretended = np.where(self.told_w > 0, self.told_w, self.idle_w)
        lies = self.liar & (pretended < self.power_w)
        shown = np.where(lies, pretended, self.power_w * self.estimate)
        return np.where(says, np.rint(shown), -1.0).astype(np.int64)

    @property
    def answers_calls(self) -> Flags:
        """Reached by a poll now."""
        now = self.now_ms
        gone = self.dead | self.cut | (self.dark_ms > now) | (self.boot_ms > now)
        return ~(gone | (self.hung_ms > now) | (self.silent_ms > now))

    # -- firmware --------------------------------------------------------------------------

    def _of(self, name: str, rigs: Ints) -> Ints:
        """A figure of each rig's firmware."""
        table = np.array([int(getattr(kind, name)) for kind in self._kinds], np.int64)
        return table[self.fleet.firmware[rigs]]

    def _draw(self, name: str, rigs: Ints) -> Ints:
        """Milliseconds within each rig's firmware's range, anew."""
        ranges: list[Range] = [getattr(kind, name) for kind in self._kinds]
        bounds = np.array(ranges, np.int64)[self.fleet.firmware[rigs]]
        return self._rng.integers(bounds[:, 0], bounds[:, 1] + 1)


def _rungs(fleet: Fleet) -> Ints:
    """What each step of each firmware's ladder is; beyond its end, the last."""
    longest = max(len(firmware.ladder) for firmware in fleet.firmwares)
    table = np.zeros((len(fleet.firmwares), longest), np.int64)
    for row, firmware in enumerate(fleet.firmwares):
        steps = [Rung[name.upper()] for name in firmware.ladder]
        table[row] = steps + steps[-1:] * (longest - len(steps))
    return table
