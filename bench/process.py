"""What /proc says of a process, and which core it may use.

CPU time is a process's own, user and kernel, of all its threads: what a machine that is busy
with other things can still measure. Memory is RssAnon, which leaves out what it shares with
others (the interpreter's code, the mapped log).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import AnyStr

_TICK = os.sysconf("SC_CLK_TCK")

_CORES = sorted(os.sched_getaffinity(0))

#: One for the server; one for everything else: rigs, node, ourselves. The same where there is
#: only one, and then a rate says little.
SERVER_CORE, LOAD_CORE = _CORES[-1], _CORES[0]

_STOP_S = 30.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one moment."""

    at: float  # Unix time
    cpu_seconds: float
    anonymous_bytes: int


def sample(pid: int) -> Sample:
    """Raises OSError where there is no such process."""
    return Sample(time.time(), cpu_seconds(pid), anonymous_bytes(pid))


def cpu_seconds(pid: int) -> float:
    utime, stime = _stat(pid)[11:13]
    return (int(utime) + int(stime)) / _TICK


def anonymous_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def command_line(pid: int) -> list[str]:
    """Empty where the process is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def family(pid: int) -> list[int]:
    """The process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                parent = int(_stat(int(entry.name))[1])
                parents.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def descriptors(pid: int) -> int:
    """How many it has open: its connections, and a few of its own."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def _stat(pid: int) -> list[str]:
    """The fields after the name, which is in brackets and may hold anything: state is the first."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def pin(pid: int, core: int) -> None:
    """All threads there are; those to come follow the one that starts them."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def busy_percent(seconds: float = 1.0) -> float:
    """Of our busier core, without us: what others take from every figure that is a time."""
    before = _idle_seconds()
    time.sleep(seconds)
    idle = min(after - before[core] for core, after in _idle_seconds().items())
    return max(0.0, 100 * (1 - idle / seconds))


def _idle_seconds() -> dict[int, float]:
    """Of both cores since the machine began."""
    idle = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name in (f"cpu{SERVER_CORE}", f"cpu{LOAD_CORE}"):
            idle[int(name[3:])] = (int(fields[3]) + int(fields[4])) / _TICK  # idle and iowait
    return idle


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """What is started inside runs on this core from its first instruction."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def ending(process: subprocess.Popen[AnyStr]) -> Iterator[None]:
    """It ends with the block."""
    try:
        yield
    finally:
        end(process)


def end(process: subprocess.Popen[AnyStr]) -> int:
    """Ask it to end, and see to it. The exit code."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    return process.returncode
