"""The conversation: what is answered, in which order, and when a rig is ready."""

from __future__ import annotations

from typing import Any

import pytest

from stratum.bitcoin.networks import MAIN
from stratum.events import RigConnected, RigDisconnected
from stratum.mining.settings import PayoutSettings
from tests.mining.ear import Line
from tests.mining.rig import MASK, encode
from tests.mining.world import ALICE, BOB, OPERATOR, World, address

CONFIGURE = {
    "id": 1,
    "method": "mining.configure",
    "params": [["version-rolling"], {"version-rolling.mask": "ffffffff"}],
}
SUBSCRIBE = {"id": 2, "method": "mining.subscribe", "params": ["bitaxe/BM1370/v2.9.0"]}
AUTHORIZE = {"id": 3, "method": "mining.authorize", "params": [ALICE + ".w1", "x"]}


def _said(lines: list[Line]) -> list[Any]:
    """Ids of replies and names of notifications, in order."""
    return [line.get("method", line["id"]) for line in lines]


# -- handshake -----------------------------------------------------------------------------


def test_nothing_is_said_before_the_rig_speaks(world: World) -> None:
    rig = world.connect()
    world.new_template()
    world.tick()
    assert not rig.ear.lines


def test_recommended_order_is_subscribe_authorize_difficulty_job(world: World) -> None:
    rig = world.connect()
    rig.subscribe()
    rig.authorize(ALICE + ".w1")
    assert _said(rig.ear.lines) == [1, 2, "mining.set_difficulty", "mining.notify"]
    assert rig.job.clean_jobs


def test_pipelined_handshake_in_one_segment_is_answered_in_order(world: World) -> None:
    heard = world.connect().say(CONFIGURE, SUBSCRIBE, AUTHORIZE)
    assert _said(heard) == [1, 2, 3, "mining.set_difficulty", "mining.notify"]


def test_any_segmentation_gives_the_same_conversation(world: World) -> None:
    rig = world.connect()
    for request in (CONFIGURE, SUBSCRIBE, AUTHORIZE):
        for byte in encode(request) + b"\n":
            rig.send(bytes([byte]))
    assert _said(rig.ear.lines) == [1, 2, 3, "mining.set_difficulty", "mining.notify"]


def test_authorize_before_subscribe_holds_jobs_back(world: World) -> None:
    rig = world.connect()
    assert _said(rig.say(AUTHORIZE)) == [3]
    world.new_block()
    assert _said(rig.say(SUBSCRIBE)) == [2, "mining.set_difficulty", "mining.notify"]


def test_first_line_after_subscribe_is_its_reply_even_after_notifications_of_the_rig(
    world: World,
) -> None:
    rig = world.connect()
    target = f"{1 << 230:064x}"
    heard = rig.say(
        {"id": None, "method": "mining.suggest_target", "params": [target]},
        {"id": None, "method": "mining.capabilities", "params": [{"notify": []}]},
        SUBSCRIBE,
    )
    assert _said(heard) == [2]


@pytest.mark.parametrize(
    "params",
    [
        [],
        ["x/1"],
        ["x/1", None],
        ["x/1", "1b9000001"],
        ["bosminer", None, "192.168.1.207:34255", None],
        [None],
        [["x"]],
        [{}],
        {},
        None,
        "x",
        7,
    ],
)
def test_subscribe_takes_params_of_any_shape(world: World, params: Any) -> None:
    reply = world.connect().ask("mining.subscribe", params)
    assert reply["error"] is None
    pairs, extranonce1, size = reply["result"]
    assert [name for name, _ in pairs] == ["mining.set_difficulty", "mining.notify"]
    assert len(bytes.fromhex(extranonce1)) == 4 and size == 8


def test_second_subscribe_gets_the_same_answer(world: World) -> None:
    rig = world.connect()
    first = rig.subscribe()
    assert rig.subscribe()["result"] == first["result"]
    rig.authorize(ALICE)
    assert rig.subscribe("other/1", "nonsense")["result"] == first["result"]


def test_rig_without_a_user_agent_is_asked_for_it(world: World) -> None:
    rig = world.connect()
    rig.ask("mining.subscribe", [])
    heard = rig.say(AUTHORIZE)
    assert _said(heard)[:2] == [3, "client.get_version"]
    question = heard[1]
    assert question["id"] >= 2**30  # no share can have it
    assert rig.say({"id": question["id"], "result": "cgminer/4.11.1\n", "error": None}) == []
    assert rig.session.user_agent == "cgminer/4.11.1?"


def test_events_tell_of_a_rig_once_it_is_ready_and_when_it_goes(world: World) -> None:
    stranger, rig = world.connect(), world.connect()
    rig.subscribe("x/1")
    rig.authorize(ALICE + ".w1")
    world.disconnect(rig)
    world.disconnect(stranger)
    peer = rig.session.peer
    assert world.events == [
        RigConnected(peer, ALICE + ".w1", "x/1"),
        RigDisconnected(peer, ALICE + ".w1", "closed by the rig"),
    ]


