"""Exports: three files from a journal, whole or not at all, through restarts and midnight."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stratum.power.journal.chain import JournalDamaged
from stratum.power.journal.files import journal_files
from stratum.power.journal.reading import records
from stratum.power.journal.recorder import Journal
from stratum.power.journal.writer import Writer
from stratum.power.settlement.baselines import baseline
from stratum.power.settlement.exports import Exported, NothingToExport, decimal, export
from tests.power.journals import SETTINGS, Controller, Site, State, decide, fleet_of, recorded

MINUTE = 60_000
HOUR = 60 * MINUTE
FLEET = fleet_of(6)


class Plant:
    """A site that is recorded, stopped, and goes on."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.site = Site(FLEET)
        self.boot = bytes(16)

    def run(self, seconds: int, wish: int, fleet: Any = FLEET, **more: Any) -> None:
        writer = Writer(self.directory)
        journal: Journal[State] = Journal(writer, SETTINGS, fleet, boot_id=self.boot, **more)
        controller = Controller(journal, fleet)
        for second in range(seconds):
            controller.take(self.site.second(wish if second % 4 == 0 else None))
        assert writer.drained(10)
        journal.close()

    def export(self, interval_ms: int = MINUTE) -> Exported:
        found = records(journal_files(self.directory))
        return export(found, self.directory / "out", interval_ms, baseline("meter-before"))

    def sheet(self, name: str) -> tuple[list[dict[str, str]], list[str]]:
        """Rows and comments."""
        lines = (self.directory / "out" / f"{name}.csv").read_text().splitlines()
        notes = [line for line in lines if line.startswith("# ")]
        rows = list(csv.DictReader(line for line in lines if not line.startswith("# ")))
        return rows, notes


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    return Plant(tmp_path)


def test_three_files_each_with_the_journals_head(plant: Plant) -> None:
    plant.run(190, FLEET.total_w)
    done = plant.export()
    assert (done.intervals, done.rigs, done.ticks) == (4, 4 * 6, 190)
    last = list(records(journal_files(plant.directory)))[-1]
    for name in ("intervals", "events", "rigs"):
        rows, notes = plant.sheet(name)
        assert len(rows) == getattr(done, name)
        assert notes == [f"# journal head {last.hash.hex()} record {last.header.seq}"]

    rows, _ = plant.sheet("intervals")
    assert list(rows[0]) == [
        *("start_utc", "end_utc", "ordered_mw", "baseline_mw", "metered_mw", "delivered_mw"),
        *("energy_wh", "absorbed_inside_surplus_wh", "outside_wh", "shares_mw_est"),
        *("quality", "event_id"),
    ]
    assert [row["quality"] for row in rows] == ["MISSING", "OK", "OK", "MISSING"]
    whole = rows[1]
    assert whole["start_utc"] == "2026-11-20T12:01:00.000Z"
    assert whole["ordered_mw"] == decimal(FLEET.total_w, 6)
    assert float(whole["metered_mw"]) == pytest.approx(FLEET.total_w / 1e6, rel=0.01)
    inside, outside = int(whole["absorbed_inside_surplus_wh"]), int(whole["outside_wh"])
    assert inside + outside == int(whole["energy_wh"]) and outside == 0
    assert float(whole["shares_mw_est"]) == pytest.approx(FLEET.total_w / 1e6, rel=0.5)


def test_the_rows_add_up_to_the_register(plant: Plant) -> None:
    first = plant.site.energy_mws
    plant.run(190, FLEET.total_w)
    done = plant.export()
    first += FLEET.total_w * 1_000  # as it stood at the first tick
    assert done.energy_wh == plant.site.energy_mws // HOUR - first // HOUR
    rows, _ = plant.sheet("intervals")
    assert sum(int(row["energy_wh"]) for row in rows) == done.energy_wh


def test_a_rigs_row_says_what_it_took_and_did(plant: Plant) -> None:
    plant.run(120, FLEET.total_w)
    plant.export()
    rows, _ = plant.sheet("rigs")
    row = rows[6]
    assert (row["rig"], row["owner"], row["feeder"]) == ("rig-0", "owner-0", "f0")
    assert row["interval_utc"] == "2026-11-20T12:01:00.000Z"
    assert int(row["wh"]) == pytest.approx(int(FLEET.rated_w[0]) / 60, rel=0.03)
    assert row["witnesses"] in ("device", "device+shares") and row["state"] == "running"


