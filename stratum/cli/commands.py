"""One function per command: its options, its help, and the import of what does the work."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from stratum import __version__
from stratum.cli import plan, power
from stratum.cli.outcome import DONE, MISUSED, reported, show_problems
from stratum.config.values import Endpoint, Fault, endpoint
from stratum.errors import Problem

app = typer.Typer(
    name="baseload",
    help="A Bitcoin mining pool and farm proxy that mines on surplus power.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage or config.",
    no_args_is_help=True,
    add_completion=False,
    # Plain text: it stays readable in a pipe, and one option keeps to one line.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
)
app.command("plan")(plan.plan)
app.add_typer(power.app)


_DEMO_LISTEN = Endpoint("127.0.0.1", 3333)
_DEMO_HTTP = Endpoint("127.0.0.1", 8080)


class LogLevel(StrEnum):
    """The least severe line that is still written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="the config file (TOML)")]
LogLevelOption = Annotated[
    LogLevel,
    typer.Option(
        "--log-level",
        metavar="LEVEL",
        help="least severe line: debug, info, warning, error [info]",
        show_default=False,
    ),
]
LogJsonOption = Annotated[
    bool, typer.Option("--log-json", help="log one JSON object per line [off]")
]


def _at_least_one(number: int | None) -> int | None:
    if number is not None and number < 1:
        raise typer.BadParameter(f"is {number}, expected 1 or more")
    return number


def _positive(number: float | None) -> float | None:
    if number is not None and not 0 < number < float("inf"):
        raise typer.BadParameter(f"is {number}, expected more than 0")
    return number


def _endpoint(written: str | Endpoint) -> Endpoint:
    """As the config file has it; typer hands the default over unparsed or as text."""
    try:
        return written if isinstance(written, Endpoint) else endpoint(written)
    except Fault as exc:
        raise typer.BadParameter(f"{exc.fault} ({exc.remedy})") from exc


def main() -> None:
    """The entry point `baseload`."""
    app(prog_name="baseload")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"baseload {__version__}")
        raise typer.Exit(DONE)


@app.callback()
def _baseload(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="show the version and exit [off]",
        ),
    ] = False,
) -> None:
    """Typer parses the program's own options for this function; its callback has done the work."""


