"""The servers that are measured: started, pinned to their core, told to move the tip, ended.

    Floor    bench/floor.c, compiled here
    Pool     `baseload pool` as an operator runs it, on a devnet node of its own
    Rival    somebody else's, started by somebody else: known by its URL, and by its pid if told

Each has a `url`, the `pid` of the process that answers shares (None: unknown), and `move_tip`,
which answers when the new tip was there to be known.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.process import LOAD_CORE, SERVER_CORE, command_line, family, pin, pinned
from stratum.app.demo import ADDRESS
from stratum.node.settings import NodeSettings

#: The repository's, which git ignores.
BUILD = Path(__file__).parent.parent / "build"

_SOURCE = Path(__file__).with_name("floor.c")
_WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-Werror")

#: 2^-32: any hash is a share, so that a share costs its sender one hash.
ANY_HASH = "0.00000000023283064365386962890625"

_START_S = 30.0
_STOP_S = 30.0


@dataclass(frozen=True, slots=True)
class Moved:
    """A new tip. `send_seconds` is what the floor says of its send loop."""

    at: float  # Unix time at which it was there to be known
    send_seconds: float | None = None


class Rival:
    """A server that is not ours to start, stop or command."""

    def __init__(self, url: str, pid: int | None) -> None:
        self.name = "rival"
        self.url = url
        self.pid = pid

    def move_tip(self) -> Moved | None:
        return None

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
    """`python -m bench.node`, on the core of the load."""

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
    command = [sys.executable, "-m", "bench.node"]
    with pinned(LOAD_CORE):
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    with ending(process):
        yield Node(process)


class Pool:
    """`baseload pool` in a directory of its own; may be killed and started again there."""

    name = "baseload"

    def __init__(self, home: Path, node: Node, listen: Sequence[str]) -> None:
        """`listen`: lines for its `[[listen]]` table beside the address."""
        self._home = home
        self._node = node
        self._process: subprocess.Popen[bytes] | None = None
        self.data_dir = home / "data"
        stratum, http = free_port(), free_port()
        self.url = f"stratum+tcp://127.0.0.1:{stratum}"
        self._http = f"http://127.0.0.1:{http}"
        self._config = home / "pool.toml"
        self._config.write_text(_config(self.data_dir, node.settings, stratum, http, listen))

    @property
    def pid(self) -> int:
        """The process that answers shares: `pool` may be a supervisor of several."""
        assert self._process is not None
        for pid in family(self._process.pid):
            if "serve" in _following(command_line(pid), "--part"):
                return pid
        return self._process.pid

    @property
    def said(self) -> str:
        return (self._home / "pool.log").read_text(errors="replace")

    def start(self) -> None:
        """Start it and wait until rigs get work."""
        command = [sys.executable, "-m", "stratum.cli", "pool", str(self._config)]
        with pinned(SERVER_CORE), (self._home / "pool.log").open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        deadline = time.monotonic() + _START_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the pool does not start:\n{self.said[-2000:]}")
            time.sleep(0.02)
        serve = self.pid
        for pid in family(self._process.pid):
            pin(pid, SERVER_CORE if pid == serve else LOAD_CORE)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._http}/readyz", timeout=5):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False

    def move_tip(self) -> Moved:
        return self._node.move_tip()

    def scrape(self) -> str:
        with urllib.request.urlopen(f"{self._http}/metrics", timeout=10) as reply:
            text: str = reply.read().decode()
        return text

    def stop(self) -> None:
        """As an operator stops it; the log is complete afterwards."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def kill(self) -> None:
        """`kill -9` to every process of it at once, as a crash or the OOM killer may."""
        assert self._process is not None
        for pid in family(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None


@contextlib.contextmanager
def pool(home: Path, *listen: str) -> Iterator[Pool]:
    """A pool on a devnet node, until the end of the block."""
    with load_node() as node:
        served = Pool(home, node, listen)
        try:
            served.start()
            yield served
        finally:
            served.stop()


@contextlib.contextmanager
def ending(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        end(process)


def end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _following(words: list[str], option: str) -> list[str]:
    """What follows an option on a command line, in either way of writing it."""
    pairs = zip(words, [*words[1:], ""], strict=True)
    return [
        word.partition("=")[2] or after
        for word, after in pairs
        if word == option or word.startswith(f"{option}=")
    ]


def _config(
    data_dir: Path, node: NodeSettings, stratum: int, http: int, listen: Sequence[str]
) -> str:
    return "\n".join(
        [
            'network = "regtest"',
            f'data_dir = "{data_dir.absolute()}"',
            "[[node]]",
            f'url = "{node.url}"',
            f'user = "{node.user}"',
            f'password = "{node.password}"',
            f'zmq_hashblock = "{node.zmq_hashblock}"',
            "[payout]",
            'scheme = "solo"',
            f'address = "{ADDRESS}"',
            "[[listen]]",
            f'address = "127.0.0.1:{stratum}"',
            *listen,
            "[limits]",
            "lines_per_second = 0",
            "connections_per_address = 0",
            "ban_score = 0",
            "[http]",
            f'listen = "127.0.0.1:{http}"',
            "",
        ]
    )
