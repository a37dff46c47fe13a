"""The brain that runs, against the twin, under the journal: decided again, proved and settled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stratum.power.brain.dispatch import State, decide
from stratum.power.brain.values import Inputs
from stratum.power.journal.files import journal_files
from stratum.power.journal.reading import records
from stratum.power.journal.recorder import Decided, Journal
from stratum.power.journal.replay import replay
from stratum.power.journal.writer import Writer
from stratum.power.settlement.baselines import baseline
from stratum.power.settlement.exports import export
from stratum.power.simulation.catalogue import CATALOGUE
from stratum.power.simulation.run import Run, run
from stratum.power.simulation.scenario import ClockJump, Scenario
from stratum.power.twin.surplus import Outage
from stratum.power.twin.world import Twin


def recorded(scenario: Scenario, directory: Path) -> Run:
    """Run it and keep its journal."""
    fleet = scenario.farm.fleet(scenario.rigs)
    settings = scenario.made_settings(fleet)
    journal: Journal[State] = Journal(Writer(directory), settings, fleet)
    before = State.fresh(fleet, settings)

    def keep(second: int, twin: Twin, inputs: Inputs, decided: Decided[State]) -> None:
        nonlocal before
        journal.tick(before, inputs, decided)
        before = decided.state

    done = run(scenario, decide, State.fresh, watch=keep)
    journal.close()
    return done


@pytest.mark.parametrize(
    "scenario",
    [
        replace(CATALOGUE["liars"], outages=(Outage(300, 3_600),)),
        replace(CATALOGUE["clock-back"], jumps=(ClockJump(300, -3_600_000),)),
    ],
    ids=lambda scenario: scenario.name,
)
def test_a_recorded_run_is_decided_again_alike(tmp_path: Path, scenario: Scenario) -> None:
    short = replace(scenario, rigs=40, hours=0.15)
    recorded(short, tmp_path)
    done = replay(records(journal_files(tmp_path)), State, decide)
    assert (done.ticks, done.skipped, done.difference) == (short.seconds, 0, None)


def test_a_run_is_settled_to_its_register(tmp_path: Path) -> None:
    scenario = replace(CATALOGUE["ou-5"], rigs=40, hours=0.2)
    done = recorded(scenario, tmp_path)
    found = records(journal_files(tmp_path))
    settled = export(found, tmp_path / "out", 300_000, baseline("meter-before"))
    # The last seconds are still on their way through the meter's delay.
    assert 0 < settled.energy_wh <= done.energy_wh
    assert settled.energy_wh == pytest.approx(done.energy_wh, rel=0.02)
    rows = (tmp_path / "out" / "intervals.csv").read_text().splitlines()
    assert any(",OK," in row for row in rows)
