"""What ends a session, what only slows it down, and what its address pays."""

from __future__ import annotations

import pytest

from stratum.mining.limits import MAX_JUNK_RUN
from stratum.mining.rig import RING_SIZE
from stratum.mining.session import AUTHORIZE_DEADLINE, IDLE_LIMIT, LINE_DEADLINE
from stratum.mining.settings import LimitSettings
from tests.mining.rig import Rig
from tests.mining.world import ALICE, World

HOST = "192.0.2.1"


def _is_banned(world: World, host: str = HOST) -> bool:
    return world.site.gatekeeper.refusal(host, world.now) == "banned"


def _strikes(world: World, times: int, data: bytes) -> None:
    for _ in range(times):
        rig = world.connect()
        rig.send(data)
        assert rig.closing is not None
        world.disconnect(rig)


# -- deadlines -----------------------------------------------------------------------------


def test_silent_connection_ends_after_30_s_without_a_strike(world: World) -> None:
    rig = world.connect()
    world.tick(LINE_DEADLINE)
    assert rig.is_open
    world.tick()
    assert not rig.is_open
    for _ in range(5):
        world.connect()
    world.tick(LINE_DEADLINE + 1)
    assert not _is_banned(world)


def test_unfinished_line_ends_after_30_s_however_its_bytes_trickle(world: World) -> None:
    rig = world.ready()
    for byte in b'{"id":1':
        rig.send(bytes([byte]))
        world.tick(5)
        if not rig.is_open:
            break
    assert not rig.is_open and rig.closing == "no whole line in 30 s"


def test_slowloris_bans_its_address(world: World) -> None:
    for _ in range(5):
        rig = world.connect()
        rig.send(b'{"id"')
        world.tick(LINE_DEADLINE + 1)
        assert not rig.is_open
    assert _is_banned(world)


def test_partial_line_deadline_begins_with_its_first_byte(world: World) -> None:
    rig = world.ready()
    world.tick(100)
    rig.send(b'{"id":1,')
    world.tick(LINE_DEADLINE - 1)
    rig.send(b'"method":"mining.subscribe"}\n{"id"')
    world.tick(LINE_DEADLINE - 1)
    assert rig.is_open
    world.tick(2)
    assert not rig.is_open


def test_rig_that_only_subscribes_ends_after_60_s(world: World) -> None:
    rig = world.connect()
    rig.subscribe()
    world.tick(AUTHORIZE_DEADLINE)
    assert rig.is_open
    world.tick()
    assert not rig.is_open


def test_tool_that_speaks_another_method_ends_after_30_s(world: World) -> None:
    rig = world.connect()
    assert rig.ask("login", {"login": "x", "agent": "xmrig"})["error"][0] == -3
    world.tick(LINE_DEADLINE + 1)
    assert not rig.is_open


def test_idle_rig_ends_after_ten_minutes_and_empty_lines_do_not_save_it(world: World) -> None:
    rig, alive = world.ready(), world.ready()
    for _ in range(6):
        world.tick(IDLE_LIMIT / 6)
        rig.say("")
        alive.submit(alive.mine_low())
    world.tick()
    assert not rig.is_open and alive.is_open


def test_session_that_ends_gives_everything_back(world: World) -> None:
    rig = world.ready()
    extranonces = world.site.extranonces
    world.disconnect(rig)
    assert extranonces.resume(rig.session_id, HOST) == rig.extranonce1


# -- line budget ---------------------------------------------------------------------------


def _drain(world: World, rig: Rig) -> int:
    """Go on until nothing waits any more; how many seconds that took."""
    began = world.now
    while rig.session.is_throttled:
        world.now += max(rig.session.throttled_for, 0.01)
        rig.go_on()
    return round(world.now - began)


def test_flood_is_read_slowly_and_nothing_is_lost() -> None:
    world = World(limits=LimitSettings(lines_per_second=10))
    world.new_block()
    rig = world.connect()
    lines = [{"id": number, "method": "mining.extranonce.subscribe"} for number in range(200)]
    answered = len(rig.say(*lines))
    assert 79 <= answered <= 80, "a burst of eight seconds' worth"
    assert rig.session.is_throttled

    assert _drain(world, rig) == 12
    assert [line["id"] for line in rig.ear.lines] == list(range(200))


def test_bytes_that_come_while_throttled_wait_in_order() -> None:
    world = World(limits=LimitSettings(lines_per_second=1))
    rig = world.connect()
    for number in range(20):
        rig.say({"id": number, "method": "mining.extranonce.subscribe"})
    rig.send(b'{"id":20,"method":"mining.extra')
    rig.send(b'nonce.subscribe"}\n')
    _drain(world, rig)
    assert [line["id"] for line in rig.ear.lines] == list(range(21))


