"""The event loop of every command that serves: uvloop where there is one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

try:
    import uvloop
except ImportError:  # no wheel for this platform: asyncio's own loop does the same, slower
    uvloop = None  # type: ignore[assignment]


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run to the end; returns the exit code."""
    return asyncio.run(main) if uvloop is None else uvloop.run(main)
