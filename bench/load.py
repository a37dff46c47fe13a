"""One run of `baseload swarm` against one server: what the rigs saw, what the server spent.

The swarm has a core of its own. While it runs, the server is looked at five times a second, its
metrics are scraped once a second as Prometheus does, and the tip moves when it is time. What the
server spent is taken over the inner part of the load, so that neither the connecting before nor
the closing after is counted as the price of shares.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from bench.pool import Moved
from bench.process import LOAD_CORE, Sample, descriptors, pinned, sample

SWARM = (sys.executable, "-m", "stratum.cli", "swarm")

_LOOK_S = 0.2
_SCRAPE_S = 1.0

#: A second is enough; a run that is shorter than ten has no time for it.
_SETTLE_S = 1.0
_SETTLE_PART = 0.1

#: The part of the load at either end over which nothing is measured.
_EDGE = 0.1

#: Beyond what it should need: a swarm that hangs must not hang the bench.
_PATIENCE_S = 120.0


class Server(Protocol):
    """What `servers` has in common."""

    name: str
    url: str

    @property
    def pid(self) -> int | None: ...
    def move_tip(self) -> Moved | None: ...
    def scrape(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Load:
    """What the rigs do. Either `rate`, shares per second and rig, or `window`, in flight."""

    rigs: int
    seconds: float
    rate: float | None = None
    window: int | None = None
    flags: tuple[str, ...] = ()
    tips: int = 0  # during the load
    sources: int = 16  # addresses to come from: each has some 28,000 ports
    ramp: int = 2_000  # connections per second

    @property
    def settle(self) -> float:
        """After the last connection: handshakes end, the first jobs go out, the load begins."""
        return min(_SETTLE_S, self.seconds * _SETTLE_PART)

    def arguments(self) -> Iterator[str]:
        yield from ("--rigs", str(self.rigs), "--seconds", f"{self.seconds:g}")
        yield from ("--warm", f"{self.settle:g}")
        if self.rate is not None:
            yield from ("--rate", f"{self.rate:g}")
        if self.window is not None:
            yield from ("--window", str(self.window))
        yield from ("--sources", str(min(self.sources, self.rigs)), "--ramp", str(self.ramp))
        yield from (*self.flags, "--json")


@dataclass(frozen=True, slots=True)
class Tip:
    """A tip that was moved, and how it reached the rigs."""

    moved: Moved
    last_ms: float  # from the move to the last rig
    spread_ms: float  # from the first rig to the last
    rigs: int


@dataclass(slots=True)
class Run:
    """What one run gave."""

    server: str
    load: Load
    swarm: dict[str, Any]
    samples: list[Sample] = field(default_factory=list)  # of the load alone
    before: Sample | None = None  # before the first connection
    tips: list[Tip] = field(default_factory=list)
    metrics_before: str = ""
    metrics: str = ""  # after the last share

    @property
    def accepted(self) -> int:
        return int(self.swarm["shares"].get("accepted", 0))

    @property
    def shares(self) -> int:
        """All that were answered."""
        return sum(self.swarm["shares"].values())

    @property
    def shares_per_second(self) -> float:
        """Answers, while it was measured."""
        return float(self.swarm["shares_per_second"])

    @property
    def load_percent(self) -> float:
        """CPU of the swarm, of one core: near 100 it measures itself."""
        return 100 * float(self.swarm["cpu_seconds"]) / float(self.swarm["seconds"])

    @property
    def cpu_percent(self) -> float | None:
        """Of one core, over the inner part of the load."""
        inner = _inner(self.samples)
        if len(inner) < 2:
            return None
        spent = inner[-1].cpu_seconds - inner[0].cpu_seconds
        return 100 * spent / (inner[-1].at - inner[0].at)

    @property
    def cpu_us_per_share(self) -> float | None:
        percent = self.cpu_percent
        if percent is None or not self.shares_per_second:
            return None
        return percent * 1e4 / self.shares_per_second

    @property
    def bytes_per_connection(self) -> float | None:
        """Anonymous memory that the connections have cost, at the end of the load."""
        if self.before is None or not self.samples:
            return None
        grown = self.samples[-1].anonymous_bytes - self.before.anonymous_bytes
        return grown / self.load.rigs

    def latency_ms(self, percentile: str) -> float | None:
        """Outside tips; None where nothing was timed."""
        found: float | None = self.swarm["latency_ms"].get(percentile)
        return found


@dataclass(frozen=True, slots=True)
class _Before:
    """The server without connections."""

    metrics: str
    sample: Sample | None
    descriptors: int


def drive(server: Server, load: Load) -> Run:
    """Run the swarm to its end. Raises RuntimeError where it fails."""
    command = [*SWARM, server.url, *load.arguments()]
    before = _Before(
        server.scrape(),
        sample(server.pid) if server.pid else None,
        descriptors(server.pid) if server.pid else 0,
    )
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complaints:
        with pinned(LOAD_CORE):
            process = subprocess.Popen(command, stdout=said, stderr=complaints, text=True)
        watch = _Watch(server, load, before.descriptors)
        try:
            with _scraped(server):
                _until_end(process, watch)
        finally:
            process.kill()
            process.wait()
        return _told(server, load, process, said, complaints, watch, before)


def _until_end(process: subprocess.Popen[str], watch: _Watch) -> None:
    """Raises RuntimeError where it does not end."""
    while process.poll() is None:
        started = time.monotonic()
        watch.look()
        time.sleep(max(0.0, started + _LOOK_S - time.monotonic()))
        if watch.is_overdue:
            raise RuntimeError("the swarm does not end")


def _told(
    server: Server,
    load: Load,
    process: subprocess.Popen[str],
    said: IO[str],
    complaints: IO[str],
    watch: _Watch,
    before: _Before,
) -> Run:
    for stream in (said, complaints):
        stream.seek(0)
    if process.returncode != 0:
        raise RuntimeError(f"the swarm failed:\n{complaints.read()[-2000:]}")
    swarm = json.loads(said.read())
    tips = list(match_tips(watch.moves, swarm.get("tips", ())))
    return Run(
        server.name,
        load,
        swarm,
        watch.samples,
        before.sample,
        tips,
        before.metrics,
        server.scrape(),
    )


@contextlib.contextmanager
def _scraped(server: Server) -> Iterator[None]:
    """Read its metrics once a second. In a thread: a server under full load is slow to answer."""
    stop = threading.Event()

    def scrape() -> None:
        while not stop.wait(_SCRAPE_S):
            with contextlib.suppress(OSError):
                server.scrape()

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class _Watch:
    """What is looked at, and done, while the swarm runs."""

    def __init__(self, server: Server, load: Load, idle: int) -> None:
        self.samples: list[Sample] = []
        self.moves: list[Moved] = []
        self._server = server
        self._load = load
        self._idle = idle  # descriptors without connections
        self._began = time.monotonic()
        self._loaded: float | None = None  # since when all rigs are at work

    @property
    def is_overdue(self) -> bool:
        load = self._load
        limit = load.rigs / load.ramp + load.seconds + _PATIENCE_S
        return time.monotonic() - self._began > limit

    def look(self) -> None:
        pid, now = self._server.pid, time.monotonic()
        if pid is None:
            return
        if self._loaded is None:
            if descriptors(pid) >= self._idle + self._load.rigs:
                self._loaded = now + self._load.settle
            return
        if self._loaded <= now < self._loaded + self._load.seconds:
            self.samples.append(sample(pid))
            self._move_if_due(now - self._loaded)

    def _move_if_due(self, loaded_for: float) -> None:
        """The tips evenly over the load, none near its ends."""
        between = self._load.seconds / (self._load.tips + 1)
        due = len(self.moves) < self._load.tips and loaded_for >= between * (len(self.moves) + 1)
        if due and (moved := self._server.move_tip()) is not None:
            self.moves.append(moved)


def match_tips(moves: Sequence[Moved], seen: Sequence[dict[str, Any]]) -> Iterator[Tip]:
    """Pair each move with the tip that rigs saw next. A tip that nobody saw is left out."""
    ends = [*(move.at for move in moves[1:]), float("inf")]
    for move, end in zip(moves, ends, strict=False):
        tip = next((tip for tip in seen if move.at <= tip["first"] < end), None)
        if tip is not None:
            last_ms = (tip["last"] - move.at) * 1e3
            yield Tip(move, last_ms, float(tip["spread_ms"]), int(tip["rigs"]))


def _inner(samples: Sequence[Sample]) -> Sequence[Sample]:
    edge = int(len(samples) * _EDGE)
    return samples[edge : len(samples) - edge]
