"""The client's conversation, against lines as real servers write them."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    DifficultyChanged,
    ExtranonceChanged,
    MessageShown,
    NotifyReceived,
    ReconnectAsked,
    SubmitAnswered,
    SubmitLost,
    Subscribed,
    UpstreamEvent,
    UpstreamJob,
    VersionMaskChanged,
)
from stratum.protocol.upstream_shares import ANSWER_S
from stratum.units import DIFF1_TARGET, DifficultyScale

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "wire_vectors.json").read_text())
NOTIFY = VECTORS["blocks"][0]["notify"]["params"]
MASK = 0x1FFFE000


class Wire:
    """A pool's hand on the other end: says lines, and hears what the client sent."""

    def __init__(self, **changes: Any) -> None:
        self.client = Upstream(UpstreamSettings("user.w1", **changes))
        self.now = 1000.0
        self.client.connected(self.now)

    def heard(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.client.outgoing().splitlines()]

    def raw(self, line: str) -> list[UpstreamEvent]:
        return self.client.receive(line.encode() + b"\n", self.now)

    def say(self, method: str, *params: Any) -> list[UpstreamEvent]:
        return self.raw(json.dumps({"id": None, "method": method, "params": params}))

    def answer(self, request: dict[str, Any], result: Any, **more: Any) -> list[UpstreamEvent]:
        return self.raw(json.dumps({"id": request["id"], "result": result, "error": None} | more))

    def answer_configure(self, mask: str = "1fffe000") -> None:
        result = {"version-rolling": True, "version-rolling.mask": mask}
        self.answer(self.heard()[0], result)

    def answer_subscribe(self, extranonce1: str = "29387c9b", size: int = 8) -> list[UpstreamEvent]:
        subscriptions = [["mining.set_difficulty", "5e55"], ["mining.notify", "5e55"]]
        return self.answer(self.heard()[0], [subscriptions, extranonce1, size])

    def answer_authorize(self, result: Any = True, **more: Any) -> list[UpstreamEvent]:
        asked = [line for line in self.heard() if line["method"] == "mining.authorize"]
        return self.answer(asked[0], result, **more)

    def shake_hands(self, extranonce1: str = "29387c9b") -> list[UpstreamEvent]:
        if self.client.phase is Phase.CONFIGURE:
            self.answer_configure()
        return [*self.answer_subscribe(extranonce1), *self.answer_authorize()]

    def job(self) -> UpstreamJob:
        return only_job(self.say("mining.notify", *NOTIFY))

    def submit(self, job: UpstreamJob, nonce: int = 7) -> int:
        return self.client.submit(job, bytes(8), job.ntime, nonce, 0, self.now)


def only_job(events: list[UpstreamEvent]) -> UpstreamJob:
    [job] = [event.job for event in events if isinstance(event, NotifyReceived)]
    return job


def ready(**changes: Any) -> Wire:
    wire = Wire(**changes)
    wire.shake_hands()
    return wire


# ---- the handshake ----


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


# ---- jobs ----


