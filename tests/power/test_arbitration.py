"""Many wishes, one order: who leads, what bounds, what falls at once; and that no loss raises."""

from __future__ import annotations

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from stratum.power.brain.arbitration import Order
from stratum.power.brain.commands import ORDERED, Cause, Level
from stratum.power.brain.line import Standing
from stratum.power.brain.settings import HOUR, SECOND
from stratum.power.brain.values import Kind, OrderKind
from tests.power.plant import FLEET_W, MW, Plant, source

OLD, HELD, DOWN = 10, 60, 300


# -- who leads -----------------------------------------------------------------------------------


def test_first_in_line_leads_and_the_rest_wait() -> None:
    world = Plant(source("second", priority=1), source("first"), source("third", priority=2))
    order = world.run(1, [("second", 3 * MW), ("first", 20 * MW), ("third", 1 * MW)])
    assert (order.target_w, order.cause, order.restore) == (20 * MW, Cause.PLANT, True)
    assert world.text("follow_live") == (
        "target 20 MW, the load is not known: first asks for 20 MW"
    )


def test_every_order_says_whose_it_is_in_figures() -> None:
    world = Plant(source("d"), source("c", Kind.CAP), floor_w=2 * MW)
    world.load_w = 12_345_678
    world.run(1, [("d", 20 * MW), ("c", 7 * MW)])
    assert world.text("limit_live") == ("target 7 MW, the load is 12.346 MW: c allows at most 7 MW")
    world.run(1, [("d", MW), ("c", 7 * MW)])
    assert world.text("follow_live") == (
        "target 2 MW, the load is 12.346 MW: d asks for 1 MW; the floor is 2 MW"
    )


def test_two_masters_of_one_rank_the_lower_leads_and_somebody_is_told() -> None:
    world = Plant(source("a"), source("b"))
    order = world.run(1, [("a", 20 * MW), ("b", 12 * MW)])
    assert order.target_w == 12 * MW
    told = next(reason for reason in world.reasons if reason.code == "two_masters")
    assert told.level is Level.WARNING
    assert told.text == "masters of one rank disagree, the lowest leads: a 20 MW, b 12 MW"
    world.run(1, [("a", 12 * MW), ("b", 12 * MW)])
    assert "two_masters" not in [reason.code for reason in world.reasons]


def test_priority_of_a_sample_decides_among_sources_of_one_rank() -> None:
    world = Plant(source("a"), source("b"))
    world.say("a", 20 * MW, priority=1)
    world.say("b", 25 * MW, priority=0)
    assert world.tick().target_w == 25 * MW


def test_lost_leader_keeps_its_word_until_it_is_at_its_fallback_and_then_the_next_one_leads() -> (
    None
):
    world = Plant(source("first", fallback_w=9 * MW), source("next", priority=1))
    world.run(1, [("first", 20 * MW), ("next", 4 * MW)])
    seen = [world.run(1, [("next", 4 * MW)]) for _ in range(OLD + HELD + DOWN + 10)]
    assert [order.target_w for order in seen[: OLD + HELD]] == [20 * MW] * (OLD + HELD)
    assert seen[OLD + HELD + DOWN - 1].target_w in range(9 * MW, 9 * MW + 50_000)
    assert seen[-1].target_w == 4 * MW
    assert world.run(5, [("next", 15 * MW)]).target_w == 9 * MW  # never above the fallback


def test_cause_is_the_plant_while_its_word_holds_and_loss_from_then_on() -> None:
    world = Plant(source("d"))
    world.run(1, [("d", 20 * MW)])
    seen = [world.tick() for _ in range(OLD + HELD + DOWN + 10)]
    held, down = seen[: OLD + HELD], seen[OLD + HELD + 1 :]
    assert {order.cause for order in held} == {Cause.PLANT}
    assert {order.cause for order in down} == {Cause.LOST_SIGNAL}
    assert [order.restore for order in seen] == [True] * OLD + [False] * (len(seen) - OLD)
    assert {order.at_once_w for order in seen} == {20 * MW}  # nothing of it falls without a ramp


