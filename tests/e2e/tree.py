"""The processes of a running pool, seen from outside."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path


def children(pid: int) -> dict[str, int]:
    """The parts that a supervisor has started: pid by name."""
    found = {}
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and _parent(directory) == pid:
            words = _words(directory)
            if "--part" in " ".join(words):
                name = next(word for word in words if word.startswith("--part="))
                found[name.partition("=")[2]] = int(directory.name)
    return found


def _parent(directory: Path) -> int:
    try:
        # The name in brackets may hold anything; what follows the last bracket is numbers.
        return int((directory / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0  # it has ended meanwhile


def _words(directory: Path) -> list[str]:
    try:
        return (directory / "cmdline").read_text().split("\0")
    except OSError:
        return []


async def kill(*pids: int) -> None:
    """SIGKILL to all at once; returns when none of them runs any more."""
    handles = [os.pidfd_open(pid) for pid in pids]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await gone(handles)


async def gone(handles: list[int]) -> None:
    """Wait for the end of processes, and close what they were held by."""
    loop = asyncio.get_running_loop()
    for handle in handles:
        ended = asyncio.Event()
        loop.add_reader(handle, ended.set)
        await ended.wait()
        loop.remove_reader(handle)
        os.close(handle)
