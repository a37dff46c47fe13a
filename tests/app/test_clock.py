"""The clock that deadlines are measured on."""

from __future__ import annotations

import time

import pytest

from stratum.app.clock import SteadyClock


def test_clock_starts_at_the_systems_time() -> None:
    before = time.time()
    now = SteadyClock()()
    assert before - 0.01 <= now <= time.time() + 0.01


def test_clock_follows_the_monotonic_one_and_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SteadyClock()
    start, monotonic = clock(), time.monotonic()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic + 10)
    assert clock() == pytest.approx(start + 10, abs=0.1)
