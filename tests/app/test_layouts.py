"""Coinbase layouts and the node's word for them: no rig works on one that was not proved."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from stratum.app import layouts as layouts_module
from stratum.net import downstream
from stratum.node.blocks import SUBMIT_TIMEOUT_S
from stratum.node.devnet_rpc import RpcFault
from tests.app.world import World, a_pool
from tests.node.world import OddNode

Answer = Callable[[], Awaitable[str | None]]


class Proposals:
    """What a node says to each proposal in turn; after that, what a node says."""

    def __init__(self, node: OddNode, *answers: Answer) -> None:
        self._node = node
        self._answers = list(answers)
        self.asked: list[bytes] = []
        self.news = asyncio.Event()
        node.odd["getblocktemplate"] = self._answer

    async def _answer(self, params: list[Any]) -> Any:
        if params[0].get("mode") == "proposal":
            self.asked.append(bytes.fromhex(params[0]["data"]))
            self.news.set()
            if self._answers:
                return await self._answers.pop(0)()
        return await self._node.usual("getblocktemplate", params)


def says(word: str | None) -> Answer:
    async def answer() -> str | None:
        return word

    return answer


def fails(code: int, message: str) -> Answer:
    async def answer() -> str | None:
        raise RpcFault(code, message)

    return answer


async def hang() -> str | None:
    await asyncio.Event().wait()
    return None


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts_module, "PAUSE", 0.01)
    # The server's timer offers work to rigs in need as well, later: it must not be what helps.
    monkeypatch.setattr(downstream, "TICK", 3600.0)


def complaints(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    name = layouts_module.__name__
    return [one.message for one in caplog.records if one.name == name and one.levelno == level]


async def waiting_rig_gets_work(world: World) -> None:
    """It connects before the layout is proved, and must not have to ask."""
    rig = await world.rig()
    assert (await rig.submit(rig.share()))["result"] is True


async def test_layout_is_proved_once_for_all_rigs_paid_by_it(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, node):
        proposals = Proposals(node)
        for _ in range(3):
            await world.rig()
        await node.mine()
        await world.rig()
        assert len(proposals.asked) == 1


async def test_every_form_of_coinbase_is_proved_by_itself(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, node):
        proposals = Proposals(node)
        await world.rig()
        await world.rig("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.one")
        await world.rig("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn.two")
        assert len(proposals.asked) == 3


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(fails(-28, "Loading block index"), id="warming up"),
        pytest.param(fails(-9, "Bitcoin is not connected!"), id="no peers"),
        pytest.param(fails(-10, "Bitcoin is in initial sync"), id="syncing"),
        pytest.param(says("time-too-new"), id="clock ahead"),
        pytest.param(says("inconclusive-not-best-prevblk"), id="tip moved"),
    ],
)
async def test_node_that_can_not_say_yet_is_asked_again(
    answer: Answer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_pool(tmp_path) as (world, node):
        proposals = Proposals(node, answer, answer)
        await waiting_rig_gets_work(world)
        assert len(proposals.asked) == 3
    assert complaints(caplog, logging.ERROR) == []


async def test_node_that_can_not_say_for_long_is_not_logged_each_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with a_pool(tmp_path) as (world, node):
        Proposals(node, *[fails(-28, "Loading block index")] * 5)
        await waiting_rig_gets_work(world)
    said = [one for one in complaints(caplog, logging.INFO) if "not proved yet" in one]
    assert len(said) == 1


@pytest.mark.parametrize("code", [-32601, -8])
async def test_node_without_proposals_is_believed_to_have_no_objection(
    code: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_pool(tmp_path) as (world, node):
        proposals = Proposals(node, fails(code, "Method not found"))
        await waiting_rig_gets_work(world)
        assert len(proposals.asked) == 1
    (warning,) = complaints(caplog, logging.WARNING)
    assert "going on without" in warning


async def test_node_that_hangs_is_left_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layouts_module, "PATIENCE", 0.05)
    async with a_pool(tmp_path) as (world, node):
        proposals = Proposals(node, hang)
        async with asyncio.timeout(SUBMIT_TIMEOUT_S / 2):
            await waiting_rig_gets_work(world)
        assert len(proposals.asked) == 2


async def test_layout_that_the_node_refuses_is_withheld_until_the_next_block(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_pool(tmp_path) as (world, node):
        proposals = Proposals(node, says("bad-cb-length"))
        rig = await (await world.connect()).begin()
        await proposals.news.wait()
        other = await world.rig("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080")
        world.service.server.tick()
        await rig.sync()
        assert rig.job == [] and other.job, "the objection is to one layout"
        assert len(proposals.asked) == 2

        await node.mine()
        await rig.next_job()
        assert len(proposals.asked) == 3
    (error,) = complaints(caplog, logging.ERROR)
    assert "p2wsh+commitment" in error and "bad-cb-length" in error


async def test_bug_while_proving_ends_neither_the_prover_nor_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_pool(tmp_path) as (world, _):
        prover = world.service._prover
        prove = prover._prove
        failed = asyncio.Event()

        async def once(block: bytes) -> str | None:
            prover._prove = prove
            failed.set()
            raise RuntimeError("ours to mend")

        prover._prove = once
        rig = await (await world.connect()).begin()
        await failed.wait()
        world.service.server.tick()
        if not rig.job:
            await rig.next_job()
    (error,) = complaints(caplog, logging.ERROR)
    assert "proving coinbase layout" in error