def test_budget_comes_back_with_time() -> None:
    world = World(limits=LimitSettings(lines_per_second=1))
    rig = world.connect()
    for _ in range(3):
        assert len(rig.say(*[{"id": 1, "method": "mining.extranonce.subscribe"}] * 8)) == 8
        rig.go_on()
        world.now += 8


def test_metered_lines_include_empty_ones() -> None:
    world = World(limits=LimitSettings(lines_per_second=1))
    rig = world.connect()
    rig.send(b"\n" * 100)
    assert rig.session.is_throttled


# -- misdeeds ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"not json\n",
        b"[]\n",
        b'{"id":1\n',
        b'{"id":"\xc3\x28"}\n',
        b"{}{}\n",
        b"A" * 8193,
        b'{"id":%b}\n' % (b"9" * 5000),
        b'{"a":' + b"[" * 100 + b"]" * 100 + b"}\n",
        b"CONNECT 1.2.3.4:3333 HTTP/1.1\r\n\r\n",
        b"PROXY TCP4 9.9.9.9 1.1.1.1 1234 3333\r\n",
    ],
)
def test_five_strikes_ban_an_address_for_ten_minutes(world: World, data: bytes) -> None:
    _strikes(world, 4, data)
    assert not _is_banned(world)
    _strikes(world, 1, data)
    assert _is_banned(world)
    world.now += 601
    assert not _is_banned(world)


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n", b"SSH-2.0-x\r\n", b"\x80\x2e\x01"]
)
def test_what_speaks_another_protocol_by_mistake_is_closed_and_never_banned(
    world: World, data: bytes
) -> None:
    _strikes(world, 20, data)
    assert not _is_banned(world)


def test_strikes_are_forgotten_after_ten_minutes(world: World) -> None:
    _strikes(world, 4, b"[]\n")
    world.now += 601
    _strikes(world, 4, b"[]\n")
    assert not _is_banned(world)


def test_good_requests_neither_count_nor_keep_a_score_alive(world: World) -> None:
    _strikes(world, 4, b"[]\n")
    for _ in range(10):
        world.now += 100
        world.connect().subscribe()
    _strikes(world, 4, b"[]\n")
    assert not _is_banned(world)


def test_address_with_a_working_rig_is_never_banned(world: World) -> None:
    rig = world.ready()
    _strikes(world, 20, b"[]\n")
    assert not _is_banned(world)
    world.disconnect(rig)
    _strikes(world, 5, b"[]\n")
    assert _is_banned(world)


def test_malformed_requests_are_answered_until_there_are_fifty(world: World) -> None:
    rig = world.ready()
    for number in range(49):
        assert rig.ask("mining.submit", [number])["error"][0] == 20
    assert rig.closing is None
    rig.ask("mining.submit", [])
    assert rig.closing == "too much malformed input"


def test_wrong_names_are_strikes_after_the_eighth(world: World) -> None:
    rig = world.connect()
    for _ in range(12):
        assert rig.authorize("bcrt1qwrong")["result"] is False
    assert rig.closing is None
    rig.say({"id": 1, "method": "mining.authorize", "params": ["bcrt1qwrong", "x"]})
    assert rig.closing is not None


def test_stale_and_unknown_shares_never_count(world: World) -> None:
    rig = world.ready()
    share = rig.mine(above=rig.job.network_target)
    world.new_block()
    for _ in range(2 * MAX_JUNK_RUN):
        assert rig.verdict(share) == 21
    for _ in range(RING_SIZE + 1):
        world.refresh()
    for _ in range(2 * MAX_JUNK_RUN):
        assert rig.verdict(share) == 21
    assert rig.closing is None


def test_long_run_of_shares_without_work_ends_the_connection(world: World) -> None:
    rig = world.ready()
    junk = rig.mine_low()
    for _ in range(MAX_JUNK_RUN - 1):
        assert rig.verdict(junk) == 23
    assert rig.verdict(rig.mine()) == 0, "one good share and the count begins again"
    for _ in range(MAX_JUNK_RUN - 1):
        assert rig.verdict(junk) == 23
    rig.say({"id": 1, "method": "mining.submit", "params": junk.params})
    assert rig.closing is not None


def test_without_limits_nothing_is_counted() -> None:
    world = World(limits=LimitSettings(0, 0, 0))
    world.new_block()
    rig = world.ready()
    junk = rig.mine_low()
    for _ in range(MAX_JUNK_RUN + 100):
        assert rig.verdict(junk) == 23
        rig.ask("mining.submit", [])
    _strikes(world, 10, b"[]\n")
    assert rig.closing is None and not _is_banned(world)
    assert rig.authorize(ALICE)["result"] is True