# -- ids -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "echo"),
    [
        (b"0", b"0"),
        (b"1", b"1"),
        (b"-1", b"-1"),
        (b'"auth"', b'"auth"'),
        (b'"txlist1"', b'"txlist1"'),
        (b"1.5", b"1.5"),
        (b"true", b"true"),
        (b"18446744073709551616", b"18446744073709551616"),
        ('"\u2028<>"'.encode(), b'"\\u2028<>"'),
        (b'{"a":1}', b'{"a":1}'),
        (b"[1]", b"[1]"),
    ],
)
def test_id_comes_back_with_its_json_type(world: World, sent: bytes, echo: bytes) -> None:
    rig = world.connect()
    rig.session.receive(b'{"id":%b,"method":"mining.subscribe"}\n' % sent, world.now)
    assert rig.session.out.take().startswith(b'{"id":%b,"result":[[' % echo)


@pytest.mark.parametrize("request_id", ['"id":null,', ""])
def test_request_without_an_id_is_done_and_never_answered(world: World, request_id: str) -> None:
    rig = world.connect()
    assert rig.say(f'{{{request_id}"method":"mining.subscribe","params":[]}}') == []
    assert rig.session.rig.extranonce1 is not None
    assert rig.say(f'{{{request_id}"method":"mining.nonsense","params":[]}}') == []
    assert rig.say(f'{{{request_id}"method":"mining.submit","params":[]}}') == []


def test_long_id_is_refused_instead_of_echoed(world: World) -> None:
    (reply,) = world.connect().say({"id": "x" * 200, "method": "mining.subscribe"})
    assert reply["id"] is None and reply["error"][0] == 20


# -- other requests ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["mining.extranonce.subscribe", "mining.multi_version", "mining.suggest_difficulty"]
)
def test_what_old_firmware_counts_as_a_share_is_answered_true(world: World, method: str) -> None:
    assert world.ready().ask(method, [1])["result"] is True


@pytest.mark.parametrize(
    "method", ["", "mining.term", "mining.passthrough", "Mining.Submit", "mining.submit\0", "login"]
)
def test_unknown_method_is_told_so_and_costs_nothing(world: World, method: str) -> None:
    rig = world.connect()
    for _ in range(200):
        assert rig.ask(method, [])["error"] == [-3, "Method not found", None]
    assert rig.closing is None


def test_transactions_of_a_job_are_not_for_sale(world: World) -> None:
    rig = world.ready()
    reply = rig.ask("mining.get_transactions", [rig.job.job_id], "txlist1")
    assert reply == {"id": "txlist1", "result": None, "error": [20, "Not supported", None]}


@pytest.mark.parametrize(
    "line",
    [
        {"id": 1, "result": True, "error": None},
        {"id": 42, "result": "pong", "error": None},
        {"id": 42, "method": "pong", "params": []},
        {"id": 42, "method": None, "result": 1},
        {"id": 7, "error": [20, "x", None]},
        "",
        "   ",
        {"id": 1, "params": []},
    ],
)
def test_what_asks_nothing_is_not_answered(world: World, line: Any) -> None:
    rig = world.ready()
    assert rig.say(line) == []
    assert rig.is_open and rig.closing is None


# -- configure -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "granted"),
    [("ffffffff", "1fffe000"), ("0x1FFFE000", "1fffe000"), ("00c00000", "00c00000")],
)
def test_version_mask_is_what_both_allow(world: World, asked: str, granted: str) -> None:
    reply = world.connect().ask(
        "mining.configure", [["version-rolling"], {"version-rolling.mask": asked}]
    )
    assert reply["result"] == {"version-rolling": True, "version-rolling.mask": granted}


@pytest.mark.parametrize("asked", ["00000000", "zz", "e0001fff"])
def test_version_rolling_is_denied_where_no_bit_is_left(world: World, asked: str) -> None:
    reply = world.connect().ask(
        "mining.configure", [["version-rolling"], {"version-rolling.mask": asked}]
    )
    assert reply["result"] == {"version-rolling": False}


def test_configure_answers_exactly_what_was_asked(world: World) -> None:
    rig = world.connect()
    assert rig.ask("mining.configure", [])["result"] == {}
    asked = ["minimum-difficulty", "subscribe-extranonce", "info", "new-thing", "version-rolling"]
    reply = rig.ask("mining.configure", [asked, {"minimum-difficulty.value": 2**-20}])
    assert reply["result"] == {
        "minimum-difficulty": True,
        "subscribe-extranonce": True,
        "info": True,
        "new-thing": False,
        "version-rolling": True,
        "version-rolling.mask": "1fffe000",
    }


