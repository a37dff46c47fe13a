"""Unix time that never steps.

Deadlines, paces and the age of a job are measured on it: a clock set back by an hour must not
silence a pool for an hour, and one set forward must not send every rig away. It starts at the
system's time and goes on by the monotonic clock. What must be true for the network is judged by
the node's time, which a template brings (`Work.ntime`).
"""

from __future__ import annotations

import time


class SteadyClock:
    """Call it for seconds since the epoch, as they were at the start plus what has passed."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def __call__(self) -> float:
        return time.monotonic() + self._ahead
