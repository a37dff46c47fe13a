"""One process at a time: a lock that a second one waits for, because the first is leaving.

At a takeover new books start while the old ones still end; after a `kill -9` of their supervisor
too. Both would write the same database and listen on the same socket.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from stratum.errors import ConfigError, Problem

_AGAIN = 0.1


@asynccontextmanager
async def turn(data_dir: Path, name: str, patience: float) -> AsyncIterator[None]:
    """Hold `data_dir/name.lock`. Raises ConfigError where it is not free within `patience`."""
    path = data_dir / f"{name}.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        fault = f"{path} can't be used: {exc.strerror}"
        raise ConfigError([Problem("data_dir", fault, "it must be ours")]) from exc
    try:
        await _lock(descriptor, path, patience)
        yield
    finally:
        os.close(descriptor)


async def _lock(descriptor: int, path: Path, patience: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if loop.time() >= deadline:
                fault = f"another process has held {path} for {patience:.0f} s"
                raise ConfigError([Problem("data_dir", fault, "end it first")]) from None
        await asyncio.sleep(_AGAIN)