def test_configure_after_authorize_is_followed_by_a_fresh_job_not_by_a_mask(world: World) -> None:
    rig = world.ready()
    assert rig.configure(0x00C00000)["version-rolling.mask"] == "00c00000"
    world.tick()
    assert _said(rig.ear.lines)[-2:] == [3, "mining.notify"]
    rig.configure(0x00C00000)
    world.tick()
    assert len(rig.jobs) == 2, "the same mask again needs no job"


def test_required_bits_leave_the_mask_and_rigs_that_roll_hear_of_it(world: World) -> None:
    rolls, plain = world.connect(), world.ready()
    assert rolls.configure()["version-rolling.mask"] == f"{MASK:08x}"
    rolls.subscribe()
    rolls.authorize(ALICE)
    rolls.ear.mask = plain.ear.mask = MASK & ~0x2000

    world.new_template(version=0x20002000, version_required=0x2000)

    assert _said(rolls.ear.lines)[-2:] == ["mining.set_version_mask", "mining.notify"]
    assert rolls.ear.lines[-2]["params"] == ["1fffc000"]
    assert "mining.set_version_mask" not in _said(plain.ear.lines)
    assert rolls.job.version == 0x20002000
    assert rolls.verdict(rolls.mine(version_bits=0x4000)) == 0
    assert world.connect().configure()["version-rolling.mask"] == "1fffc000"


# -- authorize -----------------------------------------------------------------------------


def test_refused_authorize_says_false_and_why(world: World) -> None:
    rig = world.connect()
    rig.subscribe()
    reply = rig.authorize(ALICE[:-1] + "q")
    assert reply["result"] is False and reply["error"][0] == 24
    assert "checksum" in reply["error"][1]
    assert rig.authorize(ALICE)["result"] is True
    assert rig.jobs


def test_second_account_on_one_connection_is_refused_under_solo(world: World) -> None:
    rig = world.ready(ALICE + ".w1")
    reply = rig.authorize(BOB + ".w1")
    assert reply["error"][0] == 24 and "another account" in reply["error"][1]
    assert rig.authorize(ALICE.upper() + ".w2")["result"] is True, "bech32 in upper case"


def test_second_account_on_one_connection_is_allowed_under_prop() -> None:
    world = World(payout=PayoutSettings("prop", address=OPERATOR))
    world.new_block()
    rig = world.ready("farm.w1")
    assert rig.authorize("barn.w1")["result"] is True
    assert rig.verdict(rig.mine(name="barn.w1")) == 0
    assert world.records[0].account == "barn"
    assert rig.authorize("farm.w1")["result"] is True


def test_too_many_names_on_one_connection_are_refused(world: World) -> None:
    rig = world.ready()
    for number in range(1023):
        assert rig.authorize(f"{ALICE}.{number}")["result"] is True
    assert rig.authorize(ALICE + ".more")["error"][0] == 24
    assert rig.authorize(ALICE + ".5")["result"] is True


def test_authorize_without_a_name_is_malformed_and_a_bad_name_unauthorized(world: World) -> None:
    rig = world.connect()
    for params in ([], [None, None], [5], {"user": 1}):
        assert rig.ask("mining.authorize", params)["error"][0] == 20
    for name in (".w", "_w", "a\nb", "\u202e\u0628", "' OR 1=1 --", "a/b", "\ud800", "", "x" * 192):
        assert world.connect().ask("mining.authorize", [name, "x"])["error"][0] == 24
    passwords: list[Any] = [None, 123, {}, "d=-1,md=abc"]
    for password in passwords:
        assert rig.ask("mining.authorize", [ALICE, password])["result"] is True


def test_main_network_takes_main_addresses_only() -> None:
    world = World(MAIN)
    rig = world.connect()
    assert rig.authorize(address(2, MAIN))["result"] is True
    assert world.connect().authorize(ALICE)["error"][0] == 24


# -- messages ------------------------------------------------------------------------------


def test_message_is_shown_where_the_firmware_is_known_to_take_it(world: World) -> None:
    cgminer, other, unready = world.ready(), world.connect(), world.connect()
    other.subscribe("bitaxe/1")
    other.authorize(ALICE)
    for rig in (cgminer, other, unready):
        rig.session.show_message("hello\n\u20ac")
        rig.listen()
    assert cgminer.ear.lines[-1]["method"] == "client.show_message"
    assert cgminer.ear.lines[-1]["params"] == ["hello??"]
    assert other.ear.lines[-1]["method"] == "mining.notify"
    assert not unready.ear.lines


def test_rig_that_comes_while_there_is_no_fresh_work_is_told_so(world: World) -> None:
    world.site.notice = "waiting for the node"
    rig = world.ready()
    assert rig.ear.lines[-1]["params"] == ["waiting for the node"]
    assert rig.jobs, "and works on what there is"
