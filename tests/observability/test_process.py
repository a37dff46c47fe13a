"""What a process says of itself, beside what prometheus_client would."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest
from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric

from stratum.observability.process import ProcessFigures, open_descriptors


def _values(metrics: Iterable[Metric]) -> dict[str, float]:
    return {sample.name: sample.value for metric in metrics for sample in metric.samples}


def test_figures_are_those_that_dashboards_know() -> None:
    ours = _values(ProcessFigures().collect())
    theirs = _values(ProcessCollector(registry=None).collect())
    assert ours.keys() == theirs.keys()
    assert ours["process_max_fds"] == theirs["process_max_fds"]
    for name, tolerance in [("start_time_seconds", 2.0), ("cpu_seconds_total", 0.5)]:
        assert ours[f"process_{name}"] == pytest.approx(theirs[f"process_{name}"], abs=tolerance)
    for name in ("virtual_memory_bytes", "resident_memory_bytes"):
        assert ours[f"process_{name}"] == pytest.approx(theirs[f"process_{name}"], rel=0.1)


def test_descriptors_are_counted() -> None:
    before = open_descriptors()
    reader, writer = os.pipe()
    try:
        assert open_descriptors() == before + 2
    finally:
        os.close(reader)
        os.close(writer)
