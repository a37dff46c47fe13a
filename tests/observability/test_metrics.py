from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stratum.events import BlockFate, BlockFateChanged, BlockFound, NodeStateChanged
from stratum.mining.verdicts import Verdict
from stratum.observability.metrics import Figures, Metrics, NodeFigures
from tests.observability.conftest import Pool

FIGURES = Figures(
    shares={"accepted": 12, "stale": 3},
    share_difficulty=98_304.5,
    connections=4,
    rigs=2,
    hashrate=1.5e14,
    jobs=17,
    job_height=102,
    ready=True,
    log_records=29,
    log_synced=28,
    nodes=(
        NodeFigures("127.0.0.1:18443", up=True, active=True, height=101),
        NodeFigures("127.0.0.1:18444", up=False, active=False, height=0),
    ),
)

Samples = dict[tuple[str, tuple[str, ...]], float]


def scrape(metrics: Metrics) -> Samples:
    """Every sample by name and label values, through Prometheus' own parser."""
    body, _ = metrics.render()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_every_verdict_and_fate_is_there_before_the_first_share(metrics: Metrics) -> None:
    samples = scrape(metrics)
    for verdict in Verdict:
        assert samples["baseload_shares_total", (verdict,)] == 0
    for fate in BlockFate:
        assert samples["baseload_blocks_total", (fate,)] == 0


def test_scrape_shows_the_figures_of_its_moment(metrics: Metrics, pool: Pool) -> None:
    pool.figures = FIGURES
    samples = scrape(metrics)
    assert samples["baseload_shares_total", ("accepted",)] == 12
    assert samples["baseload_shares_total", ("stale",)] == 3
    assert samples["baseload_shares_total", ("limited",)] == 0
    expected = {
        "share_difficulty_total": 98_304.5,
        "connections": 4,
        "rigs": 2,
        "hashrate_hashes_per_second": 1.5e14,
        "jobs_total": 17,
        "job_height": 102,
        "ready": 1,
        "log_records": 29,
        "log_synced_records": 28,
    }
    for name, value in expected.items():
        assert samples[f"baseload_{name}", ()] == value
    assert samples["baseload_node_up", ("127.0.0.1:18443",)] == 1
    assert samples["baseload_node_up", ("127.0.0.1:18444",)] == 0
    assert samples["baseload_node_active", ("127.0.0.1:18443",)] == 1
    assert samples["baseload_node_height", ("127.0.0.1:18443",)] == 101


def test_block_counts_once_under_each_fate_it_meets(metrics: Metrics) -> None:
    metrics.on_event(BlockFound(bytes(32), 1, "a.b", 1, b""))
    metrics.on_event(BlockFateChanged(bytes(32), 1, BlockFate.ACCEPTED, ""))
    metrics.on_event(BlockFateChanged(bytes(32), 1, BlockFate.ORPHANED, ""))
    metrics.on_event(NodeStateChanged("n", None))
    samples = scrape(metrics)
    counts = {fate: samples["baseload_blocks_total", (fate,)] for fate in BlockFate}
    assert counts == {"found": 1, "accepted": 1, "rejected": 0, "orphaned": 1}


def test_broadcast_of_a_tip_falls_into_its_bucket(metrics: Metrics) -> None:
    metrics.broadcast(0.03)
    samples = scrape(metrics)
    assert samples["baseload_job_broadcast_seconds_bucket", ("0.02",)] == 0
    assert samples["baseload_job_broadcast_seconds_bucket", ("0.05",)] == 1
    assert samples["baseload_job_broadcast_seconds_sum", ()] == pytest.approx(0.03)


def test_build_and_process_say_what_runs_and_what_it_costs(metrics: Metrics) -> None:
    body, _ = metrics.render()
    assert b'baseload_build_info{sha256_backend="portable",version="0.1.0"} 1.0' in body
    samples = scrape(metrics)
    assert samples["process_cpu_seconds_total", ()] > 0
    assert samples["process_resident_memory_bytes", ()] > 1_000_000


def test_two_pools_in_one_process_do_not_share_figures() -> None:
    first = Metrics(lambda: Figures(connections=1), version="1", sha256_backend="a")
    second = Metrics(lambda: Figures(connections=2), version="1", sha256_backend="a")
    assert scrape(first)["baseload_connections", ()] == 1
    assert scrape(second)["baseload_connections", ()] == 2


def test_figures_are_not_read_before_the_first_scrape() -> None:
    def unready() -> Figures:
        raise AssertionError("read too early")

    Metrics(unready, version="1", sha256_backend="a")


def test_promtool_finds_nothing_to_say(
    metrics: Metrics, pool: Pool, program: Callable[[str], str]
) -> None:
    pool.figures = FIGURES
    metrics.broadcast(0.03)
    body, _ = metrics.render()
    done = subprocess.run(
        [program("promtool"), "check", "metrics"], input=body, capture_output=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
