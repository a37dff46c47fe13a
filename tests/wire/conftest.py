"""A regtest world with one block on its chain."""

from __future__ import annotations

import pytest

from tests.mining.world import World


@pytest.fixture
def world() -> World:
    world = World()
    world.new_block()
    return world
