"""One block at several nodes, each of which answers, hangs or is away at its own pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from stratum.node import offers as offers_module
from stratum.node.blocks import Answer, SubmitResult
from stratum.node.offers import Offers
from tests.node.world import running


class World:
    """Nodes by name; each takes its answers from a queue and hangs while that is empty."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.offered = dict.fromkeys(names, 0)
        self.answers: dict[str, asyncio.Queue[Answer]] = {name: asyncio.Queue() for name in names}
        self.waits: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue()  # for any return

    async def offer(self, node: str, block: bytes) -> SubmitResult:
        assert block == b"block"
        self.offered[node] += 1
        return SubmitResult(node, await self.answers[node].get(), "because")

    async def next_return(self, node: str) -> None:
        wait = asyncio.get_running_loop().create_future()
        self.waits.put_nowait(wait)
        await wait

    def says(self, node: str, *answers: Answer) -> None:
        for answer in answers:
            self.answers[node].put_nowait(answer)

    async def comes_back(self) -> None:
        """The only node there is, as soon as somebody waits for it."""
        while (wait := await self.waits.get()).done():
            pass
        wait.set_result(None)


@asynccontextmanager
async def _offers(world: World) -> AsyncIterator[Offers]:
    offers = Offers(world, b"block")
    async with running(offers.run()), asyncio.timeout(20):
        yield offers


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers_module, "PAUSES_S", (0.001,))


async def test_node_that_hangs_delays_no_other() -> None:
    world = World("hangs", "away")
    world.says("away", *[Answer.UNREACHED] * 5, Answer.TAKEN)
    async with _offers(world) as offers:
        said = [(await offers.next()).answer for _ in range(6)]
        assert said == [Answer.UNREACHED] * 5 + [Answer.TAKEN]
        assert world.offered == {"hangs": 1, "away": 6}
        assert not offers.all_heard


async def test_node_that_returns_is_asked_before_its_pause_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(offers_module, "PAUSES_S", (3600.0,))
    world = World("node")
    world.says("node", Answer.UNREACHED)
    async with _offers(world) as offers:
        await offers.next()
        world.says("node", Answer.TAKEN)
        await world.comes_back()
        assert (await offers.next()).answer is Answer.TAKEN


async def test_offer_that_hangs_is_begun_anew_when_its_node_returns() -> None:
    world = World("node")
    async with _offers(world) as offers:
        await world.comes_back()
        await world.comes_back()  # somebody waits again: it was begun anew
        world.says("node", Answer.TAKEN)
        assert (await offers.next()).answer is Answer.TAKEN
        assert world.offered["node"] == 2


async def test_refusal_counts_as_everybodys_only_when_all_have_said_it() -> None:
    world = World("first", "second")
    world.says("first", Answer.REFUSED)
    async with _offers(world) as offers:
        await offers.next()
        assert not offers.all_heard and not offers.all_refused
        world.says("second", Answer.UNREACHED, Answer.REFUSED)
        await offers.next()
        assert offers.all_heard and not offers.all_refused
        await offers.next()
        assert offers.all_refused


async def test_node_that_answered_yes_is_left_alone_for_a_while() -> None:
    world = World("yes", "away")
    world.says("yes", Answer.TAKEN)
    world.says("away", *[Answer.UNREACHED] * 10)
    async with _offers(world) as offers:
        for _ in range(11):
            await offers.next()
    assert world.offered["yes"] == 1


async def test_end_hears_out_who_is_being_asked_and_asks_nobody_again() -> None:
    world = World("slow", "away")
    world.says("away", Answer.UNREACHED)
    offers = Offers(world, b"block")
    work = asyncio.ensure_future(offers.run())
    await offers.next()
    offers.end()
    world.says("slow", Answer.TAKEN)
    await asyncio.wait_for(work, 20)
    assert (await offers.next()).answer is Answer.TAKEN
    assert world.offered == {"slow": 1, "away": 1}


async def test_bug_while_offering_is_logged_and_offered_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(World):
        async def offer(self, node: str, block: bytes) -> SubmitResult:
            if not self.offered[node]:
                self.offered[node] += 1
                raise ZeroDivisionError("ours")
            return await super().offer(node, block)

    world = Broken("node")
    world.says("node", Answer.TAKEN)
    async with _offers(world) as offers:
        assert (await offers.next()).answer is Answer.UNREACHED
        assert (await offers.next()).answer is Answer.TAKEN
    assert "offering a block to node node failed" in caplog.text
