"""The part that serves rigs, as a process: it begins, says where, and ends with a code."""

from __future__ import annotations

import logging

from stratum.app.descriptors import raise_limit
from stratum.app.handover_take import Taken, take
from stratum.app.local_sockets import HANDOVER_SOCKET, Meeting
from stratum.app.parts import Ending, Lifeline
from stratum.app.service import PoolService
from stratum.config import PoolConfig
from stratum.config.values import Endpoint
from stratum.errors import ConfigError

logger = logging.getLogger(__name__)


async def run_serve(config: PoolConfig, lifeline: Lifeline, takeover: bool = False) -> int:
    """Serve until told to stop; 0 then, 1 where the log failed, 3 where another process took
    our rigs, 70 where we broke. `takeover`: with the rigs of the process that serves now.

    Raises what kept it from beginning: ConfigError, OSError, LogDamaged.
    """
    room = raise_limit()
    logger.info("the descriptor limit leaves room for %s rigs", room)
    if not takeover:
        return await _serve(config, lifeline, None)
    with Meeting(config.data_dir, HANDOVER_SOCKET) as meeting:
        taken = await take(meeting.path, room)
    with taken:
        return await _serve(config, lifeline, taken)


async def _serve(config: PoolConfig, lifeline: Lifeline, taken: Taken | None) -> int:
    service = PoolService(config)
    lifeline.watch(service.stop)
    has_begun = False

    def begun() -> None:
        nonlocal has_begun
        has_begun = True
        _announce(config, service)
        lifeline.say_begun()

    try:
        code = await service.run(begun, taken)
    except ConfigError:
        raise
    except Exception:
        if not has_begun:
            raise
        logger.critical("serving broke off", exc_info=True)
        return Ending.BROKEN
    logger.info("stopped")
    return code


def _announce(config: PoolConfig, service: PoolService) -> None:
    for tier, port in zip(config.listen, service.server.ports, strict=True):
        logger.info("rigs: stratum+tcp://%s", Endpoint(tier.host, port))
    page = Endpoint(config.http.host, service.http_port)
    logger.info("page and metrics: http://%s/", page)
