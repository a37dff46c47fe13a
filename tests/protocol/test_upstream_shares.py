"""The client's shares: submitted, answered, lost, and sent again after a resume."""

from __future__ import annotations

import pytest

from stratum.errors import UpstreamError
from stratum.protocol.upstream_events import (
    Authorized,
    SubmitAnswered,
    SubmitLost,
    Subscribed,
)
from stratum.protocol.upstream_shares import ANSWER_S
from tests.protocol.pool_hand import NOTIFY, VECTORS, ready


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
