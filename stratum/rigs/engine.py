"""What a miner expects of whatever does its hashing.

Two engines fit: a process per core (`workers.py`) and a throttled search inside this process
(`virtual.py`). The miner gives work with a serial number and gets progress with the same number,
so a share that was found a moment before the work changed is still matched to its own job.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from stratum.protocol.upstream_events import UpstreamJob
from stratum.rigs.search import Found


@dataclass(frozen=True, slots=True)
class Work:
    """A job to search. `serial` grows with each one."""

    serial: int
    job: UpstreamJob


@dataclass(frozen=True, slots=True)
class Progress:
    """Hashes done on one work since the last report, and the shares among them."""

    serial: int
    hashes: int
    shares: tuple[Found, ...]


Report = Callable[[Progress], None]
Fail = Callable[[Exception], None]


class Engine(Protocol):
    def start(self, report: Report, fail: Fail) -> None:
        """Begin; both callables are called on the event loop. `fail` ends the miner."""

    def assign(self, work: Work | None) -> None:
        """Search this from now on, or nothing."""

    async def close(self) -> None:
        """Stop; nothing is reported afterwards."""
