"""The client against any bytes at all."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stratum.errors import UpstreamError
from stratum.protocol.upstream import (
    Upstream,
    UpstreamSettings,
)
from stratum.protocol.upstream_events import (
    NotifyReceived,
    UpstreamEvent,
)
from tests.protocol.pool_hand import NOTIFY

SCRIPT = (
    b'{"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}\n'
    b'{"id":2,"result":[[["mining.notify","1"]],"29387c9b",8],"error":null}\n'
    b'{"id":3,"result":true,"error":null}\n{"id":4,"result":true,"error":null}\n'
    b'{"id":null,"method":"mining.set_difficulty","params":[0.25]}\r\n'
    + json.dumps({"id": None, "method": "mining.notify", "params": NOTIFY}).encode()
    + b"\n"
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
METHODS = st.sampled_from(
    [
        "mining.notify",
        "mining.set_difficulty",
        "mining.set_extranonce",
        "mining.set_version_mask",
        "client.reconnect",
        "client.show_message",
        "client.get_version",
        "mining.ping",
    ]
)
REQUESTS = st.fixed_dictionaries({"method": METHODS, "params": JSON, "id": JSON})
RESPONSES = st.fixed_dictionaries({"id": st.integers(0, 6), "result": JSON, "error": JSON})


def feed(data: bytes) -> None:
    client = Upstream(UpstreamSettings("u"))
    client.connected(0)
    try:
        client.receive(data, 0)
    except UpstreamError:
        client.disconnected()
    assert client.deadline() >= 0


@given(data=st.binary(max_size=300))
def test_any_bytes_raise_nothing_but_upstream_error(data: bytes) -> None:
    feed(data)
    feed(SCRIPT + data + b"\n")


@given(messages=st.lists(REQUESTS | RESPONSES, max_size=8), ready_first=st.booleans())
def test_any_messages_raise_nothing_but_upstream_error(
    messages: list[Any], ready_first: bool
) -> None:
    text = "".join(json.dumps(message) + "\n" for message in messages)
    feed((SCRIPT if ready_first else b"") + text.encode())


@given(cuts=st.lists(st.integers(0, len(SCRIPT)), max_size=10))
@settings(max_examples=50)
def test_any_segmentation_gives_the_same_events(cuts: list[int]) -> None:
    whole = Upstream(UpstreamSettings("u"))
    pieces = Upstream(UpstreamSettings("u"))
    whole.connected(0)
    pieces.connected(0)
    edges = [0, *sorted(cuts), len(SCRIPT)]
    events: list[UpstreamEvent] = []
    for start, end in zip(edges, edges[1:], strict=False):
        events += pieces.receive(SCRIPT[start:end], 0)
    assert events == whole.receive(SCRIPT, 0)
    assert isinstance(events[-1], NotifyReceived)
    assert pieces.outgoing() == whole.outgoing()
