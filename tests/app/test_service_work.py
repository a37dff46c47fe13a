"""What rigs get when: without a node, with one that is back, and at what pace."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from stratum.app import drought
from stratum.app.drought import WAITING
from stratum.app.service import ORDINARY_PACE
from stratum.bitcoin.networks import REGTEST
from stratum.bitcoin.template import Template, parse_template
from stratum.mining.pool import REFRESH_INTERVAL
from stratum.node.settings import NodeSettings
from stratum.node.tips import Tip
from stratum.protocol.messages import swap_words
from tests.app.world import Clock, HandRig, World, a_pool
from tests.node.world import OddNode
from tests.peers.node import free_port


async def test_rigs_stay_when_a_node_comes_back_on_the_same_tip(tmp_path: Path) -> None:
    async with a_pool(tmp_path, clock=Clock()) as (world, node):
        rig = await world.rig()
        tip = rig.job[1]
        await node.stop()
        await world.until_work_from(None)
        world.later(5)
        await node.start()
        await world.until_work_from(node.settings.name)
        await world.listener.until(lambda: world.service.view.not_ready() is None)

        # Once, the time without work ended at the next block only, which may be hours away.
        for _ in range(5):
            world.later(100)
        await rig.sync()
        assert rig.job[1] == tip
        assert not await world.is_refused()
        assert world.service.view.live().rigs == 2


async def test_rigs_go_to_their_backups_when_work_stays_away_and_are_welcome_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drought, "MESSAGE_TIME", 0.01)
    async with a_pool(tmp_path, clock=Clock(), no_work_close_s=120.0) as (world, node):
        plain, gminer = await world.rig(), await world.rig("farm.g", agent="gminer/2.9")
        await node.stop()
        await world.until_work_from(None)
        world.later(119)
        for rig in (plain, gminer):
            await rig.sync()
        assert gminer.messages == [WAITING]

        world.later(2)
        await asyncio.gather(plain.ended(), gminer.ended())
        assert gminer.messages == [WAITING, "the pool has no work; use your backup pool"]
        assert plain.messages == []
        assert await world.is_refused()

        await node.start()
        await world.until_work_from(node.settings.name)
        await world.listener.until(lambda: world.service.view.not_ready() is None)
        assert (await world.rig()).job[1] == plain.job[1]


async def test_rigs_are_kept_when_work_is_back_just_before_they_are_reset(tmp_path: Path) -> None:
    async with a_pool(tmp_path, clock=Clock()) as (world, node):
        rig = await world.rig()
        await node.stop()
        await world.until_work_from(None)
        world.later(world.config.no_work_close_s)
        closing = world.service._drought.closing
        assert closing is not None and await world.is_refused()

        world.service._on_template(_newer(world.template))
        assert closing.cancelled()
        await rig.sync()
        assert not await world.is_refused()


async def test_rig_that_connects_while_no_node_gives_work_waits_and_is_told(
    tmp_path: Path,
) -> None:
    async with a_pool(tmp_path, clock=Clock()) as (world, node):
        await node.stop()
        await world.until_work_from(None)
        rig = await (await world.connect()).begin(agent="gminer/2.9")
        await rig.sync()
        assert rig.messages == [WAITING]


async def test_pool_without_a_node_from_its_start_refuses_rigs_in_the_end(tmp_path: Path) -> None:
    nowhere = NodeSettings(f"http://127.0.0.1:{free_port()}")
    async with World(tmp_path, nowhere, clock=Clock(), waits_for_work=False) as world:
        assert not await world.is_refused()
        world.later(world.config.no_work_close_s)
        assert await world.is_refused()


async def test_everyone_gets_a_refresh_at_the_interval_even_without_a_node(tmp_path: Path) -> None:
    async with a_pool(tmp_path, clock=Clock()) as (world, node):
        rigs = [await world.rig(), await world.rig("farm.other")]
        await node.stop()
        await world.until_work_from(None)
        before = [rig.job for rig in rigs]
        world.later(REFRESH_INTERVAL - 1)
        assert await _fresh_jobs(rigs) == 0
        world.later(1)
        assert await _fresh_jobs(rigs) == len(rigs)
        for rig, old in zip(rigs, before, strict=True):
            assert rig.job[0] != old[0] and rig.job[1] == old[1] and not rig.job[8]
            assert int(rig.job[7], 16) >= int(old[7], 16) + REFRESH_INTERVAL
        world.later(REFRESH_INTERVAL)
        assert await _fresh_jobs(rigs) == len(rigs)


async def test_ordinary_templates_are_paced(tmp_path: Path) -> None:
    async with a_pool(tmp_path, clock=Clock()) as (world, _):
        rigs = [await world.rig(), await world.rig("farm.other")]
        _pass(world, ORDINARY_PACE - 1)
        world.service._on_template(_newer(world.template))
        assert await _fresh_jobs(rigs) == 0
        _pass(world, 1)
        world.service._on_template(_newer(world.template))
        assert await _fresh_jobs(rigs) == len(rigs)
        world.service._on_template(_newer(world.template))
        assert await _fresh_jobs(rigs) == 0


async def test_template_held_back_goes_out_with_the_refresh_and_counts_for_the_pace(
    tmp_path: Path,
) -> None:
    async with a_pool(tmp_path, clock=Clock()) as (world, _):
        rig = await world.rig()
        _pass(world, ORDINARY_PACE - 1)
        poorer = _newer(world.template, coinbasevalue=world.template.coinbasevalue - 1)
        world.service._on_template(poorer)
        world.later(REFRESH_INTERVAL - ORDINARY_PACE + 1)
        before = rig.job
        assert await _fresh_jobs([rig]) == 1
        assert rig.job[3] != before[3], "the coinbase pays what the held template says"

        world.service._on_template(_newer(world.template))
        assert await _fresh_jobs([rig]) == 0, "rigs got a new template a moment ago"


async def test_full_template_after_an_empty_job_does_not_wait(tmp_path: Path) -> None:
    async with a_pool(tmp_path, clock=Clock()) as (world, node):
        node.mempool.add(3)
        world.service._on_template(_full_template(world, node))
        rig = await world.rig()
        full = world.template
        assert full.transactions

        world.service._on_tip(_tip_after(full))
        assert await _fresh_jobs([rig]) == 1
        assert rig.job[8] is True and rig.job[4] == []
        following = _newer(full, height=full.height + 1, prevhash=_NEXT)
        world.service._on_template(following)
        assert await _fresh_jobs([rig]) == 1
        assert rig.job[8] is False and rig.job[4] != []


async def test_template_on_a_new_tip_does_not_wait(tmp_path: Path) -> None:
    async with a_pool(tmp_path, clock=Clock()) as (world, _):
        rig = await world.rig()
        template = world.template
        for number in (1, 2, 3):
            world.service._on_template(_newer(template, prevhash=bytes([number]) * 32))
            assert await _fresh_jobs([rig]) == 1
            assert rig.job[8] is True


async def test_broadcast_time_is_observed_once_per_new_tip(tmp_path: Path) -> None:
    name = "baseload_job_broadcast_seconds_count"
    async with a_pool(tmp_path, clock=Clock()) as (world, node):
        await world.rig()
        seen = world.sample(name)
        node.mempool.add(3)
        world.later(REFRESH_INTERVAL)
        assert world.sample(name) == seen

        # The empty job has brought the tip; the full one that follows brings nothing new.
        full = _full_template(world, node)
        world.service._on_template(full)
        assert world.sample(name) == seen
        world.service._on_tip(_tip_after(full))
        assert world.sample(name) == seen + 1
        world.service._on_template(_newer(full, height=full.height + 1, prevhash=_NEXT))
        assert world.sample(name) == seen + 1
        world.service._on_template(_newer(full, prevhash=b"\x08" * 32))
        assert world.sample(name) == seen + 2


async def test_a_new_block_reaches_rigs_through_the_real_node(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, node):
        rig = await world.rig()
        (mined,) = await node.mine()
        while swap_words(bytes.fromhex(rig.job[1])) != mined:
            await rig.next_job()
        assert rig.job[8] is True
        assert (await rig.submit(rig.share()))["result"] is True


_NEXT = b"\x07" * 32


def _tip_after(template: Template) -> Tip:
    return Tip(_NEXT, template.height, template.prevhash, template.mintime, template.curtime)


def _full_template(world: World, node: OddNode) -> Template:
    """What the node says now, with its transactions."""
    reply = node._rpc.getblocktemplate({"rules": ["segwit"]})
    template = parse_template(reply, REGTEST)
    assert template.prevhash == world.template.prevhash
    return template


def _pass(world: World, seconds: float) -> None:
    """Time passes between two ticks: nothing looks at the clock."""
    assert isinstance(world.clock, Clock)
    world.clock.now += seconds


async def _fresh_jobs(rigs: list[HandRig]) -> int:
    """How many of the rigs got one job since the last look, and none more."""
    counts = [len(rig.jobs) for rig in rigs]
    for rig in rigs:
        await rig.sync()
    return sum(len(rig.jobs) - count for rig, count in zip(rigs, counts, strict=True))


def _newer(template: Template, **changes: object) -> Template:
    return replace(template, curtime=template.curtime + 1, **changes)  # type: ignore[arg-type]
