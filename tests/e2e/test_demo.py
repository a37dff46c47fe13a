"""`baseload demo`: what a newcomer sees first."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import aiohttp

from tests.peers.node import free_port

#: The promise to a newcomer.
FIRST_BLOCK_S = 60.0


async def test_the_demo_finds_a_block_within_a_minute_and_ends_cleanly(tmp_path: Path) -> None:
    stratum, http = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "stratum.cli", "demo", "--data-dir", str(tmp_path)),
        *("--listen", f"127.0.0.1:{stratum}", "--http", f"127.0.0.1:{http}"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        async with asyncio.timeout(FIRST_BLOCK_S):
            while "accepted by the devnet node" not in (said or [""])[-1]:
                line = await process.stdout.readline()
                assert line, "".join(said)
                said.append(line.decode())
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://127.0.0.1:{http}/") as reply,
        ):
            page = await reply.text()
        assert "demo.rig1" in page and "accepted" in page
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = await process.communicate()
    assert process.returncode == 0, rest.decode()
    assert b"Traceback" not in rest and b"ERROR" not in rest
