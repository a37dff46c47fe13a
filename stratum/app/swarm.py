"""`baseload swarm`: load a pool with virtual rigs, and say how it bore it.

On a terminal one live line, elsewhere a line every ten seconds, on stderr; then a table, or with
JSON one object on stdout. Ctrl-C and SIGTERM end the run early, with its report.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import ipaddress
import json
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

import hashing
from stratum.bitcoin.address import address_from_key_hash
from stratum.bitcoin.networks import REGTEST
from stratum.errors import ConfigError, Problem
from stratum.net.upstream import parse_url
from stratum.rigs.swarm import DIALECTS, Progress, Report, Swarm, SwarmSettings
from stratum.rigs.swarm.report import answered, count_verdicts, read_reject, show_latencies
from stratum.rigs.swarm.run import Phase
from stratum.rigs.swarm.settings import sources_needed

#: Besides its sockets this process has a few files open.
_OTHER_FILES = 64

_LIVE_S = 1.0
_PLAIN_S = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class SwarmWish:
    """The command's options as they were given."""

    url: str
    rigs: int
    rate: float | None = None
    window: int | None = None
    seconds: float = 60.0
    warm: float = 0.0
    ramp: float = 2000.0
    sources: int | None = None
    blind: bool = False
    even: bool = False
    idle: bool = False
    never_read: int = 0
    reconnect: bool = False
    users: str = "swarm.rig{n}"
    addresses: bool = False
    dialects: str = "mixed"


#: A rig's usual pace: vardiff of most pools aims at some twenty shares a minute.
_USUAL_RATE = 1 / 3


async def swarm(wish: SwarmWish, *, as_json: bool = False, out: TextIO | None = None) -> int:
    """Run it. Returns the exit code: 1 if no rig could connect. Raises ConfigError."""
    settings = read_wish(wish)
    raise_file_limit(settings.rigs)
    target = sys.stdout if out is None else out
    console = Console(stderr=True, highlight=False)
    run = Swarm(settings, on_phase=_freeze)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, run.stop)
    with (
        Live(console=console, auto_refresh=False) if console.is_terminal else nullcontext() as live
    ):
        watching = asyncio.create_task(_watch(run, console, live))
        try:
            report = await run.run()
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            gc.unfreeze()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
    if as_json:
        print(json.dumps(dataclasses.asdict(report)), file=target, flush=True)
    else:
        Console(file=target, highlight=False).print(summary(report))
    return 0 if report.connected else 1


def _freeze(phase: Phase) -> None:
    """Ten thousand connections are there to stay: no collection needs to look at them again."""
    if phase is Phase.WARMING:
        gc.collect()
        gc.freeze()


# -- options -----------------------------------------------------------------------------------


def read_wish(wish: SwarmWish) -> SwarmSettings:
    """Raises ConfigError with every problem of the options at once."""
    address = parse_url(wish.url)
    host = _resolve(address.host)
    sources = sources_needed(wish.rigs) if wish.sources is None else wish.sources
    loads = [name for name in ("rate", "window", "idle") if getattr(wish, name)]
    checks = (
        (address.secure, "url", "asks for TLS", "use stratum+tcp://host:port"),
        (len(loads) > 1, f"--{loads[-1]}" if loads else "", f"and --{loads[0]}" if loads else "",
         "rate, window and idle exclude each other"),
        (wish.sources and not _is_loopback(host), "--sources", f"with {host}",
         "only a pool on 127.x.y.z can be reached from other loopback addresses"),
        (wish.never_read > wish.rigs, "--never-read", f"is {wish.never_read}",
         f"use at most {wish.rigs}, the number of rigs"),
        (wish.dialects != "mixed" and not set(wish.dialects.split(",")) <= set(DIALECTS),
         "--dialects", f"is {wish.dialects!r}", f"use mixed or some of {', '.join(DIALECTS)}"),
        (not _is_plain(wish.users), "--users", f"is {wish.users!r}",
         "use printable ASCII without quotes, with {n} for the rig's number"),
    )  # fmt: skip
    problems = [Problem(key, fault, remedy) for is_wrong, key, fault, remedy in checks if is_wrong]
    if problems:
        raise ConfigError(problems)

    is_usual = not (wish.rate or wish.window or wish.idle)
    names = list(DIALECTS) if wish.dialects == "mixed" else wish.dialects.split(",")
    return SwarmSettings(
        host=host,
        port=address.port,
        rigs=wish.rigs,
        rate=_USUAL_RATE if is_usual else wish.rate or 0.0,
        window=wish.window or 0,
        seconds=wish.seconds,
        warm_s=wish.warm,
        ramp=wish.ramp,
        sources=sources if _is_loopback(host) else 0,
        blind=wish.blind,
        is_even=wish.even,
        never_read=wish.never_read,
        reconnect=wish.reconnect,
        dialects=tuple(DIALECTS[name] for name in names),
        name=rig_address if wish.addresses else _namer(wish.users),
    )