def test_job_has_every_field_of_the_notify_in_internal_order() -> None:
    wire = ready()
    wire.say("mining.set_difficulty", 16384)
    job = wire.job()
    header = bytes.fromhex(VECTORS["blocks"][0]["header"])
    assert job.prevhash == header[4:36]
    assert (job.version, job.nbits, job.ntime) == (0x20000004, 0x1702068F, 0x6A1A5C2F)
    assert (len(job.coinb1), len(job.coinb2), len(job.branch)) == (73, 87, 9)
    assert job.clean_jobs
    assert (job.extranonce1.hex(), job.extranonce2_size) == ("29387c9b", 8)
    assert (job.difficulty, job.target) == (Fraction(16384), DIFF1_TARGET // 16384)
    assert job.version_mask == MASK


def test_jobs_before_the_authorize_answer_wait_for_it() -> None:
    wire = Wire()
    wire.answer_configure()
    wire.answer_subscribe()
    assert wire.say("mining.set_difficulty", 4) == [
        DifficultyChanged(Fraction(4), DIFF1_TARGET // 4)
    ]
    assert wire.say("mining.notify", *NOTIFY) == []
    first, second = wire.answer_authorize()
    assert first == Authorized("user.w1")
    assert only_job([second]).difficulty == 4


def test_only_jobs_since_the_last_clean_one_are_kept() -> None:
    wire = Wire()
    wire.answer_configure()
    wire.answer_subscribe()
    for job_id, clean in (("a", True), ("b", False), ("c", True), ("d", False)):
        wire.say("mining.notify", job_id, *NOTIFY[1:8], clean)
    events = wire.answer_authorize()
    jobs = [event.job.job_id for event in events if isinstance(event, NotifyReceived)]
    assert jobs == ["c", "d"]


def test_notify_before_the_subscribe_answer_gets_its_extranonce() -> None:
    wire = Wire(version_mask=0)
    assert wire.say("mining.notify", *NOTIFY) == []
    assert only_job(wire.shake_hands()).extranonce1.hex() == "29387c9b"


def test_difficulty_counts_from_the_next_notify() -> None:
    wire = ready()
    wire.say("mining.set_difficulty", 8)
    before = wire.job()
    assert wire.say("mining.set_difficulty", 16)[0] == DifficultyChanged(
        Fraction(16), DIFF1_TARGET // 16
    )
    assert before.difficulty == 8
    assert wire.job().difficulty == 16


def test_first_difficulty_after_the_first_notify_is_meant_for_it_too() -> None:
    wire = ready()
    assert wire.job().difficulty == 1
    assert only_job(wire.say("mining.set_difficulty", 512)).difficulty == 512
    assert len(wire.say("mining.set_difficulty", 1024)) == 1


def test_first_difficulty_replaces_that_of_a_waiting_job() -> None:
    wire = Wire()
    wire.answer_configure()
    wire.answer_subscribe()
    wire.say("mining.notify", *NOTIFY)
    wire.say("mining.set_difficulty", 512)
    assert only_job(wire.answer_authorize()).difficulty == 512


def test_difficulty_of_an_earlier_connection_is_forgotten() -> None:
    wire = ready()
    wire.say("mining.set_difficulty", 8)
    wire.client.connected(wire.now)
    wire.shake_hands()
    assert wire.job().difficulty == 1


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("0.001", Fraction(1, 1000)),
        ("1638.4", Fraction(16384, 10)),
        ("16384.0", Fraction(16384)),
        ("1e-3", Fraction(1, 1000)),
        ("1E6", Fraction(10**6)),
        ('"512.5"', Fraction(1025, 2)),
        ("0.00000000023283064365386962890625", Fraction(1, 2**32)),
        ("1099511627776", Fraction(2**40)),
    ],
)
def test_difficulty_is_the_exact_decimal_on_the_wire(text: str, exact: Fraction) -> None:
    wire = ready()
    [event] = wire.raw(f'{{"id":null,"method":"mining.set_difficulty","params":[{text}]}}')
    assert event == DifficultyChanged(
        exact, min(DIFF1_TARGET * exact.denominator // exact.numerator, 2**256 - 1)
    )


@given(weight=st.integers(1, 2**63), shift=st.sampled_from([0, 32]))
def test_every_weight_our_own_pool_prints_is_read_as_its_own_target(
    weight: int, shift: int
) -> None:
    scale = DifficultyScale(shift)
    wire = ready()
    line = f'{{"id":null,"method":"mining.set_difficulty","params":[{scale.wire(weight)}]}}'
    [event] = wire.raw(line)
    assert isinstance(event, DifficultyChanged)
    assert event.target == scale.target(weight)


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-1",
        "0.0",
        "true",
        "null",
        "[]",
        '"x"',
        '"nan"',
        "1e-400",
        "1e300",
        "1e-310",
        "1e-999999999",
        "9e999",
    ],
)
def test_impossible_difficulty_ends_the_connection(text: str) -> None:
    wire = ready()
    with pytest.raises(UpstreamError):
        wire.raw(f'{{"id":null,"method":"mining.set_difficulty","params":[{text}]}}')


