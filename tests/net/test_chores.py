"""What may wait: in order, a slice at a time."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from stratum.net.chores import SLICE, Chores


async def test_first_slice_is_done_at_once_and_the_loop_has_its_turn_before_the_next() -> None:
    done: list[int] = []
    chores, last = Chores(), asyncio.Event()
    chores.add([partial(done.append, n) for n in range(2 * SLICE + 1)])
    assert done == list(range(SLICE))
    chores.add([last.set])
    assert len(done) == SLICE, "what comes later waits for its turn"
    await asyncio.wait_for(last.wait(), 10)
    assert done == list(range(2 * SLICE + 1))


async def test_chore_that_fails_costs_the_others_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[int] = []
    chores = Chores()

    def fail() -> None:
        raise RuntimeError("a bug of ours")

    chores.add([partial(done.append, 1), fail, partial(done.append, 2)])
    assert done == [1, 2] and "a bug of ours" in caplog.text


async def test_cleared_chores_are_not_done() -> None:
    done: list[int] = []
    chores, last = Chores(), asyncio.Event()
    chores.add([partial(done.append, n) for n in range(SLICE + 1)])
    chores.clear()
    chores.add([last.set])
    await asyncio.wait_for(last.wait(), 10)
    assert len(done) == SLICE
