"""Turn page cache into disk in groups, in a thread of its own.

The event loop never waits for a disk: a share is acknowledged when the kernel has it, which
outlives the process, and this thread makes it outlive the power within one interval. Nobody tells
it of a share, for the gate keeps shares without entering Python: it looks. A failed fdatasync is
final. Linux marks the failed pages clean, so that a second try would report success for data that
is gone (the PostgreSQL "fsyncgate" of 2018).
"""

from __future__ import annotations

import threading
from collections.abc import Callable

#: How long a quiet log goes unlooked at.
IDLE_INTERVAL = 0.1


class GroupSync:
    """Calls `sync` again and again, at least `interval` seconds apart, and once more at stop().

    `sync` answers whether there was anything to do; after a no, the next look may wait until
    IDLE_INTERVAL has passed, or until somebody is in a hurry().
    """

    def __init__(
        self, sync: Callable[[], bool], interval: float, on_failure: Callable[[OSError], None]
    ) -> None:
        self._sync = sync
        self._interval = interval
        self._on_failure = on_failure
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-sync", daemon=True)
        self._thread.start()

    def hurry(self) -> None:
        """Somebody waits: look as soon as the interval allows."""
        self._wake.set()

    def stop(self) -> None:
        """Sync what is left and end the thread; blocks until both are done."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        stopped = False
        while not stopped:
            # Read before the sync: what is written before the stop is in it.
            stopped = self._stop.is_set()
            try:
                was_busy = self._sync()
            except OSError as exc:
                self._on_failure(exc)
                return
            if not self._stop.wait(self._interval) and not was_busy:
                self._wake.wait(max(0.0, IDLE_INTERVAL - self._interval))
            # A stop() is not missed by this: the next round asks for it again.
            self._wake.clear()
