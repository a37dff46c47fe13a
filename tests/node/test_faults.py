from __future__ import annotations

import logging

import pytest

from stratum.node.faults import FaultLog


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def test_repeated_fault_is_logged_once_a_minute_with_its_count(
    lines: pytest.LogCaptureFixture,
) -> None:
    log = FaultLog(logging.getLogger("test"), "node a")
    for second in range(62):
        log.fault("node a is down", float(second))
    assert lines.messages == ["node a is down", "node a is down (60 times more)"]


def test_another_fault_is_logged_at_once(lines: pytest.LogCaptureFixture) -> None:
    log = FaultLog(logging.getLogger("test"), "node a")
    log.fault("node a is down", 0)
    log.fault("node a is starting", 1)
    assert lines.messages == ["node a is down", "node a is starting"]


def test_recovery_is_said_once(lines: pytest.LogCaptureFixture) -> None:
    log = FaultLog(logging.getLogger("test"), "node a")
    log.clear()
    log.fault("node a is down", 0)
    log.clear()
    log.clear()
    assert lines.messages == ["node a is down", "node a works again"]