def test_numbers_without_leading_zeros_are_taken() -> None:
    wire = ready()
    job = only_job(wire.say("mining.notify", *NOTIFY[:5], "4", "207fffff", "1", False))
    assert (job.version, job.ntime) == (4, 1)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, ""),
        (0, 7),
        (1, "00"),
        (1, "g" * 64),
        (2, "abc"),
        (3, None),
        (4, "00"),
        (4, ["00"]),
        (4, ["00" * 32] * 25),
        (5, "123456789"),
        (6, 5),
        (7, ""),
    ],
)
def test_unusable_notify_ends_the_connection(place: int, value: Any) -> None:
    wire = ready()
    params = [*NOTIFY]
    params[place] = value
    with pytest.raises(UpstreamError):
        wire.say("mining.notify", *params)


def test_extranonce_counts_from_the_next_notify() -> None:
    wire = ready()
    before = wire.job()
    assert wire.say("mining.set_extranonce", "08000002", 4) == [
        ExtranonceChanged(bytes.fromhex("08000002"), 4)
    ]
    after = wire.job()
    assert (before.extranonce1.hex(), before.extranonce2_size) == ("29387c9b", 8)
    assert (after.extranonce1.hex(), after.extranonce2_size) == ("08000002", 4)


@pytest.mark.parametrize("method", ["mining.set_version_mask", "mining.set_version"])
def test_version_mask_counts_at_once(method: str) -> None:
    wire = ready()
    wire.job()
    changed, again = wire.say(method, "00ffe000")
    assert changed == VersionMaskChanged(0x00FFE000)
    assert only_job([again]).version_mask == 0x00FFE000
    assert wire.say(method, "00ffe000") == []


def test_version_mask_without_an_agreement_is_ignored() -> None:
    wire = ready(version_mask=0)
    assert wire.say("mining.set_version_mask", "1fffe000") == []


# ---- shares ----


def test_share_with_version_rolling_has_six_parameters() -> None:
    wire = ready()
    job = wire.job()
    nonce, bits = 0x964F011A, 0x053AC000
    wire.client.submit(job, bytes.fromhex("e15e106af10b0000"), job.ntime, nonce, bits, wire.now)
    [submit] = wire.heard()
    assert submit["method"] == "mining.submit"
    assert submit["params"] == VECTORS["blocks"][0]["submit"]["params"]


def test_share_without_version_rolling_has_five_parameters() -> None:
    wire = ready(version_mask=0)
    wire.submit(wire.job())
    expected = ["user.w1", "1", "0000000000000000", "6a1a5c2f", "00000007"]
    assert wire.heard()[-1]["params"] == expected


def test_share_can_go_under_another_name() -> None:
    wire = ready()
    job = wire.job()
    wire.client.submit(job, bytes(8), job.ntime, 1, 0, wire.now, user="user.w2")
    assert wire.heard()[0]["params"][0] == "user.w2"


def test_share_that_is_not_of_its_job_is_a_bug_of_the_caller() -> None:
    wire = ready()
    job = wire.job()
    with pytest.raises(ValueError, match="extranonce2 is 4 bytes"):
        wire.client.submit(job, bytes(4), job.ntime, 1, 0, wire.now)
    with pytest.raises(ValueError, match="leave mask"):
        wire.client.submit(job, bytes(8), job.ntime, 1, 1, wire.now)


def test_answers_are_matched_by_id_in_any_order() -> None:
    wire = ready()
    job = wire.job()
    first, second = wire.submit(job, 1), wire.submit(job, 2)
    [answer] = wire.raw(f'{{"id":{second},"result":true,"error":null}}')
    assert isinstance(answer, SubmitAnswered)
    assert (answer.id, answer.accepted, answer.submit.nonce) == (second, True, 2)
    [answer] = wire.raw(f'{{"id":{first},"result":null,"error":[21,"Job not found",null]}}')
    assert isinstance(answer, SubmitAnswered)
    assert (answer.accepted, answer.code, answer.text) == (False, 21, "Job not found")
    assert wire.client.pending == 0


