"""The miner's command: what it prints, and how it ends."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
from fractions import Fraction
from typing import Any

import pytest
from rich.console import Console
from rich.live import Live

from stratum.app.mine import LiveView, PlainView, describe, mine, status_line, usable_cores
from stratum.errors import ConfigError
from stratum.rigs.miner import (
    ConnectionDown,
    ConnectionUp,
    MinerNews,
    MinerStatus,
    PoolSaid,
    ShareAnswered,
)
from tests.rigs.fakepool import FakePool

STATUS = MinerStatus(
    connected=True,
    hashrate=3_210_000.0,
    hashes=10**9,
    difficulty=Fraction(1, 1024),
    job_id="1f",
    accepted=12,
    blocks=0,
    rejected={23: 1, 21: 2},
    lost=0,
    stale=0,
    waiting=0,
    best_difficulty=5.5,
    last_reject="21 Job [not] found",
    last_fault="",
)

#: As a shell would start it: its own process, so that Ctrl-C is a real signal.
PROGRAM = """
import asyncio, sys
from stratum.app.mine import mine
if __name__ == "__main__":
    sys.exit(asyncio.run(mine(sys.argv[1], "user.w1", processes=2, as_json=True)))
"""


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


async def test_miner_ends_after_the_shares_it_was_asked_for() -> None:
    out = io.StringIO()
    async with FakePool(one_in=20_000) as pool:
        code = await mine(pool.url, "user.w1", processes=1, shares=3, as_json=True, out=out)
    lines = json_lines(out.getvalue())
    accepted = [line for line in lines if line["event"] == "share" and line["accepted"]]
    assert code == 0
    assert len(accepted) >= 3  # answers may come several at a time
    assert lines[0] == {"event": "connection", "up": True, "resumed": False}
    assert lines[-1]["event"] == "status"
    assert lines[-1]["accepted"] == len(accepted)
    assert lines[-1]["hashes"] > 0
    assert set(pool.verdicts()) == {0}


async def test_miner_ends_after_the_blocks_it_was_asked_for() -> None:
    out = io.StringIO()
    async with FakePool(one_in=20_000, nbits=0x207FFFFF) as pool:
        code = await mine(pool.url, "user.w1", processes=1, blocks=1, out=out)
    text = out.getvalue()
    assert code == 0
    assert text.startswith("mining on stratum+tcp://127.0.0.1:")
    assert "block found" in text
    assert "blocks" in text.splitlines()[-1]


async def test_interrupt_ends_the_program_quietly_with_its_children() -> None:
    async with FakePool(one_in=20_000) as pool:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM,
            pool.url,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            await pool.until(2)
            os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to everyone
            async with asyncio.timeout(20):
                # Ends when the last child that has inherited the pipes is gone.
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        assert (process.returncode, err) == (0, b"")
        assert json_lines(out.decode())[-1]["event"] == "status"


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"url": "nowhere"}, "no host or no port"),
        ({"processes": 0}, "--processes"),
        ({"backend": "abacus"}, "--backend"),
    ],
)
async def test_impossible_wish_is_the_operators_error(
    arguments: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ConfigError, match=fault):
        await mine(**({"url": "127.0.0.1:1", "user": "u"} | arguments))


def test_one_process_per_usable_core() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_status_is_one_short_line() -> None:
    assert status_line(STATUS) == (
        "3.21 MH/s  difficulty 0.000976562  accepted 12  rejected 3  best 5.5"
        "  last reject: 21 Job [not] found"
    )


@pytest.mark.parametrize(
    ("news", "text"),
    [
        (ConnectionUp(False), "connected"),
        (ConnectionUp(True), "connected, session resumed"),
        (ConnectionDown("it broke", 2.2), "not connected: it broke; next attempt in 2 s"),
        (PoolSaid("hi"), "the pool says: hi"),
        (ShareAnswered(False, 23, "low", 1.0, False), "share rejected: 23 low"),
        (ShareAnswered(True, 0, "", 2.5, True), "block found, of difficulty 2.5"),
        (ShareAnswered(True, 0, "", 2.5, False), ""),
    ],
)
def test_news_is_told_in_words(news: MinerNews, text: str) -> None:
    assert describe(news) == text


def test_plain_view_prints_words_of_the_pool_as_they_are() -> None:
    out = io.StringIO()
    view = PlainView(Console(file=out, width=40))
    view.on_news(PoolSaid("[bold]not markup[/bold]"))
    view.on_news(ShareAnswered(True, 0, "", 2.5, False))
    view.on_status(STATUS)
    assert out.getvalue().splitlines() == [
        "the pool says: [bold]not markup[/bold]",
        status_line(STATUS),
    ]


def test_live_view_redraws_one_line() -> None:
    out = io.StringIO()
    console = Console(file=out, width=200, force_terminal=True, color_system=None)
    with Live(console=console, auto_refresh=False) as live:
        view = LiveView(live)
        view.on_status(STATUS)
        view.on_news(ConnectionUp(False))
        view.on_status(STATUS)
    text = out.getvalue()
    assert text.count("3.21 MH/s") >= 2
    assert "\r" in text
    assert "[not]" in text
