"""What a rig leaves behind for the moment it comes back."""

from __future__ import annotations

import pytest

from stratum.mining import departed
from stratum.mining.departed import KEPT
from tests.mining.world import World


def _gone(world: World) -> bytes:
    rig = world.ready()
    world.disconnect(rig)
    return rig.extranonce1


def test_jobs_of_a_broken_connection_are_given_back_once(world: World) -> None:
    extranonce1 = _gone(world)
    former = world.site.departed.take_back(extranonce1, world.now)
    assert former is not None and len(former.jobs) == 12
    assert world.site.departed.take_back(extranonce1, world.now) is None


def test_they_are_kept_for_three_minutes(world: World) -> None:
    first, second = _gone(world), _gone(world)
    kept = world.site.departed
    assert kept.take_back(first, world.now + KEPT - 1) is not None
    assert kept.take_back(second, world.now + KEPT) is None


def test_later_departures_clear_away_older_ones(world: World) -> None:
    for _ in range(10):
        _gone(world)
        world.now += KEPT / 2
    assert len(world.site.departed._remains) == 2


def test_memory_of_departed_rigs_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departed, "MAX_KEPT", 2)
    first, *others = [_gone(world) for _ in range(3)]
    assert world.site.departed.take_back(first, world.now) is None
    assert all(world.site.departed.take_back(other, world.now) for other in others)


def test_connection_that_never_had_a_job_leaves_nothing(world: World) -> None:
    rig = world.connect()
    rig.subscribe()
    world.disconnect(rig)
    assert world.site.departed.take_back(rig.extranonce1, world.now) is None
