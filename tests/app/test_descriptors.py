from __future__ import annotations

import logging
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from stratum.app.descriptors import RoomWatch, room


def run_with(soft: int, hard: int) -> list[int]:
    """room() before and after raise_limit(), and the limits then, in a process of its own."""
    code = (
        "import resource as r\n"
        f"r.setrlimit(r.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from stratum.app.descriptors import raise_limit, room\n"
        "print(room(), raise_limit(), *r.getrlimit(r.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [int(number) for number in done.stdout.split()]


def test_soft_limit_is_raised_to_the_hard_one_and_some_of_it_is_ours() -> None:
    before, after, soft, hard = run_with(1024, 4096)
    assert (soft, hard) == (4096, 4096)
    assert after - before == 4096 - 1024
    assert 3000 < after < 4096


def test_limit_that_is_high_already_stays() -> None:
    before, after, soft, hard = run_with(4096, 4096)
    assert (before, soft, hard) == (after, 4096, 4096)


def test_limit_too_low_for_ourselves_leaves_no_room() -> None:
    assert run_with(100, 100)[1] == 0


def test_operator_is_warned_once_before_the_room_is_used_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = RoomWatch()
    watch.room = 1000
    for connections in (0, 899, 900, 950, 1000, 850, 950):
        watch.check(connections)
    assert [one.levelno for one in caplog.records] == [logging.WARNING]
    assert caplog.messages[0].startswith("900 connections of the 1000")
    for connections in (799, 901):
        watch.check(connections)
    assert len(caplog.records) == 2


def test_room_is_what_the_limit_of_this_process_leaves(tmp_path: Path) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 0 <= room() < soft
