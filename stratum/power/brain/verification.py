"""Did the power move? Every second, for every rig, from three witnesses.

`verify` takes in what devices, meters and worker names said, walks each rig to its verdict
(`verdicts`), says what is to be tried on those that disobey (`escalation`) and learns from the
rest (`learning`). It never looks at what an API returned but for one thing: a command that could
not be delivered is judged at once.

What is not proven asleep is counted at its worst from this tick on, by its status alone
(`RigState.assumed_w`), so that dispatch makes up for it before this tick ends. Load that nobody
here ordered is FOREIGN: seen, alarmed, counted, and left alone; whoever must have it down, for a
cap or an emergency, finds the rigs in `Verified.foreign`.

A retry is not an order: whoever sends it leaves `ordered_ms` and `status` as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stratum.power.brain import balance as balances
from stratum.power.brain import escalation, learning, storm, witnesses
from stratum.power.brain.balance import Balance
from stratum.power.brain.commands import Level, Reason
from stratum.power.brain.escalation import Attempts, Retries
from stratum.power.brain.estimator import MeterView
from stratum.power.brain.evidence import Heard, Weighed, weigh
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.learning import Calm, Learned
from stratum.power.brain.settings import HOUR, Settings
from stratum.power.brain.state import HOURS, NEVER, RigState, Status
from stratum.power.brain.values import Flags, Inputs, Ints
from stratum.power.brain.verdicts import Facts, walk
from stratum.power.brain.witnesses import Work

#: With less of the fleet's rated power heard of than this, the sum of devices says nothing.
COVERED_BP = 5_000
#: A rig that was left to a human is tried again after so long: it may have been repaired.
LEFT_MS = HOUR

NAMED = 3  # rigs that a reason names before it counts


@dataclass(frozen=True, slots=True, eq=False)
class VerificationState:
    """What is remembered between ticks; arrays are never written to once they are in here."""

    work: Work
    balance: Balance
    learned: Learned
    attempts: Attempts
    calms: tuple[Calm, ...]
    slept_ms: Ints  # since when each rig says, reading after reading, that it sleeps
    outlet_off_ms: Ints  # since when its outlet is seen off, NEVER while it is on or has none
    outlet_seen_ms: Ints  # when it was last seen off
    caught: Flags  # said it slept while work came
    elsewhere: Flags  # draws power and does no work here: told once
    failed_ms: Ints  # last command its driver could not deliver
    short_groups: tuple[int, ...]  # shared names whose work is missing: told once
    is_work_lost: bool
    looked_ms: int
    supplied_ms: int  # since when there has been work to give
    is_storm: bool

    @classmethod
    def fresh(cls, fleet: Fleet) -> VerificationState:
        never = np.full(len(fleet), NEVER, np.int64)
        no = np.zeros(len(fleet), np.bool_)
        return cls(
            work=Work.fresh(fleet),
            balance=Balance.fresh(fleet),
            learned=Learned.fresh(fleet),
            attempts=Attempts.fresh(fleet),
            calms=(),
            slept_ms=never,
            outlet_off_ms=never,
            outlet_seen_ms=never,
            caught=no,
            elsewhere=no,
            failed_ms=never,
            short_groups=(),
            is_work_lost=False,
            looked_ms=NEVER,
            supplied_ms=NEVER,
            is_storm=False,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """One second's verdicts beside those written into `RigState`."""

    state: VerificationState
    reasons: tuple[Reason, ...]
    retries: Retries
    restores_frozen: bool
    foreign: Ints  # rows; not fought but for a cap or an emergency
    foreign_w: int
    unresponsive_w: int
    present_w: Ints  # what each rig takes now by its own witnesses, its worst where in doubt
    devices_w: int | None  # their sum, on the scale of the site's meter; None: too few heard of
    devices_reserve_w: int  # to keep below when steering by that sum
    worked_w: int | None  # the load that the last minute of work stands for
    disbelieved: Flags  # feeders whose meter is turned round


def verify(
    rigs: RigState,
    state: VerificationState,
    inputs: Inputs,
    settings: Settings,
    fleet: Fleet,
    meters: Sequence[MeterView] = (),
    *,
    owed_w: int | None = None,
) -> Verified:
    """Judge every rig. `rigs` is written to; `owed_w` is the load still to come down, None where
    nobody reckoned it: it bounds what is escalated in a storm of failures."""
    look = _Look(rigs, state, inputs, settings, fleet)
    look.take_in()
    look.judge(meters)
    return look.conclude(meters, owed_w)


