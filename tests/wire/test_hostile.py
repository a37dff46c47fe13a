"""Every case of `wire_hostile.json`, and what it must do beyond its one word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.mining.ear import Line
from tests.wire.hostile import CASES, Stage, expected, payload, reactions, stage

#: Need a socket or a clock: below, and in tests/net/test_downstream.py.
SOCKET = {"H013", "H014"}
TIMED = {"H001", "H002"}
MANY = {"H010", "H074", "H146", "H199"}

_BY_N = {case["n"]: case for case in CASES}
_PLAIN = [case for case in CASES if case["n"] not in SOCKET | TIMED | MANY]


def _play(number: str) -> tuple[Stage, list[Line], list[str]]:
    case = _BY_N[number]
    on = stage(case["state"])
    before = len(on.rig.ear.lines)
    on.rig.send(payload(case, on))
    heard = on.rig.ear.lines[before:]
    return on, heard, reactions(on.rig, heard)


@pytest.mark.parametrize("case", _PLAIN, ids=lambda case: f"{case['n']}-{case['cls']}")
def test_case_gets_its_reaction(case: dict[str, str]) -> None:
    on, heard, reaction = _play(case["n"])
    assert len(reaction) == 1, reaction
    assert reaction[0] in expected(case), (case["send"], case["expect"])
    check = CHECKS.get(case["n"])
    if check is not None:
        check(on, heard)
    if on.rig.closing is None:
        assert on.rig.ask("mining.extranonce.subscribe", [])["result"] is True


def test_every_case_of_the_reference_is_played() -> None:
    assert len(CASES) == len(_BY_N) == len(_PLAIN) + len(SOCKET | TIMED | MANY)


# -- more than one word --------------------------------------------------------------------


def _result(value: object) -> Callable[[Stage, list[Line]], None]:
    def check(on: Stage, heard: list[Line]) -> None:
        assert heard[0]["result"] == value and type(heard[0]["result"]) is type(value)

    return check


def _echo(value: object) -> Callable[[Stage, list[Line]], None]:
    def check(on: Stage, heard: list[Line]) -> None:
        assert heard[0]["id"] == value and type(heard[0]["id"]) is type(value)

    return check


def _same_extranonce1(on: Stage, heard: list[Line]) -> None:
    assert heard[0]["result"][1] == on.rig.extranonce1.hex()


def _fresh_extranonce1(on: Stage, heard: list[Line]) -> None:
    others = {rig.extranonce1.hex() for rig in on.world.rigs if rig is not on.rig}
    assert heard[0]["result"][1] not in others


def _user_agent(text: str) -> Callable[[Stage, list[Line]], None]:
    def check(on: Stage, heard: list[Line]) -> None:
        assert on.rig.session.user_agent == text

    return check


def _difficulty(weight: int) -> Callable[[Stage, list[Line]], None]:
    """The weight that the next job carries."""

    def check(on: Stage, heard: list[Line]) -> None:
        if not on.rig.worker_name:
            on.rig.worker_name = "someone"
        on.world.tick()
        assert on.rig.session.difficulty.weight == weight

    return check


def _is_malformed(on: Stage, heard: list[Line]) -> None:
    assert on.rig.session.conduct._score > 0


def _subscribed(on: Stage, heard: list[Line]) -> None:
    assert on.rig.session.rig.extranonce1 is not None


_FULL_MASK = {"version-rolling": True, "version-rolling.mask": "1fffe000"}
_DENIED = {"version-rolling": False}

CHECKS: dict[str, Callable[[Stage, list[Line]], None]] = {
    "H043": _is_malformed,
    "H059": _subscribed,
    "H061": _echo(0),
    "H062": _echo(-1),
    "H064": _echo("xnsub"),
    "H065": _echo(1.5),
    "H067": _echo(True),
    "H068": _echo(18446744073709551616),
    "H070": _echo({"a": 1}),
    "H071": _echo([1]),
    "H073": _echo("\u2028<>"),
    "H077": _result(True),
    "H079": _same_extranonce1,
    "H080": _same_extranonce1,
    "H082": _result(True),
    "H085": _fresh_extranonce1,
    "H086": _fresh_extranonce1,
    "H088": _user_agent("bosminer"),
    "H089": _user_agent(""),
    "H091": _user_agent(""),
    "H092": _user_agent(""),
    "H094": _result({}),
    "H095": _result({}),
    "H097": _result(_FULL_MASK),
    "H098": _result(_FULL_MASK),
    "H100": _result(_DENIED),
    "H101": _result(_DENIED),
    "H103": _result(_FULL_MASK),
    "H104": _result(_FULL_MASK),
    "H106": _result({"minimum-difficulty": False}),
    "H110": _result({}),
    "H112": _difficulty(512 << 32),
    "H113": _difficulty(2**18),  # 0.0001 is not a power of two: the one below
    "H115": _difficulty(16),
    "H119": _difficulty(2**63),
    "H124": _difficulty(1),
    "H125": _result(True),
    "H140": _difficulty(500 << 32),
    "H142": _difficulty(16),
    "H145": _result(True),
    "H202": _result(True),
    "H203": _result(True),
}


def test_pipelined_requests_are_answered_in_order() -> None:
    _, heard, reaction = _play("H010")
    assert reaction == ["OK", "OK"]
    assert [line["id"] for line in heard if "result" in line] == [1, 2]


def test_hundred_submits_with_one_id_get_a_hundred_answers_with_that_id() -> None:
    _, heard, reaction = _play("H074")
    assert reaction == ["OK"] + 99 * ["ERR 22"]
    assert {line["id"] for line in heard} == {4}


def test_same_share_again_is_a_duplicate() -> None:
    assert _play("H146")[2] == ["OK", "ERR 22"]


def test_flood_of_junk_is_refused_share_by_share_and_then_a_strike() -> None:
    _, _, reaction = _play("H199")
    assert set(reaction[:-1]) == {"ERR 23"} and reaction[-1] == "STRIKE"
    assert len(reaction) < 1000


def test_silent_connection_is_closed_without_a_strike() -> None:
    on = stage("S0")
    on.world.tick(31)
    assert on.rig.closing is not None and reactions(on.rig, []) == ["CLOSE"]


def test_line_that_never_ends_is_a_strike_however_it_trickles() -> None:
    on = stage("S0")
    for byte in b'{"id":1':
        on.rig.send(bytes([byte]))
        on.world.tick(5)
    assert on.rig.closing is not None and reactions(on.rig, []) == ["STRIKE"]


def test_tool_that_knows_no_method_of_ours_is_closed_after_30_s() -> None:
    on, _, _ = _play("H208")
    on.world.tick(31)
    assert on.rig.closing is not None


@pytest.mark.parametrize("method", ["mining.passthrough", "mining.node", "mining.remote"])
def test_private_methods_of_ckpool_do_not_exist(method: str) -> None:
    assert stage("S2").rig.ask(method, [])["error"][0] == -3


@pytest.mark.parametrize("field", ["extranonce2", "ntime", "nonce", "version_bits"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: "0x" + text[2:],
        lambda text: "-" + text[1:],
        lambda text: "+" + text[1:],
        lambda text: text[0] + "_" + text[2:],
        lambda text: " " + text[1:],
        lambda text: text[:-1] + " ",
        lambda text: text[:-1] + "\n",
        lambda text: text + "\n",
        lambda text: text[:-1] + "g",
        lambda text: text[:-1] + "\u0661",
        lambda text: text[:-1] + "\uff12",
        lambda text: text[:-1] + "\0",
        lambda text: "",
        lambda text: 7,
        lambda text: [text],
        lambda text: {"hex": text},
        lambda text: True,
    ],
)
def test_no_hex_field_is_taken_in_another_spelling(
    field: str, spoil: Callable[[str], object]
) -> None:
    on = stage("S2")
    assert on.share is not None
    names = ["name", "job_id", "extranonce2", "ntime", "nonce", "version_bits"]
    params: list[object] = list(on.share.params)
    index = names.index(field)
    params[index] = spoil(on.share.params[index])
    assert on.rig.ask("mining.submit", params)["error"][0] == 20
    assert on.rig.verdict(on.share) == 0
