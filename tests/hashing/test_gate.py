"""The gate in C against the Python path, line by line: the same verdict, reply and record.

The other way round too: what Python reads as a plain share of a known worker and job, the gate
must take. Otherwise it would be right and useless.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing import GateStatus, native
from stratum.mining.verdicts import Verdict
from stratum.units import DifficultyScale
from tests.hashing.gate_table import (
    CURTIME,
    EXTRANONCE1,
    NOW_US,
    SEGMENT,
    Table,
    Work,
)

NEVER_MET = 2**63
JOB, STALE_JOB, HARD_JOB, EASY_JOB, UNKEPT_JOB = 0x00A1B200, 0xFF, 0x00A1B201, 0xA1B20100, 7


@pytest.fixture(scope="module", params=native.backends())
def core(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """Native alone: the reference takes nothing."""
    before = native.backend()
    native.use(request.param)
    yield native
    native.use(before)


def make_table(core: ModuleType, **options: Any) -> Table:
    table = Table(core, **options)
    table.add_worker("bc1qfarm.rig1", 11, 22)
    table.add_worker("b", 1, 2**32 - 1)
    table.add_stranger("stranger", 33, 44)
    table.add_job(JOB, CURTIME, Work(), 2)  # every second hash
    table.add_job(STALE_JOB, CURTIME - 300, Work(generation=0), 2)
    table.add_job(HARD_JOB, CURTIME + 1, Work(max_ntime=CURTIME + 50), NEVER_MET)
    table.add_job(EASY_JOB, CURTIME - 9000, Work(version=0x20004000, job_index=0), 1)
    table.add_job(UNKEPT_JOB, CURTIME, Work(job_index=-1), 1)
    return table


# -- lines ---------------------------------------------------------------------------------

blanks = st.sampled_from(["", "", "", " ", "\t", "  \r "])
ids = st.one_of(
    st.integers(0, 10**18 - 1).map(str),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=100)
    .filter(lambda text: '"' not in text and "\\" not in text)
    .map(lambda text: f'"{text}"'),
)
odd_ids = st.sampled_from(
    '-1 -0 00 01 1.5 1e3 1.0 null true [1] {} "" "\\u0041" "é" NaN Infinity - .5 5. '
    "1000000000000000000 12345678901234567890123456789012345 ".split(" ")
) | st.integers(99, 129).map(lambda size: f'"{"i" * size}"')
odd_values = st.sampled_from(
    ['""', '"0"', "null", "7", "[]", "true", '"1234567"', '"123456789"', '" 2345678"', '"0x123456"']
)


@st.composite
def hex_words(draw: st.DrawFn, numbers: st.SearchStrategy[int], digits: int = 8) -> str:
    text = f"{draw(numbers):0{digits}x}"
    return f'"{text.upper() if draw(st.booleans()) else text}"'


@st.composite
def submits(draw: st.DrawFn, odd: bool = False) -> bytes:
    """A submit, mostly one that the gate takes; with `odd` anything may be strange in it."""

    def pick(usual: st.SearchStrategy[str], strange: st.SearchStrategy[str]) -> str:
        return draw(strange if odd and draw(st.integers(0, 11)) == 0 else usual)

    names = st.sampled_from(['"bc1qfarm.rig1"', '"b"'])
    jobs = st.sampled_from([JOB, JOB, STALE_JOB, HARD_JOB, EASY_JOB])
    values = [
        pick(names, st.sampled_from(['"stranger"', '"x"', '""', '"\\u0062"', '"b', "1"])),
        pick(
            jobs.map(lambda number: f'"{number:08x}"'),
            odd_values | st.sampled_from([f'"{UNKEPT_JOB:08x}"', '"00A1B200"', '"00000000"']),
        ),
        pick(
            hex_words(st.integers(0, 3) | st.integers(0, 2**64 - 1), 16),
            odd_values | st.integers(0, 18).map(lambda size: f'"{"5" * size}"'),
        ),
        pick(
            hex_words(st.integers(CURTIME + 1, CURTIME + 50) | st.just(CURTIME - 2000)),
            odd_values | hex_words(st.integers(0, 2**32 - 1)),
        ),
        pick(hex_words(st.integers(0, 3) | st.integers(0, 2**32 - 1)), odd_values),
    ]
    bits = hex_words(st.sampled_from([0, 0x1FFFE000, 0x2000, 0x20002000, 0x20006000]))
    if draw(st.booleans()):
        values.append(pick(bits | st.just("null"), odd_values | st.just('"00000001"')))
    if odd and draw(st.integers(0, 11)) == 0:
        values.append('"7"')

    def blank() -> str:
        return draw(blanks)

    listed = ",".join(f"{blank()}{value}{blank()}" for value in values)
    method = pick(st.just('"mining.submit"'), st.just('"mining.subscribe"') | odd_values)
    members = [
        ('"id"', pick(ids, odd_ids)),
        ('"method"', method),
        ('"params"', f"[{listed}]"),
    ]
    if odd and draw(st.integers(0, 11)) == 0:
        members.append(draw(st.sampled_from([('"id"', "1"), ('"a"', "2"), ('"\\u0069d"', "1")])))
    body = ",".join(
        f"{blank()}{key}{blank()}:{blank()}{value}{blank()}"
        for key, value in draw(st.permutations(members))
    )
    return f"{blank()}{{{body}}}{blank()}".encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A line with a few bytes changed, put in or taken out."""
    line = bytearray(draw(submits(odd=True)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(line) - 1)))
        part = draw(st.binary(max_size=2) | st.sampled_from([b"", b'"', b"\\", b",", b" ", b"]"]))
        line[at : at + draw(st.integers(0, 2))] = part
    return bytes(line).replace(b"\n", b" ")


