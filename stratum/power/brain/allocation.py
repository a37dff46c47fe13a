"""From one goal to a command per rig: caps first, then the trim group, then whole rigs.

Caps are kept from the deepest feeder up and take what they need, protected rigs last. What remains
between the load and the goal is the trim group's while it stays in the middle half of its range;
beyond that whole rigs are shed or woken so that it comes back to the middle. Two views of the load
serve the two: blocks are decided on what the load will be when everything ordered has worked
(`settled`), trim on what it will be in a few seconds (`ahead`), so it covers for a block that is
still on its way.

A reduction takes any rig; only price, fairness and rotation wait for min-on. A restore must have
been confirmed (N13), fit under every feeder, keep to the inrush limit and find a rig that has slept
long enough, is not locked and has cycles left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stratum.power.brain.commands import WAITS_FOR_MIN_ON, Cause
from stratum.power.brain.draft import Draft
from stratum.power.brain.feeders import NO_CAP_W, Feeders, fitting, open_below, under
from stratum.power.brain.fleet import Fleet, Label
from stratum.power.brain.pacing import inrush_room, wake_slots, within_inrush
from stratum.power.brain.ranking import Ranking
from stratum.power.brain.settings import MINUTE, Settings
from stratum.power.brain.state import RigState, Status, one_of
from stratum.power.brain.trim import TrimGroup, retrim, trims
from stratum.power.brain.values import Flags, Ints

FULL_BP = 10_000
MIDDLE_BP = 5_000
RETRY_MS = 10 * MINUTE

#: What a shed can be ordered from; what was ordered asleep already is the ladder's.
SHEDDABLE = one_of(Status.UNKNOWN, Status.RUNNING, Status.WAKING, Status.DEAD)


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be reached in this tick, and what may be used for it. Watts."""

    goal_w: int
    settled_w: int
    ahead_w: int
    lowest_w: dict[int, int]  # target held for each confirmation time
    cause: Cause  # of a reduction
    is_emergency: bool
    may_wake: bool
    blind_drop_w: int  # how far what is only guessed may pull the load down in this tick
    tick: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class Allocator:
    """One tick's allocation; `draft` is written, everything else is read."""

    fleet: Fleet
    rigs: RigState
    settings: Settings
    feeders: Feeders
    ranking: Ranking
    ceiling_w: Ints  # how high each rig may run; never more than it can
    limit_w: Ints  # an operator's word on each rig; -1: none
    task: Task
    draft: Draft

    def run(self, group: TrimGroup) -> None:
        self.keep_limits()
        self.keep_caps(group)
        if trims(group, self.fleet):
            self.follow_with_trim(group)
        else:
            self.follow_with_blocks(group)

    # -- limits and caps -------------------------------------------------------------------------

    def keep_limits(self) -> None:
        """What an operator said of single rigs: at once, protected or not."""
        rigs, fleet, limit_w = self.rigs, self.fleet, self.limit_w
        able = rigs.managed & (SHEDDABLE[rigs.status] | (rigs.status == Status.FOREIGN))
        over = able & (limit_w >= 0) & (self.draft.assumed_w > limit_w)
        low = over & fleet.continuous & (rigs.status == Status.RUNNING) & (limit_w >= fleet.floor_w)
        for rows, power_w in ((low, limit_w), (over & ~low, np.zeros_like(limit_w))):
            found = np.flatnonzero(rows)
            self.draft.set(found, power_w[found], Cause.OPERATOR)

    def keep_caps(self, group: TrimGroup) -> None:
        """Take off what any feeder carries above its cap, the deepest first."""
        for feeder in reversed(np.flatnonzero(self.feeders.over_w).tolist()):
            below = under(self.fleet, feeder)
            mine = below[self.fleet.feeder]
            need_w = int(self.feeders.over_w[feeder]) + self.draft.changed_w(mine)
            cause = Cause.EMERGENCY if self.task.is_emergency else Cause.PLANT
            if self.feeders.guessed[feeder]:
                # What was ordered to run is no guess; only the rest is our blindness, and ramps.
                ordered_w = int(self.draft.start_w[mine].sum())
                known_w = max(0, ordered_w - int(self.feeders.cap_w[feeder]))
                guess_w = max(0, int(self.feeders.over_w[feeder]) - known_w)
                need_w -= max(0, guess_w - self.task.blind_drop_w)
                cause = cause if known_w else Cause.LOST_SIGNAL
            if need_w <= 0:
                continue
            trimmed = mine[group.rows]
            need_w += self.lower_trim(group, trimmed, need_w, cause)
            self.shed(need_w, cause, mine, with_protected=True)

    def lower_trim(self, group: TrimGroup, chosen: Flags, need_w: int, cause: Cause) -> int:
        """Lower some of the group by up to `need_w`; returns the change, negative."""
        rows = group.rows[chosen]
        level_w, floor_w = self.draft.assumed_w[rows], group.floor_w[chosen]
        spare_w = np.maximum(level_w - floor_w, 0)
        total_w = int(spare_w.sum())
        if need_w <= 0 or total_w <= 0:
            return 0
        cut_w = -(-spare_w * min(need_w, total_w) // total_w)  # rounded up: never too little
        lowered = cut_w > 0
        return self.draft.set(rows[lowered], (level_w - cut_w)[lowered], cause)

    # -- following the goal ----------------------------------------------------------------------

    def follow_with_blocks(self, group: TrimGroup) -> None:
        """No trim group worth the name: whole rigs, with a dead-band (N10)."""
        settled_w = self.task.settled_w + self.draft.changed_w()
        error_w = self.task.goal_w - settled_w
        band_w = self.fleet.total_w * self.settings.deadband_bp // FULL_BP
        block_w = int(np.median(self.fleet.rated_w)) if len(self.fleet) else 0
        if error_w < -max(band_w, block_w // 2) or (error_w < 0 and self.task.is_emergency):
            self.shed(-error_w, self.task.cause)
        elif error_w > max(band_w, block_w):
            self.wake({held: low - settled_w for held, low in self.capped_lows().items()})
        self.set_trim(group)

    def follow_with_trim(self, group: TrimGroup) -> None:
        """Blocks bring the group to its middle, the group takes the rest."""
        settled_w = self.task.settled_w + self.draft.changed_w()
        level_w = int(self.draft.assumed_w[group.rows].sum())
        wanted_w = level_w + self.task.goal_w - settled_w
        middle_w = group.at_bp(MIDDLE_BP)

        if wanted_w < group.at_bp(self.settings.trim_low_bp):
            must_w = max(0, group.floor_sum_w - wanted_w)
            shed_w = -self.shed(must_w, self.task.cause)
            self.shed(middle_w - wanted_w - shed_w, Cause.ROTATION)
        elif wanted_w > group.at_bp(self.settings.trim_high_bp):
            self.wake(
                {
                    held: level_w + low - settled_w - middle_w
                    for held, low in self.capped_lows().items()
                    if level_w + low - settled_w > group.at_bp(self.settings.trim_high_bp)
                }
            )
        self.set_trim(group)

    def set_trim(self, group: TrimGroup) -> None:
        """Send the group to the level that meets the goal a few seconds from now."""
        kept = self.draft.wanted_w[group.rows] != 0  # blocks just shed are not in it any more
        if not kept.any():
            return
        rows, level_w = group.rows[kept], self.level_w(group)[kept]
        top_w = self.within_room(rows, level_w, group.top_w[kept])
        left = TrimGroup(rows, level_w, group.floor_w[kept], top_w)
        ahead_w = self.task.ahead_w + left.level_sum_w - group.level_sum_w
        missing_w = self.task.goal_w - ahead_w
        band_w = self.fleet.total_w * self.settings.deadband_bp // FULL_BP
        is_urgent = missing_w < -band_w
        new_w = retrim(left, self.fleet, left.level_sum_w + missing_w, self.task.tick, is_urgent)
        moved = new_w != left.level_w
        cause = self.task.cause if missing_w < 0 else Cause.PLANT
        self.draft.set(left.rows[moved], new_w[moved], cause)

    def level_w(self, group: TrimGroup) -> Ints:
        """What each of the group is set to: by this tick's orders, else as found."""
        told = self.draft.wanted_w[group.rows] >= 0
        return np.where(told, self.draft.assumed_w[group.rows], group.level_w)

    def within_room(self, rows: Ints, level_w: Ints, new_w: Ints) -> Ints:
        """Scale raises down where a feeder has less room than they want.

        Under a blind site the goal does not rise (`aiming`), but rigs that went low to cover for
        blocks on their way come back to it.
        """
        blind = self.feeders.blind.copy()
        blind[0] = False
        room_w = np.where(blind, 0, self.free_w())
        for feeder in np.flatnonzero(room_w < NO_CAP_W // 2):
            mine = under(self.fleet, int(feeder))[self.fleet.feeder[rows]]
            raise_w = np.where(mine, np.maximum(new_w - level_w, 0), 0)
            total_w = int(raise_w.sum())
            if total_w > room_w[feeder]:
                new_w = new_w - raise_w + raise_w * int(room_w[feeder]) // total_w
        return new_w

    # -- whole rigs ------------------------------------------------------------------------------

    def shed(
        self, need_w: int, cause: Cause, mine: Flags | None = None, with_protected: bool = False
    ) -> int:
        """Put rigs to sleep until `need_w` is gone or none is left; returns the change."""
        if need_w <= 0:
            return 0
        task, rigs = self.task, self.rigs
        able = rigs.managed & SHEDDABLE[rigs.status] & (self.draft.wanted_w != 0)
        if task.is_emergency:  # foreign load is fought only here and for caps (with_protected)
            able |= rigs.managed & (rigs.status == Status.FOREIGN)
        if mine is not None:
            able &= mine
            able |= mine & rigs.managed & (rigs.status == Status.FOREIGN) & with_protected
        if not with_protected and not task.is_emergency:
            able &= self.fleet.label != Label.PROTECTED
        if cause in WAITS_FOR_MIN_ON:
            able &= task.now_ms - rigs.on_ms >= self.fleet.min_on_ms
        gain_w = self.draft.assumed_w - self.draft.asleep_w
        if task.is_emergency:  # what might come back by itself is told as well
            self.draft.set(np.flatnonzero(able & (rigs.status == Status.DEAD)), 0, cause)
        ranked = self.ranking.to_shed(np.flatnonzero(able & (gain_w > 0)), gain_w)
        sums = np.cumsum(gain_w[ranked])
        count = int(np.searchsorted(sums, need_w)) + 1
        return self.draft.set(ranked[:count], 0, cause)

    def wake(self, room_by_time: dict[int, int]) -> int:
        """Wake rigs into what has been free for their confirmation time; returns the change."""
        if not self.task.may_wake or max(room_by_time.values(), default=0) <= 0:
            return 0
        free_w = np.zeros(len(self.fleet), np.int64)
        for held_ms, room_w in room_by_time.items():
            free_w[self.fleet.confirm_ms == held_ms] = room_w
        cost_w = self.wake_cost_w()
        able = self.wakeable() & (cost_w <= free_w) & wake_slots(self.fleet, self.task.tick)
        ranked = self.ranking.to_wake(np.flatnonzero(able), cost_w)
        ranked = ranked[within_inrush(self.fleet, ranked, inrush_room(self.fleet, self.settings))]
        ranked = ranked[fitting(self.fleet, ranked, cost_w[ranked], self.room_w())]
        ranked = ranked[np.cumsum(cost_w[ranked]) <= free_w[ranked]]
        return self.draft.set(ranked, self.ceiling_w[ranked], Cause.PLANT)

    def wakeable(self) -> Flags:
        """Rigs that may be woken at all, whatever room there is."""
        rigs, fleet = self.rigs, self.fleet
        able: Flags = (
            rigs.managed
            & ~rigs.locked
            & ((rigs.status == Status.SHED) | self.is_retriable())
            & (self.draft.wanted_w < 0)
            & (self.task.now_ms - rigs.off_ms >= fleet.min_off_ms)
            & (self.ranking.cycles < self.settings.cycles_hard)
            & (self.ceiling_w >= np.minimum(fleet.floor_w, rigs.full_w(fleet)))
            & open_below(fleet, self.feeders)[fleet.feeder]
        )
        return able

    def is_retriable(self) -> Flags:
        """Rigs that did not wake and are told no more: as good as asleep after a while."""
        rigs = self.rigs
        given_up = (rigs.status == Status.DEAD) & (rigs.tries >= len(self.settings.retry_ms))
        since_ms = self.task.now_ms - rigs.ordered_ms
        retriable: Flags = given_up & (since_ms >= np.maximum(self.fleet.min_off_ms, RETRY_MS))
        return retriable

    def wake_cost_w(self) -> Ints:
        cost_w: Ints = np.maximum(self.ceiling_w - self.draft.asleep_w, 1)
        return cost_w

    # -- figures that change while deciding ------------------------------------------------------

    def room_w(self) -> Ints:
        """What may be woken under each feeder after what the draft already holds."""
        return np.where(self.feeders.blind, 0, self.free_w())

    def free_w(self) -> Ints:
        """What each feeder's cap leaves after what the draft already holds."""
        added_w = self.fleet.by_feeder(self.draft.assumed_w - self.draft.start_w)
        left_w = self.feeders.cap_w - self.feeders.used_w - added_w
        return np.where(self.feeders.cap_w >= NO_CAP_W, NO_CAP_W, np.maximum(left_w, 0))

    def capped_lows(self) -> dict[int, int]:
        return {held: min(low, self.task.goal_w) for held, low in self.task.lowest_w.items()}