def _resolve(host: str) -> str:
    """An IPv4 address, asked for once: ten thousand rigs must not ask ten thousand times."""
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as exc:
        raise ConfigError([Problem("url", f"{host} has no IPv4 address", str(exc))]) from exc
    return str(found[0][4][0])


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback


def _is_plain(template: str) -> bool:
    return template.isascii() and template.isprintable() and not set(template) & set('"\\ ')


def _namer(template: str) -> Callable[[int], str]:
    return lambda number: template.replace("{n}", str(number))


def rig_address(number: int) -> str:
    """A regtest address of the rig's own; nobody has its key."""
    return address_from_key_hash(hashing.sha256(b"swarm rig %d" % number)[:20], REGTEST)


def raise_file_limit(rigs: int) -> None:
    """Let this process open a socket for each rig. Raises ConfigError if the system forbids it."""
    wanted = rigs + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and wanted > hard:
        fault = f"is {rigs}, but a process may open {hard} files here"
        raise ConfigError([Problem("--rigs", fault, "use fewer, or raise ulimit -Hn")])
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# -- what people see ---------------------------------------------------------------------------


async def _watch(run: Swarm, console: Console, live: Live | None) -> None:
    """Show the progress while it runs: redrawn on a terminal, else a line now and then."""
    before, period_s = 0, _LIVE_S if live else _PLAIN_S
    while True:
        await asyncio.sleep(period_s)
        progress = run.progress()
        line = progress_line(progress, (answered(progress.tally) - before) / period_s)
        before = answered(progress.tally)
        if live:
            live.update(line, refresh=True)
        else:
            console.print(line, soft_wrap=True)


def progress_line(progress: Progress, rate: float) -> str:
    """Phase, rigs, shares and latency, as short as they go."""
    tally = progress.tally
    rejects = [read_reject(refusal) for refusal in tally.refusals]
    parts = [
        f"{progress.phase} {progress.elapsed_s:.0f} s",
        f"rigs {progress.up}/{progress.rigs}",
        f"shares {rate:,.0f}/s",
        _counts(count_verdicts(tally.accepted, rejects)),
    ]
    lost = progress.failed + progress.disconnected
    if lost:
        parts.insert(2, f"lost {lost}")
    latency = show_latencies(tally.calm)
    if latency["count"]:
        parts.append(f"p50 {latency['p50']:,.4g} ms, p99 {latency['p99']:,.4g} ms")
    if tally.tips:
        parts.append(f"tips {len(tally.tips)}")
    return "  ".join(part for part in parts if part)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{verdict} {count:,}" for verdict, count in counts.items())


def summary(report: Report) -> Table:
    """What came of it, one figure a line."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("rigs", f"{report.rigs:,}, {report.connected:,} connected")
    lost = f"{report.failed:,} failed, {report.disconnected:,} disconnected"
    table.add_row("connections", lost)
    for reason, count in report.reasons.items():
        table.add_row("", f"{count:,} {escape(reason)}")
    table.add_row("measured", f"{report.seconds:.1f} s, {report.shares_per_second:,.1f} shares/s")
    table.add_row("shares", f"submitted {report.submitted:,}: {_counts(report.shares)}")
    for reject in report.rejects:
        late = f"{reject.late:,} late" if reject.late else ""
        table.add_row("", f"{reject.count:,} {reject.code} {escape(reject.text)} {late}")
    table.add_row("wrong rejects", f"{report.wrong_rejects:,}")
    table.add_row("unanswered", f"{report.unanswered:,}; not sent {report.unsent:,}")
    if report.unfound:
        table.add_row("given up", f"{report.unfound:,}: the difficulty is too high; try --blind")
    for name, values in (
        ("latency", report.latency_ms),
        ("latency at tips", report.tip_latency_ms),
        ("own lag", report.lag_ms),
    ):
        if values["count"]:
            shown = "  ".join(f"{key} {values[key]:,.4g}" for key in values if key != "count")
            table.add_row(f"{name}, ms", shown)
    for tip in report.tips:
        table.add_row("tip", f"{tip.spread_ms:.1f} ms from first to last of {tip.rigs:,} rigs")
    answers = max(sum(report.shares.values()), 1)
    cpu = f"{report.cpu_seconds:.2f} s, {report.cpu_seconds / answers * 1e6:.2f} µs a share"
    table.add_row("own CPU", cpu)
    return table