def test_a_restart_goes_on_with_the_same_interval(plant: Plant) -> None:
    plant.run(70, FLEET.total_w)
    plant.site.now_ms += 5_000
    plant.site.wall_ms += 5_000
    plant.site.energy_mws += 5_000 * FLEET.total_w
    plant.run(120, FLEET.total_w)
    assert plant.export().intervals == 4
    rows, _ = plant.sheet("intervals")
    assert [row["quality"] for row in rows] == ["MISSING", "OK", "OK", "MISSING"]


def test_a_reboot_costs_rigs_their_readings_and_the_meter_nothing(plant: Plant) -> None:
    plant.site.now_ms = 10**9
    plant.run(100, FLEET.total_w)
    plant.site.now_ms, plant.boot = 20_000, bytes(range(16))
    plant.run(100, FLEET.total_w)
    plant.export()
    rows, _ = plant.sheet("intervals")
    assert [row["quality"] for row in rows] == ["MISSING", "OK", "OK", "MISSING"]
    rigs, _ = plant.sheet("rigs")
    assert 40 <= int(rigs[6]["wh"]) <= 60  # of 58, less the seconds until it was asked again


def test_another_inventory_goes_on_with_the_meter(plant: Plant) -> None:
    plant.run(90, FLEET.total_w)
    plant.site.fleet = fleet_of(8)
    plant.run(95, FLEET.total_w, plant.site.fleet)
    done = plant.export()
    rows, _ = plant.sheet("intervals")
    assert [row["quality"] for row in rows] == ["MISSING", "OK", "OK", "MISSING"]
    assert done.rigs == 2 * 6 + 3 * 8  # the minute of the change has rows of both


def test_days_are_settled_as_one(plant: Plant) -> None:
    plant.site.wall_ms += 12 * HOUR - 90_000
    plant.run(200, FLEET.total_w)
    assert len(journal_files(plant.directory)) == 2
    plant.export()
    rows, _ = plant.sheet("intervals")
    assert rows[1]["end_utc"] == rows[2]["start_utc"] == "2026-11-21T00:00:00.000Z"
    assert [row["quality"] for row in rows[1:-1]] == ["OK"] * 2


def test_an_event_tells_both_of_its_times(plant: Plant) -> None:
    plant.run(60, FLEET.total_w)
    plant.run(60, FLEET.total_w // 2)
    plant.export()
    rows, _ = plant.sheet("events")
    assert [row["target_mw"] for row in rows] == [
        decimal(FLEET.total_w, 6),
        decimal(FLEET.total_w // 2, 6),
    ]
    assert rows[1]["decided_utc"] == "2026-11-20T12:01:01.000Z"


def test_a_clock_that_was_off_and_ticks_that_were_lost_are_told(plant: Plant) -> None:
    plant.run(10, FLEET.total_w, clock_offset_ms=-730)
    plant.export()
    _, notes = plant.sheet("rigs")
    assert notes[0] == "# 2026-11-20T12:00:01.000Z the wall clock was -730 ms off"


def test_a_damaged_journal_leaves_no_file(plant: Plant) -> None:
    path = recorded(plant.directory, 5, site=plant.site)
    data = bytearray(path.read_bytes())
    data[-300] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalDamaged):
        plant.export()
    assert list((plant.directory / "out").iterdir()) == []


def test_a_journal_without_a_tick_is_nothing_to_export(plant: Plant) -> None:
    with pytest.raises(NothingToExport):
        export([], plant.directory / "out", MINUTE, baseline("schedule"))
    assert list((plant.directory / "out").iterdir()) == []


def test_numbers_are_written_out_exactly() -> None:
    assert decimal(-1, 6) == "-0.000001"
    assert decimal(12_345_678, 6) == "12.345678"
    assert decimal(None, 6) is None


def test_signals_of_an_event_are_told_by_its_own_id(plant: Plant) -> None:
    """What the brain says the order came from is what the rows say."""
    writer = Writer(plant.directory)
    journal: Journal[State] = Journal(writer, SETTINGS, FLEET)
    controller = Controller(journal, FLEET)
    for _ in range(61):
        inputs = plant.site.second(FLEET.total_w)
        before = controller.state
        decision = decide(before, inputs, SETTINGS, FLEET)
        seen = replace(decision.picture, cause="plant", source="plant", event_id="night-1")
        journal.tick(before, inputs, replace(decision, picture=seen))
        controller.state = decision.state
    journal.close()
    plant.export()
    rows, _ = plant.sheet("events")
    assert (rows[0]["kind"], rows[0]["source"]) == ("surplus_meas", "plant")
    assert rows[0]["received_utc"] == "2026-11-20T12:00:00.800Z"
    assert {row["event_id"] for row in plant.sheet("intervals")[0]} == {"night-1"}