def test_named_fallback_stands_behind_the_source_it_stands_in_for() -> None:
    """Both have the default priority and don't agree; they are not two masters."""
    world = Plant(source("plan"), source("d", fallback_source="plan"))
    order = world.run(1, [("plan", 4 * MW), ("d", 20 * MW)])
    assert order.target_w == 20 * MW and "two_masters" not in world.codes
    order = world.run(OLD + HELD + DOWN + 2, [("plan", 4 * MW)])
    assert (order.target_w, order.restore, order.cause) == (4 * MW, True, Cause.PLANT)


def test_without_any_source_to_follow_the_load_runs_up_to_what_limits_it() -> None:
    assert Plant().tick().target_w == 2 * FLEET_W
    order = Plant(cap_w=9 * MW).tick()
    assert (order.target_w, order.hi_w, order.restore) == (9 * MW, 9 * MW, True)
    world = Plant(source("c", Kind.CAP))
    assert world.run(1, [("c", 5 * MW)]).target_w == 5 * MW


def test_all_sources_silent_is_the_lowest_fallback_and_wakes_nothing() -> None:
    world = Plant(source("a", fallback_w=8 * MW), source("b", priority=1, fallback_w=6 * MW))
    order = world.tick()
    assert (order.target_w, order.cause, order.restore) == (6 * MW, Cause.LOST_SIGNAL, False)
    assert world.text("follow_silent").endswith("b was never heard and counts as 6 MW")
    assert Plant(source("a"), floor_w=MW).tick().target_w == MW
    assert Plant(source("a"), source("c", Kind.CAP)).tick().target_w == 0


def test_all_sources_lost_ends_at_the_lowest_fallback() -> None:
    world = Plant(source("a", fallback_w=8 * MW), source("b", priority=1, fallback_w=6 * MW))
    world.run(3, [("a", 20 * MW), ("b", 15 * MW)])
    before = 20 * MW
    for _ in range(OLD + HELD + DOWN + 10):
        target = world.tick().target_w
        assert target <= before
        before = target
    assert before == 6 * MW


# -- what bounds ---------------------------------------------------------------------------------


def test_lowest_limit_bounds() -> None:
    limits = {"c1": 14 * MW, "c2": 11 * MW, "d": 25 * MW}
    world = Plant(source("c1", Kind.CAP), source("c2", Kind.CAP), source("d"), cap_w=18 * MW)
    order = world.run(1, limits.items())
    assert (order.target_w, order.hi_w) == (11 * MW, 11 * MW)
    order = world.run(1, {**limits, "c2": 30 * MW, "c1": 30 * MW}.items())
    assert (order.target_w, order.hi_w) == (18 * MW, 18 * MW)
    assert world.text("site_cap").endswith("the cap of the site, 18 MW")


def test_limit_below_the_floor_wins_over_it() -> None:
    world = Plant(source("c", Kind.CAP), source("d"), floor_w=5 * MW)
    order = world.run(1, [("c", 3 * MW), ("d", MW)])
    assert (order.target_w, order.lo_w, order.hi_w) == (3 * MW, 3 * MW, 3 * MW)


def test_emergency_is_over_everything() -> None:
    world = Plant(source("e", Kind.EMERGENCY), source("d"), floor_w=5 * MW)
    world.order(OrderKind.MAX, value_w=9 * MW)
    order = world.run(1, [("e", 2 * MW), ("d", 20 * MW)])
    assert (order.target_w, order.cause, order.emergency) == (2 * MW, Cause.EMERGENCY, True)
    assert not order.restore and Cause.EMERGENCY in ORDERED
    assert world.text("emergency").endswith(
        "emergency by e, at most 2 MW until an operator clears it"
    )


def test_emergency_source_that_is_lost_is_a_loss_and_no_emergency() -> None:
    world = Plant(source("e", Kind.EMERGENCY), source("d"))
    world.run(1, [("e", FLEET_W), ("d", 20 * MW)])
    seen = [world.run(1, [("d", 20 * MW)]) for _ in range(OLD + HELD + DOWN + 5)]
    assert not any(order.emergency for order in seen)
    assert (seen[-1].target_w, seen[-1].cause) == (0, Cause.LOST_SIGNAL)
    assert seen[-1].at_once_w == 20 * MW


