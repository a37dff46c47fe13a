"""The books process: keeps the books beside the process that serves rigs, and shows them.

It reads what serve writes and asks it for what only serve knows; serve needs nothing of it. The
page and the API are answered on a Unix socket of our own, to which serve passes its viewers on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from stratum.app.bookkeeper import Bookkeeper
from stratum.app.books_view import BooksView
from stratum.app.committer import INTERVAL
from stratum.app.local_sockets import BOOKS_SOCKET, SERVE_SOCKET, Meeting
from stratum.config import PoolConfig
from stratum.observability.books_http import books_server
from stratum.observability.live_source import LiveSource

logger = logging.getLogger(__name__)


class BooksService:
    """The books of one data_dir; whoever runs it holds the lock (`turn`)."""

    def __init__(
        self,
        config: PoolConfig,
        *,
        clock: Callable[[], float] = time.time,
        interval: float = INTERVAL,
    ) -> None:
        """Raises ConfigError where the log's key can't be used."""
        self._config = config
        self._clock = clock
        self.keeper = Bookkeeper(
            config.data_dir, config.network.scale, clock=clock, interval=interval
        )

    async def run(self, stop: asyncio.Event, begun: Callable[[], None] = lambda: None) -> int:
        """Keep and show them until `stop`; the exit code.

        `begun` is called when viewers can be passed on. Raises ConfigError where the socket
        can't be made.
        """
        data_dir = self._config.data_dir
        with Meeting(data_dir, SERVE_SOCKET) as serve, Meeting(data_dir, BOOKS_SOCKET) as ours:
            view = BooksView(self._config, self.keeper, LiveSource(serve.path), self._clock)
            server = books_server(view)
            await server.start(ours.listen())
            begun()
            try:
                await self.keeper.run(stop)
            finally:
                await server.stop()
        return 0


async def run_books(
    config: PoolConfig, stop: asyncio.Event, begun: Callable[[], None] = lambda: None
) -> int:
    """`baseload pool --part books`: until `stop`; the exit code."""
    return await BooksService(config).run(stop, begun)