@app.command()
def pool(
    config: ConfigPath,
    log_level: LogLevelOption = LogLevel.INFO,
    log_json: LogJsonOption = False,
    takeover: Annotated[
        bool, typer.Option("--takeover", help="take the rigs of the pool that runs now [off]")
    ] = False,
    part: Annotated[str | None, typer.Option(hidden=True)] = None,
    lifeline: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Serve miners with work from your own node.

    \b
    Example: baseload pool config/pool.toml
    """
    with reported():
        from stratum.config import load

        settings = load(config)
        _log(log_level, log_json, part or "pool")

        from stratum.app.parts import Part
        from stratum.app.pool import run_part, supervise

        if part is None:
            options = [f"--log-level={log_level}", *["--log-json"] * log_json]
            raise typer.Exit(supervise(config, options, takeover))
        raise typer.Exit(run_part(Part(part), settings, lifeline, takeover))


@app.command()
def check(
    config: ConfigPath,
    live: Annotated[
        bool, typer.Option("--live", help="also try nodes, ports and data_dir [off]")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="write the problems to stdout as JSON [off]")
    ] = False,
) -> None:
    """Find every problem of a config at once.

    \b
    Example: baseload check config/pool.toml --live
    """
    with reported():
        from stratum.app.check import check as find_problems

        with _patience("asking nodes, trying ports") if live else nullcontext():
            problems = find_problems(config, live)
        if as_json:
            typer.echo(json.dumps(_as_json(config, live, problems), indent=2))
        elif problems:
            show_problems(problems)
        else:
            typer.echo(f"{config}: no problems{'' if live else ' (--live tries it out)'}")
        raise typer.Exit(MISUSED if problems else DONE)


def _patience(doing: str) -> AbstractContextManager[object]:
    """A spinner while a terminal waits; a pipe or a log file sees nothing of it."""
    from rich.console import Console

    return Console(stderr=True).status(doing)


def _as_json(config: Path, live: bool, problems: list[Problem]) -> dict[str, Any]:
    return {
        "config": str(config),
        "live": live,
        "ok": not problems,
        "problems": [dataclasses.asdict(problem) for problem in problems],
    }


@app.command()
def mine(
    url: Annotated[str, typer.Argument(metavar="URL", help="stratum+tcp://host:port of a pool")],
    user: Annotated[
        str,
        typer.Option("--user", "-u", metavar="USER", help="address.worker, or your account"),
    ],
    password: Annotated[
        str,
        typer.Option(
            "--password", "-p", metavar="TEXT", help="most pools ignore it [x]", show_default=False
        ),
    ] = "x",
    processes: Annotated[
        int | None,
        typer.Option(metavar="N", callback=_at_least_one, help="how many hash [one per core]"),
    ] = None,
    backend: Annotated[
        str, typer.Option(metavar="NAME", help="what hashes: cpu [cpu]", show_default=False)
    ] = "cpu",
    shares: Annotated[
        int | None,
        typer.Option(
            metavar="N", callback=_at_least_one, help="stop after so many accepted [no limit]"
        ),
    ] = None,
    blocks: Annotated[
        int | None,
        typer.Option(
            metavar="N", callback=_at_least_one, help="stop after so many found [no limit]"
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="write one JSON object per event to stdout [off]")
    ] = False,
) -> None:
    """Mine on the CPU, as a reference for how a miner behaves.

    \b
    Example: baseload mine stratum+tcp://127.0.0.1:3333 -u farm.rig1
    """
    with reported():
        from stratum.app.mine import mine as run

        mining = run(
            url,
            user,
            password,
            processes=processes,
            backend=backend,
            shares=shares,
            blocks=blocks,
            as_json=as_json,
        )
        raise typer.Exit(asyncio.run(mining))


@app.command()
def swarm(
    url: Annotated[str, typer.Argument(metavar="URL", help="stratum+tcp://host:port of a pool")],
    rigs: Annotated[
        int,
        typer.Option(
            metavar="N", callback=_at_least_one, help="connections [100 rigs]", show_default=False
        ),
    ] = 100,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="R", callback=_positive, help="open loop: shares a second and rig [0.33]"
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            metavar="W", callback=_at_least_one, help="closed loop: shares in flight [off]"
        ),
    ] = None,
    idle: Annotated[bool, typer.Option("--idle", help="connect, never submit [off]")] = False,
    seconds: Annotated[
        float,
        typer.Option(
            metavar="S", callback=_positive, help="how long to measure [60 s]", show_default=False
        ),
    ] = 60.0,
    warm: Annotated[
        float, typer.Option(metavar="S", help="load before measuring [0 s]", show_default=False)
    ] = 0.0,
    ramp: Annotated[
        float,
        typer.Option(
            metavar="C", callback=_positive, help="connections a second [2000]", show_default=False
        ),
    ] = 2000.0,
    sources: Annotated[
        int | None,
        typer.Option(
            metavar="K", callback=_at_least_one, help="loopback addresses to come from [as needed]"
        ),
    ] = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="don't hash: for pools that take any hash [off]")
    ] = False,
    even: Annotated[
        bool, typer.Option("--even", help="open loop in turn, not at random [off]")
    ] = False,
    users: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="worker names, {n} a number [swarm.rig{n}]", show_default=False
        ),
    ] = "swarm.rig{n}",
    addresses: Annotated[
        bool, typer.Option("--addresses", help="a regtest address for each rig instead [off]")
    ] = False,
    dialects: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="cgminer,minerd,bfgminer,esp-miner,bosminer [mixed]",
            show_default=False,
        ),
    ] = "mixed",
    never_read: Annotated[
        int,
        typer.Option(metavar="N", help="rigs that submit and never read [0]", show_default=False),
    ] = 0,
    reconnect: Annotated[
        bool, typer.Option("--reconnect", help="come back after a lost connection [off]")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="write one JSON object to stdout at the end [off]")
    ] = False,
) -> None:
    """Load a pool with virtual rigs and measure how it bears it.

    \b
    Example: baseload swarm stratum+tcp://127.0.0.1:3333 --rigs 1000 --rate 0.33
    """
    with reported():
        from stratum.app.loop import run
        from stratum.app.swarm import SwarmWish
        from stratum.app.swarm import swarm as load

        wish = SwarmWish(
            url=url,
            rigs=rigs,
            rate=rate,
            window=window,
            seconds=seconds,
            warm=warm,
            ramp=ramp,
            sources=sources,
            blind=blind,
            even=even,
            idle=idle,
            never_read=never_read,
            reconnect=reconnect,
            users=users,
            addresses=addresses,
            dialects=dialects,
        )
        raise typer.Exit(run(load(wish, as_json=as_json)))


@app.command()
def demo(
    rigs: Annotated[
        int,
        typer.Option(
            metavar="N",
            callback=_at_least_one,
            help="virtual rigs that really hash [3 rigs]",
            show_default=False,
        ),
    ] = 3,
    listen: Annotated[
        Endpoint,
        typer.Option(
            metavar="HOST:PORT",
            parser=_endpoint,
            help="Stratum for rigs of your own [127.0.0.1:3333]",
            show_default=False,
        ),
    ] = _DEMO_LISTEN,
    http: Annotated[
        Endpoint,
        typer.Option(
            metavar="HOST:PORT",
            parser=_endpoint,
            help="page, metrics and health [127.0.0.1:8080]",
            show_default=False,
        ),
    ] = _DEMO_HTTP,
    data_dir: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="where its share log goes [demo-data]", show_default=False
        ),
    ] = Path("demo-data"),
    log_level: LogLevelOption = LogLevel.INFO,
    log_json: LogJsonOption = False,
) -> None:
    """See it work: devnet, pool, virtual rigs and page at once.

    \b
    Example: baseload demo --rigs 8
    """
    with reported():
        _log(log_level, log_json)

        from stratum.app.demo import demo as run

        raise typer.Exit(run(rigs, listen, http, data_dir))


def _log(level: LogLevel, as_json: bool, part: str = "") -> None:
    from stratum.observability.logs import configure

    configure(level.value, as_json, part)
