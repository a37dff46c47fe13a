"""What the gate remembers of sessions, jobs, budgets and shares: the same on every back end."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing import RING_SIZE, VERDICTS, GateStatus
from stratum.mining.limits import BURST_SECONDS
from tests.hashing.token_bucket import TokenBucket

hashes = st.binary(min_size=32, max_size=32)
MICROSECONDS = 1_000_000


def make_gate(core: ModuleType, **limits: int) -> Any:
    return core.Gate(scale_shift=32, **limits)


# -- seen shares ---------------------------------------------------------------------------


@given(added=st.lists(hashes, max_size=60), asked=st.lists(hashes, max_size=5))
def test_seen_shares_are_a_set_of_eight_bytes(
    core: ModuleType, added: list[bytes], asked: list[bytes]
) -> None:
    def key(hash32: bytes) -> int:
        return int.from_bytes(hash32[:8], "little") or 1

    table, model = core.SeenShares(), set()
    for hash32 in added:
        table.add(hash32)
        model.add(key(hash32))
    assert len(table) == len(model)
    keys = b"".join(table.keys())
    assert sorted(key(keys[at:]) for at in range(0, len(keys), 8)) == sorted(model)
    for hash32 in asked + added + [hash32[:8] + bytes(24) for hash32 in added]:
        assert table.holds(hash32) == (key(hash32) in model)


def test_seen_shares_grow_and_forget_none(core: ModuleType) -> None:
    table = core.SeenShares()
    # Equal bytes at either end: all of them want the same place.
    many = [bytes(2) + number.to_bytes(4, "big") + b"x" * 26 for number in range(2001)]
    for hash32 in many[:2000]:
        table.add(hash32)
    table.add(many[0])
    assert len(table) == 2000
    assert [table.holds(hash32) for hash32 in many] == [True] * 2000 + [False]


@given(
    told=st.lists(hashes, max_size=300),
    also=st.lists(hashes, max_size=60),
    added=st.lists(hashes, max_size=60),
)
def test_seen_shares_live_on_in_another_table(
    core: ModuleType, told: list[bytes], also: list[bytes], added: list[bytes]
) -> None:
    before, after = core.SeenShares(), core.SeenShares()
    for hash32 in told:
        before.add(hash32)
    for hash32 in also:
        before.add(hash32)
        after.add(hash32)
    for keys in before.keys():
        after.revive(keys)
    assert len(after) == len(before)
    assert all(after.holds(hash32) for hash32 in told)
    for hash32 in added:
        assert after.holds(hash32) == before.holds(hash32)
        after.add(hash32)
        before.add(hash32)
    assert len(after) == len(before)


def test_many_seen_shares_in_one_place_live_on_too(core: ModuleType) -> None:
    table = core.SeenShares()
    table.revive(b"".join(number.to_bytes(8, "little") for number in range(1, 2001)))
    assert len(table) == 2000
    assert all(table.holds(number.to_bytes(8, "little") + bytes(24)) for number in range(1, 2001))
    with pytest.raises(ValueError, match="multiple of 8"):
        table.revive(b"1234567")


def test_a_key_of_zero_is_a_key(core: ModuleType) -> None:
    table = core.SeenShares()
    assert not table.holds(bytes(32))
    table.add(bytes(32))
    table.revive(bytes(8))
    assert table.holds(bytes(32))
    assert len(table) == 1


def test_a_hash_of_the_wrong_size_is_refused(core: ModuleType) -> None:
    table = core.SeenShares()
    for method in (table.add, table.holds):
        with pytest.raises(ValueError, match="hash32 is 8 bytes, expected 32"):
            method(bytes(8))


# -- the ring ------------------------------------------------------------------------------


@given(
    sent=st.lists(st.tuples(st.integers(0, 90), st.integers(1, 2**64 - 1)), max_size=200),
)
def test_the_ring_holds_the_newest_jobs_each_once(
    core: ModuleType, sent: list[tuple[int, int]]
) -> None:
    session = make_gate(core).open_session()
    model: dict[int, int] = {}
    for number, weight in sent:
        session.remember(number, weight)
        model.pop(number, None)
        model[number] = weight
        model = dict(list(model.items())[-RING_SIZE:])
        assert session.newest == number
    assert session.ring() == list(model.items())
    assert [session.weight_of(number) for number in range(91)] == [
        model.get(number) for number in range(91)
    ]


def test_a_new_session_remembers_no_job(core: ModuleType) -> None:
    session = make_gate(core).open_session()
    assert (session.newest, session.ring(), session.weight_of(0)) == (None, [], None)
    with pytest.raises(ValueError, match="weight - 1 is -1"):
        session.remember(1, 0)
    with pytest.raises(ValueError, match="number is 4294967296"):
        session.remember(1 << 32, 1)


# -- sessions ------------------------------------------------------------------------------


def test_a_closed_session_gives_its_slot_back_and_nothing_of_it_is_left(core: ModuleType) -> None:
    gate = make_gate(core)
    sessions = [gate.open_session() for _ in range(600)]
    assert sorted(session.slot for session in sessions) == list(range(600))
    old = sessions[300]
    old.identify(b"abcd", 8, 3)
    old.payee, old.weight, old.is_open, old.wake_us = b"script", 5, True, 0
    old.remember(1, 5)
    old.add_worker("a")
    old.count_share(5, 6, 7)
    assert gate.due(0) == [300]

    old.close()
    old.close()
    assert gate.due(0) == []
    assert (old.extranonce1, old.payee, old.shares, old.ring()) == (b"abcd", b"script", 1, [(1, 5)])
    new = gate.open_session()
    assert new.slot == 300
    assert (new.extranonce1, new.payee, new.weight, new.is_open) == (b"", b"", 0, False)
    assert (new.shares, new.work, new.best, new.ring()) == (0, 0, 0, [])
    assert new.worker_index("a") is None
    old.weight = old.wake_us = 9
    old.close()
    assert new.weight == 0
    assert gate.open_session().slot >= 600


def test_workers_are_found_by_name_and_numbered(core: ModuleType) -> None:
    session = make_gate(core).open_session()
    names = [f"bc1q.rig{number}" for number in range(40)] + ["", "x" * 191, "käse", "\ud800"]
    assert [session.add_worker(name) for name in names] == list(range(44))
    assert [session.add_worker(name) for name in names] == list(range(44))
    assert [session.worker_index(name) for name in names] == list(range(44))
    assert session.worker_index("bc1q.rig") is None
    assert session.worker_ids(7) == (0, 0)
    session.number_worker(7, 3, 4)
    session.add_worker("one more")
    assert session.worker_ids(7) == (3, 4)
    with pytest.raises(ValueError, match="size of the worker's name is 192, expected 0 to 191"):
        session.add_worker("x" * 192)
    with pytest.raises(IndexError):
        session.worker_ids(45)


def test_rejects_are_counted_by_worker_and_taken_once(core: ModuleType) -> None:
    session = make_gate(core).open_session()
    session.add_worker("a")
    session.add_worker("b")
    session.reject(1, 5)
    session.reject(1, 5)
    session.reject(None, 8)
    expected = [0] * VERDICTS
    expected[5] = 2
    assert session.rejected == 3
    assert session.take_rejects(1) == expected
    assert session.take_rejects(1) == session.take_rejects(0) == [0] * VERDICTS


def test_extranonces_beyond_eight_bytes_are_refused(core: ModuleType) -> None:
    session = make_gate(core).open_session()
    with pytest.raises(ValueError, match="size of extranonce1 is 9"):
        session.identify(bytes(9), 8, 0)
    with pytest.raises(ValueError, match="extranonce2_size is 9"):
        session.identify(bytes(4), 9, 0)


def test_what_is_set_is_read_back(core: ModuleType) -> None:
    session = make_gate(core).open_session()
    for name, value in [
        ("masks", 0x1FFFE000),
        ("weight", 2**64 - 1),
        ("wake_us", 2**63),
        ("wake_shares", 17),
        ("last_line_us", 99),
        ("junk_run", 3),
        ("is_plain", True),
        ("payee", b"\x19script"),
    ]:
        setattr(session, name, value)
        assert getattr(session, name) == value


@given(weights=st.lists(st.integers(1, 2**64 - 1), max_size=9))
def test_shares_judged_elsewhere_count_as_well(core: ModuleType, weights: list[int]) -> None:
    gate = make_gate(core)
    session = gate.open_session()
    session.junk_run = 5
    for at, weight in enumerate(weights):
        gate.credit(weight)
        gate.count(0)
        session.count_share(weight, weight % 1000, at)
    assert gate.work == session.work == sum(weights)
    assert gate.verdicts == [len(weights)] + [0] * (VERDICTS - 1)
    assert session.shares == len(weights)
    assert session.best == max((weight % 1000 for weight in weights), default=0)
    assert session.junk_run == (0 if weights else 5)


# -- all sessions at once ------------------------------------------------------------------


@given(
    rigs=st.lists(
        st.tuples(st.booleans(), st.booleans(), st.integers(0, 9), st.integers(0, 2)), max_size=20
    ),
    limit=st.integers(0, 9),
)
def test_a_job_is_pushed_to_all_whom_it_suits(
    core: ModuleType, rigs: list[tuple[bool, bool, int, int]], limit: int
) -> None:
    gate = make_gate(core)
    sessions = [gate.open_session() for _ in range(len(rigs) + 1)]
    sessions.pop(len(rigs) // 2).close()  # a slot that is not in use
    suited = []
    for session, (is_open, is_plain, weight, newest) in zip(sessions, rigs, strict=True):
        session.is_open, session.is_plain, session.weight = is_open, is_plain, weight
        session.remember(newest, 99)
        if is_open and is_plain and 0 < weight <= limit and newest != 1:
            suited.append(session)
    others = gate.push_job(1, limit)
    assert others == sorted(session.slot for session in sessions if session not in suited)
    for session, (_, _, weight, newest) in zip(sessions, rigs, strict=True):
        expected = [(newest, 99), (1, weight)] if session in suited else [(newest, 99)]
        assert session.ring() == expected


@given(
    wakes=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), max_size=300
    ),
    now_us=st.integers(0, 5),
)
def test_due_are_those_whose_time_or_shares_have_come(
    core: ModuleType, wakes: list[tuple[int, int, int]], now_us: int
) -> None:
    gate = make_gate(core)
    due = []
    for wake_us, wake_shares, shares in wakes:
        session = gate.open_session()
        session.wake_us, session.wake_shares = wake_us, wake_shares
        for _ in range(shares):
            session.count_share(1, 1, 0)
        if now_us >= wake_us or shares >= wake_shares:
            due.append(session.slot)
    gate.open_session()  # never asked to be woken
    assert gate.due(now_us) == due


# -- the line budget -----------------------------------------------------------------------


@given(
    rate_bits=st.integers(0, 6),
    steps=st.lists(st.tuples(st.integers(0, 700), st.integers(1, 30)), max_size=40),
)
def test_the_budget_is_a_token_bucket(
    core: ModuleType, rate_bits: int, steps: list[tuple[int, int]]
) -> None:
    # Times are multiples of 1/64 s and rates powers of two: exact in the bucket's floats as well.
    rate = 1 << rate_bits
    bucket = TokenBucket(float(rate), rate * BURST_SECONDS, 1000.0)
    cost_us = MICROSECONDS // rate
    gate = make_gate(core, line_cost_us=cost_us, line_burst_us=int(BURST_SECONDS * MICROSECONDS))
    session = gate.open_session()
    ticks = 64_000
    for passed, lines in steps:
        ticks += passed
        now, now_us = ticks / 64, ticks * MICROSECONDS // 64
        for _ in range(lines):
            expected = bucket.has_line(now)
            assert session.line_wait_us(now_us) == round(bucket.wait() * MICROSECONDS)
            assert session.pay_line(now_us) == expected
            if expected:
                bucket.pay()


def test_a_clock_set_back_costs_nothing_of_what_was_saved(core: ModuleType) -> None:
    gate = make_gate(core, line_cost_us=1000, line_burst_us=8000)
    session = gate.open_session()
    assert all(session.pay_line(10**15) for _ in range(8))
    assert not session.pay_line(10**15)
    assert session.line_wait_us(10**15) == 1000
    assert all(session.pay_line(10**12) for _ in range(8))
    assert not session.pay_line(10**12)


def test_without_a_cost_lines_are_free(core: ModuleType) -> None:
    session = make_gate(core).open_session()
    assert all(session.pay_line(0) and session.line_wait_us(0) == 0 for _ in range(1000))


def test_a_burst_below_one_line_is_one_line(core: ModuleType) -> None:
    session = make_gate(core, line_cost_us=1000).open_session()
    assert [session.pay_line(5000), session.pay_line(5000)] == [True, False]


# -- taking --------------------------------------------------------------------------------


def test_what_is_no_share_is_left_where_it_is(core: ModuleType) -> None:
    gate = make_gate(core)
    session = gate.open_session()
    for data, status in [
        (b"", GateStatus.MORE),
        (b"x" * 8192, GateStatus.MORE),
        (b"x" * 8193, GateStatus.LINE),
        (b"\n", GateStatus.LINE),
        (b" \t\r\n{", GateStatus.LINE),
        (b"x" * 8192 + b"\n", GateStatus.LINE),
    ]:
        gate.buffer[100 : 100 + len(data)] = data
        assert gate.take(session, 100, 100 + len(data), 0) is status
        assert (gate.consumed, gate.lines, gate.accepted, gate.replies()) == (100, 0, 0, b"")
