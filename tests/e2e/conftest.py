"""The full nodes to run against: bcoin always, Bitcoin Core where BITCOIND names one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from tests.peers.bcoin import Bcoin
from tests.peers.core import Core
from tests.peers.node import FullNode

_KINDS: list[type[FullNode]] = [Bcoin, Core] if os.environ.get("BITCOIND") else [Bcoin]


@pytest.fixture(params=_KINDS, ids=lambda kind: kind.__name__.lower())
async def node(request: pytest.FixtureRequest) -> AsyncIterator[FullNode]:
    async with request.param() as running:
        yield running
