"""Work from templates: when a job is clean, new, refreshed, empty, withheld or restored."""

from __future__ import annotations

import cbor2
import pytest

from stratum.bitcoin.block import parse_block
from stratum.bitcoin.merkle import merkle_root
from stratum.bitcoin.networks import MAIN, REGTEST, SIGNET, TESTNET4
from stratum.mining.difficulty import MAX_WEIGHT
from stratum.mining.jobs import MAX_REFRESHES, Work
from stratum.mining.kept import work_from_body, work_to_body
from stratum.mining.pool import Pool
from tests.mining.rig import MASK
from tests.mining.world import (
    ALICE,
    BOB,
    HEIGHT,
    START,
    World,
    address,
    make_template,
    prevhash,
)


def test_template_on_a_new_block_is_clean_and_another_on_the_same_is_not(world: World) -> None:
    pool = world.pool
    generation = pool.generation
    _, clean = pool.on_template(make_template(REGTEST, prevhash(1), first=50), world.now)
    assert not clean and pool.generation == generation
    _, clean = pool.on_template(make_template(REGTEST, prevhash(2)), world.now)
    assert clean and pool.generation == generation + 1


def test_every_template_is_kept_before_any_rig_hears_of_it(world: World) -> None:
    heard_before: list[int] = []
    rig = world.ready()

    def keep(work: Work) -> int:
        heard_before.append(len(rig.jobs))
        return 7

    pool = Pool(
        REGTEST, "/x/", gate=world.gate, first_work_id=900, keep=keep, ask=world.questions.append
    )
    world.pool = world.site.pool = pool
    job = world.new_template()
    assert heard_before == [1] and job.work.log_index == 7


# -- refreshes -----------------------------------------------------------------------------


def test_refresh_is_the_same_work_with_the_time_of_now(world: World) -> None:
    before = world.pool.current
    world.now += 30
    job = world.pool.refresh(world.now)
    assert before and job and job.work is before.work
    assert job.ntime == before.ntime + 30 and job.job_id != before.job_id


def test_refresh_is_made_at_most_once_a_second(world: World) -> None:
    world.now += 1
    job = world.pool.refresh(world.now)
    assert world.pool.refresh(world.now + 0.9) is job
    assert world.pool.refresh(world.now + 1.0) is not job


def test_there_is_no_refresh_before_any_work() -> None:
    assert World().pool.refresh(START) is None


def test_ntime_advances_even_when_the_clock_does_not(world: World) -> None:
    rig = world.ready()
    for _ in range(3):
        world.new_template()  # in the same second; the Ear compares contents
    assert [job.ntime - rig.jobs[0].ntime for job in rig.jobs] == [0, 1, 2, 3]


def test_new_work_begins_where_the_ids_of_one_run_out(world: World) -> None:
    rig = world.ready()
    first = world.pool.current
    for _ in range(MAX_REFRESHES + 10):
        world.refresh()
    last = world.pool.current
    assert first and last and last.work is not first.work
    assert last.work.template is first.work.template
    assert len({job.job_id for job in rig.jobs}) == MAX_REFRESHES + 11
    assert last.ntime - first.ntime == MAX_REFRESHES + 10, "its time goes on from where it was"
    assert not rig.job.clean_jobs
    assert rig.verdict(rig.mine()) == 0


# -- testnet4's 20-minute rule ---------------------------------------------------------------


def _testnet4(nbits: int, tip_time: int | None) -> World:
    world = World(TESTNET4)
    world.pool.on_tip(prevhash(1), prevhash(0), 0, world.now, tip_time)
    world.take_template(make_template(TESTNET4, prevhash(1), nbits=nbits))
    return world


def test_job_of_normal_difficulty_stays_within_20_minutes_of_its_parent() -> None:
    world = _testnet4(0x1F00FFFF, int(START) - 600)
    rig = world.ready(address(2, TESTNET4))
    first = rig.job
    assert rig.verdict(rig.mine(ntime=int(START) + 600)) == 0
    assert rig.verdict(rig.mine(ntime=int(START) + 601, above=first.network_target)) == 20

    for _ in range(3):
        world.now += 900
        world.refresh()  # the Ear compares contents: where time can't differ, the coinbase does
    assert [job.ntime for job in rig.jobs[1:]] == [START + 600] * 3
    assert len({job.coinb1 for job in rig.jobs[1:]}) == 3
    assert rig.verdict(rig.mine()) == 0


