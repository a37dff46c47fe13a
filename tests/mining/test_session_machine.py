"""Random conversations: whatever happens in whatever order, the rules of the wire hold.

The machine drives a few rigs on one pool: requests, shares, blocks, templates, time, broken
connections. Every line passes an Ear; what is submitted is compared with a model of what must be
accepted; and no bytes at all make a session raise anything but CloseSession.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from stratum.mining.settings import LimitSettings, TierSettings
from tests.mining.rig import MASK, Rig
from tests.mining.world import ALICE, BOB, EASY, World, prevhash

METHODS = [
    "mining.configure",
    "mining.subscribe",
    "mining.authorize",
    "mining.suggest_difficulty",
    "mining.suggest_target",
    "mining.extranonce.subscribe",
    "mining.multi_version",
    "mining.get_transactions",
    "mining.submit",
    "mining.ping",
]

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from([ALICE, "version-rolling", "minimum-difficulty", "00000100", "1fffe000"]),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=4), children, max_size=3)
    ),
    max_leaves=8,
)

REQUEST = st.fixed_dictionaries(
    {"method": st.sampled_from(METHODS) | JSON, "params": JSON},
    optional={"id": JSON, "jsonrpc": JSON},
).map(lambda request: json.dumps(request).encode())

LINE = REQUEST | JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)


class Conversations(RuleBasedStateMachine):
    """What a rig may submit is known from what it heard; the pool has to agree."""

    rigs = Bundle("rigs")

    @initialize(has_work=st.sampled_from([True, True, True, False]))
    def begin(self, has_work: bool) -> None:
        tier = TierSettings("127.0.0.1", 0, difficulty=EASY, min_difficulty=1 / 2**32)
        self.world = World(tier=tier, limits=LimitSettings(0, 0, 0))
        if has_work:
            self.world.new_block()

    # -- rigs come, ask, go ----------------------------------------------------------------

    @rule(target=rigs, name=st.sampled_from([None, ALICE, BOB, "barn"]), rolls=st.booleans())
    def connect(self, name: str | None, rolls: bool) -> Rig:
        rig = self.world.connect()
        if rolls:
            rig.configure()
        if name:
            rig.subscribe()
            rig.authorize(name + ".w")
        return rig

    @rule(rig=rigs, agent=st.sampled_from(["cgminer/4.11.1", "", "x/1"]))
    def subscribe(self, rig: Rig, agent: str) -> None:
        if rig.is_open:
            before = rig.extranonce1
            rig.subscribe(agent)
            assert before in (b"", rig.extranonce1)

    @rule(
        rig=rigs,
        name=st.sampled_from([ALICE, BOB, "barn"]),
        password=st.sampled_from(["x", "d=0.00000001"]),
    )
    def authorize(self, rig: Rig, name: str, password: str) -> None:
        if rig.is_open:
            reply = rig.authorize(name + ".w", password)
            assert reply["result"] is (rig.worker_name == name + ".w")

    @rule(rig=rigs, mask=st.sampled_from([0, MASK, 0xFFFFFFFF, 0x00C00000]))
    def configure(self, rig: Rig, mask: int) -> None:
        if rig.is_open:
            assert rig.configure(mask)["version-rolling"] is (mask != 0)

    @rule(rig=rigs, exponent=st.integers(-32, -20))
    def suggest(self, rig: Rig, exponent: int) -> None:
        if rig.is_open:
            assert rig.ask("mining.suggest_difficulty", [2.0**exponent])["result"] is True

    @rule(rig=rigs)
    def disconnect(self, rig: Rig) -> None:
        if rig.is_open:
            self.world.disconnect(rig)

    @rule(target=rigs, rig=rigs)
    def resume(self, rig: Rig) -> Rig:
        back = self.world.connect()
        if rig.session_id:
            back.subscribe("x/1", rig.session_id)
            assert (back.extranonce1 == rig.extranonce1) <= (not rig.is_open)
        return back

    @rule(rig=rigs, line=LINE)
    def say_anything(self, rig: Rig, line: bytes) -> None:
        """Raises nothing but CloseSession, which the rig notes."""
        if not rig.is_open:
            return
        rig.send(line + b"\n")
        if rig.closing is not None:
            self.world.disconnect(rig)

    # -- the chain and the clock -----------------------------------------------------------

    @rule()
    def new_block(self) -> None:
        self.world.now += 1
        self.world.new_block()

    @rule()
    def new_tip(self) -> None:
        self.world.now += 1
        if self.world.pool.current is not None:
            assert self.world.new_tip() is not None

    @rule()
    def new_template(self) -> None:
        self.world.new_template()

    @rule()
    def refresh(self) -> None:
        if self.world.pool.current is not None:
            self.world.refresh()

    @rule(seconds=st.sampled_from([0.5, 1, 5, 29, 60]))
    def wait(self, seconds: float) -> None:
        self.world.tick(seconds)

    # -- shares ----------------------------------------------------------------------------

    @rule(rig=rigs, back=st.integers(0, 5), later=st.sampled_from([0, 1, 7000, 7001]))
    def submit_any(self, rig: Rig, back: int, later: int) -> None:
        self.submit(rig, back, later)

    def submit(self, rig: Rig, back: int, later: int) -> None:
        """On a job of any age: accepted exactly if the job is of this block and the time right."""
        if not rig.is_open or not rig.jobs:
            return
        job = rig.jobs[max(len(rig.jobs) - 1 - back, 0)]
        share = rig.mine(job, ntime=job.ntime + later)
        before = len(self.world.records)
        verdict = rig.verdict(share)

        is_late = later > 7000 or job.ntime + later > self.world.now + 7200
        is_stale = job.prevhash != rig.job.prevhash
        # Jobs of the block before are still known, older ones are not.
        blocks = list(dict.fromkeys(job.prevhash for job in rig.jobs))
        is_unknown = job.prevhash not in blocks[-2:]
        expected = 21 if is_unknown else 20 if is_late else 21 if is_stale else 0
        assert verdict == expected
        assert len(self.world.records) - before == (verdict == 0)
        if verdict == 0:
            assert rig.verdict(share) == 22

    @rule(rig=rigs)
    def submit_at_once(self, rig: Rig) -> None:
        self.submit(rig, 0, 0)

    @rule(rig=rigs)
    def submit_without_work(self, rig: Rig) -> None:
        if rig.is_open and rig.jobs:
            assert rig.verdict(rig.mine_low()) == 23

    # -- always ----------------------------------------------------------------------------

    @invariant()
    def live_rigs_never_share_an_extranonce1(self) -> None:
        if not hasattr(self, "world"):
            return
        held = [rig.session.rig.extranonce1 for rig in self.world.rigs]
        held = [extranonce1 for extranonce1 in held if extranonce1 is not None]
        assert len(held) == len(set(held))

    @invariant()
    def ready_rigs_work_on_the_present_block(self) -> None:
        if not hasattr(self, "world") or self.world.pool.current is None:
            return
        for rig in self.world.rigs:
            if rig.session.has_job:
                job = self.world.pool.job(rig.job.job_id)
                assert job is not None and job.number == rig.session.rig.state.newest
                assert job.work.template.prevhash == prevhash(self.world.tip)

    @invariant()
    def blocks_are_found_once(self) -> None:
        if hasattr(self, "world"):
            hashes = [found.block_hash for found in self.world.found]
            assert len(hashes) == len(set(hashes))


TestConversations = Conversations.TestCase


@given(st.lists(LINE | st.binary(max_size=200), max_size=6), st.booleans(), st.data())
def test_no_bytes_raise_anything_but_close_session(
    lines: list[bytes], is_ready: bool, data: Any
) -> None:
    world = World()
    world.new_block()
    rig = world.ready() if is_ready else world.connect()
    stream = b"\n".join(lines)
    while stream and rig.closing is None:
        size = data.draw(st.integers(1, len(stream)))
        rig.send(stream[:size])
        stream = stream[size:]
