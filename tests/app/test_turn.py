from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from stratum.app.turn import turn
from stratum.errors import ConfigError


async def test_second_one_waits_until_the_first_has_left(tmp_path: Path) -> None:
    order: list[str] = []

    async def second() -> None:
        async with turn(tmp_path, "books", patience=30):
            order.append("second")

    async with turn(tmp_path, "books", patience=0):
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0)
        order.append("first")
    await waiting
    assert order == ["first", "second"]


async def test_one_that_never_leaves_is_named(tmp_path: Path) -> None:
    async with turn(tmp_path, "books", patience=0):
        with pytest.raises(ConfigError, match=r"books\.lock"):
            async with turn(tmp_path, "books", patience=0):
                pass


async def test_directory_that_is_not_there_is_the_operators_to_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        async with turn(tmp_path / "gone", "books", patience=0):
            pass
