"""The acceptance scenarios of power.md §7.9 that concern signals alone, on the virtual clock.

The plant speaks once a second; what is looked at is the order that the brain makes of it.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from stratum.power.brain.arbitration import Order
from stratum.power.brain.clocks import STEADY_MS
from stratum.power.brain.commands import Cause
from stratum.power.brain.line import Standing
from stratum.power.brain.settings import HOUR, MINUTE, SECOND
from stratum.power.brain.values import Kind
from tests.power.plant import FLEET_W, MW, NOON, Plant, source, utc

#: N19, N20: too old after 10 s, held for 60 s, at the floor 300 s later.
OLD, HELD, DOWN = 10, 60, 300


def assert_comes_down(orders: list[Order], word_w: int, held_s: int) -> None:
    """Held, then down in a line to nothing, without one step; never up, never at once."""
    targets = [order.target_w for order in orders]
    assert targets[:held_s] == [word_w] * held_s
    falls = [before - after for before, after in zip(targets, targets[1:], strict=False)]
    assert min(falls) >= 0 and max(falls) <= word_w // DOWN + 1
    assert targets[-1] == 0
    assert {order.at_once_w for order in orders} == {word_w}


# -- frozen heartbeat ----------------------------------------------------------------------------


def test_frozen_heartbeat_is_a_lost_signal_while_its_value_lives() -> None:
    world = Plant(source(heartbeat=True))
    for second in range(60):
        world.say("dispatch", 20 * MW, sequence=second)
        assert world.tick().target_w == 20 * MW
    orders = []
    for second in range(OLD + HELD + DOWN + 20):
        world.say("dispatch", (20 + second % 5) * MW, sequence=60)
        orders.append(world.tick())
        if second <= OLD:
            orders.clear()  # its counter may still move
    word = world.view("dispatch").held_w
    assert word is not None and word >= 20 * MW
    assert_comes_down(orders, word, HELD - 1)
    assert world.view("dispatch").why == "frozen" and "frozen" in world.codes


# -- NaN, swapped words, a unit error ------------------------------------------------------------


def swapped(megawatts: float) -> int:
    high, low = struct.unpack(">HH", struct.pack(">f", megawatts))
    value: float = struct.unpack(">f", struct.pack(">HH", low, high))[0]
    return round(value * MW)


@pytest.mark.parametrize(
    ("nonsense", "code"),
    [
        (None, "not_a_number"),
        (swapped(20.352), "word_swapped"),
        (20_352 * MW, "unit_error"),
        (20_352, "unit_error"),
    ],
)
def test_nonsense_never_moves_the_load_and_is_a_lost_signal_where_it_stays(
    nonsense: int | None, code: str
) -> None:
    world = Plant(source(min_w=MW))
    world.run(60, [("dispatch", 20_352_000)])
    for _ in range(20):  # now and then: nobody notices but who reads
        world.say("dispatch", nonsense)
        assert world.tick().target_w == 20_352_000
        assert world.run(2, [("dispatch", 20_352_000)]).restore
    assert code in world.codes

    orders = []
    for _ in range(OLD + HELD + DOWN + 20):
        world.say("dispatch", nonsense)
        orders.append(world.tick())
    assert_comes_down(orders, 20_352_000, OLD + HELD)


# -- a signal that is two hours late -------------------------------------------------------------


def test_signal_two_hours_late_is_never_obeyed() -> None:
    """A queue on the way has filled: samples come each second, each two hours old."""
    world = Plant(source())
    world.run(60, [("dispatch", 20 * MW)])
    orders = []
    for _ in range(OLD + HELD + DOWN + 20):
        world.say("dispatch", 28 * MW, late_ms=2 * HOUR)
        orders.append(world.tick())
    assert_comes_down(orders, 20 * MW, OLD + HELD)
    assert "late" in world.codes


def test_queue_that_empties_gives_the_signal_back() -> None:
    world = Plant(source())
    world.run(60, [("dispatch", 20 * MW)])
    late_ms = 2 * HOUR
    while late_ms > 0:
        world.say("dispatch", 25 * MW, late_ms=late_ms)
        order = world.tick()
        assert order.target_w <= 20 * MW or late_ms <= 10 * SECOND
        late_ms -= MINUTE
    assert world.run(1, [("dispatch", 25 * MW)]).target_w == 25 * MW


# -- two masters ---------------------------------------------------------------------------------


def test_two_masters_in_conflict_the_narrower_leads_whichever_is_lost() -> None:
    world = Plant(source("a"), source("b"))
    order = world.run(60, [("a", 20 * MW), ("b", 12 * MW)])
    assert (order.target_w, order.cause) == (12 * MW, Cause.PLANT)
    assert "two_masters" in world.codes
    for _ in range(OLD + HELD + DOWN + 20):  # b is cut off: its loss does not hand over to a
        order = world.run(1, [("a", 20 * MW)])
        assert order.target_w <= 12 * MW
    assert order.target_w == 0
    assert world.run(1, [("a", 20 * MW), ("b", 22 * MW)]).target_w == 20 * MW


# -- the wall clock ------------------------------------------------------------------------------


@pytest.mark.parametrize("jump_ms", [HOUR, -HOUR])
@pytest.mark.parametrize("is_stamped_by_us", [True, False])
def test_wall_clock_that_jumps_an_hour_and_back_moves_no_load(
    jump_ms: int, is_stamped_by_us: bool
) -> None:
    """Once with a plant that stamps its samples, once with a register that we stamp ourselves."""
    world = Plant(source())
    for second in range(300):
        world.skew_ms = jump_ms if 60 <= second < 90 else 0
        late_ms = -world.skew_ms if is_stamped_by_us else 0
        world.say("dispatch", 20 * MW, late_ms=late_ms)
        assert world.tick().target_w == 20 * MW
    assert world.codes.count("clock_jump") == 1 == world.codes.count("clock_believed")
    assert world.standing("dispatch") is Standing.LIVE


@pytest.mark.parametrize("jump_ms", [HOUR, -HOUR])
def test_wall_clock_that_jumps_an_hour_and_stays_moves_no_load(jump_ms: int) -> None:
    """Our samples are stamped by it: they look wrong until it is believed, and that is held."""
    world = Plant(source())
    for second in range(300):
        world.skew_ms = jump_ms if second >= 60 else 0
        world.say("dispatch", 20 * MW, late_ms=-world.skew_ms)
        assert world.tick().target_w == 20 * MW
    assert world.standing("dispatch") is Standing.LIVE


@pytest.mark.parametrize("jump_ms", [HOUR, -HOUR])
def test_plan_goes_on_by_the_old_time_until_the_wall_is_believed(jump_ms: int) -> None:
    world = Plant(source("plan", Kind.SCHEDULE), start_ms=NOON - HOUR)
    for row in range(-1, 3):
        begins = NOON + row * HOUR
        hour = {"valid_from_ms": begins, "valid_to_ms": begins + HOUR}
        world.say("plan", (10 + row) * MW, late_ms=12 * HOUR, **hour)
    assert world.tick(HOUR).target_w == 9 * MW
    assert world.run(5).target_w == 10 * MW
    world.skew_ms = jump_ms
    for _ in range(STEADY_MS // SECOND):
        assert world.tick().target_w == 10 * MW
    assert world.clocks.reject_wall_timed
    assert world.run(2).target_w == (11 if jump_ms > 0 else 9) * MW


def test_jumped_clock_takes_no_new_plan_and_keeps_the_last() -> None:
    world = Plant(source("plan", Kind.SCHEDULE))
    hour = {"valid_from_ms": NOON, "valid_to_ms": NOON + 2 * HOUR}
    world.say("plan", 10 * MW, **hour)
    world.run(5)
    world.skew_ms = HOUR
    world.tick()
    world.say("plan", 29 * MW, **hour)
    assert world.tick().target_w == 10 * MW
    assert "clock" in world.codes
    world.skew_ms = 0
    world.run(STEADY_MS // SECOND + 2)
    world.say("plan", 12 * MW, **hour)
    assert world.tick().target_w == 12 * MW


def test_wall_clock_that_really_was_wrong_costs_the_signal_and_not_the_load_at_once() -> None:
    """A hand sets our clock an hour ahead; the plant's own stamps then are an hour old."""
    world = Plant(source())
    world.run(60, [("dispatch", 20 * MW)])
    world.skew_ms = HOUR
    held = STEADY_MS // SECOND + OLD
    orders = [world.run(1, [("dispatch", 20 * MW)]) for _ in range(held + HELD + DOWN + 5)]
    assert_comes_down(orders, 20 * MW, STEADY_MS // SECOND + HELD)
    world.skew_ms = 0
    back = world.run(STEADY_MS // SECOND + 2, [("dispatch", 20 * MW)])
    assert (back.target_w, world.standing("dispatch")) == (20 * MW, Standing.LIVE)


# -- daylight saving -----------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("day", "hours"), [((2026, 10, 25), 25), ((2027, 3, 28), 23), ((2027, 3, 29), 24)]
)
def test_plan_of_a_local_day_is_followed_hour_by_hour_when_the_clocks_change(
    day: tuple[int, int, int], hours: int
) -> None:
    """As a dispatcher's file has it: local midnight to local midnight, given as UTC."""
    midnight = datetime(*day, tzinfo=BERLIN)
    begins = int(midnight.timestamp()) * SECOND
    ends = int((midnight + timedelta(days=1)).timestamp()) * SECOND
    assert ends - begins == hours * HOUR

    world = Plant(source("plan", Kind.SCHEDULE), start_ms=begins)
    for row in range(hours):
        hour = {"valid_from_ms": begins + row * HOUR, "valid_to_ms": begins + (row + 1) * HOUR}
        world.say("plan", (1 + row) * MW, late_ms=9 * HOUR, **hour)
    seen = [world.tick(MINUTE).target_w for _ in range(hours * 60)]
    assert seen == [(1 + row) * MW for row in range(hours) for _ in range(60)]
    assert not {"source_held", "clock_step", "clock_jump"} & set(world.codes)
    assert world.tick().target_w == hours * MW  # over: held, to come down
    assert world.standing("plan") is Standing.HELD


# -- a leap second -------------------------------------------------------------------------------


@pytest.mark.parametrize("leap_ms", [-SECOND, SECOND])
def test_leap_second_is_no_event(leap_ms: int) -> None:
    """At the end of 2016 as Unix time told it, and one that is left out, which never was."""
    start = utc(2016, 12, 31, 23, 59, 0)
    world = Plant(source(), source("plan", Kind.SCHEDULE, priority=1), start_ms=start)
    midnight = start + MINUTE
    for row, megawatts in ((-1, 10), (0, 11)):
        hour = {"valid_from_ms": midnight + row * HOUR, "valid_to_ms": midnight + (row + 1) * HOUR}
        world.say("plan", megawatts * MW, late_ms=HOUR, **hour)
    for second in range(180):
        world.skew_ms = leap_ms if second >= 60 else 0
        world.say("dispatch", 20 * MW, late_ms=-world.skew_ms)  # the plant's clock leaps too
        assert world.tick().target_w == 20 * MW
    assert world.view("plan").value_w == 11 * MW
    assert not {"clock_step", "clock_jump", "source_held", "future", "late"} & set(world.codes)


# -- a day of it ---------------------------------------------------------------------------------


def test_surplus_of_a_night_is_followed_by_hours_and_never_above_the_cap() -> None:
    """The whole chain over twelve hours at once: a plan, a cap, an emergency at rest."""
    world = Plant(
        source("plan", Kind.SCHEDULE),
        source("grid", Kind.CAP, max_age_ms=2 * MINUTE),
        source("trip", Kind.EMERGENCY, on_event=True),
        start_ms=int(datetime(2026, 11, 20, 20, tzinfo=UTC).timestamp()) * SECOND,
    )
    start = world.true_ms
    for row in range(12):
        hour = {"valid_from_ms": start + row * HOUR, "valid_to_ms": start + (row + 1) * HOUR}
        world.say("plan", (5 + 2 * row) * MW, **hour)
    for minute in range(12 * 60):
        cap = 20 * MW if 360 <= minute < 420 else FLEET_W
        order = world.run(1, [("grid", cap)])
        assert order.target_w == min((5 + 2 * (minute // 60)) * MW, cap)
        world.tick(59 * SECOND)
