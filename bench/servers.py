"""The servers that are measured, each from its start to its end.

    Floor    bench/floor.c, compiled here
    Pool     `baseload pool` on a devnet node (`bench/pool.py`, `bench/node.py`)
    Rival    somebody else's, started by somebody else: known by its URL, and by its pid if told

Each has a `url`, the `pid` of the process that answers shares (None: unknown), and `move_tip`,
which answers when the new tip was there to be known.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.pool import Moved, Pool
from bench.process import LOAD_CORE, SERVER_CORE, ending, pinned
from stratum.node.settings import NodeSettings

#: The repository's, which git ignores.
BUILD = Path(__file__).parent.parent / "build"

_SOURCE = Path(__file__).with_name("floor.c")
_WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Werror")


class Rival:
    """A server that is not ours to start or stop. `tip` is a shell command that moves its node's
    tip; `flags` are options of its swarm: where no rig finds shares as hard as its easiest,
    `--blind`; where it refuses a dialect, `--dialects`; where names are addresses, `--users`."""

    def __init__(
        self, url: str, pid: int | None, tip: str | None = None, flags: tuple[str, ...] = ()
    ) -> None:
        self.name = "rival"
        self.url = url
        self.pid = pid
        self.flags = flags
        self._tip = tip

    def move_tip(self) -> Moved | None:
        if self._tip is None:
            return None
        at = time.time()
        with pinned(LOAD_CORE):
            subprocess.run(self._tip, shell=True, check=True, stdout=subprocess.DEVNULL)
        return Moved(at)

    def scrape(self) -> str:
        return ""


class Floor:
    """The bare server."""

    name = "floor"

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.url = f"stratum+tcp://127.0.0.1:{self._line()[0]}"

    def move_tip(self) -> Moved:
        at = time.time()
        self._process.send_signal(signal.SIGUSR1)
        _, took, _ = self._line()
        return Moved(at, float(took))

    def scrape(self) -> str:
        return ""

    def _line(self) -> list[str]:
        """What it says next, without the word that it begins with."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the floor server ended"
        return line.split()[1:]


@contextlib.contextmanager
def floor() -> Iterator[Floor]:
    """The floor server on its core, until the end of the block."""
    with pinned(SERVER_CORE):
        process = subprocess.Popen([build_floor(), "0"], stdout=subprocess.PIPE, text=True)
    with ending(process):
        yield Floor(process)


def build_floor() -> Path:
    """Compile it where that was not done yet. Raises CalledProcessError, the compiler having
    said why."""
    program = BUILD / "floor"
    if not program.exists() or program.stat().st_mtime < _SOURCE.stat().st_mtime:
        BUILD.mkdir(exist_ok=True)
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, *_WARNINGS, "-O3", "-o", program, _SOURCE], check=True)
    return program


class Node:
    """`python -m bench.node`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        told = self._answer()
        self.settings = NodeSettings(
            told["url"], user="baseload", password="devnet", zmq_hashblock=told["zmq"]
        )

    def move_tip(self) -> Moved:
        assert self._process.stdin is not None
        self._process.stdin.write("tip\n")
        self._process.stdin.flush()
        return Moved(float(self._answer()["at"]))

    def _answer(self) -> dict[str, str]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the devnet node ended"
        answer: dict[str, str] = json.loads(line)
        return answer


@contextlib.contextmanager
def load_node() -> Iterator[Node]:
    """A devnet node on the core of the load, until the end of the block."""
    command = [sys.executable, "-m", "bench.node"]
    with pinned(LOAD_CORE):
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    with ending(process):
        yield Node(process)


@contextlib.contextmanager
def pool(*listen: str) -> Iterator[Pool]:
    """A pool on a devnet node, until the end of the block."""
    with scratch() as home, load_node() as node:
        served = Pool(home, node.settings, listen, move_tip=node.move_tip)
        try:
            served.start()
            yield served
        finally:
            served.stop()


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A directory on the repository's disk: a log in memory would cost no write."""
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=BUILD) as home:
        yield Path(home)
