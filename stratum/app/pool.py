"""`baseload pool CONFIG`: serve until a signal says stop."""

from __future__ import annotations

import asyncio
import logging
import signal

from stratum.app.loop import run
from stratum.app.service import PoolService
from stratum.config import PoolConfig
from stratum.config.values import Endpoint

logger = logging.getLogger(__name__)


def serve(config: PoolConfig) -> int:
    """Returns the exit code: 0 after a signal, 1 where the log failed. Raises ConfigError."""
    return run(_serve(config))


async def _serve(config: PoolConfig) -> int:
    service = PoolService(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, service.stop)
    code = await service.run(lambda: _announce(config, service))
    logger.info("stopped")
    return code


def _announce(config: PoolConfig, service: PoolService) -> None:
    for tier, port in zip(config.listen, service.server.ports, strict=True):
        logger.info("rigs: stratum+tcp://%s", Endpoint(tier.host, port))
    page = Endpoint(config.http.host, service.http_port)
    logger.info("page and metrics: http://%s/", page)
