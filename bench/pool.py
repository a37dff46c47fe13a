"""`baseload pool` in a process of its own, as an operator runs it: configured, pinned, killed.

A pool may be one process or a supervisor of several. The one that answers shares is found by its
command line, and alone on the server's core: what the others do is not the price of a share.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.process import LOAD_CORE, SERVER_CORE, command_line, end, family, pin, pinned
from stratum.app.demo import ADDRESS
from stratum.node.settings import NodeSettings

#: 2^-32: any hash is a share, so that a share costs its sender one hash.
ANY_HASH = "0.00000000023283064365386962890625"

#: A tier where every hash is a share and stays one: vardiff looks, and is never granted a wish.
PINNED = (f"difficulty = {ANY_HASH}", f"max_difficulty = {ANY_HASH}")

#: A tier where it begins like that, and vardiff does what it does.
FREE = (f"difficulty = {ANY_HASH}",)

_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Moved:
    """A new tip. `send_seconds` is what the floor says of its send loop."""

    at: float  # Unix time at which it was there to be known
    send_seconds: float | None = None


def _no_tip() -> Moved | None:
    return None


class Pool:
    """A pool with a config and a data_dir; may be stopped or killed, and started again there."""

    name = "baseload"

    def __init__(
        self,
        home: Path,
        node: NodeSettings,
        listen: Sequence[str],
        *,
        data_dir: Path | None = None,
        move_tip: Callable[[], Moved | None] = _no_tip,
    ) -> None:
        """`listen`: lines of its `[[listen]]` table beside the address."""
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self.move_tip = move_tip
        self.data_dir = data_dir or home / "data"
        self.port, http = _free_port(), _free_port()
        self.url = f"stratum+tcp://127.0.0.1:{self.port}"
        self._http = f"http://127.0.0.1:{http}"
        self._config = home / "pool.toml"
        self._config.write_text(_config(self.data_dir, node, self.port, http, listen))

    @property
    def pid(self) -> int:
        """The process that answers shares."""
        assert self._process is not None
        for pid in family(self._process.pid):
            if "serve" in _following(command_line(pid), "--part"):
                return pid
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether rigs get work."""
        try:
            with urllib.request.urlopen(f"{self._http}/readyz", timeout=5):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    @property
    def said(self) -> str:
        return (self._home / "pool.log").read_text(errors="replace")

    def launch(self) -> None:
        """Start it and wait for nothing."""
        command = [sys.executable, "-m", "stratum.cli", "pool", str(self._config)]
        with pinned(SERVER_CORE), (self._home / "pool.log").open("ab") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, start_new_session=True
            )

    def await_ready(self) -> None:
        """Wait until rigs get work. Raises RuntimeError where it ends instead."""
        deadline = time.monotonic() + _START_S
        while not self.is_ready:
            if not self.is_running or time.monotonic() > deadline:
                raise RuntimeError(f"the pool does not start:\n{self.said[-2000:]}")
            time.sleep(0.02)
        assert self._process is not None
        serve = self.pid
        for pid in family(self._process.pid):
            with contextlib.suppress(OSError):  # a short-lived child
                pin(pid, SERVER_CORE if pid == serve else LOAD_CORE)

    def start(self) -> None:
        self.launch()
        self.await_ready()

    def scrape(self) -> str:
        with urllib.request.urlopen(f"{self._http}/metrics", timeout=10) as reply:
            text: str = reply.read().decode()
        return text

    def stop(self) -> int:
        """As an operator stops it; the log is complete afterwards. The exit code."""
        process, self._process = self._process, None
        return 0 if process is None else end(process)

    def kill(self) -> None:
        """`kill -9` to all of it at once, as when the power goes."""
        process, self._process = self._process, None
        assert process is not None
        everyone = family(process.pid)  # a child with a session of its own is not in the group
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for pid in everyone:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def kill_server(self) -> None:
        """`kill -9` to the process that answers shares alone, as the OOM killer may."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def _free_port() -> int:
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
    zmq = [f'zmq_hashblock = "{node.zmq_hashblock}"'] if node.zmq_hashblock else []
    return "\n".join(
        [
            'network = "regtest"',
            f'data_dir = "{data_dir.absolute()}"',
            "[[node]]",
            f'url = "{node.url}"',
            f'user = "{node.user}"',
            f'password = "{node.password}"',
            *zmq,
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
