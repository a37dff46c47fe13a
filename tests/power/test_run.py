"""The loop: what the brain is shown, what it is spared, and that a run can be repeated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stratum.power.brain.commands import Level, Reason
from stratum.power.brain.fleet import Fleet
from stratum.power.brain.settings import Settings
from stratum.power.brain.values import Inputs, OperatorOrder, OrderKind
from stratum.power.simulation.catalogue import CATALOGUE
from stratum.power.simulation.run import Run, run
from stratum.power.simulation.scenario import Absence, ClockJump, Said, Scenario
from tests.power.naive import Decision, State, decide, fresh

SHORT = Scenario("short", "ten minutes", rigs=60, hours=1 / 6, warm_up_s=60)


def inputs_of(scenario: Scenario) -> tuple[list[Inputs], Run]:
    seen: list[Inputs] = []
    done = run(scenario, decide, fresh, watch=lambda second, twin, inputs, _: seen.append(inputs))
    return seen, done


def test_brain_is_asked_once_a_second_with_steady_ticks() -> None:
    seen, done = inputs_of(SHORT)
    assert [inputs.tick for inputs in seen] == list(range(600))
    assert [inputs.now_ms for inputs in seen] == list(range(0, 600_000, 1_000))
    assert all(inputs.meters for inputs in seen[2:])
    assert done.fleet.total_w > 0


def test_run_can_be_repeated_and_another_seed_is_another_day() -> None:
    first, again, other = (run(SHORT, decide, fresh, seed=seed) for seed in (1, 1, 2))
    assert (first.trace.power_w == again.trace.power_w).all()
    assert (first.trace.surplus_w != other.trace.surplus_w).any()


def test_energy_of_the_run_is_the_sum_of_its_power() -> None:
    done = run(SHORT, decide, fresh)
    assert abs(done.energy_wh / (done.trace.power_w.sum() / 3_600) - 1) < 0.005


def test_clock_jump_moves_our_wall_clock_and_no_one_elses() -> None:
    seen, _ = inputs_of(replace(SHORT, jumps=(ClockJump(300, 3_600_000),)))
    before, after = seen[299], seen[300]
    assert after.wall_ms - before.wall_ms == 3_601_000
    assert after.now_ms - before.now_ms == 1_000
    assert after.signals[0].event_ms - before.signals[0].event_ms == 1_000


def test_killed_controller_sends_nothing_and_comes_back_as_it_was() -> None:
    kept: list[State] = []
    asked: list[int] = []

    def remembering(state: State, inputs: Inputs, settings: Settings, fleet: Fleet) -> Decision:
        decision = decide(state, inputs, settings, fleet)
        kept.append(state)
        asked.append(inputs.tick)
        return decision

    run(replace(SHORT, absences=(Absence(300, 5),)), remembering, fresh)
    assert asked == [*range(300), *range(305, 600)]
    assert kept[300].sent > 0

    kept.clear()
    run(replace(SHORT, absences=(Absence(300, 5, forgets=True),)), remembering, fresh)
    assert kept[300].sent == 0


def test_orders_and_lost_upstream_arrive_in_their_seconds() -> None:
    said = OperatorOrder(OrderKind.HOLD, "anna", "test")
    seen, _ = inputs_of(replace(SHORT, orders=(Said(7, said),), upstream_lost=((100, 200),)))
    assert [inputs.tick for inputs in seen if inputs.orders] == [7]
    assert [inputs.tick for inputs in seen if inputs.upstream_lost] == list(range(100, 200))


def test_rigs_that_sleep_at_the_start_are_asleep_in_the_first_second() -> None:
    done = run(replace(CATALOGUE["restart-asleep"], rigs=1_000, hours=0.02), decide, fresh)
    assert done.trace.asleep[0] == 900


def test_reason_is_kept_when_it_begins_and_alarms_are_counted() -> None:
    def alarmed(state: State, inputs: Inputs, settings: Settings, fleet: Fleet) -> Decision:
        decision = decide(state, inputs, settings, fleet)
        is_on = 100 <= inputs.tick < 130 or inputs.tick == 200
        why = (Reason("test", "a test", Level.ALARM),) if is_on else ()
        return Decision(decision.state, decision.commands, why, decision.picture)

    done = run(SHORT, alarmed, fresh)
    assert [event.second for event in done.events] == [100, 200]
    assert done.alarms == {"test": 31}


def test_progress_is_told_once_a_simulated_minute() -> None:
    told: list[int] = []
    run(SHORT, decide, fresh, progress=told.append)
    assert told == list(range(60, 601, 60))


def test_naive_controller_follows_a_plain_surplus_and_is_fooled_by_liars() -> None:
    plain = run(replace(CATALOGUE["half-gone"], rigs=200), decide, fresh).trace
    fooled = run(replace(CATALOGUE["liars"], rigs=200), decide, fresh).trace
    fleet_w = CATALOGUE["liars"].farm.fleet(200).total_w
    late = slice(3_000, 3_600)
    assert np.abs(plain.power_w[late] - plain.surplus_w[late]).mean() < 0.03 * fleet_w
    assert (fooled.power_w[late] - fooled.surplus_w[late]).mean() > 0.1 * fleet_w
