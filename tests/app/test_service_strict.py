"""`log.durability = "strict"`: no share is answered true before the disk has it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from stratum.ledger.segment import Segment
from tests.app.world import a_pool


class Gatepost:
    """Every sync of a segment waits here until it is let through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._open = threading.Event()
        self._open.set()
        self._arrived = threading.Event()
        flush = Segment.flush

        def held(segment: Segment) -> None:
            self._arrived.set()
            self._open.wait(10)
            flush(segment)

        monkeypatch.setattr(Segment, "flush", held)

    def close(self) -> None:
        self._arrived.clear()
        self._open.clear()

    async def arrived(self) -> None:
        """Until a sync waits here."""
        assert await asyncio.to_thread(self._arrived.wait, 10)

    def open(self) -> None:
        self._open.set()


async def test_answer_waits_for_the_disk_and_nothing_overtakes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gatepost = Gatepost(monkeypatch)
    async with a_pool(tmp_path, durability="strict") as (world, _):
        rig = await world.rig()
        assert (await rig.submit(rig.share(0)))["result"] is True

        gatepost.close()
        before = world.service._log.next_index
        answer = asyncio.create_task(rig.submit(rig.share(1)))
        await gatepost.arrived()
        for _ in range(50):  # turns of the loop, in which an early answer would be heard
            await asyncio.sleep(0)
        assert world.service._log.next_index > before
        assert not answer.done() and world.service._log.synced_count <= before

        gatepost.open()
        assert (await answer)["result"] is True
        assert world.service._log.synced_count > before


async def test_pool_works_under_strict_as_it_does_without(tmp_path: Path) -> None:
    async with a_pool(tmp_path, durability="strict") as (world, _):
        rig = await world.rig()
        for nth in range(20):
            assert (await rig.submit(rig.share(nth)))["result"] is True
        assert (await rig.submit(rig.share(3)))["error"][0] == 22
