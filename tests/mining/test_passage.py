"""From one process to another: a rig must not be able to tell."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.mining.kept import work_to_body
from stratum.mining.passage import (
    restore_session,
    resume_pool,
    resume_site,
    save_pool,
    save_session,
    save_site,
)
from tests.mining.rig import MASK, Rig
from tests.mining.world import ALICE, BOB, EASY, World


def hand_over(old: World) -> World:
    """A new process takes over what the old one has; its rigs speak to that one from now on."""
    new = World(tier=old.tier)
    new.now, new.tip, new._transactions = old.now, old.tip, old._transactions
    new.pool._book._next_work_id = old.pool._book._next_work_id + 1000
    new.pool.restore([work_to_body(work) for work in old.pool._book.works.values()], new.now)
    resume_pool(new.pool, travelled(save_pool(old.pool)))
    resume_site(new.site, travelled(save_site(old.site)))
    for rig in old.rigs:
        saved = travelled(save_session(rig.session))
        rig.session = restore_session(new.site, [new.tier], saved, new.now)
        rig._clock = lambda: new.now
        new.site.gatekeeper.connected(rig.session.address)
    new.rigs, old.rigs = old.rigs, []
    new._ids = old._ids
    return new


def travelled(value: dict[str, object]) -> dict[str, object]:
    """As bytes, like every state."""
    loaded = cbor2.loads(cbor2.dumps(value, canonical=True))
    assert isinstance(loaded, dict)
    return loaded


def test_shares_on_every_job_it_was_sent_are_good_at_their_own_difficulty(world: World) -> None:
    rig = world.ready(password=f"d={EASY}")
    first = rig.job
    world.refresh()
    second = rig.job
    new = hand_over(world)
    for job in (first, second):
        assert rig.verdict(rig.mine(job)) == 0
    assert [leaf.weight for leaf in new.leaves] == [16, 16]
    assert rig.verdict(rig.mine_low()) == 23


def test_next_template_of_the_same_block_is_no_new_block(world: World) -> None:
    rig = world.ready()
    before = rig.job
    new = hand_over(world)
    new.new_template()
    assert not rig.job.clean_jobs and rig.job.prevhash == before.prevhash
    assert rig.verdict(rig.mine(before)) == 0
    new.new_block()
    assert rig.job.clean_jobs
    assert rig.verdict(rig.mine(before)) == 21


def test_it_hears_nothing_it_would_not_have_heard(world: World) -> None:
    rig = world.ready()
    rig.configure()
    before = len(rig.ear.lines)
    new = hand_over(world)
    new.tick()
    assert len(rig.ear.lines) == before
    assert rig.verdict(rig.mine(version_bits=MASK)) == 0


def test_line_it_had_begun_is_finished_in_the_new_process(world: World) -> None:
    rig = world.ready()
    rig.send(b'{"id":9,"method":"mining.extranonce.')
    hand_over(world)
    (answer,) = rig.send(b'subscribe","params":[]}\n')
    assert answer == {"id": 9, "result": True, "error": None}


def test_difficulty_it_was_told_is_not_told_again(world: World) -> None:
    rig = world.ready(password="d=1")
    new = hand_over(world)
    new.refresh()
    assert [line for line in rig.ear.lines if line.get("method") == "mining.set_difficulty"] != []
    told = [line["params"] for line in rig.ear.lines if line.get("method", "").endswith("culty")]
    assert told == [[1]]


def test_half_a_handshake_is_finished_in_the_new_process(world: World) -> None:
    rig = world.connect()
    rig.subscribe()
    hand_over(world)
    rig.authorize(ALICE + ".late")
    assert rig.jobs and rig.verdict(rig.mine()) == 0


def test_new_rigs_get_an_extranonce1_that_nobody_has(world: World) -> None:
    rigs = [world.ready(ALICE), world.ready(BOB)]
    new = hand_over(world)
    rigs += [new.ready(ALICE), new.ready(BOB)]
    assert len({rig.extranonce1 for rig in rigs}) == 4


def test_rig_that_left_before_comes_back_for_its_jobs_after(world: World) -> None:
    rig = world.ready()
    share, session_id = rig.mine(), rig.session_id
    world.disconnect(rig)
    new = hand_over(world)
    new.now += 5
    back = new.connect()
    back.subscribe("cgminer/4.11.1", session_id)
    back.authorize(rig.worker_name)
    assert back.extranonce1 == rig.extranonce1
    assert back.verdict(share) == 0


def test_workers_keep_their_numbers_and_their_payee(world: World) -> None:
    rig = world.ready("farm.one")
    rig.verdict(rig.mine())
    new = hand_over(world)
    gate = new.gate
    assert rig.verdict(rig.mine()) == 0
    assert gate.accepted == 1, "the gate knows the worker"


def test_state_of_another_version_is_refused_and_leaves_nothing(world: World) -> None:
    rig = world.ready()
    saved = save_session(rig.session)
    del saved["jobs"]
    new = World()
    with pytest.raises(KeyError):
        restore_session(new.site, [new.tier], saved, new.now)
    assert new.gate.open_session().slot == 0


@given(st.lists(st.sampled_from(["refresh", "template", "block", "share", "tick"]), max_size=12))
def test_a_handover_at_any_moment_changes_no_verdict(steps: list[str]) -> None:
    world = World()
    world.new_block()
    rig = world.ready()
    for step in steps:
        _do(world, rig, step)
        world = hand_over(world)
    assert rig.verdict(rig.mine()) == 0


def _do(world: World, rig: Rig, step: str) -> None:
    match step:
        case "refresh":
            world.refresh()
        case "template":
            world.new_template()
        case "block":
            world.new_block()
        case "share":
            assert rig.verdict(rig.mine()) == 0
        case "tick":
            world.tick(5)
