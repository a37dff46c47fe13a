"""`baseload swarm`: its options, what it prints, and a whole pool under it."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import resource
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from stratum.app.swarm import (
    SwarmWish,
    progress_line,
    raise_file_limit,
    read_wish,
    rig_address,
    summary,
    swarm,
)
from stratum.bitcoin.address import script_from_address
from stratum.bitcoin.networks import REGTEST
from stratum.errors import ConfigError
from stratum.rigs.swarm import Report, Swarm, SwarmSettings
from stratum.rigs.swarm.report import Reject, TipSpread
from tests.app.world import World, a_pool

URL = "stratum+tcp://127.0.0.1:3333"


def port(world: World) -> str:
    return f"stratum+tcp://127.0.0.1:{world.service.server.ports[0]}"


async def loaded(world: World, **options: Any) -> tuple[int, dict[str, Any]]:
    out = io.StringIO()
    usual: dict[str, Any] = {"url": port(world), "rigs": 10, "seconds": 0.5}
    wish = SwarmWish(**(usual | options))
    code = await swarm(wish, as_json=True, out=out)
    return code, json.loads(out.getvalue())


# -- a whole pool ------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [{"window": 2}, {"rate": 20.0}, {"rate": 20.0, "even": True}])
async def test_swarm_and_pool_count_the_same(tmp_path: Path, load: dict[str, Any]) -> None:
    async with a_pool(tmp_path / "data") as (world, _):
        code, report = await loaded(world, **load)
        assert code == 0
        assert (report["connected"], report["wrong_rejects"], report["unanswered"]) == (10, 0, 0)
        assert report["submitted"] == sum(report["shares"].values()) > 20
        registry = world.service._metrics.registry
        for verdict, count in report["shares"].items():
            labels = {"verdict": verdict}
            assert registry.get_sample_value("baseload_shares_total", labels) == count


async def test_every_rig_can_be_paid_by_itself(tmp_path: Path) -> None:
    async with a_pool(tmp_path / "data") as (world, _):
        code, report = await loaded(world, window=1, addresses=True)
        assert (code, report["wrong_rejects"]) == (0, 0)
        assert report["shares"]["accepted"] >= 10


async def test_without_a_pool_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    assert await swarm(SwarmWish("127.0.0.1:1", 2), out=out) == 1
    assert "2 Connection refused" in " ".join(out.getvalue().split())


async def test_ctrl_c_ends_it_with_a_report(tmp_path: Path) -> None:
    async with a_pool(tmp_path / "data") as (world, _):
        code = "from stratum.cli import main; main()"
        arguments = ("swarm", port(world), "--rigs", "3", "--window", "1", "--json")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, *arguments, stdout=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(30):
                while True:
                    if world.sample("baseload_connections") == 3:
                        break
                    await asyncio.sleep(0.02)
                process.send_signal(2)
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0
        assert json.loads(said)["rigs"] == 3


# -- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"url": "stratum+ssl://127.0.0.1:1"}, "asks for TLS"),
        ({"url": "nowhere"}, "no host or no port"),
        ({"rate": 1.0, "window": 1}, "exclude each other"),
        ({"idle": True, "window": 1}, "exclude each other"),
        ({"url": "stratum+tcp://192.0.2.1:1", "sources": 2}, "--sources"),
        ({"never_read": 11}, "--never-read"),
        ({"dialects": "cgminer,abacus"}, "--dialects"),
        ({"users": 'a"b'}, "--users"),
    ],
)
def test_impossible_wishes_are_the_operators_error(options: dict[str, Any], fault: str) -> None:
    usual: dict[str, Any] = {"url": URL, "rigs": 10}
    with pytest.raises(ConfigError) as caught:
        read_wish(SwarmWish(**(usual | options)))
    assert fault in " ".join(str(problem) for problem in caught.value.problems)


def test_what_is_not_asked_for_is_the_usual() -> None:
    settings = read_wish(SwarmWish(URL, 10))
    assert settings.rate == pytest.approx(1 / 3)
    assert (settings.window, settings.sources) == (0, 0)
    assert [dialect.name for dialect in settings.dialects] == [
        "cgminer",
        "minerd",
        "bfgminer",
        "esp-miner",
        "bosminer",
    ]
    assert settings.name(7) == "swarm.rig7"
    assert read_wish(SwarmWish(URL, 10, idle=True)).rate == 0


def test_more_rigs_than_one_address_has_ports_come_from_several() -> None:
    settings = read_wish(SwarmWish(URL, 18_000))
    assert settings.sources == 2
    assert [settings.source(index) for index in range(3)] == ["127.1.0.1", "127.1.0.2", "127.1.0.1"]
    elsewhere = read_wish(SwarmWish("stratum+tcp://192.0.2.1:1", 18_000))
    assert elsewhere.sources == 0


def test_addresses_are_valid_and_differ() -> None:
    scripts = {script_from_address(rig_address(number), REGTEST) for number in range(50)}
    assert len(scripts) == 50


def test_more_rigs_than_files_is_said_before_anything_starts() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with pytest.raises(ConfigError, match=f"may open {hard} files"):
        raise_file_limit(hard)


# -- what people see ---------------------------------------------------------------------------

REPORT = Report(
    rigs=10,
    connected=9,
    failed=1,
    disconnected=2,
    reasons={"Connection refused": 1},
    seconds=60.0,
    submitted=1200,
    shares={"accepted": 1190, "stale": 10},
    shares_per_second=20.0,
    rejects=(Reject("stale", 21, "Stale [share]", 10, 9),),
    wrong_rejects=1,
    unanswered=0,
    unsent=3,
    unfound=2,
    never_read_submitted=0,
    latency_ms={"count": 1190, "p50": 0.5, "max": 1470.25},
    tip_latency_ms={"count": 0, "p50": 0.0, "max": 0.0},
    lag_ms={"count": 0, "p50": 0.0, "max": 0.0},
    tips=(TipSpread("00" * 32, 1.0, 1.1, 100.0, 9),),
    cpu_seconds=0.6,
)


def test_the_summary_says_it_in_words() -> None:
    out = io.StringIO()
    Console(file=out, width=100, highlight=False).print(summary(REPORT))
    lines = [" ".join(line.split()) for line in out.getvalue().splitlines()]
    assert "rigs 10, 9 connected" in lines
    assert "shares submitted 1,200: accepted 1,190, stale 10" in lines
    assert "10 21 Stale [share] 9 late" in lines
    assert "latency, ms p50 0.5 max 1,470" in lines
    assert "tip 100.0 ms from first to last of 9 rigs" in lines
    assert "own CPU 0.60 s, 500.00 µs a share" in lines


def test_the_progress_is_one_short_line() -> None:
    run = Swarm(SwarmSettings("127.0.0.1", 1, 5))
    progress = dataclasses.replace(run.progress(), up=4, failed=1, elapsed_s=2.0)
    assert progress_line(progress, 1234.5) == "connecting 2 s  rigs 4/5  lost 1  shares 1,234/s"