def test_job_is_not_rolled_at_all_where_its_parents_time_is_unknown() -> None:
    world = _testnet4(0x1F00FFFF, None)
    rig = world.ready(address(2, TESTNET4))
    share = rig.mine(ntime=rig.job.ntime + 1, above=rig.job.network_target)
    assert rig.verdict(share) == 20


def test_job_of_the_lowest_difficulty_may_be_rolled() -> None:
    world = _testnet4(0x1D00FFFF, int(START) - 600)
    rig = world.ready(address(2, TESTNET4))
    assert rig.verdict(rig.mine(ntime=rig.job.ntime + 5000)) == 0


# -- the network's difficulty ----------------------------------------------------------------


@pytest.mark.parametrize(("nbits", "limit"), [(0x1D00FFFF, 1), (0x1B0404CB, 16307)])
def test_no_share_is_harder_than_a_block_on_main(nbits: int, limit: int) -> None:
    world = World(MAIN)
    assert world.new_block(nbits=nbits).work.weight_limit == limit


def test_limit_is_rounded_down_to_what_every_client_computes() -> None:
    limit = World(MAIN).new_block(nbits=0x1702068F).work.weight_limit
    assert limit <= 138955357012247 < limit * 1.002
    assert (limit // (limit & -limit)).bit_length() <= 10


def test_shares_may_be_harder_than_a_block_elsewhere(world: World) -> None:
    assert world.new_block(nbits=0x207FFFFF).work.weight_limit == MAX_WEIGHT


# -- version -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "required", "job_version", "mask"),
    [
        (0x20000000, 0, 0x20000000, MASK),
        (0x3FFFE004, 0, 0x20000004, MASK),
        (0x20002000, 0x2000, 0x20002000, MASK & ~0x2000),
        (0x20000000, 0x20000000, 0x20000000, MASK),
    ],
)
def test_required_bits_stay_and_all_other_mask_bits_are_zero(
    world: World, version: int, required: int, job_version: int, mask: int
) -> None:
    template = make_template(REGTEST, prevhash(1), version=version, version_required=required)
    job, _ = world.pool.on_template(template, world.now)
    assert (job.work.version, job.work.version_mask) == (job_version, mask)
    assert job.work.version & job.work.version_mask == 0


# -- the empty block -----------------------------------------------------------------------


def test_new_tip_gives_an_empty_job_at_once_and_the_full_one_after_it(world: World) -> None:
    rig = world.ready()
    world.now += 10
    assert world.new_tip() is not None
    empty = rig.job
    assert empty.clean_jobs and not empty.branch

    share = rig.mine(empty)
    world.now += 1
    world.new_template()
    full = rig.job
    assert full.prevhash == empty.prevhash and full.branch and not full.clean_jobs
    assert rig.verdict(share) == 0, "the empty job's shares stay good"
    assert rig.verdict(rig.mine()) == 0


def test_empty_block_is_valid_and_pays_no_fees(world: World) -> None:
    rig = world.ready()
    world.new_tip()
    assert rig.verdict(rig.mine_block()) == 0
    (found,) = world.found
    block = parse_block(found.block)
    (coinbase,) = block.transactions
    assert block.header.prevhash == prevhash(2)
    assert block.header.merkle_root == merkle_root([coinbase.txid])
    full = world.kept[0].template
    assert coinbase.outputs[0].sats == full.coinbasevalue - full.fees
    assert coinbase.lock_time == HEIGHT + 2 - 1
    assert len(coinbase.outputs) == 2, "with the commitment of an empty block"


@pytest.mark.parametrize(
    ("parent", "tip"), [(prevhash(7), prevhash(8)), (prevhash(1), prevhash(1))]
)
def test_reorg_missed_block_or_old_news_wait_for_the_full_template(
    world: World, parent: bytes, tip: bytes
) -> None:
    assert world.pool.on_tip(tip, parent, int(START), world.now) is None


def test_no_empty_job_before_any_work_nor_where_the_next_target_is_unknown() -> None:
    assert World().pool.on_tip(prevhash(2), prevhash(1), 0, START) is None
    signet = World(SIGNET)
    signet.new_block()
    assert signet.new_tip() is None


@pytest.mark.parametrize(("height", "is_made"), [(2016 * 400 - 1, False), (2016 * 400, True)])
def test_no_empty_job_across_a_retarget(height: int, is_made: bool) -> None:
    world = World(MAIN)
    world.take_template(make_template(MAIN, prevhash(1), height=height))
    world.tip = 1
    assert (world.new_tip() is not None) is is_made


