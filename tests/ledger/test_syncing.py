from __future__ import annotations

import errno
import queue
import threading
import time

import pytest

from stratum.ledger import syncing
from stratum.ledger.syncing import GroupSync
from tests.ledger.conftest import PATIENCE_S, no_failure


def test_it_looks_again_and_again_without_being_asked() -> None:
    looks: queue.Queue[None] = queue.Queue()

    def look() -> bool:
        looks.put(None)
        return True

    group = GroupSync(look, 0.001, no_failure)
    for _ in range(3):
        looks.get(timeout=PATIENCE_S)
    group.stop()


def test_a_quiet_log_is_looked_at_no_more_than_ten_times_a_second() -> None:
    assert syncing.IDLE_INTERVAL >= 0.1
    looks: list[float] = []

    def look() -> bool:
        looks.append(time.monotonic())
        return False

    group = GroupSync(look, 0.001, no_failure)
    give_up = time.monotonic() + PATIENCE_S
    while len(looks) < 4 and time.monotonic() < give_up:
        time.sleep(0.01)
    last_by_itself = looks[3]
    group.stop()
    assert last_by_itself - looks[0] >= 3 * 0.099


def test_who_is_in_a_hurry_does_not_wait_for_the_next_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: queue.Queue[None] = queue.Queue()

    def look() -> bool:
        looks.put(None)
        return False

    monkeypatch.setattr(syncing, "IDLE_INTERVAL", 3600.0)
    group = GroupSync(look, 0.0, no_failure)
    for _ in range(3):
        looks.get(timeout=PATIENCE_S)
        group.hurry()
    looks.get(timeout=PATIENCE_S)
    group.stop()


def test_what_came_before_the_stop_is_synced() -> None:
    written, synced = [0], [0]
    in_sync, go_on = threading.Event(), threading.Event()

    def sync() -> bool:
        count = written[0]
        in_sync.set()
        assert go_on.wait(timeout=PATIENCE_S)
        synced[0] = count
        return True

    group = GroupSync(sync, 3600.0, no_failure)
    assert in_sync.wait(timeout=PATIENCE_S)
    written[0] = 7  # after this sync has looked
    stopper = threading.Thread(target=group.stop)
    stopper.start()
    assert group._stop.wait(timeout=PATIENCE_S)
    go_on.set()
    stopper.join(timeout=PATIENCE_S)
    assert not stopper.is_alive()
    assert synced == [7]


def test_failed_sync_is_final() -> None:
    failures: queue.Queue[OSError] = queue.Queue()
    calls: list[None] = []

    def sync() -> bool:
        calls.append(None)
        raise OSError(errno.EIO, "disk gone")

    group = GroupSync(sync, 0.0, failures.put)
    assert failures.get(timeout=PATIENCE_S).errno == errno.EIO
    group.hurry()
    group.stop()
    assert failures.empty()
    assert len(calls) == 1
