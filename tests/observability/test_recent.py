from __future__ import annotations

import pytest

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
from stratum.observability.recent import RecentEvents, describe

BLOCK_HASH = bytes(range(32))
SHOWN_HASH = bytes(range(31, -1, -1)).hex()


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (BlockFound(BLOCK_HASH, 7, "a.b", 1, b""), f"a.b found block 7, {SHOWN_HASH}"),
        (BlockFateChanged(BLOCK_HASH, 7, BlockFate.ACCEPTED, ""), "block 7 accepted"),
        (
            BlockFateChanged(BLOCK_HASH, 7, BlockFate.REJECTED, "high-hash"),
            "block 7 rejected: high-hash",
        ),
        (RigConnected("10.0.0.7:5", "a.b", "bitaxe"), "a.b connected (bitaxe)"),
        (RigConnected("10.0.0.7:5", "a.b", ""), "a.b connected"),
        (RigDisconnected("10.0.0.7:5", "a.b", "timed out"), "a.b left: timed out"),
        (TipChanged(BLOCK_HASH, "node:1"), f"node:1 has a new tip, {SHOWN_HASH}"),
        (NodeStateChanged("node:1", None), "node:1 is up"),
        (NodeStateChanged("node:1", "refused"), "node:1 is down: refused"),
        (ActiveNodeChanged("node:1"), "work comes from node:1"),
        (ActiveNodeChanged(None), "no node gives work"),
    ],
)
def test_every_event_has_its_sentence_without_the_rigs_address(event: Event, text: str) -> None:
    assert describe(event) == text


def test_newest_events_come_first_and_old_ones_leave() -> None:
    clock = iter(range(100))
    recent = RecentEvents(now=lambda: float(next(clock)), kept=2)
    for node in ("a", "b", "c"):
        recent.on_event(NodeStateChanged(node, None))
    assert [(row.at, row.text) for row in recent.rows()] == [(2.0, "c is up"), (1.0, "b is up")]