def test_empty_job_across_a_halving_pays_half() -> None:
    world = World()
    world.take_template(make_template(REGTEST, prevhash(1), height=1049))
    world.tip = 1
    world.new_tip()
    before, after = (work.template for work in world.kept[-2:])
    assert after.height == 1050 and after.coinbasevalue == (before.coinbasevalue - before.fees) // 2


# -- layouts -------------------------------------------------------------------------------


def test_layout_is_asked_once_with_a_whole_unsolved_block() -> None:
    world = World(proves_layouts=False)
    world.new_block()
    world.ready(ALICE)
    world.ready(BOB)
    (question,) = world.questions
    assert question.layout == "p2wpkh+commitment"
    block = parse_block(question.block)
    assert len(block.transactions) == 4
    assert block.header.merkle_root == merkle_root([each.txid for each in block.transactions])


def test_unanswered_question_is_asked_again_when_it_may() -> None:
    world = World(proves_layouts=False)
    world.new_block()
    rig = world.ready()
    world.pool.ask_again(world.questions[0].layout)
    world.refresh()
    assert len(world.questions) == 2 and not rig.jobs


def test_refused_layout_is_withheld_until_a_new_block() -> None:
    world = World(proves_layouts=False)
    world.new_block()
    rig = world.ready()
    world.pool.layout_answered(world.questions[0].layout, False)
    world.refresh()
    assert not rig.jobs and len(world.questions) == 1
    world.new_block()
    assert not rig.jobs and len(world.questions) == 2


# -- restarts ------------------------------------------------------------------------------


def test_work_survives_being_written_and_read(world: World) -> None:
    work = world.kept[0]
    body = cbor2.loads(cbor2.dumps(work_to_body(work), canonical=True))
    again = work_from_body(body, world.now)
    assert work_to_body(again) == work_to_body(work)
    assert again.template.network_target == work.template.network_target


def _restarted(world: World) -> World:
    """Another process on the same data, with templates of the same chain."""
    bodies = [cbor2.loads(cbor2.dumps(work_to_body(work))) for work in world.kept]
    after = World()
    after.now = world.now + 5
    assert after.pool.restore(bodies, after.now) == (len(bodies), 0)
    after.tip = world.tip - 1
    after._transactions = 5000
    return after


def test_block_on_a_job_from_before_a_restart_is_found(world: World) -> None:
    rig = world.ready()
    world.refresh()
    share = rig.mine_block()
    after = _restarted(world)
    after.new_block()

    back = after.connect()
    back.subscribe("x/1", rig.session_id)
    back.authorize(ALICE + ".rig")
    assert back.extranonce1 == rig.extranonce1
    assert back.verdict(share) == 21

    (found,) = after.found
    block = parse_block(found.block)
    work = world.kept[0]
    assert block.header.block_hash == found.block_hash
    assert tuple(each.serialized for each in block.transactions[1:]) == work.template.transactions
    assert block.header.merkle_root == merkle_root([each.txid for each in block.transactions])
    assert back.verdict(share) == 21 and len(after.found) == 1


def test_restored_ids_are_not_used_again(world: World) -> None:
    for _ in range(5):
        world.new_template()
    after = _restarted(world)
    after.new_block()
    assert after.kept[0].work_id == world.kept[-1].work_id + 1


def test_restored_work_goes_after_two_blocks(world: World) -> None:
    rig = world.ready()
    after = _restarted(world)
    for blocks, known in ((1, True), (2, False)):
        after.new_block()
        assert (after.pool.find(rig.job.job_id) is not None) is known, blocks
    assert after.pool.live_work_ids == {work.work_id for work in after.kept}


def test_kept_work_that_can_not_be_read_is_left_out(world: World) -> None:
    good = work_to_body(world.kept[0])
    bodies: list[dict[str, object]] = [{}, good | {"nbits": 0}, good | {"height": "x"}, good]
    assert World().pool.restore(bodies, START) == (1, len(bodies) - 1)


# -- what is forgotten ---------------------------------------------------------------------


def test_works_of_the_previous_block_are_known_and_older_ones_are_not(world: World) -> None:
    rig = world.ready()
    world.new_block()
    assert world.pool.find(rig.jobs[0].job_id) is world.kept[0]
    world.new_block()
    assert world.pool.find(rig.jobs[0].job_id) is None
    assert world.pool.live_work_ids == {work.work_id for work in world.kept[1:]}


def test_templates_of_one_block_share_their_transactions(world: World) -> None:
    for _ in range(2):
        template = make_template(REGTEST, prevhash(1), transactions=5)
        world.pool.on_template(template, world.now)
    old, new = (work.template.transactions for work in world.kept[-2:])
    assert all(one is other for one, other in zip(old, new, strict=True))
