"""What rigs are told while no node gives work, and when they are sent away.

They wait so long and no longer: then each must find its backup pools, and who comes meanwhile is
turned away. The last job goes on until then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from stratum.mining.site import Site
from stratum.net.downstream import Server

logger = logging.getLogger(__name__)

#: What a rig's owner reads while the pool waits, where the firmware shows it.
WAITING = "the pool waits for its node; keep mining"

#: Between the last message and the reset, which would overtake it.
MESSAGE_TIME = 0.5


class Drought:
    """Tell it when work was lost and when it came; ask it once a second. It begins without."""

    def __init__(
        self, server: Server, site: Site, limit: float, clock: Callable[[], float]
    ) -> None:
        self._server = server
        self._site = site
        self._limit = limit
        self._clock = clock
        self._lost: float | None = clock()
        self._has_closed = False
        self.closing: asyncio.TimerHandle | None = None

    def began(self) -> None:
        """No node gives work any more."""
        self._lost = self._clock()
        self._site.notice = WAITING
        self._server.show_message(WAITING)

    def ended(self) -> None:
        """There is work."""
        self._lost = None
        self._site.notice = ""
        if self._has_closed:
            logger.warning("work is back: rigs are welcome again")
            self._has_closed = False
            self._server.refuse_rigs(False)
            self.rest()

    def look(self, now: float) -> None:
        """Send all rigs away where it has been too long."""
        if self._lost is None or now - self._lost < self._limit or self._has_closed:
            return
        logger.error("no work for %.0f s: all rigs are sent to their backup pools", self._limit)
        self._has_closed = True
        self._server.refuse_rigs(True)
        self._server.show_message("the pool has no work; use your backup pool")
        loop = asyncio.get_running_loop()
        self.closing = loop.call_later(MESSAGE_TIME, self._server.close_all, "no work")

    def rest(self) -> None:
        """Send nobody away who has not been yet."""
        if self.closing is not None:
            self.closing.cancel()