@pytest.mark.parametrize(
    ("rest", "code", "text"),
    [
        ('"result":false,"error":[23,"Low difficulty share",null]', 23, "Low difficulty share"),
        ('"result":null,"error":[22,"Duplicate share"]', 22, "Duplicate share"),
        ('"result":null,"error":{"code":21,"message":"stale"}', 21, "stale"),
        ('"result":null,"error":"high-hash"', 23, "high-hash"),
        ('"result":false,"error":null,"reject-reason":"Above target"', 23, "Above target"),
        ('"result":false,"error":null,"reject-reason":"Stale"', 21, "Stale"),
        ('"result":false,"error":null', 20, "rejected without a reason"),
        ('"result":null,"error":null', 20, "rejected without a reason"),
        ('"result":1,"error":[]', 20, "rejected without a reason"),
        ('"result":true,"error":[20,"but no",null]', 20, "but no"),
        ('"result":null,"error":["x\\u001b[2J\\n",["y"]]', 20, "rejected without a reason"),
        ('"result":null,"error":[40,"bell\\u0007 rings",null]', 40, "bell  rings"),
    ],
)
def test_rejection_is_read_in_every_shape(rest: str, code: int, text: str) -> None:
    wire = ready()
    share = wire.submit(wire.job())
    [answer] = wire.raw(f'{{"id":{share},{rest}}}')
    assert isinstance(answer, SubmitAnswered)
    assert (answer.accepted, answer.code, answer.text) == (False, code, text)


@pytest.mark.parametrize("stranger", ["true", "1.0", '"7"', "null", "99999", "[7]"])
def test_answer_to_nothing_is_ignored(stranger: str) -> None:
    wire = ready()
    wire.submit(wire.job())
    assert wire.raw(f'{{"id":{stranger},"result":true,"error":null}}') == []
    assert wire.client.pending == 1


def test_unanswered_share_is_given_up_after_two_minutes() -> None:
    wire = ready()
    share = wire.submit(wire.job())
    wire.now += 60
    wire.say("mining.notify", *NOTIFY)
    wire.now += 59.5
    assert wire.client.on_time(wire.now) == []
    assert wire.client.deadline() == 1000 + ANSWER_S
    [lost] = wire.client.on_time(1000 + ANSWER_S)
    assert isinstance(lost, SubmitLost)
    assert (lost.submit.id, lost.reason) == (share, "no answer in 120 s")


def test_number_of_unanswered_shares_is_bounded() -> None:
    wire = ready(max_pending=2)
    job = wire.job()
    wire.submit(job, 1)
    wire.submit(job, 2)
    with pytest.raises(UpstreamError, match="2 shares wait"):
        wire.submit(job, 3)


def test_shares_are_sent_again_where_extranonce1_is_unchanged() -> None:
    wire = ready()
    job = wire.job()
    sent = wire.submit(job, 1)
    wire.client.disconnected()
    kept = wire.submit(job, 2)
    wire.client.connected(wire.now)
    events = wire.shake_hands()
    assert not [event for event in events if isinstance(event, SubmitLost)]
    assert [line["id"] for line in wire.heard()] == [sent, kept]


def test_shares_are_lost_where_extranonce1_is_another() -> None:
    wire = ready()
    wire.submit(wire.job())
    wire.client.connected(wire.now)
    events = wire.shake_hands("deadbeef")
    [lost] = [event for event in events if isinstance(event, SubmitLost)]
    assert lost.reason == "the new session has another extranonce1"
    assert wire.heard() == []


def test_overdue_shares_are_not_sent_again() -> None:
    wire = ready()
    wire.submit(wire.job())
    wire.client.disconnected()
    assert wire.client.deadline() == wire.now + ANSWER_S
    wire.now += ANSWER_S
    wire.client.connected(wire.now)
    events = wire.shake_hands()
    assert [type(event) for event in events] == [Subscribed, Authorized, SubmitLost]


# ---- everything else a server may say ----


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


# ---- properties ----

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