class _Look:
    """One tick's work on copies of what is remembered."""

    def __init__(
        self,
        rigs: RigState,
        state: VerificationState,
        inputs: Inputs,
        settings: Settings,
        fleet: Fleet,
    ) -> None:
        self.rigs, self.state, self.inputs = rigs, state, inputs
        self.settings, self.fleet, self.now_ms = settings, fleet, inputs.now_ms
        self.margin_ms = settings.verify_margin_ms
        self.reasons: list[Reason] = []
        self.slept_ms = state.slept_ms.copy()
        self.outlet_off_ms = state.outlet_off_ms.copy()
        self.outlet_seen_ms = state.outlet_seen_ms.copy()
        self.failed_ms = state.failed_ms.copy()
        self.attempts = state.attempts.copy()
        self.supplied_ms = state.supplied_ms
        self.undelivered = np.zeros(len(fleet), np.bool_)

    # -- what came in --------------------------------------------------------------------------

    def take_in(self) -> None:
        rigs, now_ms = self.rigs, self.now_ms
        in_flight = (rigs.status == Status.SHEDDING) | (rigs.status == Status.WAKING)
        ordered = in_flight & (rigs.ordered_ms >= self.state.looked_ms)
        rigs.rung[ordered] = rigs.tries[ordered] = 0
        self.attempts.act_ms[ordered] = NEVER
        escalation.count_orders(self.attempts, ordered, now_ms)
        self.caught = self.state.caught & (rigs.ordered_w <= 0)
        self.attempts.parked &= rigs.ordered_w <= 0

        limit_w = learning.idle_limit_w(self.fleet)
        was_silent = rigs.seen_ms <= rigs.ordered_ms
        heard = witnesses.hear(rigs, self.slept_ms, self.inputs.devices, limit_w, now_ms)
        answers = was_silent[heard] & (rigs.seen_ms[heard] > rigs.ordered_ms[heard])
        answers &= rigs.status[heard] == Status.UNRESPONSIVE
        escalation.begin_again(self.attempts, rigs, heard[answers], now_ms)
        self.learned = learning.learn_answers(self.state.learned, rigs, heard, self.fleet)
        learning.learn_watts(rigs, heard, self.fleet, now_ms)
        self._take_outlets()
        self._take_results()

        is_supplied = not self.inputs.upstream_lost
        if not is_supplied or self.supplied_ms == NEVER:
            self.supplied_ms = now_ms
        self.work = witnesses.gather(
            self.state.work,
            self.inputs.work,
            rigs,
            self.caught,
            self.attempts.parked,
            self.fleet,
            now_ms,
            self.margin_ms,
            is_supplied=is_supplied,
        )

    def _take_outlets(self) -> None:
        """An outlet's own meter goes before the rig's word (smart PDU before miner, §1)."""
        outlets, rigs = self.inputs.outlets, self.rigs
        powered = outlets.rig[outlets.on == 1]
        self.outlet_off_ms[powered] = self.outlet_seen_ms[powered] = NEVER
        off = (outlets.on == 0) & (outlets.at_ms <= self.now_ms)
        rig, at_ms, watts = outlets.rig[off], outlets.at_ms[off], outlets.watts[off]
        since = self.outlet_off_ms[rig]
        self.outlet_off_ms[rig] = np.where(since == NEVER, at_ms, since)
        self.outlet_seen_ms[rig] = at_ms
        newer = (watts >= 0) & (at_ms > rigs.seen_ms[rig])
        rigs.seen_w[rig[newer]] = watts[newer]
        rigs.seen_ms[rig[newer]] = at_ms[newer]
        rigs.hashing[rig[newer]] = -1

    def _take_results(self) -> None:
        results = self.inputs.results
        self.failed_ms[storm.failed(results)] = self.now_ms
        self.undelivered[storm.undelivered(results)] = True
        # Asking again today is no use: the next attempt is the next rung.
        self.rigs.tries[storm.spent(results)] = len(self.settings.retry_ms)

    # -- verdicts ------------------------------------------------------------------------------

    def judge(self, meters: Sequence[MeterView]) -> None:
        rigs, now_ms = self.rigs, self.now_ms
        heard = Heard(
            self.slept_ms,
            self.outlet_off_ms,
            self.outlet_seen_ms,
            self.caught,
            self.attempts.parked,
            self.supplied_ms,
        )
        weighed = weigh(
            rigs, heard, self.work, self.state.balance, meters, self.settings, self.fleet, now_ms
        )
        liars = [verdict.group for verdict in weighed.groups if verdict.sleepers_working]
        self.work = witnesses.settle(self.work, liars)
        self.caught = weighed.caught

        was_asked = rigs.seen_ms >= rigs.due_ms - self.margin_ms
        is_late = now_ms >= rigs.due_ms + self.settings.poll_ms
        is_due = ((now_ms >= rigs.due_ms) & (was_asked | is_late)) | self.undelivered
        before = rigs.status
        facts = Facts(
            weighed.evidence, is_due, rigs.ordered_w == 0, rigs.ordered_w > 0, weighed.lied
        )
        rigs.status = walk(before, facts)
        moved = np.flatnonzero(rigs.status != before)
        if len(moved):
            self._settle(moved, before[moved], weighed)
        self._tell_of_work(weighed)
        self.weighed = weighed

    def _settle(self, moved: Ints, before: Ints, weighed: Weighed) -> None:
        """What a new verdict entails, and what a person should know of it."""
        rigs, now_ms = self.rigs, self.now_ms
        after = rigs.status[moved]

        def became(status: Status, *, was: Status | None = None) -> Ints:
            found: Ints = moved[(after == status) & (True if was is None else before == was)]
            return found

        shed = became(Status.SHED)
        # One found asleep shows nothing of whether it can be brought down.
        rigs.verified_ms[shed[rigs.ordered_w[shed] == 0]] = now_ms
        rigs.off_ms[became(Status.SHED, was=Status.FOREIGN)] = now_ms
        self.tell("late_shed", became(Status.SHED, was=Status.UNRESPONSIVE), "slept late")

        disobeyed = became(Status.UNRESPONSIVE)
        lied = disobeyed[weighed.caught[disobeyed]]
        rigs.verified_ms[lied] = NEVER
        failing = np.concatenate([disobeyed, became(Status.DEAD)])
        escalation.begin(self.attempts, failing, self.settings.retry_ms, now_ms)
        alarm = Level.ALARM
        self.tell("liar", lied, "says it sleeps, and works", alarm)
        honest = disobeyed[~weighed.caught[disobeyed]]
        self.tell("unresponsive", honest, "was ordered to sleep and is not proven to", alarm)
        self.tell("dead", became(Status.DEAD), "was ordered to run and takes no load", alarm)

        woke = became(Status.FOREIGN)
        rigs.on_ms[woke] = now_ms
        rigs.cycles[now_ms // HOUR % HOURS, woke] += 1  # it wears, whoever did it
        self.tell("foreign", woke, "slept, and runs without an order of ours", alarm)
        lost = became(Status.UNKNOWN)
        self.tell("silent", lost, "neither answers nor works", Level.WARNING)
        back = became(Status.RUNNING, was=Status.DEAD)
        self.tell("back", back, "runs again")

    def _tell_of_work(self, weighed: Weighed) -> None:
        self.elsewhere = weighed.elsewhere
        fresh = np.flatnonzero(weighed.elsewhere & ~self.state.elsewhere)
        self.tell("elsewhere", fresh, "draws power and does no work here", Level.ALARM)
        short = [verdict for verdict in weighed.groups if verdict.runners_missing]
        self.short_groups = tuple(verdict.group for verdict in short)
        for verdict in short:
            if verdict.group in self.state.short_groups:
                continue
            name = self.fleet.groups[verdict.group]
            self.reasons.append(Reason("work_missing", verdict.told(name), Level.ALARM, name))
        if weighed.is_work_lost and not self.state.is_work_lost:
            text = "no work of anyone has come for a minute, and rigs run: that witness is gone"
            self.reasons.append(Reason("work_lost", text, Level.ALARM))
        self.is_work_lost = weighed.is_work_lost

    def tell(self, code: str, rows: Ints, text: str, level: Level = Level.INFO) -> None:
        """One reason for all rigs of a kind; the verdicts of each are in the state."""
        if not len(rows):
            return
        names = [self.fleet.ids[row] for row in rows[:NAMED]]
        who = ", ".join(names)
        if len(rows) > NAMED:
            who += f" and {len(rows) - NAMED} more"
        subject = names[0] if len(rows) == 1 else ""
        self.reasons.append(Reason(code, f"{who}: {text}", level, subject))

    # -- what follows --------------------------------------------------------------------------

    def conclude(self, meters: Sequence[MeterView], owed_w: int | None) -> Verified:
        rigs, fleet, now_ms = self.rigs, self.fleet, self.now_ms
        is_fresh = now_ms - rigs.seen_ms <= self.settings.telemetry_age_ms
        present = balances.present_w(rigs, fleet, is_fresh)
        balance, reasons, apart = balances.compare(
            self.state.balance, meters, present, rigs, self.settings, fleet, now_ms
        )
        self.reasons += reasons
        balance, calms = self._learn_models(balance, meters, present, apart)
        cut = self.attempts.seldom_ms > rigs.ordered_ms
        is_storm, of_storm = storm.watch(
            self.failed_ms, cut, rigs, self.settings, now_ms, was_storm=self.state.is_storm
        )
        self.reasons += of_storm
        retries = self._retry(owed_w, is_storm)

        foreign = np.flatnonzero(rigs.status == Status.FOREIGN)
        disobedient = rigs.status == Status.UNRESPONSIVE
        worst = rigs.worst_w(fleet)
        devices_w = None
        if int(fleet.rated_w[is_fresh].sum()) * 10_000 >= COVERED_BP * fleet.total_w:
            devices_w = int(present.sum()) * int(balance.factor_bp[0]) // 10_000
        return Verified(
            state=VerificationState(
                work=self.work,
                balance=balance,
                learned=self.learned,
                attempts=self.attempts,
                calms=calms,
                slept_ms=self.slept_ms,
                outlet_off_ms=self.outlet_off_ms,
                outlet_seen_ms=self.outlet_seen_ms,
                caught=self.caught,
                elsewhere=self.elsewhere,
                failed_ms=self.failed_ms,
                short_groups=self.short_groups,
                is_work_lost=self.is_work_lost,
                looked_ms=now_ms,
                supplied_ms=self.supplied_ms,
                is_storm=is_storm,
            ),
            reasons=tuple(self.reasons),
            retries=retries,
            restores_frozen=is_storm,
            foreign=foreign,
            foreign_w=int(worst[foreign].sum()),
            unresponsive_w=int(worst[disobedient].sum()),
            present_w=present,
            devices_w=devices_w,
            devices_reserve_w=(devices_w or 0) * self.settings.stale_meter_reserve_bp // 10_000,
            worked_w=witnesses.worked_w(self.work, fleet),
            disbelieved=balance.flipped,
        )

    def _learn_models(
        self, balance: Balance, meters: Sequence[MeterView], present: Ints, apart: tuple[int, ...]
    ) -> tuple[Balance, tuple[Calm, ...]]:
        fleet, rigs = self.fleet, self.rigs
        told = np.array([kind.reports_watts for kind in fleet.firmwares], np.bool_)
        silent = np.flatnonzero(~told[fleet.firmware])
        if not len(silent):
            return balance, ()
        moving = fleet.by_feeder(balances.is_moving(rigs).astype(np.int64))
        read = [
            (view.feeder, view.power_w)
            for view in meters
            if view.power_w is not None and balances.believed(balance, view)
        ]
        now = learning.calm_seconds(read, moving, silent, present, rigs, fleet, self.now_ms)
        learned, calms = learning.learn_models(self.learned, self.state.calms, now)
        for feeder in apart:
            under = balances.under(fleet, feeder)
            learned, is_models = learning.rescale(
                learned, int(balance.factor_bp[feeder]), under, silent, fleet
            )
            if is_models:
                balance = balances.reset(balance, feeder)
        self.learned = learned
        learning.apply_models(learned, rigs, silent, fleet)
        return balance, calms

    def _retry(self, owed_w: int | None, is_storm: bool) -> Retries:
        """Attempts whose time has come; in a storm only for as much load as is owed."""
        rigs, fleet, settings = self.rigs, self.fleet, self.settings
        act_ms = self.attempts.act_ms
        is_time = (act_ms != NEVER) & (self.now_ms >= act_ms)
        down = (rigs.status == Status.UNRESPONSIVE) & (rigs.ordered_w == 0) & rigs.managed
        rows = np.flatnonzero(down & ~self.weighed.on_trial)
        left = rows[escalation.is_left(rigs, rows, fleet)]
        forgotten = left[self.now_ms - act_ms[left] >= LEFT_MS]
        escalation.begin_again(self.attempts, rigs, forgotten, self.now_ms)
        rows = rows[~escalation.is_left(rigs, rows, fleet)]
        if is_storm and owed_w is not None:
            worst_w = rigs.worst_w(fleet)[rows]
            rows = rows[np.cumsum(worst_w) - worst_w < owed_w]
        rows = rows[is_time[rows]]
        down_ms = self.learned.settle_ms(fleet, down=True)
        suspects = self.caught & witnesses.is_shared(fleet)[fleet.group]
        shed = escalation.shed_again(
            self.attempts, rigs, rows, suspects, down_ms, settings, fleet, self.now_ms
        )
        left = rows[escalation.is_left(rigs, rows, fleet)]
        self.tell("left", left, "does not sleep, and nothing is left to try", Level.ALARM)

        up = is_time & (rigs.status == Status.DEAD) & (rigs.ordered_w > 0) & rigs.managed
        up &= ~rigs.locked & (rigs.tries < len(settings.retry_ms))
        if is_storm or not up.any():
            return shed
        up_ms = self.learned.settle_ms(fleet, down=False)
        woken = escalation.wake_again(
            self.attempts, rigs, np.flatnonzero(up), up_ms, settings, self.now_ms
        )
        return Retries(
            np.concatenate([shed.rig, woken.rig]),
            np.concatenate([shed.power_w, woken.power_w]),
            np.concatenate([shed.rung, woken.rung]),
        )
