"""Which rigs: caps, trim, blocks, order, and what keeps a rig asleep."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum.power.brain.allocation import Allocator, Task
from stratum.power.brain.commands import CAUSES, Cause
from stratum.power.brain.draft import Draft
from stratum.power.brain.estimator import Estimate
from stratum.power.brain.feeders import NO_CAP_W, Feeders
from stratum.power.brain.fleet import Feeder, Fleet, Label
from stratum.power.brain.ranking import Ranking
from stratum.power.brain.settings import HOUR, MINUTE, Settings
from stratum.power.brain.state import RigState, Status
from stratum.power.brain.trim import trim_group
from stratum.power.brain.values import UNKNOWN_W, Ints
from tests.power.fleets import SITE, fleet

NOW = 10 * HOUR


@dataclass
class Scene:
    """A fleet in which the first `running` rigs run and the rest sleep, long enough for anything;
    settled is what is counted."""

    fleet: Fleet
    running: int
    goal_w: int
    cause: Cause = Cause.PLANT
    is_emergency: bool = False
    may_wake: bool = True
    tick: int = 0
    held_w: int | None = None  # the confirmed target; None: the goal
    caps: dict[int, int] = field(default_factory=dict)
    blind: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.settings = Settings()
        self.rigs = RigState.fresh(self.fleet)
        runs = np.arange(len(self.fleet)) < self.running
        self.rigs.status[:] = np.where(runs, Status.RUNNING, Status.SHED)
        self.rigs.ordered_w[:] = np.where(runs, self.fleet.rated_w, 0)
        self.rigs.on_ms[:] = self.rigs.off_ms[:] = 0
        self.merit: Ints = np.zeros(len(self.fleet), np.int64)
        self.ceiling_w = self.fleet.rated_w.copy()
        self.limit_w = np.full(len(self.fleet), -1, np.int64)

    def allocator(self) -> Allocator:
        assumed_w = self.rigs.assumed_w(self.fleet)
        used_w = self.fleet.by_feeder(assumed_w)
        cap_w = np.full(len(self.fleet.feeders), NO_CAP_W, np.int64)
        for row, cap in self.caps.items():
            cap_w[row] = cap
        blind = np.isin(np.arange(len(self.fleet.feeders)), self.blind)
        settled_w = int(used_w[0])
        estimate = Estimate(settled_w, "meter", settled_w, settled_w)
        low_w = self.goal_w if self.held_w is None else self.held_w
        return Allocator(
            fleet=self.fleet,
            rigs=self.rigs,
            settings=self.settings,
            feeders=Feeders((estimate,), cap_w, used_w, blind, np.zeros_like(blind)),
            ranking=Ranking(
                self.fleet,
                self.rigs,
                self.merit,
                np.zeros(len(self.fleet), np.bool_),
                self.rigs.cycles.sum(axis=0),
                np.zeros(len(self.fleet.owners), np.int64),
                np.zeros(len(self.fleet.owners), np.int64),
            ),
            ceiling_w=self.ceiling_w,
            limit_w=self.limit_w,
            task=Task(
                goal_w=self.goal_w,
                settled_w=settled_w,
                ahead_w=settled_w,
                lowest_w={int(ms): low_w for ms in np.unique(self.fleet.confirm_ms)},
                cause=self.cause,
                is_emergency=self.is_emergency,
                may_wake=self.may_wake,
                blind_drop_w=1_000,
                tick=self.tick,
                now_ms=NOW,
            ),
            draft=Draft(self.fleet, self.rigs, assumed_w),
        )

    def run(self) -> Draft:
        tick = self.allocator()
        tick.run(trim_group(self.fleet, self.rigs, tick.draft.assumed_w, self.ceiling_w))
        return tick.draft

    def woken(self) -> list[int]:
        """Rigs woken over the five seconds in which every rig has its turn."""
        rows: set[int] = set()
        for self.tick in range(5):
            rows |= set(np.flatnonzero(self.run().wanted_w > 0).tolist())
        return sorted(rows)


def slept(draft: Draft) -> list[int]:
    return np.flatnonzero(draft.wanted_w == 0).tolist()


def test_a_reduction_takes_just_enough_rigs() -> None:
    draft = Scene(fleet(100), running=100, goal_w=100 * 3_500 - 10 * 3_475).run()
    assert len(slept(draft)) == 10


def test_inside_the_dead_band_nothing_moves() -> None:
    many = fleet(400)
    assert not Scene(many, running=200, goal_w=200 * 3_525 - 10_000).run().told.any()
    assert not Scene(many, running=200, goal_w=200 * 3_525 + 10_000).run().told.any()


def test_labels_decide_who_goes_first_and_who_never() -> None:
    labelled = fleet(10, labels={3: Label.FIRST_SHED, 4: Label.PROTECTED})
    assert slept(Scene(labelled, running=10, goal_w=9 * 3_500 + 25).run()) == [3]
    assert slept(Scene(labelled, running=10, goal_w=0).run()) == [0, 1, 2, 3, 5, 6, 7, 8, 9]


def test_a_cap_and_an_emergency_take_the_protected_too_but_last() -> None:
    labelled = fleet(10, labels={4: Label.PROTECTED})
    everything = list(range(10))
    assert slept(Scene(labelled, running=10, goal_w=0, caps={0: 500}).run()) == everything
    capped = Scene(labelled, running=10, goal_w=35_000, caps={0: 3_800}).run()
    assert slept(capped) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    emergency = Scene(labelled, running=10, goal_w=0, is_emergency=True, cause=Cause.EMERGENCY)
    assert slept(emergency.run()) == everything


def test_merit_decides_and_wear_among_equals() -> None:
    scene = Scene(fleet(10), running=10, goal_w=9 * 3_500 + 25)
    scene.merit[:] = 5
    scene.merit[7] = 1
    assert slept(scene.run()) == [7]
    scene.merit[7] = 5
    scene.rigs.cycles[0, :] = 3
    scene.rigs.cycles[0, 6] = 1  # the least worn
    assert slept(scene.run()) == [6]
    scene.rigs.cycles[0, :] = 0
    scene.rigs.on_ms[:] = 5 * HOUR
    scene.rigs.on_ms[2] = 4 * HOUR  # has run the longest
    assert slept(scene.run()) == [2]


@pytest.mark.parametrize("cause", list(Cause))
def test_min_on_holds_back_price_fairness_and_rotation_alone(cause: Cause) -> None:
    scene = Scene(fleet(10), running=10, goal_w=0, cause=cause)
    scene.rigs.on_ms[:] = NOW - MINUTE
    assert bool(slept(scene.run())) == (cause not in (Cause.PRICE, Cause.QUOTA, Cause.ROTATION))


def test_restores_take_what_has_been_free_for_long_enough() -> None:
    goal_w = 50 * 3_500 + 50 * 25 + 10 * 3_475
    assert len(Scene(fleet(100), running=50, goal_w=goal_w).woken()) == 5 * 2  # two a second
    held = Scene(fleet(100), running=50, goal_w=goal_w, held_w=50 * 3_525 + 4_000)
    assert len(held.woken()) <= 5
    assert not Scene(fleet(100), running=50, goal_w=goal_w, held_w=0).woken()
    assert not Scene(fleet(100), running=50, goal_w=goal_w, may_wake=False).woken()


def test_an_operators_limit_on_a_rig_is_kept_at_once() -> None:
    many = fleet(10, trimming=2, labels={0: Label.PROTECTED})
    scene = Scene(many, running=10, goal_w=35_000)
    scene.limit_w[[0, 3, 8]] = scene.ceiling_w[[0, 3, 8]] = [0, 1_000, 2_500]
    draft = scene.run()
    assert draft.wanted_w[[0, 3, 8]].tolist() == [0, 0, 2_500]


def test_a_rig_that_did_not_wake_is_told_again_after_a_while() -> None:
    scene = Scene(fleet(2), running=0, goal_w=7_000)
    scene.rigs.status[:] = Status.DEAD
    scene.rigs.ordered_w[:], scene.rigs.tries[:] = 3_500, 2
    scene.rigs.ordered_ms[:] = [NOW - HOUR, NOW - MINUTE]
    scene.rigs.seen_w[:] = 25
    assert scene.woken() == [0]


def test_an_emergency_orders_the_dead_off_too() -> None:
    scene = Scene(fleet(3), running=2, goal_w=0, is_emergency=True, cause=Cause.EMERGENCY)
    scene.rigs.status[2], scene.rigs.seen_w[2] = Status.DEAD, 25
    scene.rigs.ordered_w[2] = 3_500
    assert slept(scene.run()) == [0, 1, 2]


def test_what_keeps_a_rig_asleep() -> None:
    scene = Scene(fleet(8), running=0, goal_w=8 * 3_500)
    scene.rigs.locked[0] = True
    scene.rigs.managed[1] = False
    scene.rigs.off_ms[2] = NOW - MINUTE  # inside min-off
    scene.rigs.cycles[:, 3] = 1  # twenty-four
    scene.rigs.status[4] = Status.SHEDDING
    scene.rigs.status[5] = Status.UNRESPONSIVE
    scene.ceiling_w[6] = 0  # not worth its power
    assert scene.woken() == [7]


def test_a_blind_feeder_wakes_nobody() -> None:
    tree = (SITE, Feeder("east", "site"), Feeder("west", "site"))
    scene = Scene(fleet(10, feeders=tree), running=0, goal_w=35_000, blind=(1,))
    assert scene.woken() == [1, 3, 5, 7, 9]


def test_a_restore_keeps_to_the_room_of_its_feeder() -> None:
    tree = (SITE, Feeder("east", "site"), Feeder("west", "site"))
    scene = Scene(fleet(400, feeders=tree), running=0, goal_w=350_000, caps={1: 200 * 25 + 7_000})
    woken = scene.run().wanted_w > 0
    assert woken[scene.fleet.feeder == 1].sum() == 2
    assert woken[scene.fleet.feeder == 2].sum() == 4


def test_the_trim_group_takes_small_errors_without_moving_blocks() -> None:
    many = fleet(100, trimming=20)
    middle_w = 80 * 3_500 + 20 * 2_650
    scene = Scene(many, running=100, goal_w=middle_w - 5_000)
    scene.rigs.ordered_w[80:] = 2_650
    draft = scene.run()
    assert not slept(draft)
    moved = np.flatnonzero(draft.told)
    assert len(moved) and (moved >= 80).all()


def test_blocks_bring_the_trim_group_back_to_its_middle() -> None:
    many = fleet(100, trimming=20)
    scene = Scene(many, running=100, goal_w=80 * 3_500 + 20 * 1_900)
    scene.rigs.ordered_w[80:] = 2_000
    draft = scene.run()
    shed_w = len(slept(draft)) * 3_475
    assert abs(shed_w - 20 * (2_650 - 1_900)) <= 3_475
    assert all(row < 80 for row in slept(draft))


def test_recentring_respects_min_on_but_what_trim_cannot_do_does_not() -> None:
    many = fleet(100, trimming=20)
    scene = Scene(many, running=100, goal_w=80 * 3_500 + 20 * 1_900)
    scene.rigs.ordered_w[80:], scene.rigs.on_ms[:] = 2_000, NOW - MINUTE
    assert not slept(scene.run())
    scene.goal_w = 80 * 3_500 + 20 * 1_800 - 3_000
    assert len(slept(scene.run())) == 1


def test_feeders_are_relieved_from_the_deepest_up() -> None:
    tree = (SITE, Feeder("east", "site"), Feeder("west", "site"))
    scene = Scene(fleet(20, feeders=tree), running=20, goal_w=70_000, caps={1: 28_100, 0: 60_000})
    draft = scene.run()
    after_w = scene.fleet.by_feeder(draft.assumed_w)
    assert after_w[1] <= 28_100
    assert after_w[0] <= 60_000
    assert len(slept(draft)) == 3


def test_foreign_load_is_fought_only_for_caps_and_emergencies() -> None:
    scene = Scene(fleet(4), running=2, goal_w=3_500)
    scene.rigs.status[3] = Status.FOREIGN
    assert 3 not in slept(scene.run())
    scene.is_emergency, scene.goal_w = True, 0
    assert slept(scene.run()) == [0, 1, 3]
    assert 3 in slept(Scene.run(replaced(scene, caps={0: 100})))


def replaced(scene: Scene, caps: dict[int, int]) -> Scene:
    scene.is_emergency, scene.caps = False, caps
    return scene


@settings(max_examples=200)
@given(st.data())
def test_orders_keep_every_cap(data: st.DataObject) -> None:
    """Whatever the goal: what is ordered fits under every cap that obeying rigs can keep, and
    nobody is woken whom a lock or min-off holds."""
    tree = (SITE, Feeder("east", "site"), Feeder("west", "site"), Feeder("e1", "east"))
    count = data.draw(st.integers(1, 60), "rigs")
    trimming = data.draw(st.integers(0, count), "trimming")
    some = fleet(count, trimming=trimming, feeders=tree)
    scene = Scene(
        some,
        running=data.draw(st.integers(0, count), "running"),
        goal_w=data.draw(st.integers(0, count * 4_000), "goal"),
        cause=data.draw(st.sampled_from(Cause), "cause"),
        tick=data.draw(st.integers(0, 4), "tick"),
        caps={
            row: data.draw(st.integers(0, count * 3_500), "cap")
            for row in data.draw(st.sets(st.integers(0, 3)), "capped")
        },
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30), "seed"))
    scene.rigs.locked[:] = rng.random(count) < 0.2
    scene.rigs.off_ms[:] = NOW - rng.integers(0, HOUR, count)
    scene.rigs.on_ms[:] = NOW - rng.integers(0, HOUR, count)
    scene.rigs.cycles[0] = rng.integers(0, 26, count)
    before = scene.rigs.copy()
    draft = scene.run()

    idle_w = some.by_feeder(draft.asleep_w)
    for row, cap_w in scene.caps.items():
        after_w = int(some.by_feeder(draft.assumed_w)[row])
        assert after_w <= max(cap_w, int(idle_w[row]))
    woken = (draft.wanted_w > 0) & (before.status == Status.SHED)
    assert not (woken & before.locked).any()
    assert not (woken & (NOW - before.off_ms < some.min_off_ms)).any()
    assert not (woken & (before.cycles.sum(axis=0) >= 24)).any()
    assert (draft.wanted_w[draft.told] != UNKNOWN_W).all()
    assert set(draft.cause[draft.told].tolist()) <= set(range(len(CAUSES)))
