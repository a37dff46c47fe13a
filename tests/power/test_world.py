"""The twin as the brain meets it: conservation, what arrives when, and that it can be repeated."""

from __future__ import annotations

import numpy as np
import pytest

from stratum.power.brain.commands import Commands
from stratum.power.twin.faults import Ailment, Hang, Meter, NoWork, Silence
from stratum.power.twin.firmware import BRAIINS, LUXOS, STOCK, WHATSMINER
from stratum.power.twin.world import POLL_MS, Twin
from tests.power.twin_farm import FULL_W, Farm, fleet_of, order

HOUR = 3_600


def test_energy_register_is_the_integral_of_the_true_power() -> None:
    farm = Farm((LUXOS, BRAIINS, STOCK, WHATSMINER) * 10)
    joules, before = 0.0, farm.twin.power_w
    for second in range(HOUR):
        turn = order(range(40), (second // 600 % 2) * FULL_W, first=40 * second)
        farm.after(1, turn if second % 600 == 0 else None)
        joules += (before + farm.twin.power_w) / 2
        before = farm.twin.power_w
    assert farm.twin.meters[0].energy_wh == pytest.approx(joules / HOUR, rel=1e-7)
    shown = farm.twin.read(farm.second * 1_000).meters[-1].energy_wh
    assert shown is not None
    assert joules / HOUR - 2 * FULL_W * 40 / HOUR <= shown <= joules / HOUR


def test_feeders_add_up_to_the_site() -> None:
    farm = Farm((LUXOS,) * 31).after(5, order(range(9), 0))
    site, *feeders = farm.twin.feeder_w
    assert site == pytest.approx(sum(feeders))
    assert site == pytest.approx(farm.twin.rigs.power_w.sum())


def test_same_seed_and_commands_give_the_same_world() -> None:
    def lived(seed: int) -> list[object]:
        farm = Farm((LUXOS, STOCK) * 20, seed=seed)
        farm.twin.suffer(Hang(2_000))
        seen: list[object] = []
        for second in range(200):
            farm.after(1, order(range(40), 0, first=40 * second) if second == 50 else None)
            read = farm.twin.read(farm.second * 1_000)
            seen += [read.work.shares.sum(), read.devices.watts.sum(), read.meters]
        return seen

    assert lived(3) == lived(3)
    assert lived(3) != lived(4)


def test_every_device_is_heard_once_in_a_turn_of_polls() -> None:
    farm = Farm((LUXOS,) * 97)
    heard: list[int] = []
    for _ in range(POLL_MS // 1_000):
        devices = farm.after(1).twin.read(farm.second * 1_000).devices
        assert len(np.unique(devices.rig)) == len(devices.rig)
        heard += devices.rig.tolist()
    devices = farm.after(1).twin.read(farm.second * 1_000).devices
    heard += devices.rig.tolist()
    assert sorted(heard) == list(range(97))


def test_reading_says_when_it_was_true_and_comes_later() -> None:
    farm = Farm((LUXOS,) * 40)
    for _ in range(30):
        read = farm.after(1).twin.read(farm.second * 1_000)
        assert (read.devices.at_ms < farm.second * 1_000).all()
        assert all(m.received_ms <= farm.second * 1_000 for m in read.meters)
        assert all(m.event_ms < farm.second * 1_000 for m in read.meters)


def test_reading_after_a_pause_has_no_rig_twice_and_the_last_word_of_each() -> None:
    farm = Farm((LUXOS,) * 20).after(60)
    devices = farm.twin.read(farm.second * 1_000).devices
    assert sorted(devices.rig.tolist()) == list(range(20))
    assert (devices.at_ms >= (farm.second - 11) * 1_000).all()


def test_silent_and_hung_rigs_send_no_telemetry_until_they_are_back() -> None:
    farm = Farm((LUXOS,) * 20)
    farm.twin.suffer(Silence(10_000, for_ms=30_000))
    assert len(farm.after(30).twin.read(30_000).devices.rig) == 0
    assert len(farm.after(15).twin.read(45_000).devices.rig) == 20


def test_stock_firmware_says_no_watts_and_whatsminer_no_state() -> None:
    farm = Farm((STOCK, WHATSMINER)).after(20)
    devices = farm.twin.read(20_000).devices
    seen = {int(rig): (int(w), int(h)) for rig, w, h in zip(*_columns(devices), strict=True)}
    assert seen[0] == (-1, 1)
    assert seen[1][0] > 3_000 and seen[1][1] == -1


def _columns(devices: object) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], ...]:
    return tuple(getattr(devices, name) for name in ("rig", "watts", "hashing"))


def test_no_work_means_no_shares_and_the_same_power() -> None:
    farm = Farm((LUXOS,) * 50)
    farm.twin.suffer(NoWork(60_000))
    before = farm.twin.power_w
    assert farm.after(60).twin.read(60_000).work.shares.sum() == 0
    assert farm.twin.power_w == pytest.approx(before, rel=0.01)
    assert farm.after(60).twin.read(120_000).work.shares.sum() > 0


def test_meter_of_a_feeder_sees_its_feeder_only() -> None:
    twin = Twin(fleet_of((LUXOS,) * 10), 1, meters=(0, 1))
    for second in range(1, 11):
        twin.step(second * 1_000, order(range(0, 10, 2), 0) if second == 1 else Commands())
    site, feeder = twin.read(10_000).meters[-2:]
    last = {m.feeder: m.power_w for m in (site, feeder)}
    assert last.keys() <= {0, 1}
    assert (last.get(1) or 0) < 500, "feeder-0 has the even rows, all asleep"


def test_meter_falls_ill_and_gets_well_by_name() -> None:
    farm = Farm((LUXOS,) * 4).after(5)
    farm.twin.suffer(Meter("site", Ailment.DEAD))
    farm.twin.read(farm.second * 1_000)
    farm.after(5)
    assert farm.twin.read(farm.second * 1_000).meters == ()
    farm.twin.suffer(Meter("site", Ailment.WELL))
    farm.after(5)
    assert farm.twin.read(farm.second * 1_000).meters


def test_rigs_die_at_their_rate() -> None:
    twin = Twin(fleet_of((LUXOS,) * 2_000), 5, deaths_per_rig_day=0.5)
    for minute in range(1, 1_441):
        twin.step(minute * 60_000, Commands())
    assert 0.35 <= twin.rigs.dead.mean() <= 0.45, "1 - exp(-1/2) = 0.39"


def test_lull_puts_rigs_to_sleep_before_anything_happens() -> None:
    twin = Twin(fleet_of((LUXOS,) * 1_000), 5)
    twin.lull(9_000)
    assert np.count_nonzero(twin.rigs.asleep) == 900
    assert twin.power_w < 0.12 * 1_000 * FULL_W
