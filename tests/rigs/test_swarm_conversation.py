"""What a swarm's rig says at first, and does about a pool's rare words."""

from __future__ import annotations

import json
from typing import Any

import pytest

import hashing
from stratum.errors import BaseloadError, ProtocolError, UpstreamError
from stratum.protocol.messages import encode_notification, encode_result
from stratum.rigs.swarm.conversation import Conversation
from stratum.rigs.swarm.dialects import DIALECTS

#: Answers to what a dialect may ask.
RESULTS = {
    "mining.configure": {"version-rolling": True, "version-rolling.mask": "1fffe000"},
    "mining.subscribe": [[["mining.notify", "5e55"]], "aabbccdd", 4],
    "mining.authorize": True,
    "mining.extranonce.subscribe": True,
}


def begin(dialect: str = "cgminer") -> tuple[hashing.SwarmCore, Conversation]:
    core = hashing.SwarmCore(1, 1, blind=True)
    core.set_rig(0, DIALECTS[dialect].submit_line("farm.rig1"), first_id=DIALECTS[dialect].first_id)
    core.open(True)
    return core, Conversation(core, 0, DIALECTS[dialect], "farm.rig1")


def say(method: str, *params: Any) -> bytes:
    return encode_notification(method, list(params)).strip()


def asked(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def shake_hands(talk: Conversation) -> list[list[str]]:
    """Answer everything; the methods of each burst of questions."""
    bursts, waiting = [], asked(talk.start())
    while waiting:
        bursts.append([request["method"] for request in waiting])
        answers = [
            encode_result(json.dumps(request["id"]).encode(), RESULTS[request["method"]])
            for request in waiting
        ]
        waiting = asked(b"".join(talk.hear(answer.strip()) for answer in answers))
    return bursts


def share(core: hashing.SwarmCore) -> list[Any]:
    """The parameters of the next share, once the core has a job."""
    words = ["1", "ab" * 32, "00", "00", [], "20000000", "1d00ffff", "60000000", False]
    notify = encode_notification("mining.notify", words)
    core.buffer[: len(notify)] = notify
    assert core.receive(0, len(notify), 10**9) == 0
    params = json.loads(bytes(core.out[: core.submit(0, 10**9, 10**9)]))["params"]
    assert isinstance(params, list)
    core.disconnect(0)  # makes room for the next
    core.set_ready(0)
    return params


@pytest.mark.parametrize(
    ("dialect", "bursts"),
    [
        ("cgminer", [["subscribe"], ["authorize"]]),
        ("minerd", [["subscribe"], ["authorize"]]),
        ("bfgminer", [["subscribe"], ["authorize"]]),
        ("esp-miner", [["configure", "subscribe", "authorize", "extranonce.subscribe"]]),
        ("bosminer", [["configure"], ["subscribe"], ["authorize"]]),
    ],
)
def test_each_dialect_asks_in_its_order(dialect: str, bursts: list[list[str]]) -> None:
    core, talk = begin(dialect)
    said = shake_hands(talk)
    assert said == [[f"mining.{method}" for method in burst] for burst in bursts]
    assert talk.is_ready
    assert len(share(core)) == (6 if DIALECTS[dialect].rolls_version else 5)


def test_a_session_is_resumed_with_its_id() -> None:
    _, talk = begin()
    shake_hands(talk)
    assert asked(talk.start())[0]["params"] == ["cgminer/4.11.1", "5e55"]
    assert not talk.is_ready


def test_a_mask_counts_for_rigs_that_roll() -> None:
    core, talk = begin("bosminer")
    shake_hands(talk)
    talk.hear(say("mining.set_version_mask", "00000000"))
    assert share(core)[5] == "00000000"

    core, talk = begin("cgminer")
    shake_hands(talk)
    talk.hear(say("mining.set_version_mask", "1fffe000"))
    core.set_rig(0, DIALECTS["bosminer"].submit_line("x"), first_id=3)  # would show the bits
    core.time(True)
    assert [share(core)[5] for _ in range(2)] == ["00000000"] * 2


def test_an_extranonce_counts_from_the_next_job_on() -> None:
    core, talk = begin()
    shake_hands(talk)
    assert len(share(core)[2]) == 8
    talk.hear(say("mining.set_extranonce", "01", 6))
    assert len(share(core)[2]) == 12


def test_a_pools_questions_are_answered() -> None:
    _, talk = begin()
    shake_hands(talk)
    ask = b'{"id":%d,"method":"%b","params":[]}'
    (version,) = asked(talk.hear(ask % (7, b"client.get_version")))
    (pong,) = asked(talk.hear(ask % (8, b"mining.ping")))
    assert (version["id"], version["result"]) == (7, "cgminer/swarm")
    assert (pong["id"], pong["result"]) == (8, "pong")
    assert talk.hear(say("mining.ping")) == b""
    assert talk.hear(say("client.show_message", "hello")) == b""
    assert talk.hear(b"") == b""
    assert talk.hear(b'{"id":99,"result":true,"error":null}') == b""


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (say("client.reconnect"), UpstreamError),
        (say("mining.notify", "1"), UpstreamError),
        (say("mining.set_difficulty", 0), UpstreamError),
        (say("mining.set_extranonce", "zz", 4), UpstreamError),
        (b"nonsense", ProtocolError),
    ],
)
def test_what_ends_a_connection(line: bytes, error: type[BaseloadError]) -> None:
    _, talk = begin()
    shake_hands(talk)
    with pytest.raises(error):
        talk.hear(line)


@pytest.mark.parametrize("answer", [b'"result":false', b'"result":null,"error":[24,"no",null]'])
def test_a_refused_authorize_ends_it(answer: bytes) -> None:
    _, talk = begin()
    talk.start()
    talk.hear(encode_result(b"0", RESULTS["mining.subscribe"]).strip())
    with pytest.raises(UpstreamError, match="authorize refused"):
        talk.hear(b'{"id":1,%b}' % answer)


def test_the_first_difficulty_counts_for_a_job_that_came_before_it() -> None:
    core = hashing.SwarmCore(1, 4)
    core.set_rig(0, DIALECTS["cgminer"].submit_line("x"), first_id=2)
    core.open(True)
    talk = Conversation(core, 0, DIALECTS["cgminer"], "x")
    shake_hands(talk)
    words = ["1", "ab" * 32, "00", "00", [], "20000000", "1d00ffff", "60000000", True]
    notify = encode_notification("mining.notify", words)
    core.buffer[: len(notify)] = notify
    core.receive(0, len(notify), 10**9)
    talk.hear(b'{"id":null,"method":"mining.set_difficulty","params":[0.0000000005]}')
    assert core.submit(0, 10**9, 10**9) > 0
