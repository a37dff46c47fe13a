"""The event loop of every command that serves, and what ends it: uvloop where there is one."""

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


def first_cause(group: ExceptionGroup[Exception]) -> Exception:
    """A part may have parts of its own, and then fails with a group in a group."""
    first = group.exceptions[0]
    return first_cause(first) if isinstance(first, ExceptionGroup) else first
