"""Operators' orders: who may, what stands, what it becomes when its time is over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain.arbitration import Order
from stratum.power.brain.commands import Cause, Level
from stratum.power.brain.overrides import OrderEffect, rows_of
from stratum.power.brain.settings import HOUR, MINUTE, SECOND, Mode
from stratum.power.brain.values import Kind, OrderKind
from tests.power.plant import FLEET_W, MW, Plant, small_fleet, source

FLEET = small_fleet()


def plant() -> Plant:
    """Asks for 20 MW, has 20 MW."""
    world = Plant(source())
    world.load_w = 20 * MW
    world.run(5, [("dispatch", 20 * MW)])
    return world


def after(world: Plant, kind: OrderKind, scope: str = "", **more: object) -> Order:
    world.order(kind, scope, **more)
    return world.run(1, [("dispatch", 20 * MW)])


# -- what stands ---------------------------------------------------------------------------------


def test_max_bounds_what_the_plant_asks_for_and_auto_lifts_it() -> None:
    world = plant()
    order = after(world, OrderKind.MAX, value_w=5 * MW)
    assert (order.target_w, order.hi_w, order.cause) == (5 * MW, 5 * MW, Cause.OPERATOR)
    assert "max by anna, at most 5 MW: test" in world.text("override_max")
    assert after(world, OrderKind.AUTO).target_w == 20 * MW


def test_max_above_what_the_plant_asks_for_raises_nothing() -> None:
    order = after(plant(), OrderKind.MAX, value_w=29 * MW)
    assert (order.target_w, order.cause) == (20 * MW, Cause.PLANT)


def test_off_is_nothing_at_once_and_below_the_floor() -> None:
    world = Plant(source(), floor_w=2 * MW)
    order = after(world, OrderKind.OFF)
    assert (order.target_w, order.at_once_w, order.lo_w) == (0, 0, 0)


def test_hold_stays_at_the_load_of_its_order_and_gives_way_to_less() -> None:
    world = plant()
    world.load_w = 18 * MW
    assert after(world, OrderKind.HOLD).target_w == 18 * MW
    world.load_w = 19 * MW
    assert world.run(5, [("dispatch", 25 * MW)]).target_w == 18 * MW
    assert world.run(5, [("dispatch", 7 * MW)]).target_w == 7 * MW
    order = world.run(5, [("dispatch", 25 * MW)])
    assert (order.target_w, order.restore) == (18 * MW, True)


def test_hold_without_a_known_load_forbids_all_waking() -> None:
    world = plant()
    world.load_w = None
    order = after(world, OrderKind.HOLD)
    assert (order.target_w, order.restore) == (20 * MW, False)


def test_newest_order_of_a_scope_replaces_the_former() -> None:
    world = plant()
    after(world, OrderKind.OFF)
    assert after(world, OrderKind.MAX, value_w=5 * MW).target_w == 5 * MW
    assert len(world.overrides.standing) == 1


# -- the end of an order -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value_w", "limit_w"), [(OrderKind.OFF, None, 0), (OrderKind.MAX, 5 * MW, 5 * MW)]
)
def test_override_lapses_after_four_hours_into_a_hold_and_never_into_load(
    kind: OrderKind, value_w: int | None, limit_w: int
) -> None:
    world = plant()
    after(world, kind, value_w=value_w)
    hours = [world.tick(30 * MINUTE) for _ in range(8)]
    assert "override_lapsed" not in world.codes
    world.say("dispatch", 20 * MW)
    assert world.tick().target_w == limit_w == hours[-1].hi_w
    assert world.overrides.current and world.overrides.current.has_lapsed
    assert world.overrides.current.kind is OrderKind.HOLD
    told = next(reason for reason in world.reasons if reason.code == "override_lapsed")
    assert told.level is Level.ALARM and "order auto" in told.text

    for _ in range(5):
        world.tick(HOUR)
    assert world.codes.count("override_lapsed") == 2  # it asks again
    assert after(world, OrderKind.AUTO).target_w == 20 * MW


def test_expiry_is_the_operators_where_he_names_one() -> None:
    world = plant()
    after(world, OrderKind.OFF, expires_ms=world.now_ms + 10 * SECOND)
    world.run(9)
    assert "override_lapsed" not in world.codes
    world.run(2)
    assert "override_lapsed" in world.codes


# -- emergency stop ------------------------------------------------------------------------------


def test_stop_is_latched_and_nothing_but_its_clearing_lifts_it() -> None:
    world = plant()
    order = after(world, OrderKind.ESTOP)
    assert (order.target_w, order.cause, order.emergency) == (0, Cause.EMERGENCY, True)
    for kind in (OrderKind.AUTO, OrderKind.MAX, OrderKind.HOLD):
        order = after(world, kind, value_w=9 * MW)
        assert (order.target_w, order.emergency, order.restore) == (0, True, False)
    assert world.tick(48 * HOUR).target_w == 0


def test_clearing_a_stop_starts_nothing() -> None:
    """ISO 13850: a reset only permits restarting."""
    world = plant()
    after(world, OrderKind.ESTOP)
    order = after(world, OrderKind.CLEAR_ESTOP)
    assert (order.target_w, order.emergency) == (0, False)
    assert world.tick(48 * HOUR).target_w == 0
    assert after(world, OrderKind.AUTO).target_w == 20 * MW


def test_clearing_without_a_stop_leaves_no_hold() -> None:
    assert after(plant(), OrderKind.CLEAR_ESTOP).target_w == 20 * MW


def test_stop_needs_neither_name_nor_reason() -> None:
    world = plant()
    assert after(world, OrderKind.ESTOP, operator="", reason="").target_w == 0


def test_operator_lifts_a_latched_emergency_once_its_source_says_that_all_is_well() -> None:
    world = Plant(source("trip", Kind.EMERGENCY), source())
    both = [("trip", FLEET_W), ("dispatch", 20 * MW)]
    assert world.run(5, both).target_w == 20 * MW
    order = world.run(3, [("trip", 2 * MW), ("dispatch", 20 * MW)])
    assert (order.target_w, order.emergency, order.cause) == (2 * MW, True, Cause.EMERGENCY)
    assert world.run(5, both).target_w == 2 * MW

    world.order(OrderKind.CLEAR_ESTOP)
    order = world.run(1, both)
    assert (order.target_w, order.emergency) == (20 * MW, False)


def test_emergency_that_its_source_still_says_latches_again() -> None:
    world = Plant(source("trip", Kind.EMERGENCY), source())
    said = [("trip", 2 * MW), ("dispatch", 20 * MW)]
    world.run(5, said)
    world.order(OrderKind.CLEAR_ESTOP)
    order = world.run(1, said)
    assert (order.target_w, order.emergency) == (2 * MW, True)
    assert "still_latched" in world.codes


# -- scopes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "rigs"),
    [
        ("", "abcd"),
        ("feeder:site", "abcd"),
        ("feeder:A", "abc"),
        ("feeder:A cellar", "c"),
        ("feeder:B", "d"),
        ("rig:b", "b"),
    ],
)
def test_scope_means_the_rigs_under_it(scope: str, rigs: str) -> None:
    rows = rows_of(scope, FLEET)
    assert rows is not None and [FLEET.ids[row] for row in rows] == list(rigs)


@pytest.mark.parametrize("scope", ["feeder:C", "rig:", "rig:e", "hall A", "feeder"])
def test_scope_that_is_not_there_is_told_and_does_nothing(scope: str) -> None:
    assert rows_of(scope, FLEET) is None
    world = plant()
    for kind in OrderKind:
        order = after(world, kind, scope, value_w=0, mode="control")
        assert (order.target_w, order.hi_w) == (20 * MW, 2 * FLEET_W)
        assert world.effects == () and f"there is no {scope}" in world.text("order_refused")


@pytest.mark.parametrize(
    ("kind", "locked", "managed"),
    [
        (OrderKind.LOCK, True, None),
        (OrderKind.UNLOCK, False, None),
        (OrderKind.ADOPT, None, True),
        (OrderKind.RELEASE, None, False),
    ],
)
def test_orders_about_rigs_become_effects(
    kind: OrderKind, locked: bool | None, managed: bool | None
) -> None:
    world = plant()
    after(world, kind, "feeder:A")
    (effect,) = world.effects
    assert isinstance(effect, OrderEffect)
    assert (effect.rigs.tolist(), effect.locked, effect.managed) == ([0, 1, 2], locked, managed)


def test_override_of_a_feeder_or_a_rig_is_a_limit_there_and_nothing_for_the_site() -> None:
    world = plant()
    after(world, OrderKind.MAX, "feeder:A", value_w=7_000)
    after(world, OrderKind.OFF, "rig:d")
    order = after(world, OrderKind.ESTOP, "feeder:A cellar")
    assert (order.target_w, order.emergency) == (20 * MW, False)
    names = [feeder.name for feeder in FLEET.feeders]
    limits = dict(zip(names, world.overrides.feeder_limits(FLEET).tolist(), strict=True))
    assert limits == {"site": -1, "A": 7_000, "A cellar": 0, "B": -1}
    assert world.overrides.rig_limits(FLEET).tolist() == [-1, -1, -1, 0]

    after(world, OrderKind.AUTO)  # the site's word lifts nobody else's limit
    assert world.overrides.feeder_limits(FLEET).max() == 7_000


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "order", "why"),
    [
        (OrderKind.OFF, {"operator": ""}, "an operator's name"),
        (OrderKind.LOCK, {"reason": ""}, "a reason"),
        (OrderKind.MAX, {}, "None is no limit"),
        (OrderKind.MAX, {"value_w": -1}, "-1 is no limit"),
        (OrderKind.HOLD, {"scope": "feeder:A"}, "only the site"),
        (OrderKind.MODE, {"mode": "full"}, "'full' is no mode; there are observe, control"),
        (OrderKind.MODE, {"mode": "observe", "scope": "rig:a"}, "the mode is the site's"),
    ],
)
def test_order_that_cannot_be_done_is_told_why(
    kind: OrderKind, order: dict[str, str], why: str
) -> None:
    world = plant()
    before = world.overrides
    world.order(kind, **order)
    world.tick()
    assert why in world.text("order_refused")
    assert (world.overrides.standing, world.overrides.mode) == (before.standing, before.mode)


def test_mode_is_an_order_too() -> None:
    world = plant()
    modes = [world.overrides.mode]
    for mode in ("control", "observe"):
        after(world, OrderKind.MODE, mode=mode)
        modes.append(world.overrides.mode)
    assert modes == [Mode.OBSERVE, Mode.CONTROL, Mode.OBSERVE]


NARROWING = (OrderKind.HOLD, OrderKind.MAX, OrderKind.OFF, OrderKind.ESTOP)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(NARROWING),
            st.sampled_from(["", "feeder:A", "rig:a"]),
            st.integers(0, FLEET_W),
        ),
        max_size=5,
    ),
    st.integers(0, 5 * HOUR),
)
def test_no_order_but_auto_and_no_expiry_raises_what_the_plant_asked_for(
    orders: list[tuple[OrderKind, str, int]], wait_ms: int
) -> None:
    world = plant()
    for kind, scope, value in orders:
        assert after(world, kind, scope, value_w=value).target_w <= 20 * MW
    before = world.run(1, [("dispatch", 20 * MW)]).hi_w
    world.tick(wait_ms)
    assert world.run(1, [("dispatch", 20 * MW)]).hi_w <= before
