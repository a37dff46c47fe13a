"""The figures as Prometheus wants them, in a registry of their own.

Nothing is counted here per share. The counters live where the work is done; a scrape asks for
them with `read()`, so that a pool nobody scrapes pays nothing. Only what is rare is told to this
module: the fate of a block, and how long a new tip took to reach the last rig.

A worker is no label: ten thousand rigs would be ten thousand series, and strangers could make
more. Every verdict and every fate is there from the start, at 0, so that `rate()` sees the first
one. Hashrate over any time: `rate(baseload_share_difficulty_total[10m]) * 2^32`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Histogram,
    PlatformCollector,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stratum.events import BlockFate, BlockFateChanged, BlockFound, Event
from stratum.mining.verdicts import Verdict
from stratum.observability.process import ProcessFigures

_Family = TypeVar("_Family", CounterMetricFamily, GaugeMetricFamily)

#: From one rig beside us to ten thousand on one core, whose goal is about 0.1 s (DESIGN §6).
_BROADCAST_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class NodeFigures:
    """One node at the moment of a scrape."""

    name: str
    up: bool
    active: bool  # templates come from it
    height: int  # of its best block, 0 while unknown


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything a scrape shows; what counts up does so from the start of the process."""

    shares: Mapping[str, int] = field(default_factory=dict)  # by verdict
    share_difficulty: float = 0.0  # sum over accepted shares
    connections: int = 0
    connections_limit: int = 0  # that the descriptor limit leaves room for
    rigs: int = 0  # connections with an authorized worker
    hashrate: float = 0.0  # H/s, of accepted shares
    jobs: int = 0  # made so far, refreshes among them
    job_height: int = 0  # of the block that rigs work on, 0 before the first job
    ready: bool = False
    books: bool = False  # their process answers
    log_records: int = 0
    log_synced: int = 0  # of those, how many outlive a power cut
    nodes: Sequence[NodeFigures] = ()


class Metrics:
    """`read` is called once per scrape, in the event loop; keep it to adding up counters."""

    def __init__(self, read: Callable[[], Figures], *, version: str, sha256_backend: str) -> None:
        self._read = read
        self._build = (version, sha256_backend)
        self._blocks = dict.fromkeys(BlockFate, 0)

        registry = CollectorRegistry()
        registry.register(_Scrape(self))
        self._broadcast = Histogram(
            "baseload_job_broadcast_seconds",
            "Time from learning of a new tip to the last write of its job to a rig.",
            buckets=_BROADCAST_BUCKETS,
            registry=registry,
        )
        # process_* and python_* keep the names that every dashboard knows.
        registry.register(ProcessFigures())
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self.registry = registry

    def broadcast(self, seconds: float) -> None:
        """A new tip has reached the last rig; ordinary refreshes are not told."""
        self._broadcast.observe(seconds)

    def on_event(self, event: Event) -> None:
        """Hand it every event; those about blocks count."""
        match event:
            case BlockFound():
                self._blocks[BlockFate.FOUND] += 1
            case BlockFateChanged(fate=fate):
                self._blocks[fate] += 1

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The body and its content type, in the format that the Accept header prefers."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def families(self) -> Iterator[Metric]:
        figures = self._read()
        yield from self._game(figures)
        yield from _nodes(figures.nodes)
        yield _labelled(
            GaugeMetricFamily(
                "baseload_build_info",
                "Always 1: the version and the SHA-256 back end that run.",
                labels=["version", "sha256_backend"],
            ),
            [(self._build, 1)],
        )

    def _game(self, figures: Figures) -> Iterator[Metric]:
        yield _labelled(
            CounterMetricFamily(
                "baseload_shares", "Shares judged since the start.", labels=["verdict"]
            ),
            [((verdict,), figures.shares.get(verdict, 0)) for verdict in Verdict],
        )
        yield CounterMetricFamily(
            "baseload_share_difficulty",
            "Sum of the difficulties of accepted shares, in units of difficulty 1.",
            value=figures.share_difficulty,
        )
        yield _labelled(
            CounterMetricFamily(
                "baseload_blocks",
                "Blocks of ours; one counts under each fate it meets, found first.",
                labels=["fate"],
            ),
            [((fate,), count) for fate, count in self._blocks.items()],
        )
        yield CounterMetricFamily(
            "baseload_jobs", "Jobs made since the start, refreshes among them.", value=figures.jobs
        )
        for name, text, value in (
            ("connections", "Open connections of rigs.", figures.connections),
            (
                "connections_limit",
                "Connections that the descriptor limit leaves room for.",
                figures.connections_limit,
            ),
            ("rigs", "Connections with an authorized worker.", figures.rigs),
            (
                "hashrate_hashes_per_second",
                "Hashrate that accepted shares speak of.",
                figures.hashrate,
            ),
            ("job_height", "Height of the block that rigs work on.", figures.job_height),
            ("ready", "1 while rigs get work, as /readyz says.", int(figures.ready)),
            ("books_up", "1 while the books' process answers.", int(figures.books)),
            ("log_records", "Records in the log.", figures.log_records),
            ("log_synced_records", "Records that outlive a power cut.", figures.log_synced),
        ):
            yield GaugeMetricFamily(f"baseload_{name}", text, value=value)


class _Scrape(Collector):
    """Registered in Metrics' place, so that the registry's methods are not in its interface."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return self._metrics.families()

    def describe(self) -> list[Metric]:
        """Empty: registering must not read figures that are still being built."""
        return []


def _nodes(nodes: Sequence[NodeFigures]) -> Iterator[Metric]:
    for name, text, values in (
        ("up", "1 while the node can be asked.", [node.up for node in nodes]),
        ("active", "1 for the node that templates come from.", [node.active for node in nodes]),
        ("height", "Height of the node's best block.", [node.height for node in nodes]),
    ):
        yield _labelled(
            GaugeMetricFamily(f"baseload_node_{name}", text, labels=["node"]),
            [((node.name,), value) for node, value in zip(nodes, values, strict=True)],
        )


def _labelled(family: _Family, rows: Sequence[tuple[tuple[str, ...], float]]) -> _Family:
    for labels, value in rows:
        family.add_metric(labels, value)
    return family
