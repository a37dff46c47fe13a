from __future__ import annotations

import errno
import queue
import threading

from stratum.ledger.syncing import GroupSync
from tests.ledger.conftest import no_failure


def test_what_is_dirty_is_synced_without_being_asked_again() -> None:
    synced: queue.Queue[None] = queue.Queue()
    group = GroupSync(lambda: synced.put(None), 0.001, no_failure)
    for _ in range(3):
        group.dirty()
        synced.get(timeout=10)
    group.stop()


def test_nothing_dirty_is_never_synced() -> None:
    synced: list[None] = []
    group = GroupSync(lambda: synced.append(None), 0.0, no_failure)
    group.stop()
    # Once, at stop: cheaper than knowing.
    assert len(synced) == 1


def test_write_during_a_sync_asks_for_another_one() -> None:
    started, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def sync() -> None:
        started.release()
        assert go_on.acquire(timeout=10)

    group = GroupSync(sync, 0.0, no_failure)
    group.dirty()
    assert started.acquire(timeout=10)
    group.dirty()
    go_on.release()
    assert started.acquire(timeout=10)
    go_on.release(2)
    group.stop()


def test_many_writes_within_the_interval_cost_one_sync() -> None:
    synced: list[None] = []
    group = GroupSync(lambda: synced.append(None), 3600.0, no_failure)
    for _ in range(1000):
        group.dirty()
    group.stop()
    assert len(synced) == 1


def test_failed_sync_is_final() -> None:
    failures: queue.Queue[OSError] = queue.Queue()

    def sync() -> None:
        raise OSError(errno.EIO, "disk gone")

    group = GroupSync(sync, 0.0, failures.put)
    group.dirty()
    assert failures.get(timeout=10).errno == errno.EIO
    group.dirty()
    group.stop()
    assert failures.empty()


def test_stop_that_comes_just_as_the_interval_ends_is_not_missed() -> None:
    """Seen once as a pool that did not end: the thread cleared the stop's wake-up and slept on."""

    class StopComesTooLate(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            self.set()
            group._wake.set()
            return False

    group = GroupSync(lambda: None, 0.0, no_failure)
    group._stop = StopComesTooLate()
    group.dirty()
    group._thread.join(timeout=10)
    assert not group._thread.is_alive()