def test_cut_by_the_plant_falls_at_once_though_another_source_is_lost() -> None:
    world = Plant(source("c", Kind.CAP), source("d"))
    world.run(1, [("c", 25 * MW), ("d", 20 * MW)])
    world.run(OLD + HELD + 200, [("d", 20 * MW)])
    order = world.run(1, [("d", 12 * MW)])
    assert order.cause is Cause.LOST_SIGNAL and order.target_w < 12 * MW
    assert order.at_once_w == 12 * MW


def test_lost_upstream_goes_to_the_floor_by_our_own_ramp() -> None:
    world = Plant(source("d"), floor_w=3 * MW)
    world.run(1, [("d", 20 * MW)])
    world.upstream_lost = True
    order = world.run(1, [("d", 20 * MW)])
    assert (order.target_w, order.cause, order.restore) == (3 * MW, Cause.UPSTREAM, False)
    assert (order.at_once_w, order.hi_w) == (20 * MW, 2 * FLEET_W)
    assert Cause.UPSTREAM not in ORDERED
    assert "no work to give" in world.text("upstream_lost")
    world.upstream_lost = False
    assert world.run(1, [("d", 20 * MW)]).target_w == 20 * MW


def test_plant_at_local_is_not_followed_and_its_limits_count() -> None:
    world = Plant(source("d"), source("c", Kind.CAP))
    world.run(1, [("d", 20 * MW), ("c", 25 * MW)])
    for _ in range(OLD + HELD + DOWN + 5):
        world.say("d", 28 * MW, local=True)
        world.say("c", 6 * MW, local=True)
        order = world.tick()
        assert order.target_w <= 6 * MW
    assert order.target_w == 0 and order.hi_w == 6 * MW
    assert "local" in world.codes


# -- what is passed on ---------------------------------------------------------------------------


def test_event_and_surplus_are_passed_on() -> None:
    world = Plant(source("s", Kind.SURPLUS_MEAS, includes_our_load=True), source("d"))
    world.load_w = 10 * MW
    world.say("s", 5 * MW)
    world.say("d", 9 * MW, event_id="dr-7")
    order = world.tick()
    assert (order.target_w, order.event_id, order.surplus_w) == (9 * MW, "dr-7", 15 * MW)
    assert world.run(OLD + 30).surplus_w == 15 * MW
    assert world.run(HELD).surplus_w is None
    assert Plant(source("d")).tick().surplus_w is None


def test_price_is_not_arbitrated() -> None:
    world = Plant(source("p", Kind.PRICE), source("d"))
    assert world.run(1, [("p", -50 * MW), ("d", 20 * MW)]).target_w == 20 * MW


# -- whatever happens ----------------------------------------------------------------------------

SOURCES = (
    source("dispatch", fallback_source="plan"),
    source("plan", Kind.SCHEDULE, priority=1, fallback_w=5 * MW),
    source("surplus", Kind.SURPLUS_MEAS, priority=1, includes_our_load=True),
    source("delta", Kind.SETPOINT_DELTA, priority=2, fallback_w=20 * MW),
    source("cap", Kind.CAP, max_age_ms=20 * SECOND),
    source("soft cap", Kind.CAP, fallback_w=25 * MW, heartbeat=True),
    source("trip", Kind.EMERGENCY, on_event=True),
)
NAMES = [setting.name for setting in SOURCES]
CAPS = {"cap": 20, "soft cap": 10}  # seconds until each is too old


