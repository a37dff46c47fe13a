"""How a pool begins and ends: its data_dir, its parts, the blocks under way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stratum.app import service as service_module
from stratum.app.service import PoolService
from stratum.errors import ConfigError
from stratum.events import BlockFate
from stratum.ledger.records import encode_body, sha256
from stratum.mining.kept import work_to_body
from stratum.net import downstream
from tests.app.world import Clock, World, a_node, a_pool
from tests.node.world import OddNode

# -- the end -------------------------------------------------------------------------------


class SlowSubmit:
    """Makes a node answer submitblock only when told to."""

    def __init__(self, node: OddNode) -> None:
        self._node = node
        self.asked = asyncio.Event()
        self.release = asyncio.Event()
        node.odd["submitblock"] = self._answer

    async def _answer(self, params: list[Any]) -> Any:
        self.asked.set()
        await self.release.wait()
        return await self._node.usual("submitblock", params)


async def test_stop_waits_for_a_block_that_is_being_submitted(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, node):
        slow = SlowSubmit(node)
        rig = await world.rig()
        solution = rig.solve()
        assert (await rig.submit(solution))["result"] is True
        await slow.asked.wait()

        world.service.stop()
        await rig.ended()
        assert not world.running.done()
        slow.release.set()
        assert await world.stop() == 0
        assert node.chain.tip.block_hash == solution.block_hash
        assert world.listener.fates() == [BlockFate.ACCEPTED]
        assert world.spooled() == ["accepted"]


async def test_blocks_that_no_node_answers_for_are_left_in_the_spool_and_land_at_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "DRAIN_LIMIT", 0.05)
    async with a_node() as node:
        async with World(tmp_path, node.settings) as world:
            SlowSubmit(node)
            rig = await world.rig()
            for nth in (0, 1):
                assert (await rig.submit(rig.solve(nth)))["result"] is True
            assert await world.stop() == 0
            assert world.spooled() == ["found", "found"]

        node.odd.clear()
        async with World(tmp_path, node.settings) as world:
            await world.listener.until(lambda: len(world.listener.fates()) == 2)
            assert sorted(world.listener.fates()) == [BlockFate.ACCEPTED, BlockFate.ORPHANED]


async def test_stop_before_there_is_any_work_ends_quietly(tmp_path: Path) -> None:
    async with a_node() as node, World(tmp_path, node.settings, waits_for_work=False) as world:
        assert await world.stop() == 0


async def test_page_answers_while_the_pool_stops(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, node):
        slow = SlowSubmit(node)
        rig = await world.rig()
        await rig.submit(rig.solve())
        await slow.asked.wait()
        world.service.stop()
        await rig.ended()
        assert world.service.view.live().listens == []
        slow.release.set()


async def test_log_that_fails_for_good_ends_the_pool_with_1(tmp_path: Path) -> None:
    async with a_pool(tmp_path) as (world, _):
        world.service._log_failed(OSError(5, "Input/output error"))
        async with asyncio.timeout(20):
            assert await world.running == 1


# -- parts ---------------------------------------------------------------------------------


class Broken(Exception):
    """A bug of ours."""


async def test_part_that_fails_ends_the_service_with_its_own_exception(tmp_path: Path) -> None:
    async def fail() -> None:
        raise Broken("the prover")

    await _expect_broken(tmp_path, fail)


async def test_part_of_a_part_that_fails_ends_the_service_with_its_own_exception(
    tmp_path: Path,
) -> None:
    async def fail() -> None:
        raise Broken("a part of it")

    async def fail_inside() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())

    await _expect_broken(tmp_path, fail_inside)


async def _expect_broken(data_dir: Path, part: Callable[[], Awaitable[None]]) -> None:
    async with a_node() as node:
        world = World(data_dir, node.settings, waits_for_work=False)
        service = PoolService(world.config)
        service._prover.run = part  # type: ignore[assignment, method-assign]
        with pytest.raises(Broken):
            await service.run()
        PoolService(world.config)._log.close()  # the lock was given back


@pytest.mark.parametrize("timer", ["service", "server"])
async def test_exception_in_one_tick_does_not_end_the_service(
    timer: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(service_module, "TICK", 0.01)
    monkeypatch.setattr(downstream, "TICK", 0.01)
    async with a_pool(tmp_path) as (world, _):
        ticks = 0
        went_on = asyncio.Event()

        def tick(*_: object) -> None:
            nonlocal ticks
            ticks += 1
            if ticks == 1:
                raise Broken("once")
            went_on.set()

        owner: object = world.service if timer == "service" else world.service.server
        monkeypatch.setattr(owner, "_tick" if timer == "service" else "tick", tick)
        await asyncio.wait_for(went_on.wait(), 20)
        assert not world.running.done()
    (logged,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert "it goes on" in logged.message


async def test_data_dir_that_cannot_be_used_is_the_operators_error_and_stays_unlocked(
    tmp_path: Path,
) -> None:
    async with a_node() as node:
        world = World(tmp_path, node.settings)
        (tmp_path / "session.key").mkdir()
        with pytest.raises(ConfigError, match=r"session\.key can't be used"):
            PoolService(world.config)
        (tmp_path / "session.key").rmdir()
        PoolService(world.config)._log.close()


async def test_port_that_is_taken_ends_the_start_with_its_name(tmp_path: Path) -> None:
    async with a_pool(tmp_path / "one") as (world, node):
        (port,) = world.service.server.ports
        taken = (replace(world.config.listen[0], port=port),)
        service = PoolService(World(tmp_path / "two", node.settings, listen=taken).config)
        with pytest.raises(ConfigError, match=f"listen: .*127.0.0.1:{port}"):
            await service.run()


# -- the clock -----------------------------------------------------------------------------


async def test_step_of_the_system_clock_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_pool(tmp_path) as (world, _):
        service = world.service
        rig = await world.rig()
        before, true_time, jobs = service._clock(), time.time, len(rig.jobs)
        for nth, step in enumerate((-86_400.0, 86_400.0)):
            monkeypatch.setattr(time, "time", lambda step=step: true_time() + step)
            service._tick(service._clock())
            service.server.tick()
            assert (await rig.submit(rig.share(nth)))["result"] is True
        assert 0 <= service._clock() - before < 60
        assert len(rig.jobs) == jobs
        assert not await world.is_refused()
        assert service.view.live().rigs >= 1


# -- one run after another -----------------------------------------------------------------


async def test_rig_gets_its_extranonce1_back_after_a_restart(tmp_path: Path) -> None:
    async with a_node() as node:
        async with World(tmp_path, node.settings) as world:
            before = await world.rig()
        async with World(tmp_path, node.settings) as world:
            after = await (await world.connect()).ready(before.session_id)
            assert after.extranonce1 == before.extranonce1


async def test_rig_gets_another_extranonce1_when_the_key_is_gone(tmp_path: Path) -> None:
    async with a_node() as node:
        async with World(tmp_path, node.settings) as world:
            before = await world.rig()
        (tmp_path / "session.key").write_bytes(b"")
        async with World(tmp_path, node.settings) as world:
            after = await (await world.connect()).ready(before.session_id)
            assert after.session_id != before.session_id


async def test_block_on_a_job_of_an_earlier_run_is_assembled_and_lands(tmp_path: Path) -> None:
    async with a_node() as node:
        node.mempool.add(5)
        async with World(tmp_path, node.settings) as world:
            before = await world.rig()
            solution = before.solve()
        async with World(tmp_path, node.settings) as world:
            after = await (await world.connect()).ready(before.session_id)
            answer = await after.submit(solution)
            assert answer["error"][0] == 21, "what it was worth went with the process"
            await world.listener.until(world.listener.fates)
            assert world.listener.fates() == [BlockFate.ACCEPTED]
        tip = node.chain.tip
        assert tip.block_hash == solution.block_hash
        assert len(tip.txids) == 6


async def test_templates_that_cannot_be_read_are_skipped_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_node() as node:
        async with World(tmp_path, node.settings) as world:
            before = await world.rig()
            solution = before.solve()
            body = work_to_body(world.service._pool.current.work)  # type: ignore[union-attr]
        # Whole files, as another version might have left them.
        others: list[dict[str, Any]] = [{}, body | {"prevhash": 7, "nbits": "1d00ffff"}]
        others += [body | {"txids": [[]], "transactions": [b""]}, body | {"txids": [b"", b""]}]
        for number, other in enumerate(others, 1):
            content = encode_body(other)
            path = tmp_path / "templates" / f"{number}.template"
            path.write_bytes(sha256(content) + content)

        caplog.clear()
        async with World(tmp_path, node.settings) as world:
            after = await (await world.connect()).ready(before.session_id)
            await after.submit(solution)
            await world.listener.until(world.listener.fates)
            assert world.listener.fates() == [BlockFate.ACCEPTED]
    warnings = [one.message for one in caplog.records if "earlier run can't be read" in one.message]
    assert warnings == [f"{len(others)} jobs of an earlier run can't be read"]


async def test_templates_of_jobs_long_gone_are_deleted(tmp_path: Path) -> None:
    async with a_pool(tmp_path, clock=Clock()) as (world, _):
        await world.rig()
        for number in range(4):
            template = replace(world.template, prevhash=bytes([number + 1]) * 32)
            world.service._on_template(template)
        kept = {int(path.stem) for path in (tmp_path / "templates").iterdir()}
        assert kept == world.service._pool.live_work_ids
        assert len(kept) <= 3
