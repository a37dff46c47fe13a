"""The client's conversation: the handshake, and whatever else a server may say."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from stratum.errors import UpstreamError
from stratum.protocol.upstream import (
    CONFIGURE_S,
    HANDSHAKE_S,
    NO_WORK_S,
    SILENCE_S,
    ConfigureRefused,
    Phase,
    Upstream,
    UpstreamSettings,
)
from stratum.protocol.upstream_events import (
    Authorized,
    AuthorizeRefused,
    MessageShown,
    ReconnectAsked,
    Subscribed,
)
from tests.protocol.pool_hand import MASK, NOTIFY, Wire, only_job, ready


def test_handshake_goes_configure_subscribe_authorize() -> None:
    wire = Wire()
    [configure] = wire.heard()
    assert configure["method"] == "mining.configure"
    assert configure["params"] == [
        ["version-rolling"],
        {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2},
    ]

    wire.answer(configure, {"version-rolling": True, "version-rolling.mask": "1fffe000"})
    [subscribe] = wire.heard()
    assert subscribe["params"] == ["baseload/0.1"]

    events = wire.answer(subscribe, [[["mining.notify", "5e55"]], "29387c9b", 8])
    assert events == [Subscribed(bytes.fromhex("29387c9b"), 8, "5e55", False)]
    extranonce, authorize = wire.heard()
    assert extranonce["method"] == "mining.extranonce.subscribe"
    assert authorize["params"] == ["user.w1", "x"]

    assert wire.answer(authorize, True) == [Authorized("user.w1")]
    assert wire.client.phase is Phase.READY


def test_ids_are_integers_and_never_used_twice() -> None:
    wire = ready()
    wire.client.connected(wire.now)
    wire.heard()
    wire.client.connected(wire.now)
    assert wire.heard()[0]["id"] > 5


def test_no_wish_for_version_rolling_sends_no_configure() -> None:
    wire = Wire(version_mask=0, extranonce_subscribe=False)
    assert [line["method"] for line in wire.heard()] == ["mining.subscribe"]


def test_declined_version_rolling_is_a_mask_of_zero() -> None:
    wire = Wire()
    wire.answer(wire.heard()[0], {"version-rolling": False})
    wire.shake_hands()
    assert wire.job().version_mask == 0


def test_mask_is_the_intersection_with_what_was_wanted() -> None:
    wire = Wire()
    wire.answer_configure("ffffffff")
    wire.shake_hands()
    assert wire.job().version_mask == MASK


def test_granted_rolling_without_a_mask_means_the_wanted_one() -> None:
    wire = Wire()
    wire.answer(wire.heard()[0], {"version-rolling": True})
    wire.shake_hands()
    assert wire.job().version_mask == MASK


@pytest.mark.parametrize(
    "error", [[20, "Unknown method", None], "-3:method not found", {"code": -3, "message": "no"}]
)
def test_refused_configure_is_never_sent_again(error: Any) -> None:
    wire = Wire()
    with pytest.raises(ConfigureRefused):
        wire.answer(wire.heard()[0], None, error=error)
    for _ in range(2):
        wire.client.connected(wire.now)
        assert wire.heard()[0]["method"] == "mining.subscribe"
        wire.client.disconnected()


def test_silence_at_configure_leaves_it_out_of_the_next_connection_only() -> None:
    wire = Wire()
    assert wire.client.deadline() == wire.now + CONFIGURE_S
    with pytest.raises(ConfigureRefused, match="5 s"):
        wire.client.on_time(wire.now + CONFIGURE_S)

    wire.client.connected(wire.now)
    assert wire.heard()[0]["method"] == "mining.subscribe"
    wire.client.connected(wire.now)
    assert wire.heard()[0]["method"] == "mining.configure"


def test_closed_socket_at_configure_counts_as_silence() -> None:
    wire = Wire()
    wire.client.disconnected()
    wire.client.disconnected()
    wire.client.connected(wire.now)
    assert wire.heard()[-1]["method"] == "mining.subscribe"


def test_refused_subscribe_is_tried_once_more_without_parameters() -> None:
    wire = Wire(version_mask=0)
    wire.answer(wire.heard()[0], None, error=[20, "bad agent", None])
    [bare] = wire.heard()
    assert (bare["method"], bare["params"]) == ("mining.subscribe", [])
    with pytest.raises(UpstreamError, match="refuses mining.subscribe: no"):
        wire.answer(bare, None, error=[20, "no", None])

    wire.client.connected(wire.now)
    assert wire.heard()[0]["params"] == []  # on a new socket too
    wire.client.connected(wire.now)
    assert wire.heard()[0]["params"] == ["baseload/0.1"]  # that was no better


def test_session_is_resumed_by_its_id() -> None:
    wire = ready()
    wire.client.connected(wire.now)
    wire.answer_configure()
    [subscribe] = wire.heard()
    assert subscribe["params"] == ["baseload/0.1", "5e55"]
    events = wire.answer(subscribe, [["mining.notify", "5e56"], "29387c9b", 8])
    assert events == [Subscribed(bytes.fromhex("29387c9b"), 8, "5e56", True)]


def test_session_id_is_dropped_when_the_pool_hangs_up_on_it() -> None:
    wire = ready()
    wire.client.connected(wire.now)
    wire.answer_configure()
    wire.client.connected(wire.now)
    wire.answer_configure()
    assert wire.heard()[0]["params"] == ["baseload/0.1"]


@pytest.mark.parametrize("subscriptions", [[], None, 1, [["mining.notify"]], ["mining.notify", 5]])
def test_subscription_without_session_id_is_fine(subscriptions: Any) -> None:
    wire = Wire(version_mask=0)
    [subscribed] = wire.answer(wire.heard()[0], [subscriptions, "AABB", 4])
    assert subscribed == Subscribed(b"\xaa\xbb", 4, None, False)


@pytest.mark.parametrize(
    "result", [True, [], [[], "abc", 4], [[], "aabb", 0], [[], "aabb", "4"], [[], "aabb", 4.0], 3]
)
def test_unusable_subscription_ends_the_connection(result: Any) -> None:
    wire = Wire(version_mask=0)
    with pytest.raises(UpstreamError):
        wire.answer(wire.heard()[0], result)


def test_refused_authorize_is_told_with_its_reason() -> None:
    wire = Wire()
    wire.answer_configure()
    wire.answer_subscribe()
    events = wire.answer_authorize(False, error=[24, "Unauthorized worker", None])
    assert events == [AuthorizeRefused("user.w1", 24, "Unauthorized worker")]


def test_another_worker_can_be_authorized_later() -> None:
    wire = ready()
    wire.client.authorize("user.w2", "x")
    [asked] = wire.heard()
    assert wire.answer(asked, True) == [Authorized("user.w2")]
    wire.client.authorize("user.w3", "x")
    assert wire.answer(wire.heard()[0], None) == [
        AuthorizeRefused("user.w3", 20, "rejected without a reason")
    ]


@pytest.mark.parametrize("step", ["subscribe", "authorize"])
def test_unanswered_handshake_ends_after_a_minute(step: str) -> None:
    wire = Wire()
    wire.answer_configure()
    if step == "authorize":
        wire.answer_subscribe()
    assert wire.client.deadline() == wire.now + HANDSHAKE_S
    with pytest.raises(UpstreamError, match=f"no answer to mining.{step} in 60 s"):
        wire.client.on_time(wire.now + HANDSHAKE_S)


def test_server_requests_are_answered_as_cgminer_does() -> None:
    wire = ready()
    wire.raw('{"id":1073741824,"method":"client.get_version","params":[]}')
    wire.raw('{"params":[],"id":"p1","method":"mining.ping"}')
    assert wire.heard() == [
        {"id": 1073741824, "result": "baseload/0.1", "error": None},
        {"id": "p1", "result": "pong", "error": None},
    ]


def test_request_without_an_id_or_with_a_huge_one_is_not_answered() -> None:
    wire = ready()
    wire.raw('{"id":null,"method":"mining.ping","params":[]}')
    wire.raw(json.dumps({"id": "x" * 500, "method": "mining.ping"}))
    assert wire.heard() == []


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ([], ReconnectAsked(None, None, 0)),
        (["b.pool.example", 3333, 5], ReconnectAsked("b.pool.example", 3333, 5)),
        (["b.pool.example", "3333", "5"], ReconnectAsked("b.pool.example", 3333, 5)),
        (["", 0, -3], ReconnectAsked(None, None, 0)),
        ([None, 70000], ReconnectAsked(None, None, 0)),
        ([5, "x", None], ReconnectAsked(None, None, 0)),
    ],
)
def test_reconnect_is_read_with_any_port(params: list[Any], expected: ReconnectAsked) -> None:
    assert ready().say("client.reconnect", *params) == [expected]


def test_message_is_shown_without_control_characters() -> None:
    assert ready().say("client.show_message", "hello\x1b[2J\nyou") == [
        MessageShown("hello [2J you")
    ]


@pytest.mark.parametrize(
    "line",
    [
        '{"id":null,"method":"mining.set_goal","params":["x"]}',
        '{"id":5000,"method":"mining.hashes_done","params":{}}',
        '{"id":null,"method":["mining.notify"],"params":[]}',
        '{"id":null}',
        "",
        "   ",
        '{"id":null,"method":"mining.notify","params":[[[[[[[[[[]]]]]]]]]]}',
    ],
)
def test_unknown_lines_are_ignored(line: str) -> None:
    wire = ready()
    assert wire.raw(line) == []
    assert wire.heard() == []


@pytest.mark.parametrize(
    "data", [b"not json\n", b"[]\n", b"\xff\n", b"HTTP/1.1 400\r\n", b"\x16\x03\x01", b"x" * 70000]
)
def test_anything_but_stratum_ends_the_connection(data: bytes) -> None:
    wire = Wire()
    with pytest.raises(UpstreamError, match="broke the wire's rules"):
        wire.client.receive(data, wire.now)


def test_notify_of_a_coinbase_with_hundreds_of_outputs_fits() -> None:
    wire = ready()
    params = [*NOTIFY]
    params[3] = "00" * 20000
    assert len(only_job(wire.say("mining.notify", *params)).coinb2) == 20000


def test_silent_pool_is_dead_after_ninety_seconds() -> None:
    wire = ready()
    assert wire.client.deadline() == wire.now + SILENCE_S
    with pytest.raises(UpstreamError, match="silent for 90 s"):
        wire.client.on_time(wire.now + SILENCE_S)


def test_pool_that_only_pings_is_dead_after_three_minutes() -> None:
    wire = ready()
    for _ in range(2):
        wire.now += 80
        wire.raw('{"id":1,"method":"mining.ping","params":[]}')
    assert wire.client.deadline() == 1000 + NO_WORK_S
    with pytest.raises(UpstreamError, match="no work for 180 s"):
        wire.client.on_time(1000 + NO_WORK_S)


def test_conversation_without_a_connection_waits_for_nothing() -> None:
    client = Upstream(UpstreamSettings("u"))
    assert client.deadline() == math.inf
    assert client.on_time(1e9) == []
    assert client.outgoing() == b""
