"""Turn page cache into disk in groups, in a thread of its own.

The event loop never waits for a disk: a share is acknowledged when the kernel has it, which
outlives the process, and this thread makes it outlive the power within one interval. A failed
fdatasync is final. Linux marks the failed pages clean, so that a second try would report success
for data that is gone (the PostgreSQL "fsyncgate" of 2018).
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class GroupSync:
    """Calls `sync` within `interval` seconds of the first dirty(), and once more at stop()."""

    def __init__(
        self, sync: Callable[[], None], interval: float, on_failure: Callable[[OSError], None]
    ) -> None:
        self._sync = sync
        self._interval = interval
        self._on_failure = on_failure
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-sync", daemon=True)
        self._thread.start()

    def dirty(self) -> None:
        """Something was written. Cheap enough for once per share."""
        if not self._wake.is_set():
            self._wake.set()

    def stop(self) -> None:
        """Sync what is left and end the thread; blocks until both are done."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            stopped = self._stop.wait(self._interval)

            # Cleared before the sync: what is written during it asks for another. A stop() that
            # came since the wait gave up is cleared with it, and must not be missed.
            self._wake.clear()
            stopped = stopped or self._stop.is_set()
            try:
                self._sync()
            except OSError as exc:
                self._on_failure(exc)
                return
            if stopped:
                return
