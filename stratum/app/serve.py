"""The part that serves rigs, as a process: it begins, says where, and ends with a code."""

from __future__ import annotations

import logging

from stratum.app.descriptors import raise_limit
from stratum.app.parts import Ending, Lifeline
from stratum.app.service import PoolService
from stratum.config import PoolConfig
from stratum.config.values import Endpoint
from stratum.errors import ConfigError

logger = logging.getLogger(__name__)


async def run_serve(config: PoolConfig, lifeline: Lifeline) -> int:
    """Serve until told to stop; 0 then, 1 where the log failed, 70 where we did.

    Raises what kept it from beginning: ConfigError, OSError, LogDamaged.
    """
    logger.info("the descriptor limit leaves room for %s rigs", raise_limit())
    service = PoolService(config)
    lifeline.watch(service.stop)
    has_begun = False

    def begun() -> None:
        nonlocal has_begun
        has_begun = True
        _announce(config, service)
        lifeline.say_begun()

    try:
        code = await service.run(begun)
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
