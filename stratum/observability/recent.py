"""The last events in words, for somebody who looks at the page after something happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import time

from stratum.events import (
    ActiveNodeChanged,
    BlockFate,
    BlockFateChanged,
    BlockFound,
    Event,
    NodeStateChanged,
    RigConnected,
    RigDisconnected,
    TipChanged,
)
from stratum.observability.status import EventRow

#: What fits a screen below the tables.
_KEPT = 50


class RecentEvents:
    """Hand it every event; rows() gives the newest first."""

    def __init__(self, now: Callable[[], float] = time, kept: int = _KEPT) -> None:
        self._now = now
        self._rows: deque[EventRow] = deque(maxlen=kept)

    def on_event(self, event: Event) -> None:
        self._rows.appendleft(EventRow(self._now(), describe(event)))

    def rows(self) -> tuple[EventRow, ...]:
        return tuple(self._rows)


def describe(event: Event) -> str:
    """One sentence without a full stop. Names in it come from peers: escape it where it is shown.

    A rig's network address stays out, as it does in logs.
    """
    match event:
        case BlockFound(block_hash, height, worker_name, _):
            return f"{worker_name} found block {height}, {display_hex(block_hash)}"
        case BlockFateChanged(_, height, BlockFate.ACCEPTED, _):
            return f"block {height} accepted"
        case BlockFateChanged(_, height, fate, reason):
            return f"block {height} {fate}" + (f": {reason}" if reason else "")
        case RigConnected(_, worker_name, user_agent):
            return f"{worker_name} connected" + (f" ({user_agent})" if user_agent else "")
        case RigDisconnected(_, worker_name, reason):
            return f"{worker_name} left" + (f": {reason}" if reason else "")
        case TipChanged(block_hash, node):
            return f"{node} has a new tip, {display_hex(block_hash)}"
        case NodeStateChanged(node, None):
            return f"{node} is up"
        case NodeStateChanged(node, fault):
            return f"{node} is down: {fault}"
        case ActiveNodeChanged(None):
            return "no node gives work"
        case ActiveNodeChanged(node):
            return f"work comes from {node}"


def display_hex(block_hash: bytes) -> str:
    """A hash from internal order to how people read it."""
    return block_hash[::-1].hex()