class AnythingHappens(RuleBasedStateMachine):
    """Samples, silences, orders in any order. What is checked is kept apart from what is tested:
    of each cap the last value that was said, and when."""

    @initialize(floor_w=st.sampled_from([0, 2 * MW]))
    def begin(self, floor_w: int) -> None:
        self.world = Plant(*SOURCES, floor_w=floor_w, cap_w=28 * MW)
        self.order: Order | None = None
        self.caps: dict[str, tuple[int, int]] = {}
        self.sequence = 0

    @rule(name=st.sampled_from(NAMES), megawatts=st.integers(0, 30), load=st.integers(0, 30))
    def speak(self, name: str, megawatts: int, load: int) -> None:
        self.world.load_w = load * MW
        self.sequence += 1
        self.world.say(name, megawatts * MW, sequence=self.sequence)
        if name in CAPS:
            self.caps[name] = (megawatts * MW, self.world.now_ms)
        self.order = self.world.tick()

    @rule(name=st.sampled_from(NAMES), late=st.integers(21, 9_000), megawatts=st.integers(0, 30))
    def speak_too_late(self, name: str, late: int, megawatts: int) -> None:
        before = self.order
        self.world.say(name, megawatts * MW, late_ms=late * SECOND)
        self.order = self.world.tick()
        assert before is None or self.order.hi_w <= before.hi_w

    @rule(hours=st.lists(st.integers(0, 30), min_size=1, max_size=3))
    def plan(self, hours: list[int]) -> None:
        for row, megawatts in enumerate(hours):
            begins = self.world.true_ms + row * HOUR
            self.world.say("plan", megawatts * MW, valid_from_ms=begins, valid_to_ms=begins + HOUR)
        self.order = self.world.tick()

    @rule(
        step_s=st.sampled_from([1, 1, 4, 30, 70, 400]),
        ticks=st.integers(1, 12),
        has_load=st.booleans(),
    )
    def be_silent(self, step_s: int, ticks: int, has_load: bool) -> None:
        if not has_load:
            self.world.load_w = None
        plan = self.world.view("plan")
        for _ in range(ticks):
            before, order = self.order, self.world.tick(step_s * SECOND)
            if before is not None:
                assert order.hi_w <= before.hi_w
                now = self.world.view("plan")
                if now.value_w == plan.value_w or now.standing is not Standing.LIVE:
                    assert order.target_w <= before.target_w
                plan = now
            self.order = order

    @rule(kind=st.sampled_from([OrderKind.MAX, OrderKind.OFF, OrderKind.HOLD, OrderKind.ESTOP]))
    def narrow(self, kind: OrderKind) -> None:
        before = self.order
        had = self.world.overrides.current
        self.world.order(kind, value_w=6 * MW)
        self.order = self.world.tick()
        if before is not None and had is None:
            assert self.order.hi_w <= before.hi_w

    @rule(kind=st.sampled_from([OrderKind.AUTO, OrderKind.CLEAR_ESTOP]))
    def lift(self, kind: OrderKind) -> None:
        self.world.order(kind)
        self.order = self.world.tick()

    @rule(is_lost=st.booleans())
    def upstream(self, is_lost: bool) -> None:
        self.world.upstream_lost = is_lost
        self.order = self.world.tick()

    @invariant()
    def order_is_in_bounds(self) -> None:
        if self.order is None:
            return
        order, world = self.order, self.world
        assert 0 <= order.lo_w <= order.target_w <= order.hi_w <= 28 * MW
        assert order.target_w <= order.at_once_w
        assert not (order.restore and (order.emergency or world.upstream_lost))

    @invariant()
    def no_live_or_held_cap_is_exceeded(self) -> None:
        if self.order is None:
            return
        for name, old in CAPS.items():
            watts, at_ms = self.caps.get(name, (25 * MW, 0))
            assert self.order.hi_w <= watts  # lost: never above its last word
            if name not in self.caps:
                assert self.order.hi_w <= (25 * MW if name == "soft cap" else 2 * MW)
            elif self.world.now_ms - SECOND - at_ms <= old * SECOND:
                assert self.world.view(name).standing is Standing.LIVE

    @invariant()
    def nothing_is_asked_for_by_sources_that_never_spoke(self) -> None:
        if self.order is None:
            return
        views = [v for v in self.world.sources.views if v.kind is not Kind.EMERGENCY]
        if all(view.standing is Standing.SILENT for view in views):
            assert self.order.target_w <= self.world.settings.floor_w
            assert not self.order.restore


AnythingHappens.TestCase.settings = hypothesis_settings(
    max_examples=100, stateful_step_count=30, deadline=None
)
TestAnythingHappens = AnythingHappens.TestCase