# -- the gate is the Python path -----------------------------------------------------------


def check_line(table: Table, line: bytes, now_us: int = NOW_US) -> Verdict | None:
    """Take one line and compare; the verdict, or None where it was left to the caller."""
    before = table.tail.used
    expected = table.expect(line, now_us)
    status, consumed, replies = table.take(line + b"\n", now_us)
    if expected is None:
        assert (status, consumed, replies) == (GateStatus.LINE, 0, b"")
        assert table.tail.used == before
        return None
    verdict, reply, record = expected
    if status is GateStatus.WORKER:
        assert (consumed, replies, verdict) == (0, b"", Verdict.ACCEPTED)
        assert (table.tail.used, table.gate.lines) == (before, 0)
        table.number_stranger()
        status, consumed, replies = table.take(line + b"\n", now_us)
    assert (status, consumed, replies) == (GateStatus.MORE, len(line) + 1, reply)
    assert table.gate.lines == 1
    is_accepted = verdict is Verdict.ACCEPTED
    assert table.gate.accepted == is_accepted
    assert table.tail.used == before + is_accepted
    assert table.tail.next_edge_seq == before + is_accepted + (1 << 40)
    if is_accepted:
        assert table.record(before) == record
    return verdict


def check_counters(table: Table) -> None:
    gate, session = table.gate, table.session
    records = [table.record(place) for place in range(table.tail.used)]
    assert gate.verdicts == table.verdicts
    assert session.shares == gate.verdicts[0] == len(records)
    assert session.rejected == sum(gate.verdicts[1:])
    weights = [int.from_bytes(record[40:48], "little") for record in records]
    assert gate.work == session.work == sum(weights)
    assert session.best == max(
        (int.from_bytes(record[62:64], "little") for record in records), default=0
    )
    rejects = [session.take_rejects(index) for index in range(3)]
    assert [0] + [sum(counts) for counts in zip(*rejects, strict=True)][1:] == [
        0,
        *gate.verdicts[1:],
    ]
    assert native.whole_slots(table.segment, 77) == len(records)
    assert session.junk_run == table.junk


@given(lines=st.lists(submits(), max_size=12))
def test_every_plain_share_is_taken_and_judged_as_in_python(
    core: ModuleType, lines: list[bytes]
) -> None:
    table = make_table(core)
    for line in lines:
        check_line(table, line)
        check_line(table, line)
    check_counters(table)


@given(lines=st.lists(submits(odd=True) | damaged(), max_size=8))
def test_any_line_is_taken_exactly_if_python_reads_it_as_a_plain_share(
    core: ModuleType, lines: list[bytes]
) -> None:
    table = make_table(core)
    for line in lines:
        check_line(table, line)
    check_counters(table)


