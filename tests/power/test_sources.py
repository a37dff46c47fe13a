"""What each source counts as: live, held, on its way down, at its fallback, never heard."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.power.brain.commands import Level
from stratum.power.brain.line import Place, Standing, places
from stratum.power.brain.settings import HOUR, MINUTE, SECOND, SourceSettings
from stratum.power.brain.sources import price_micro
from stratum.power.brain.values import Kind, OrderKind
from tests.power.plant import FLEET_W, MW, NOON, Plant, source

#: Every kind that limits or leads, with settings under which 10 MW is a word of it.
KINDS = [
    source("x", Kind.SETPOINT_ABS),
    source("x", Kind.CAP),
    source("x", Kind.CAP, latches=True),
    source("x", Kind.SURPLUS_MEAS),
    source("x", Kind.SCHEDULE),
    source("x", Kind.EMERGENCY),
]
NAMES = [str(setting.kind) + ("+latch" if setting.latches else "") for setting in KINDS]

#: N20 from the last sample on: 10 s until it is too old, 60 s held, 300 s down.
OLD, HELD, DOWN = 10, 60, 300


def value(world: Plant, name: str = "x") -> int | None:
    return world.view(name).value_w


# -- loss ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", KINDS, ids=NAMES)
def test_lost_source_holds_for_a_minute_and_comes_down_in_a_line(setting: SourceSettings) -> None:
    world = Plant(setting)
    world.run(5, [("x", 10 * MW)])  # the last one is of second 4
    seen = []
    for _ in range(OLD + HELD + DOWN + 60):
        world.tick()
        seen.append((world.standing("x"), value(world)))
    assert seen[:OLD] == [(Standing.LIVE, 10 * MW)] * OLD
    assert seen[OLD : OLD + HELD] == [(Standing.HELD, 10 * MW)] * HELD
    ramp = [watts for standing, watts in seen if standing is Standing.RAMPING and watts is not None]
    assert ramp == [10 * MW - 10 * MW * second // DOWN for second in range(DOWN)]
    assert seen[OLD + HELD + DOWN :] == [(Standing.FALLBACK, 0)] * 60


def test_it_is_told_when_it_holds_when_it_comes_down_and_when_it_is_there() -> None:
    world = Plant(source("x"), floor_w=MW)
    world.run(5, [("x", 10 * MW)])
    told = {}
    for _ in range(OLD + HELD + DOWN + 2):
        world.tick()
        told.update({r.code: r for r in world.reasons if r.code.startswith("source_")})
    assert told["source_held"].text == ("x: lost (stale), 10 MW holds for 60 s, then down to 1 MW")
    assert told["source_ramping"].text == (
        "x: still lost (stale), down from 10 MW to 1 MW in 300 s"
    )
    assert told["source_fallback"].level is Level.ALARM
    assert told["source_fallback"].text == "x: still lost (stale), stays at 1 MW"


@pytest.mark.parametrize("setting", KINDS, ids=NAMES)
def test_fallback_above_what_held_raises_nothing(setting: SourceSettings) -> None:
    world = Plant(source("x", setting.kind, latches=setting.latches, fallback_w=20 * MW))
    world.run(5, [("x", 10 * MW)])
    for _ in range(OLD + HELD + DOWN + 60):
        world.tick()
        assert value(world) == 10 * MW
    assert world.standing("x") is Standing.FALLBACK


def test_source_that_comes_back_is_live_again_and_holds_its_new_word_when_lost_again() -> None:
    world = Plant(source("x"))
    world.run(5, [("x", 10 * MW)])
    world.run(OLD + HELD + DOWN // 2)
    assert world.standing("x") is Standing.RAMPING
    world.run(1, [("x", 3 * MW)])
    assert (world.standing("x"), value(world)) == (Standing.LIVE, 3 * MW)
    world.run(OLD + 20)
    assert (world.standing("x"), value(world)) == (Standing.HELD, 3 * MW)


def test_validity_that_ends_is_a_loss() -> None:
    world = Plant(source("x", Kind.CAP))
    world.say("x", 10 * MW, valid_to_ms=NOON + 5 * SECOND)
    world.run(5)
    assert world.standing("x") is Standing.LIVE
    world.tick()
    assert (world.standing("x"), world.view("x").why) == (Standing.HELD, "expired")


def test_age_is_the_samples_and_not_that_of_its_arrival() -> None:
    world = Plant(source("x"))
    world.say("x", 10 * MW, late_ms=8 * SECOND)
    world.run(3)
    assert world.standing("x") is Standing.LIVE
    world.tick()
    assert world.standing("x") is Standing.HELD


def test_refused_samples_keep_nothing_alive() -> None:
    world = Plant(source("x"))
    world.run(5, [("x", 10 * MW)])
    world.run(OLD + 1, [("x", 12_000 * MW)])
    assert (world.standing("x"), value(world)) == (Standing.HELD, 10 * MW)


def test_repeated_refusal_is_told_each_minute_with_its_count() -> None:
    world = Plant(source("x"))
    told = []
    for _ in range(121):
        world.say("x", None)
        world.tick()
        told += [reason.text for reason in world.reasons if reason.code == "not_a_number"]
    assert told == [
        "x: the sample is no number",
        "x: the sample is no number (60 such samples since it was last told)",
        "x: the sample is no number (60 such samples since it was last told)",
    ]


def test_sample_of_no_known_source_is_told() -> None:
    world = Plant(source("x"))
    world.kinds["y"] = Kind.CAP
    world.say("y", MW)
    world.tick()
    assert world.text("unknown_source").startswith("y: 1 samples")


# -- never heard ---------------------------------------------------------------------------------


def test_source_never_heard_counts_at_its_fallback_from_the_first_tick() -> None:
    world = Plant(source("x", Kind.CAP), source("y", fallback_w=3 * MW), floor_w=2 * MW)
    world.tick()
    assert (world.standing("x"), value(world)) == (Standing.SILENT, 2 * MW)
    assert (world.standing("y"), value(world, "y")) == (Standing.SILENT, 3 * MW)


def test_emergency_that_speaks_only_then_is_at_rest_until_it_speaks() -> None:
    world = Plant(source("x", Kind.EMERGENCY, on_event=True))
    assert world.run(100).hi_w == 2 * FLEET_W
    world.say("x", MW)
    for _ in range(100):  # once, and then it is silent again
        order = world.tick()
        assert (order.hi_w, order.emergency) == (MW, True)
    world.order(OrderKind.CLEAR_ESTOP)
    assert world.tick().hi_w == 2 * FLEET_W


@pytest.mark.parametrize("before_s", [0, 5, OLD + HELD + DOWN // 2, OLD + HELD + DOWN + 9])
def test_emergency_that_comes_too_late_latches_and_keeps_nothing_alive(before_s: int) -> None:
    world = Plant(source("x", Kind.EMERGENCY, fallback_w=4 * MW))
    for second in range(before_s):
        if second < 5:
            world.say("x", FLEET_W)
        world.tick()
    standing = world.standing("x")
    world.say("x", 3 * MW, late_ms=2 * HOUR)
    order = world.tick()
    assert (order.hi_w, order.emergency, world.standing("x")) == (3 * MW, True, standing)
    assert world.run(2, [("x", FLEET_W)]).hi_w == 3 * MW
    world.order(OrderKind.CLEAR_ESTOP)
    assert world.run(1, [("x", FLEET_W)]).hi_w == FLEET_W


def test_emergency_latches_at_its_lowest() -> None:
    world = Plant(source("x", Kind.EMERGENCY))
    world.run(3, [("x", 5 * MW)])
    world.run(3, [("x", 2 * MW)])
    world.run(3, [("x", 7 * MW)])
    world.run(3, [("x", FLEET_W)])
    assert (value(world), world.view("x").latched) == (2 * MW, True)


def test_emergency_that_was_lost_and_cleared_counts_as_never_heard() -> None:
    world = Plant(source("x", Kind.EMERGENCY), floor_w=3 * MW)
    world.run(3, [("x", 5 * MW)])
    world.run(OLD + 1)
    world.order(OrderKind.CLEAR_ESTOP)
    order = world.tick()
    assert (world.standing("x"), order.hi_w, order.emergency) == (Standing.SILENT, 3 * MW, False)


def test_cap_that_latches_stays_at_its_lowest_until_cleared() -> None:
    world = Plant(source("x", Kind.CAP, latches=True))
    for cap in (9, 4, 12):
        world.run(2, [("x", cap * MW)])
    assert value(world) == 4 * MW
    world.order(OrderKind.CLEAR_ESTOP)
    world.run(1, [("x", 12 * MW)])
    assert value(world) == 12 * MW


# -- heartbeats ----------------------------------------------------------------------------------


def test_counter_that_stands_is_a_loss_though_the_value_lives() -> None:
    world = Plant(source("x", heartbeat=True, frozen_after_ms=5 * SECOND))
    for second in range(30):
        world.say("x", (10 + second % 2) * MW, sequence=min(second, 10))
        world.tick()
        assert world.standing("x") is (Standing.LIVE if second <= 15 else Standing.HELD)
    assert world.view("x").why == "frozen"
    world.say("x", 12 * MW, sequence=11)
    world.tick()
    assert world.standing("x") is Standing.LIVE


# -- plans ---------------------------------------------------------------------------------------


def plan(world: Plant, *hours: int, start_ms: int = NOON) -> None:
    """One value an hour, in MW."""
    for row, megawatts in enumerate(hours):
        begins = start_ms + row * HOUR
        world.say("x", megawatts * MW, valid_from_ms=begins, valid_to_ms=begins + HOUR)


def test_plan_is_followed_hour_by_hour_and_its_end_is_a_loss() -> None:
    world = Plant(source("x", Kind.SCHEDULE))
    plan(world, 5, 12, 3)
    seen = [(world.tick(MINUTE), value(world))[1] for _ in range(3 * 60)]
    assert seen == [5 * MW] * 60 + [12 * MW] * 60 + [3 * MW] * 60
    world.tick()
    assert (world.standing("x"), value(world)) == (Standing.HELD, 3 * MW)
    world.run(HELD + DOWN)
    assert (world.standing("x"), value(world)) == (Standing.FALLBACK, 0)


def test_revised_plan_replaces_what_it_covers_from_its_arrival_on() -> None:
    world = Plant(source("x", Kind.SCHEDULE))
    plan(world, 5, 12, 3)
    for _ in range(70):
        world.tick(MINUTE)
    world.say("x", 7 * MW, valid_from_ms=NOON + 30 * MINUTE, valid_to_ms=NOON + 90 * MINUTE)
    seen = [(world.tick(MINUTE), value(world))[1] for _ in range(110)]
    assert seen == [7 * MW] * 20 + [12 * MW] * 30 + [3 * MW] * 60


def test_plan_sent_again_and_again_is_no_news() -> None:
    world = Plant(source("x", Kind.SCHEDULE))
    for minute in range(90):
        plan(world, 5, 12)
        world.tick(MINUTE)
        assert value(world) == (5 if minute < 60 else 12) * MW
    assert world.codes.count("source_live") == 1 and "expired" not in world.codes


def test_older_issue_of_a_plan_does_not_replace_the_newer() -> None:
    world = Plant(source("x", Kind.SCHEDULE))
    plan(world, 5)
    world.tick()
    world.say("x", 9 * MW, late_ms=HOUR, valid_from_ms=NOON, valid_to_ms=NOON + HOUR)
    world.tick()
    assert value(world) == 5 * MW and "out_of_order" in world.codes


def test_gap_in_a_plan_is_a_loss_and_its_next_interval_ends_that() -> None:
    world = Plant(source("x", Kind.SCHEDULE))
    plan(world, 5)
    plan(world, 8, start_ms=NOON + HOUR + 2 * MINUTE)
    for _ in range(61):
        world.tick(MINUTE)
    assert world.standing("x") is Standing.HELD
    world.run(60)
    assert world.standing("x") is Standing.RAMPING
    world.run(1)
    assert (world.standing("x"), value(world)) == (Standing.LIVE, 8 * MW)


# -- another source as the fallback --------------------------------------------------------------


def with_plan(*hours: int) -> Plant:
    """A dispatcher at 10 MW for whom a plan stands in."""
    world = Plant(source("d", fallback_source="x"), source("x", Kind.SCHEDULE))
    plan(world, *hours)
    world.run(5, [("d", 10 * MW)])
    return world


def test_plan_named_as_fallback_is_come_down_to_and_followed_below_what_held() -> None:
    world = with_plan(4, 15, 6)
    assert value(world, "d") == 10 * MW
    world.run(OLD + HELD)
    assert value(world, "d") == 10 * MW
    before = 10 * MW
    for _ in range(DOWN):
        world.tick()
        now = value(world, "d")
        assert now is not None and 0 <= before - now <= 6 * MW // DOWN + 1
        before = now
    world.tick()
    assert (world.standing("d"), value(world, "d")) == (Standing.FALLBACK, 4 * MW)
    world.tick(HOUR)
    world.tick(HOUR)
    assert value(world, "d") == 10 * MW  # the plan says 15
    world.tick()
    assert value(world, "d") == 6 * MW


def test_fallback_that_is_lost_too_comes_down_itself_and_nothing_steps() -> None:
    world = with_plan(4)
    world.run(3_590)
    seen = []
    for _ in range(2 * (HELD + DOWN)):
        world.tick()
        seen.append(value(world, "d") or 0)
    assert seen[0] == 4 * MW and seen[-1] == 0
    assert max(a - b for a, b in zip(seen, seen[1:], strict=False)) <= 4 * MW // DOWN + 1


def test_source_never_heard_counts_as_what_its_named_fallback_says() -> None:
    world = Plant(source("d", fallback_source="x"), source("x", Kind.SCHEDULE))
    world.tick()
    assert value(world, "d") == 0
    plan(world, 4)
    world.tick()
    assert (world.standing("d"), value(world, "d")) == (Standing.SILENT, 4 * MW)


def test_names_that_lead_nowhere_or_in_a_circle_are_none() -> None:
    def named(name: str, fallback: str, priority: int = 0) -> SourceSettings:
        return source(name, fallback_source=fallback, priority=priority)

    assert places((named("a", "nobody"),)) == (Place(0, 0, -1),)
    assert places((named("a", "a"),)) == (Place(0, 0, -1),)
    assert places((named("a", "b"), named("b", "a"))) == (Place(0, 0, -1), Place(0, 0, -1))
    assert places((named("a", "p"), source("p", Kind.PRICE)))[0].fallback == -1
    chain = places((named("c", ""), named("a", "b", 2), named("b", "c", 1)))
    assert chain == (Place(2, 2, -1), Place(2, 0, 2), Place(2, 1, 0))


# -- what counts from our own load ---------------------------------------------------------------


def beside_our_load() -> Plant:
    return Plant(source("x", Kind.SURPLUS_MEAS, includes_our_load=True, max_age_ms=30 * SECOND))


def test_surplus_beside_our_load_is_added_to_it_once() -> None:
    """Measured each ten seconds, while the load moves towards it: no windup."""
    world = beside_our_load()
    world.load_w = 8 * MW
    for second in range(30):
        if second % 10 == 0:
            world.say("x", 12 * MW - (world.load_w or 0))
        world.tick()
        assert value(world) == 12 * MW
        world.load_w = min(12 * MW, 8 * MW + second * MW // 5)
    assert world.view("x").surplus_w == 12 * MW


def test_surplus_counts_from_the_load_of_its_own_time() -> None:
    world = beside_our_load()
    for second in range(20):
        world.load_w = second * MW
        world.tick()
    world.load_w = 20 * MW
    world.say("x", 2 * MW, late_ms=5 * SECOND)
    world.tick()
    assert value(world) == (15 + 2) * MW


def test_deficit_beside_our_load_brings_it_down_and_never_below_nothing() -> None:
    world = beside_our_load()
    world.load_w = 8 * MW
    world.say("x", -3 * MW)
    world.tick()
    assert value(world) == 5 * MW
    world.say("x", -30 * MW)
    world.tick()
    assert value(world) == 0


def test_surplus_is_no_word_while_our_load_is_not_known() -> None:
    world = beside_our_load()
    world.say("x", 12 * MW)
    world.tick()
    assert (world.standing("x"), value(world)) == (Standing.SILENT, 0)
    assert "no_load" in world.codes


def test_surplus_that_goes_stale_does_not_follow_the_load_that_still_is_measured() -> None:
    world = beside_our_load()
    world.load_w = 8 * MW
    world.say("x", 4 * MW)
    for _ in range(30 + HELD):
        world.tick()
        world.load_w += 50_000
        assert value(world) == 12 * MW
    before = 12 * MW
    for _ in range(DOWN + 2):
        world.tick()
        world.load_w += 50_000
        now = value(world)
        assert now is not None and now <= before
        before = now
    assert value(world) == 0


def test_surplus_without_our_load_is_the_word_itself() -> None:
    world = Plant(source("x", Kind.SURPLUS_MEAS))
    world.load_w = 8 * MW
    world.say("x", 12 * MW)
    world.tick()
    assert value(world) == 12 * MW
    world.say("x", -MW)
    world.tick()
    assert value(world) == 0


def delta(world: Plant, megawatts: int, seconds: int = 1, event_id: str = "") -> int | None:
    for _ in range(seconds):
        world.say("x", megawatts * MW, event_id=event_id)
        world.tick()
    return value(world)


def test_delta_counts_from_the_load_at_its_receipt_however_often_it_comes() -> None:
    world = Plant(source("x", Kind.SETPOINT_DELTA))
    world.load_w = 10 * MW
    assert delta(world, -2) == 8 * MW
    world.load_w = 8 * MW  # it was done
    assert delta(world, -2, seconds=30) == 8 * MW
    assert delta(world, -3) == 7 * MW  # of the same event, hence of the same baseline
    assert delta(world, 0) == 10 * MW


def test_delta_of_another_event_counts_from_the_load_of_its_own_receipt() -> None:
    world = Plant(source("x", Kind.SETPOINT_DELTA))
    world.load_w = 10 * MW
    assert delta(world, -2, event_id="a") == 8 * MW
    world.load_w = 8 * MW
    assert delta(world, -2, event_id="b") == 6 * MW


def test_delta_counts_anew_after_a_minute_of_zero_but_not_after_a_flicker() -> None:
    world = Plant(source("x", Kind.SETPOINT_DELTA))
    world.load_w = 10 * MW
    delta(world, -2)
    world.load_w = 8 * MW
    delta(world, 0, seconds=20)
    assert delta(world, -2) == 8 * MW
    delta(world, 0, seconds=61)
    assert delta(world, -2) == 6 * MW


@pytest.mark.parametrize(
    ("silent_s", "standing", "counted_w"),
    [
        (OLD + 20, Standing.HELD, 8 * MW),
        (OLD + HELD + 50, Standing.RAMPING, 8 * MW),
        (OLD + HELD + DOWN + 5, Standing.FALLBACK, 6 * MW),
    ],
)
def test_delta_that_was_lost_counts_anew_only_once_it_is_at_its_fallback(
    silent_s: int, standing: Standing, counted_w: int
) -> None:
    world = Plant(source("x", Kind.SETPOINT_DELTA))
    world.load_w = 10 * MW
    delta(world, -2)
    world.load_w = 8 * MW
    world.run(silent_s)
    assert world.standing("x") is standing
    assert delta(world, -2) == counted_w


def test_delta_is_no_word_while_our_load_is_not_known() -> None:
    world = Plant(source("x", Kind.SETPOINT_DELTA))
    assert delta(world, 5) == 0
    assert (world.standing("x"), "no_load" in world.codes) == (Standing.SILENT, True)


# -- prices --------------------------------------------------------------------------------------


def test_price_is_the_latest_of_the_first_in_rank_and_unknown_once_it_is_old() -> None:
    world = Plant(source("day", Kind.PRICE, priority=1, max_age_ms=HOUR), source("now", Kind.PRICE))
    assert price_micro(world.sources.views) is None
    world.run(1, [("day", 40), ("now", -70)])
    assert price_micro(world.sources.views) == -70
    world.run(OLD + 1)
    assert price_micro(world.sources.views) == 40
    world.tick(2 * HOUR)
    world.tick()
    assert price_micro(world.sources.views) is None


def test_planned_prices_hold_for_their_hour() -> None:
    world = Plant(source("x", Kind.PRICE))
    plan(world, 50, -10)
    seen = []
    for _ in range(121):
        world.tick(MINUTE)
        seen.append(price_micro(world.sources.views))
    assert seen == [50 * MW] * 60 + [-10 * MW] * 60 + [None]


# -- other settings ------------------------------------------------------------------------------


def test_new_settings_keep_what_is_known_of_sources_that_stay() -> None:
    world = Plant(source("x"), source("gone", Kind.CAP), source("other"))
    world.run(2, [("x", 10 * MW), ("gone", 9 * MW), ("other", 8 * MW)])
    settings = Plant(
        source("new", Kind.CAP, fallback_w=7 * MW),
        source("x", priority=3),
        source("other", Kind.CAP),
    ).settings
    fitted = world.sources.fitted(settings)
    assert [view.value_w for view in fitted.views] == [7 * MW, 10 * MW, 0]
    assert fitted.views[1].rank == (3, 0, 0)


# -- over two hours ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_two_hours_of_chance_arrivals_and_drop_outs_keep_the_rule(seed: int) -> None:
    """Each source in turn speaks, stops for up to ten minutes, sends nonsense and late samples."""
    chance = random.Random(seed)
    print(f"seed {seed}")  # pytest shows it where a test fails
    world = Plant(*(replace(setting, name=f"s{row}") for row, setting in enumerate(KINDS)))
    quiet_until = dict.fromkeys(world.kinds, 0)
    before = {name: world.view(name) for name in world.kinds}
    for second in range(7_200):
        for name in world.kinds:
            if second < quiet_until[name] or chance.random() < 0.3:
                continue
            if chance.random() < 0.01:
                quiet_until[name] = second + chance.randrange(600)
            late = chance.choice([0, 0, 0, 2, 9, 11, 7_200]) * SECOND
            said = chance.choice([None, -5, 10**12, *range(0, 31 * MW, 3 * MW)])
            world.say(name, said, late_ms=late)
        world.tick()
        for name, was in before.items():
            view = before[name] = world.view(name)
            assert view.value_w is not None and was.value_w is not None
            if view.standing in (Standing.LIVE, Standing.SILENT):
                continue
            held = view.held_w
            assert held is not None and view.value_w <= held
            if view.latched:  # believed however late, and too old at once
                assert view.value_w <= was.value_w
            else:
                assert 0 <= was.value_w - view.value_w <= held // DOWN + 1, "it never steps"
    assert {"source_held", "source_ramping", "source_live"} <= set(world.codes)


@given(
    st.lists(st.tuples(st.integers(0, 40 * MINUTE), st.integers(0, FLEET_W)), max_size=12),
    st.integers(0, FLEET_W),
)
def test_silence_of_any_length_never_raises_a_word(
    said: list[tuple[int, int]], fallback_w: int
) -> None:
    world = Plant(source("x", fallback_w=fallback_w))
    word = fallback_w
    for silence_ms, watts in said:
        world.tick(silence_ms)
        world.tick()
        now = value(world)
        assert now is not None and now <= word
        world.say("x", watts)
        world.tick()
        word = watts
        assert value(world) == watts
