"""`baseload mine`: the reference miner on this machine's cores, with a view of what it does.

On a terminal one live line; elsewhere a line every ten seconds; with JSON one object per share,
per change of the connection, and per second. Ctrl-C and SIGTERM end it with exit code 0, as does
reaching the number of shares or blocks that a script asked for.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.markup import escape

import hashing
from stratum.errors import ConfigError, OutsideError, Problem
from stratum.net.upstream import PoolAddress, dialer, parse_url
from stratum.protocol.upstream import UpstreamSettings
from stratum.rigs.miner import (
    ConnectionDown,
    ConnectionUp,
    Miner,
    MinerNews,
    MinerStatus,
    PoolSaid,
    ShareAnswered,
)
from stratum.rigs.workers import ProcessEngine
from stratum.units import show_hashrate

_STATUS_S = 1.0
_LIVE_S = 0.25
_PLAIN_S = 10.0


class View(Protocol):
    """Shows what happens; `period_s` is how often it wants the status."""

    period_s: float

    def on_news(self, news: MinerNews) -> None: ...

    def on_status(self, status: MinerStatus) -> None: ...


async def mine(
    url: str,
    user: str,
    password: str = "x",
    *,
    processes: int | None = None,
    backend: str = "cpu",
    shares: int | None = None,
    blocks: int | None = None,
    as_json: bool = False,
    out: TextIO | None = None,
) -> int:
    """Mine until Ctrl-C, or until at least so many shares or blocks were accepted.

    Returns the exit code. Without a number of `processes` it is one per usable core. Raises
    ConfigError for what can't be.
    """
    address, count = _check(url, backend, processes)
    target = sys.stdout if out is None else out
    miner: Miner

    def watch(news: MinerNews) -> None:
        view.on_news(news)
        status = miner.status
        reached = (shares is not None and status.accepted >= shares) or (
            blocks is not None and status.blocks >= blocks
        )
        if reached and isinstance(news, ShareAnswered):
            miner.stop()

    with _view(as_json, target, str(address)) as view:
        miner = Miner(
            UpstreamSettings(user, password),
            dialer(address),
            ProcessEngine(count),
            watch=watch,
        )
        return await _run(miner, view, target)


def _check(url: str, backend: str, processes: int | None) -> tuple[PoolAddress, int]:
    if backend != "cpu":
        raise ConfigError([Problem("--backend", f"is {backend!r}", "only cpu is there")])
    if processes is not None and processes < 1:
        raise ConfigError([Problem("--processes", f"is {processes}", "use at least 1")])
    return parse_url(url), processes or usable_cores()


def usable_cores() -> int:
    """The cores that this process may use, which a container may have limited."""
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


async def _run(miner: Miner, view: View, out: TextIO) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, miner.stop)
    ticker = asyncio.create_task(_tick(lambda: view.on_status(miner.status), view.period_s))
    try:
        await miner.run()
    except OutsideError as exc:
        print(f"baseload mine: {exc}", file=sys.stderr)
        return 1
    finally:
        ticker.cancel()
        await asyncio.wait([ticker])
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        view.on_status(miner.status)
    return 0


async def _tick(show: Callable[[], None], period_s: float) -> None:
    while True:
        await asyncio.sleep(period_s)
        show()


@contextmanager
def _view(as_json: bool, out: TextIO, pool: str) -> Iterator[View]:
    if as_json:
        yield JsonView(out)
        return
    console = Console(file=out, highlight=False)
    console.print(escape(f"mining on {pool}, SHA-256 by {hashing.backend()}"), soft_wrap=True)
    if not console.is_terminal:
        yield PlainView(console)
        return
    # No thread of its own: it would draw while the loop writes.
    with Live(console=console, auto_refresh=False) as live:
        yield LiveView(live)


class JsonView:
    """One JSON object per line: `event` is share, connection, message or status."""

    period_s = _STATUS_S

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def on_news(self, news: MinerNews) -> None:
        match news:
            case ShareAnswered():
                self._write("share", asdict(news))
            case ConnectionUp(resumed=resumed):
                self._write("connection", {"up": True, "resumed": resumed})
            case ConnectionDown(reason=reason, wait_s=wait_s):
                self._write("connection", {"up": False, "reason": reason, "wait_s": wait_s})
            case PoolSaid(text=text):
                self._write("message", {"text": text})

    def on_status(self, status: MinerStatus) -> None:
        difficulty = None if status.difficulty is None else float(status.difficulty)
        self._write("status", asdict(status) | {"difficulty": difficulty})

    def _write(self, event: str, fields: dict[str, Any]) -> None:
        print(json.dumps({"event": event} | fields), file=self._out, flush=True)


class PlainView:
    """For a log file: what happens, but for shares, and a line of figures now and then."""

    period_s = _PLAIN_S

    def __init__(self, console: Console) -> None:
        self._console = console

    def on_news(self, news: MinerNews) -> None:
        text = describe(news)
        if text:
            self._console.print(escape(text), soft_wrap=True)

    def on_status(self, status: MinerStatus) -> None:
        self._console.print(escape(status_line(status)), soft_wrap=True)


class LiveView(PlainView):
    """For a terminal: what happens scrolls above one line of figures."""

    period_s = _LIVE_S

    def __init__(self, live: Live) -> None:
        super().__init__(live.console)
        self._live = live

    def on_status(self, status: MinerStatus) -> None:
        self._live.update(escape(status_line(status)), refresh=True)


def describe(news: MinerNews) -> str:
    """One line for people; nothing for an accepted share that is no block."""
    match news:
        case ConnectionUp(resumed=resumed):
            return "connected, session resumed" if resumed else "connected"
        case ConnectionDown(reason=reason, wait_s=wait_s):
            return f"not connected: {reason}; next attempt in {wait_s:.0f} s"
        case PoolSaid(text=text):
            return f"the pool says: {text}"
        case ShareAnswered(accepted=False, code=code, text=text):
            return f"share rejected: {code} {text}"
        case ShareAnswered(is_block=True, difficulty=difficulty):
            return f"block found, of difficulty {difficulty:.6g}"
    return ""


def status_line(status: MinerStatus) -> str:
    """Hashrate, shares, difficulty and the last reject, as short as they go."""
    rejected = sum(status.rejected.values())
    parts = [
        show_hashrate(status.hashrate),
        f"accepted {status.accepted}",
        f"rejected {rejected}",
        f"best {status.best_difficulty:.4g}",
    ]
    if status.difficulty is not None:
        parts.insert(1, f"difficulty {float(status.difficulty):.6g}")
    if status.blocks:
        parts.append(f"blocks {status.blocks}")
    if status.last_reject:
        parts.append(f"last reject: {status.last_reject}")
    return "  ".join(parts)