@given(data=st.binary(max_size=300))
def test_any_bytes_are_left_to_the_caller(core: ModuleType, data: bytes) -> None:
    table = make_table(core)
    status, consumed, replies = table.take(data)
    assert (consumed, replies) == (0, b"")
    assert status is (GateStatus.LINE if b"\n" in data else GateStatus.MORE)


@given(
    lines=st.lists(submits() | damaged(), max_size=8),
    cuts=st.lists(st.integers(0, 1600), max_size=8),
)
def test_any_segmentation_gives_the_same_replies(
    core: ModuleType, lines: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(line + b"\n" for line in lines)
    whole, pieces = make_table(core), make_table(core)
    places = [*sorted(min(cut, len(data)) for cut in cuts), len(data)]

    def drive(table: Table, places: list[int]) -> list[bytes]:
        """Go on behind each line that is left to the caller, as Python does."""
        replies, at = [], 0
        for end in places:
            status = GateStatus.LINE
            while status in (GateStatus.LINE, GateStatus.WORKER):
                status, consumed, reply = table.take(data[at:end])
                replies.append(reply)
                at += consumed
                if status is GateStatus.WORKER:
                    table.number_stranger()
                if status is GateStatus.LINE:
                    at = data.index(b"\n", at) + 1
                    replies.append(b"?")
        assert at == len(data)
        return [reply for reply in replies if reply]

    assert b"".join(drive(whole, [len(data)])) == b"".join(drive(pieces, places))
    assert whole.segment == pieces.segment
    assert whole.gate.verdicts == pieces.gate.verdicts


# -- one rule at a time --------------------------------------------------------------------


def submit(job: int = EASY_JOB, nonce: int = 0, ntime: int = CURTIME - 2500, **parts: Any) -> bytes:
    name, extranonce2 = parts.get("name", "b"), parts.get("extranonce2", "0011223344556677")
    bits = f',"{parts["bits"]:08x}"' if "bits" in parts else ""
    return (
        f'{{"id":{parts.get("id", 4)},"method":"mining.submit","params":'
        f'["{name}","{job:08x}","{extranonce2}","{ntime:08x}","{nonce:08x}"{bits}]}}'
    ).encode()


def test_each_verdict_comes_out(core: ModuleType) -> None:
    table = make_table(core)
    for line, verdict in [
        (submit(), Verdict.ACCEPTED),
        (submit(), Verdict.DUPLICATE),
        (submit(HARD_JOB, ntime=CURTIME + 3), Verdict.LOW_DIFFICULTY),
        (submit(STALE_JOB, ntime=CURTIME), Verdict.STALE),
        (submit(STALE_JOB, ntime=CURTIME), Verdict.STALE),
        (submit(UNKEPT_JOB, ntime=CURTIME), None),
        (submit(job=99), None),
        (submit(name="nobody"), None),
        (submit(STALE_JOB, name="stranger", ntime=CURTIME), Verdict.STALE),
        (submit(name="stranger"), Verdict.DUPLICATE),
        (submit(name="stranger", nonce=1), Verdict.ACCEPTED),
        (submit(name="stranger", nonce=2), Verdict.ACCEPTED),
        (submit(ntime=CURTIME + 7201), None),
        (submit(bits=1), None),
    ]:
        assert check_line(table, line) is verdict
    check_counters(table)


PLAIN = submit().decode()


@pytest.mark.parametrize(
    "request_id", ["0", "9", "123456789012345678", '"a"', '" ~!#[]"', f'"{"i" * 100}"']
)
def test_a_plain_id_is_echoed_as_it_came(core: ModuleType, request_id: str) -> None:
    table = make_table(core)
    assert check_line(table, submit(id=request_id)) is Verdict.ACCEPTED
    assert table.gate.replies() == f'{{"id":{request_id},"result":true,"error":null}}\n'.encode()


@pytest.mark.parametrize(
    "line",
    [
        *(submit(id=odd).decode() for odd in ("00", "01", "-0", "-1", "1.0", "1e1", "null", '""')),
        *(submit(id=odd).decode() for odd in ("1234567890123456789", '"\x7f"', '"é"', '"\\n"')),
        *(submit(id=odd).decode() for odd in (f'"{"i" * 101}"', "", "true", "[1]", '"a', 'a"')),
        PLAIN + "}",
        PLAIN + ",",
        PLAIN[:-1],
        PLAIN[1:],
        "[" + PLAIN + "]",
        PLAIN[:-1] + ",}",
        PLAIN.replace("]", ",]"),
        PLAIN.replace("[", "[,"),
        PLAIN.replace("]", ',null,""]'),
        PLAIN.replace('"id":4', '"id":4,"id":4'),
        PLAIN.replace('"id":4,', ""),
        PLAIN.replace('"id"', '"ID"'),
        PLAIN.replace(":4", "=4"),
        PLAIN.replace('"mining.submit"', '"mining.submit2"'),
        PLAIN.replace('"mining.submit"', '"mining\\u002esubmit"'),
        PLAIN.replace("a1b20100", "A1B20100"),
        PLAIN.replace("a1b20100", "0xa1b201"),
        PLAIN.replace('"00000000"', '"0000000g"'),
        PLAIN.replace('"00000000"', '"0000000 "'),
        PLAIN.replace('"00000000"', "00000000"),
        PLAIN.replace('"00000000"', "0"),
        PLAIN.replace('"b"', '"B"'),
        PLAIN.replace('"b"', '"b "'),
        PLAIN.replace(",", "\v,"),
        PLAIN.replace(",", "\0,"),
        PLAIN + "\0",
        "\ufeff" + PLAIN,
        PLAIN.replace(":", ":\xa0"),
    ],
)
def test_other_lines_are_the_callers(core: ModuleType, line: str) -> None:
    assert check_line(make_table(core), line.encode()) is None


def test_a_name_that_needs_escapes_is_never_taken_for_another(core: ModuleType) -> None:
    table = make_table(core)
    for name in ("a\\u0062", "ab", 'a"b', "é"):
        table.add_worker(name, 1, 1)
    for name in ("a\\u0062", "a\\\\u0062", 'a\\"b', "é"):
        assert check_line(table, submit(name=name)) is None
    assert check_line(table, submit(name="ab")) is Verdict.ACCEPTED


def test_other_spelling_of_a_share_is_a_duplicate(core: ModuleType) -> None:
    table = make_table(core)
    line = submit(nonce=0xABCDEF01, bits=0x2000)
    assert check_line(table, line) is Verdict.ACCEPTED
    upper = line.replace(b"abcdef01", b"ABCDEF01").replace(b"4,", b' "other" , ')
    assert check_line(table, upper) is Verdict.DUPLICATE
    # BIP 310's old spelling, the whole version: the same header.
    assert check_line(table, submit(nonce=0xABCDEF01, bits=0x20006000)) is Verdict.ACCEPTED
    assert check_line(table, submit(nonce=0xABCDEF01, bits=0x20002000)) is Verdict.DUPLICATE


@given(
    first=st.integers(0, 2**32 - 1),
    offset=st.integers(-3, 8000) | st.sampled_from([-1, 0, 1, 6999, 7000, 7001, 7200, 7201]),
    curtime=st.integers(-9000, 9000),
    elapsed=st.integers(-5, 9000),
    most=st.none() | st.integers(-10, 8000),
    mintime=st.integers(-9000, 9000),
)
def test_ntime_is_good_where_the_rules_say_so(
    core: ModuleType,
    first: int,
    offset: int,
    curtime: int,
    elapsed: int,
    most: int | None,
    mintime: int,
) -> None:
    def word(number: int) -> int:
        return min(max(number, 0), 2**32 - 1)

    ntime = word(first + offset)
    work = Work(
        curtime=word(first + curtime),
        mintime=word(first + mintime),
        max_ntime=None if most is None else word(first + most),
    )
    table = make_table(core)
    table.add_job(5, first, work, 1)
    table.add_job(6, first, work, 1)
    now_us = NOW_US + elapsed * 1_000_000 + 999_999
    check_line(table, submit(5, ntime=ntime), now_us)
    check_line(table, submit(6, ntime=word(work.latest(first, now_us))), now_us)
    check_line(table, submit(6, ntime=word(work.latest(first, now_us) + 1)), now_us)


@given(
    masks=st.integers(0, 2**32 - 1),
    work_mask=st.integers(0, 2**32 - 1),
    version=st.integers(0, 2**32 - 1),
    bits=st.integers(0, 2**32 - 1),
    keep=st.sampled_from(["mask", "version", "any"]),
)
def test_version_bits_are_merged_as_in_python(
    core: ModuleType, masks: int, work_mask: int, version: int, bits: int, keep: str
) -> None:
    mask = masks & work_mask
    if keep != "any":
        bits = bits & mask | (version & ~mask if keep == "version" else 0)
    table = make_table(core, masks=masks)
    table.add_job(5, CURTIME, Work(version=version, version_mask=work_mask), 1)
    verdict = check_line(table, submit(5, ntime=CURTIME, bits=bits))
    assert verdict is Verdict.ACCEPTED or keep == "any"


@given(
    shift=st.integers(0, 48),
    weight=st.integers(1, 2**64 - 1) | st.integers(0, 63).map(lambda bit: 1 << bit),
    nonce=st.integers(0, 2**32 - 1),
    near=st.sampled_from([-1, 0, 1, None]),
)
def test_a_hash_is_weighed_as_against_the_target_of_its_weight(
    core: ModuleType, shift: int, weight: int, nonce: int, near: int | None
) -> None:
    table = make_table(core)
    table.gate = core.Gate(scale_shift=shift)
    table.gate.attach(table.tail)
    table.gate.generation = 1
    table.gate.use_seen(core.SeenShares(), 1)
    session = table.session = table.gate.open_session()
    session.identify(EXTRANONCE1, 8, 0)
    session.number_worker(session.add_worker("b"), 1, 1)
    work, scale = Work(), DifficultyScale(shift)
    extranonce = EXTRANONCE1 + bytes.fromhex("0011223344556677")
    job = work.share_job(core)
    found = core.check_share(job, extranonce, work.version, CURTIME, nonce, bytes(32)).hash
    number = int.from_bytes(found, "little")
    if near is not None:  # where it is decided by one unit
        weight = min(max((0xFFFF << 208 + shift) // number + near, 1), 2**64 - 1)
    table.gate.add_job(5, CURTIME, work.gate_work(core))
    session.remember(5, weight)
    status, _, _ = table.take(submit(5, nonce, CURTIME) + b"\n")
    assert status is GateStatus.MORE
    assert table.gate.accepted == (number <= scale.target(weight))


def test_a_good_share_of_a_worker_without_a_number_stops_the_gate(core: ModuleType) -> None:
    table = make_table(core)
    lines = [submit(nonce=1) + b"\n", submit(name="stranger") + b"\n"]
    status, consumed, replies = table.take(b"".join(lines))
    assert (status, consumed, replies.count(b"\n")) == (GateStatus.WORKER, len(lines[0]), 1)
    assert table.session.latest_worker == 2
    assert table.take(lines[1]) == (GateStatus.WORKER, 0, b"")
    table.number_stranger()
    assert table.take(lines[1])[0] is GateStatus.MORE
    assert table.record(1)[32:40] == (33).to_bytes(4, "little") + (44).to_bytes(4, "little")


def test_a_block_is_the_callers_and_nothing_of_it_is_counted(core: ModuleType) -> None:
    table = make_table(core)
    table.add_job(5, CURTIME, Work(network_target=2**256 - 1), 1)
    table.add_job(6, CURTIME, Work(network_target=2**256 - 1, generation=0), 1)
    for number in (5, 6):
        status, consumed, replies = table.take(submit(number, ntime=CURTIME) + b"\n")
        assert (status, consumed, replies) == (GateStatus.LINE, 0, b"")
    check_counters(table)


def test_shares_seen_on_another_block_stop_the_gate(core: ModuleType) -> None:
    table = make_table(core)
    line = submit() + b"\n"
    table.gate.use_seen(table.seen, 2)
    assert table.take(line) == (GateStatus.SEEN, 0, b"")
    table.gate.use_seen(table.seen, 1)
    assert table.take(line)[0] is GateStatus.MORE
    without = core.Gate(scale_shift=32)
    without.generation = 1
    table.gate = without
    table.session = without.open_session()
    table.session.identify(EXTRANONCE1, 8, 0)
    table.add_worker("b", 1, 1)
    table.add_job(EASY_JOB, CURTIME - 9000, Work(), 1)
    assert table.take(submit() + b"\n")[0] is GateStatus.SEEN


def test_shares_without_room_stop_the_gate_until_they_have_some(core: ModuleType) -> None:
    table = make_table(core)
    lines = [submit(nonce=nonce) + b"\n" for nonce in range(20_000)]
    taken = stops = 0
    while taken < len(lines):
        status, _, replies = table.take(b"".join(lines[taken : taken + 64]))
        assert replies.count(b'"result":true') == table.gate.lines
        taken += table.gate.lines
        if status is GateStatus.SEEN:
            assert table.take(lines[taken]) == (GateStatus.SEEN, 0, b"")
            table.seen.make_room()
            stops += 1
        elif status is GateStatus.LOG_FULL:
            table.tail.turn(bytearray(len(table.segment)), table.tail.next_index)
    assert table.session.shares == len(table.seen) == 20_000
    assert 0 < stops < 5_000
    assert b'"Duplicate share"' in table.take(lines[0])[2]


def test_beyond_its_limit_on_a_block_a_sessions_shares_are_the_callers(core: ModuleType) -> None:
    table = make_table(core, limits={"share_limit": 3})
    lines = [submit(nonce=nonce) + b"\n" for nonce in range(4)]
    for line in lines[:3]:
        assert not table.session.is_full
        assert table.take(line)[0] is GateStatus.MORE
    assert table.session.is_full
    assert table.take(lines[3]) == (GateStatus.SEEN, 0, b"")
    assert b'"Duplicate share"' in table.take(lines[0])[2]
    table.gate.generation = 2
    assert not table.session.is_full
    table.session.count_share(1, 1, 0)
    assert not table.session.is_full


def test_a_full_segment_stops_the_gate_with_nothing_counted(core: ModuleType) -> None:
    table = make_table(core)
    short = bytearray(96 * 2)
    table.tail.turn(short, 77)
    data = b"".join(submit(nonce=nonce) + b"\n" for nonce in range(3))
    status, consumed, replies = table.take(data)
    assert (status, consumed) == (GateStatus.LOG_FULL, len(data) // 3 * 2)
    assert (table.session.shares, len(table.seen), table.gate.verdicts[0]) == (2, 2, 2)
    table.tail.turn(bytearray(96), 79)
    assert table.take(data[consumed:])[0] is GateStatus.MORE
    assert (table.session.shares, table.tail.next_index) == (3, 80)


def test_without_a_log_no_share_is_accepted(core: ModuleType) -> None:
    table = make_table(core)
    table.gate.attach(None)
    assert table.take(submit() + b"\n")[0] is GateStatus.LOG_FULL
    assert (table.gate.accepted, table.session.shares, table.tail.used) == (0, 0, 0)


def test_work_is_added_up_beyond_64_bits(core: ModuleType) -> None:
    table = make_table(core)
    most = 2**64 - 1
    table.gate.credit(most)
    table.session.count_share(most, 1, 0)
    assert table.take(submit() + b"\n")[0] is GateStatus.MORE
    assert table.gate.work == table.session.work == most + 1


def test_a_run_of_junk_ends_at_the_caller(core: ModuleType) -> None:
    table = make_table(core, junk_limit=3)

    def junk(nonce: int) -> Verdict | None:
        return check_line(table, submit(HARD_JOB, nonce, ntime=CURTIME + 3))

    assert [junk(1), junk(2), junk(3), junk(3)] == [Verdict.LOW_DIFFICULTY] * 2 + [None] * 2
    assert check_line(table, submit()) is Verdict.ACCEPTED
    assert junk(3) is Verdict.LOW_DIFFICULTY


def test_lines_are_paid_for_where_they_are_taken(core: ModuleType) -> None:
    table = make_table(core, limits={"line_cost_us": 1000, "line_burst_us": 4000})
    session, line = table.session, submit() + b"\n"
    assert table.take(b"{}\n" + line)[0] is GateStatus.LINE
    status, consumed, _ = table.take(line * 9)
    assert (status, consumed) == (GateStatus.BUDGET, 4 * len(line))
    assert session.line_wait_us(NOW_US) == 1000
    assert table.take(b"{}\n")[0] is GateStatus.BUDGET, "not even looked at"
    assert table.take(b"{}")[0] is GateStatus.MORE
    assert session.last_line_us == NOW_US
    assert table.take(line * 9, NOW_US + 2000)[:2] == (GateStatus.BUDGET, 2 * len(line))
    assert session.last_line_us == NOW_US + 2000


def test_one_call_takes_so_many_lines_and_no_more(core: ModuleType) -> None:
    table = make_table(core)
    lines = [submit(nonce=nonce) + b"\n" for nonce in range(130)]
    data, taken = b"".join(lines), []
    for expected in (GateStatus.LIMIT, GateStatus.LIMIT, GateStatus.MORE):
        status, consumed, replies = table.take(data)
        assert status is expected
        assert replies.count(b"\n") == table.gate.lines
        taken.append(table.gate.lines)
        data = data[consumed:]
    assert taken == [64, 64, 2]
    longest = submit(id=f'"{"i" * 100}"') + b"\n"
    assert table.take(longest * 64)[0] is GateStatus.MORE
    assert table.take(submit() + b"\n" + b"x")[0] is GateStatus.MORE


def test_lines_up_to_the_cap_are_taken_and_longer_ones_are_not(core: ModuleType) -> None:
    table = make_table(core)
    line = submit()
    assert check_line(table, line.ljust(8192)) is Verdict.ACCEPTED
    assert check_line(table, line.ljust(8191) + b"\r") is Verdict.DUPLICATE
    assert table.take(line.ljust(8193) + b"\n") == (GateStatus.LINE, 0, b"")


@pytest.mark.parametrize("size", range(9))
def test_any_size_of_extranonce2_has_its_hex_digits(core: ModuleType, size: int) -> None:
    table = make_table(core, extranonce2_size=size)
    for digits in range(19):
        verdict = check_line(table, submit(extranonce2="9abcdef0123456789a"[:digits]))
        assert verdict is (Verdict.ACCEPTED if digits == 2 * size > 0 else None)


def test_an_unsubscribed_session_and_a_forgotten_job_are_the_callers(core: ModuleType) -> None:
    table = make_table(core)
    line = submit() + b"\n"
    table.gate.keep_jobs({JOB, STALE_JOB})
    assert table.take(line)[0] is GateStatus.LINE
    table.add_job(EASY_JOB, CURTIME - 9000, Work(), 1)
    assert table.take(line)[0] is GateStatus.MORE
    for number in range(1000, 1064):  # out of the ring
        table.session.remember(number, 1)
    assert table.take(line)[0] is GateStatus.LINE
    table.session.remember(EASY_JOB, 1)
    table.session.identify(b"", 8, 0)
    assert table.take(line)[0] is GateStatus.LINE


def test_hundreds_of_jobs_are_found(core: ModuleType) -> None:
    table = make_table(core)
    numbers = [work << 8 | refresh for work in range(200) for refresh in range(3)]
    shared = Work().gate_work(core)
    for number in numbers:
        table.gate.add_job(number, CURTIME, shared)
    table.gate.keep_jobs(set(numbers[10:]))
    for number in numbers:
        table.session.remember(number, 1)
        table.seen.make_room()
        status, _, _ = table.take(submit(number, number, ntime=CURTIME) + b"\n")
        assert status is (GateStatus.MORE if number in numbers[10:] else GateStatus.LINE)


def test_a_job_index_set_later_is_used(core: ModuleType) -> None:
    table = make_table(core)
    work = Work(job_index=-1).gate_work(core)
    table.gate.add_job(5, CURTIME, work)
    table.session.remember(5, 1)
    line = submit(5, ntime=CURTIME) + b"\n"
    assert (work.job_index, table.take(line)[0]) == (-1, GateStatus.LINE)
    work.job_index = 2**40
    assert (work.job_index, table.take(line)[0]) == (2**40, GateStatus.MORE)
    assert table.record(0)[24:32] == (2**40).to_bytes(8, "little")


def test_a_take_outside_the_buffer_is_refused(core: ModuleType) -> None:
    table = make_table(core)
    for start, end in [(-1, 5), (6, 5), (0, 65537)]:
        with pytest.raises(ValueError, match="is outside 65536 bytes"):
            table.gate.take(table.session, start, end, 0)
    assert table.take(b"x" * (SEGMENT - 7))[0] is GateStatus.MORE
