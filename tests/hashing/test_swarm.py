"""The swarm's core, on every back end: bytes of a pool to submit lines and tallies."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing import native, reference
from hashing.tallies import LINE, PARTIAL, Latencies, bucket_of, highest_of_bucket

SECOND = 10**9
NOW = 1000 * SECOND
MASK = 0x1FFFE000
EASY = 2**256 - 1

#: As cgminer writes it, with a version: id, then five or six values.
SUBMIT = (
    b'{"params": ["farm.rig1", "\x02", "\x03", "\x04", "\x05", "\x06"], "id": \x01, '
    b'"method": "mining.submit"}\n'
)
#: On the wire each word of it is turned.
PREVHASH = bytes(range(32))
WIRE_PREVHASH = b"".join(PREVHASH[at : at + 4][::-1] for at in range(0, 32, 4)).hex()
COINB1, COINB2 = "0200000001" + "00" * 36, "ffffffff00"
BRANCH = ["11" * 32, "22" * 32]


def notify(
    job_id: str = "1a",
    prevhash: str = WIRE_PREVHASH,
    clean_jobs: bool = True,
    ntime: int = 0x60000000,
) -> bytes:
    params = [job_id, prevhash, COINB1, COINB2, BRANCH, "20000000", "1d00ffff", f"{ntime:08x}"]
    return line({"id": None, "method": "mining.notify", "params": [*params, clean_jobs]})


def line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def answer(request_id: int, error: Any = None) -> bytes:
    return line({"id": request_id, "result": None if error else True, "error": error})


class Rig:
    """One rig of a core, by itself."""

    def __init__(self, module: ModuleType, *, window: int = 0, **options: Any) -> None:
        blind = options.pop("blind", True)
        target = options.pop("target", EASY)
        self.core = module.SwarmCore(1, 8, blind=blind)
        self.core.open(True)
        self.core.time(True)
        self.core.set_rig(0, SUBMIT, first_id=3, window=window, **options)
        self.core.set_version_mask(0, MASK)
        self.core.set_target(0, target, at_once=True)
        self.core.set_extranonce(0, b"\xaa\xbb\xcc\xdd", 8, at_once=True)
        self.core.set_ready(0)

    def hear(self, data: bytes, now_ns: int = NOW) -> list[dict[str, Any]]:
        """What it submits when it reads these bytes, all of them its own business."""
        self.core.buffer[: len(data)] = data
        return self.sent(self.core.receive(0, len(data), now_ns))

    def due(self, due_ns: int, now_ns: int) -> list[dict[str, Any]]:
        return self.sent(self.core.submit(0, due_ns, now_ns))

    def sent(self, size: int) -> list[dict[str, Any]]:
        assert size >= 0
        return [json.loads(text) for text in bytes(self.core.out[:size]).splitlines()]


# -- shares ------------------------------------------------------------------------------------


def test_a_notify_fills_the_window_and_an_answer_sends_the_next(core: ModuleType) -> None:
    rig = Rig(core, window=3)
    first = rig.hear(notify())
    assert [share["id"] for share in first] == [3, 4, 5]
    assert [share["params"][2] for share in first] == [
        f"{number:02x}00000000000000" for number in (0, 1, 2)
    ]
    assert all(share["params"][:2] == ["farm.rig1", "1a"] for share in first)
    assert [share["id"] for share in rig.hear(answer(4) + answer(3))] == [6, 7]
    assert rig.hear(b"") == []
    assert rig.core.tally().accepted == 2
    assert rig.core.waiting(0) == 3


def test_nothing_is_sent_before_there_is_a_job_a_subscription_and_an_open_gate(
    core: ModuleType,
) -> None:
    swarm = core.SwarmCore(2, 4, blind=True)
    for index in range(2):
        swarm.set_rig(index, SUBMIT, first_id=3, window=1)
    swarm.open(True)
    swarm.buffer[: len(notify())] = notify()
    assert swarm.receive(0, len(notify()), NOW) == 0
    swarm.set_extranonce(0, b"\x01", 4, at_once=True)
    assert swarm.receive(0, 0, NOW) == 0
    swarm.set_ready(0)
    swarm.open(False)
    assert swarm.receive(0, 0, NOW) == 0
    swarm.open(True)
    assert swarm.receive(0, 0, NOW) > 0
    assert swarm.submit(1, NOW, NOW) == 0
    assert (swarm.tally().submitted, swarm.tally().unsent) == (1, 1)


@pytest.mark.parametrize("one_in", [1, 16, 300])
def test_a_share_meets_the_target_of_its_job(core: ModuleType, one_in: int) -> None:
    target = 2**256 // one_in - 1
    rig = Rig(core, window=8, blind=False, target=target)
    job = core.ShareJob(
        bytes.fromhex(COINB1),
        bytes.fromhex(COINB2),
        [bytes.fromhex(node) for node in BRANCH],
        PREVHASH,
        0x1D00FFFF,
        0,
    )
    seen = set()
    for share in rig.hear(notify()):
        _, _, extranonce2, ntime, nonce, bits = share["params"]
        assert int(bits, 16) & ~MASK == 0
        checked = core.check_share(
            job,
            b"\xaa\xbb\xcc\xdd" + bytes.fromhex(extranonce2),
            0x20000000 | int(bits, 16),
            int(ntime, 16),
            int(nonce, 16),
            target.to_bytes(32, "little"),
        )
        assert checked.meets_share_target
        seen.add(checked.hash)
    assert len(seen) == 8


def test_a_target_that_nothing_meets_is_given_up() -> None:
    """In C alone: it takes a million hashes."""
    rig = Rig(native, window=1, blind=False, target=0)
    assert rig.hear(notify()) == []
    assert rig.core.tally().unfound == 1


def test_difficulty_and_extranonce_count_from_the_next_notify_on(core: ModuleType) -> None:
    rig = Rig(core, window=1)
    rig.hear(notify())
    rig.core.set_extranonce(0, b"\x99", 4)
    assert [len(s["params"][2]) for s in rig.hear(answer(3))] == [16]
    assert [len(s["params"][2]) for s in rig.hear(answer(4) + notify("2"))] == [8]


def test_a_mask_counts_at_once(core: ModuleType) -> None:
    rig = Rig(core, window=1)
    rig.hear(notify())
    rig.core.set_version_mask(0, 0)
    assert rig.hear(answer(3))[0]["params"][5] == "00000000"


def test_extranonce2_starts_again_only_with_a_new_block(core: ModuleType) -> None:
    rig = Rig(core, window=1)
    rig.hear(notify())
    assert rig.hear(answer(3) + notify("2", clean_jobs=True))[0]["params"][2][:2] == "01"
    assert rig.hear(answer(4) + notify("3", "cd" * 32))[0]["params"][2][:2] == "00"


def test_ntime_follows_the_clock_as_far_as_the_rig_rolls_it(core: ModuleType) -> None:
    rig = Rig(core, ntime_roll=7)
    rig.hear(notify(ntime=0x60000000))
    times = [rig.due(NOW, NOW + s * SECOND)[0]["params"][3] for s in (0, 3, 90)]
    assert times == ["60000000", "60000003", "60000007"]


def test_no_more_are_in_flight_than_there_is_room_for(core: ModuleType) -> None:
    rig = Rig(core)
    rig.hear(notify())
    assert [len(rig.due(NOW, NOW)) for _ in range(10)] == [1] * 8 + [0] * 2
    rig.hear(answer(3))
    assert len(rig.due(NOW, NOW)) == 1
    tally = rig.core.tally()
    assert (tally.submitted, tally.unsent, tally.accepted) == (9, 2, 1)


def test_an_untracked_rig_waits_for_nothing(core: ModuleType) -> None:
    rig = Rig(core, is_tracked=False)
    rig.hear(notify())
    assert [len(rig.due(NOW, NOW)) for _ in range(20)] == [1] * 20
    assert (rig.core.tally().untracked, rig.core.waiting(0)) == (20, 0)


# -- answers -----------------------------------------------------------------------------------


def test_rigs_with_one_id_for_all_are_answered_in_order(core: ModuleType) -> None:
    swarm = core.SwarmCore(1, 4, blind=True)
    swarm.open(True)
    swarm.set_rig(0, SUBMIT.replace(b"\x01", b"4"), first_id=4, same_id=True, window=2)
    swarm.set_extranonce(0, b"", 4, at_once=True)
    swarm.set_ready(0)
    data = notify() + answer(4) + answer(4)
    swarm.buffer[: len(data)] = data
    # The window is filled when all bytes are read: nothing waits for these answers yet.
    assert swarm.receive(0, len(data), NOW) == LINE
    assert swarm.resume(0, NOW) == LINE
    assert swarm.resume(0, NOW) > 0
    data = answer(4) + answer(4, [22, "Duplicate share", None])
    swarm.buffer[: len(data)] = data
    assert swarm.receive(0, len(data), NOW) > 0
    tally = swarm.tally()
    assert (tally.accepted, tally.refusals[0].count, tally.submitted) == (1, 1, 4)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"id":3,"result":null,"error":[23,"Low",null]}', b'[23,"Low",null]'),
        ('{"error" : [ 21, "Job \\"x\\"", null ] , "id":"3"}', b'[ 21, "Job \\"x\\"", null ]'),
        ('{"id":3,"result":false,"error":null,"reject-reason":"Stale"}', b'"Stale"'),
        ('{"id":3,"result":false,"error":null}', b"false"),
        ('{"id":3,"result":true,"error":"no"}', b'"no"'),
        ('{"id":3,"result":{"a":[1]},"x":{"id":[9]}}', b'{"a":[1]}'),
    ],
)
def test_refusals_are_kept_as_the_pool_wrote_them(
    core: ModuleType, text: str, error: bytes
) -> None:
    rig = Rig(core, window=1)
    rig.hear(notify())
    rig.hear(text.encode() + b"\n")
    (refusal,) = rig.core.tally().refusals
    assert (refusal.text, refusal.count, refusal.late) == (error, 1, 0)


def test_more_kinds_of_refusals_than_there_is_room_for_are_counted_together(
    core: ModuleType,
) -> None:
    rig = Rig(core, window=1)
    rig.hear(notify())
    for number in range(40):
        rig.hear(answer(3 + number, [20, f"reason {number}", None]))
    refusals = rig.core.tally().refusals
    assert len(refusals) == 32
    assert (refusals[-1].text, refusals[-1].count) == (b"", 9)


STALE = [21, "Stale share", None]


def test_a_refusal_of_old_work_is_late_however_the_pool_orders_it(core: ModuleType) -> None:
    rig = Rig(core)
    rig.hear(notify())
    for _ in range(4):
        rig.due(NOW, NOW)
    rig.hear(answer(3, STALE), NOW)  # long before the tip: no excuse
    rig.hear(notify("2"), NOW + 2 * SECOND)
    rig.hear(answer(4, STALE), NOW + 2 * SECOND)
    rig.due(NOW, NOW + 3 * SECOND)
    rig.hear(answer(7, STALE), NOW + 3 * SECOND)  # a moment before it
    rig.hear(notify("3"), NOW + 3 * SECOND + SECOND // 2)
    (refusal,) = rig.core.tally().refusals
    assert (refusal.count, refusal.late) == (3, 2)


def test_what_was_in_flight_is_lost_with_the_connection(core: ModuleType) -> None:
    rig = Rig(core, window=2)
    rig.hear(notify())
    rig.core.disconnect(0)
    assert not rig.core.has_job(0)
    assert rig.core.tally().lost == 2
    rig.core.set_ready(0)
    assert [share["id"] for share in rig.hear(notify("2"))] == [5, 6]
    assert rig.core.tally().tips == ()


# -- lines -------------------------------------------------------------------------------------


def test_any_segmentation_of_the_bytes_gives_the_same(core: ModuleType) -> None:
    data = notify() + answer(3) + notify("2", "cd" * 32) + answer(4, STALE)
    whole = Rig(core, window=2)
    whole.core.open(False)
    whole.hear(notify("0"))
    whole.core.open(True)
    whole.core.receive(0, 0, NOW)
    cut = Rig(core, window=2)
    cut.hear(notify("0"))
    whole.hear(data)
    rest = b""
    for at in range(len(data)):
        rest += data[at : at + 1]
        cut.core.buffer[: len(rest)] = rest
        outcome = cut.core.receive(0, len(rest), NOW)
        rest = cut.core.rest() if outcome == PARTIAL else b""
    assert rest == b""
    assert cut.core.tally().accepted == whole.core.tally().accepted == 1
    assert cut.core.tally().tips == whole.core.tally().tips


@pytest.mark.parametrize(
    "foreign",
    [
        b'{"id":1,"result":true,"error":null}',
        b'{"id":null,"method":"mining.set_difficulty","params":[1]}',
        b'{"id":99,"result":true,"error":null}',
        b'{"id":true,"result":true,"error":null}',
        b'{"id":3}',
        b'{"id":null,"method":"mining.notify","params":["1"]}',
        b'{"id":null,"method":"mining.notify","params":{}}',
        b"",
        b"[]",
        b"nonsense",
        b'{"id":3,"result":true',
    ],
)
def test_a_line_that_is_not_the_cores_is_handed_over(core: ModuleType, foreign: bytes) -> None:
    rig = Rig(core, window=1)
    rig.hear(notify())
    data = foreign + b"\n" + answer(3) + b'{"id'
    rig.core.buffer[: len(data)] = data
    assert rig.core.receive(0, len(data), NOW) == LINE
    assert rig.core.line() == foreign
    assert rig.core.resume(0, NOW) == PARTIAL
    assert rig.core.rest() == b'{"id'
    assert len(rig.sent(rig.core.out_size)) == 1


def test_a_job_without_room_is_handed_over_and_leaves_no_work(core: ModuleType) -> None:
    rig = Rig(core, window=1, blind=False)
    big = notify().replace(COINB2.encode(), b"00" * 9000)
    rig.core.buffer[: len(big)] = big
    assert rig.core.receive(0, len(big), NOW) == LINE
    assert not rig.core.has_job(0)


# -- tallies -----------------------------------------------------------------------------------


def test_a_tip_is_timed_from_the_first_rig_to_the_last(core: ModuleType) -> None:
    swarm = core.SwarmCore(3, 1, blind=True)
    for index in range(3):
        swarm.set_rig(index, SUBMIT, first_id=3)

    def tell(data: bytes, at_ns: int) -> None:
        for index in range(3):
            swarm.buffer[: len(data)] = data
            assert swarm.receive(index, len(data), at_ns + index * 1000) == 0

    tell(notify(), NOW)  # the first job is no tip
    tell(notify("2", clean_jobs=False), NOW + SECOND)
    tell(notify("3", "cd" * 32), NOW + 2 * SECOND)
    tell(notify("4", "cd" * 32), NOW + 3 * SECOND)  # the full template after the empty one
    (tip,) = swarm.tally().tips
    assert tip.prevhash == "cd" * 32
    assert (tip.first_ns, tip.last_ns - tip.first_ns, tip.rigs) == (NOW + 2 * SECOND, 2000, 3)


def test_latencies_of_a_second_with_a_tip_are_kept_apart(core: ModuleType) -> None:
    rig = Rig(core)
    rig.hear(notify())
    for _ in range(5):
        rig.due(NOW, NOW)
    rig.hear(answer(3), NOW + 5_000_000)  # calm
    rig.hear(answer(4), NOW + SECOND + 10_000_000)  # before the tip, in its second
    rig.hear(notify("2", "cd" * 32), NOW + SECOND + 20_000_000)
    rig.hear(answer(5), NOW + 2 * SECOND)  # due before the tip's second was over
    rig.due(NOW + 3 * SECOND, NOW + 3 * SECOND + 40_000)
    rig.hear(answer(8), NOW + 3 * SECOND + 100_000)  # calm again
    tally = rig.core.tally()
    assert (tally.calm.total, tally.calm.max_us) == (2, 5000)
    assert (tally.tip.total, tally.tip.max_us) == (2, 2_000_000)
    assert (tally.lag.total, tally.lag.max_us) == (6, 40)


def test_without_the_clock_nothing_is_timed(core: ModuleType) -> None:
    rig = Rig(core, window=1)
    rig.core.time(False)
    rig.hear(notify())
    rig.hear(answer(3))
    assert rig.core.tally().calm.total == rig.core.tally().lag.total == 0


@given(us=st.integers(0, 2**32 - 1))
def test_a_bucket_is_three_percent_wide(us: int) -> None:
    highest = highest_of_bucket(bucket_of(us))
    assert us <= highest <= us + us // 32
    assert bucket_of(highest) == bucket_of(us)
    assert bucket_of(highest + 1) == bucket_of(us) + 1


def test_percentiles_are_of_what_was_counted() -> None:
    counts = [0] * 896
    counts[bucket_of(10)] = 98
    counts[bucket_of(1000)] = 2
    latencies = Latencies(counts, 1001)
    assert [latencies.percentile_us(p) for p in (50, 98, 99, 100)] == [10, 10, 1001, 1001]
    assert Latencies([0] * 896, 0).percentile_us(99) == 0


# -- native is the reference -------------------------------------------------------------------

_ids = st.integers(0, 12)
_errors = st.sampled_from([None, STALE, [23, "Low difficulty share", None], "text"])
_lines = st.one_of(
    st.builds(answer, _ids, _errors),
    st.builds(
        notify, st.sampled_from("abc"), st.sampled_from([WIRE_PREVHASH, "cd" * 32]), st.booleans()
    ),
    st.builds(lambda value: line({"id": 3, "result": value}), st.booleans() | st.none()),
    st.just(line({"id": None, "method": "mining.set_difficulty", "params": [4]})),
)
_steps = st.lists(
    st.tuples(st.lists(_lines, max_size=4).map(b"".join), st.integers(0, SECOND)), max_size=12
)


@given(steps=_steps, window=st.integers(0, 4), blind=st.booleans(), one_in=st.sampled_from([1, 9]))
def test_any_conversation_equals_the_reference(
    steps: list[tuple[bytes, int]], window: int, blind: bool, one_in: int
) -> None:
    def play(module: ModuleType) -> list[Any]:
        rig = Rig(module, window=window, blind=blind, target=2**256 // one_in - 1)
        core, now, seen = rig.core, NOW, []
        for data, passes in steps:
            now += passes
            core.buffer[: len(data)] = data
            outcome = core.receive(0, len(data), now)
            while outcome == LINE:
                seen.append(core.line())
                outcome = core.resume(0, now)
            seen.append((outcome, bytes(core.out[: core.out_size])))
            seen.append(bytes(core.out[: core.submit(0, now - passes, now)]))
        return [*seen, core.tally(), core.waiting(0)]

    assert play(native) == play(reference)


@pytest.mark.fuzz
@given(data=st.binary(max_size=300), cut=st.integers(0, 400), spliced=st.booleans())
def test_no_bytes_break_it(data: bytes, cut: int, spliced: bool) -> None:
    rig = Rig(native, window=2, blind=False)
    rig.hear(notify())
    good = answer(3) + notify("2")
    data = good[:cut] + data + good[cut:] if spliced else data + b"\n"
    rig.core.buffer[: len(data)] = data
    outcome = rig.core.receive(0, len(data), NOW)
    while outcome == LINE:
        outcome = rig.core.resume(0, NOW)
    assert outcome >= PARTIAL
