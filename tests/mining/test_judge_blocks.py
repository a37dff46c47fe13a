"""A block is never lost, whatever is wrong with the share that it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stratum.bitcoin.block import Block, parse_block
from stratum.bitcoin.coinbase import OpenCoinbase
from stratum.bitcoin.merkle import merkle_root
from stratum.bitcoin.networks import MAIN
from stratum.bitcoin.target import hash_to_int, target_from_nbits
from stratum.bitcoin.template import witness_commitment
from stratum.events import BlockFound
from stratum.mining.difficulty import MAX_WEIGHT
from stratum.mining.jobs import Work, make_job
from stratum.mining.judge import judge
from stratum.mining.names import Payee
from stratum.mining.rig import RING_SIZE, Rig
from stratum.mining.verdicts import Verdict
from stratum.protocol.downstream import read_submit
from stratum.protocol.messages import swap_words
from stratum.units import best_of
from tests.mining.rig import MASK
from tests.mining.world import ALICE, START, World, address, make_template

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "wire_vectors.json").read_text())


# -- a block is never lost -----------------------------------------------------------------


def test_accepted_block_is_whole_and_valid(world: World) -> None:
    rig = world.ready()
    assert rig.verdict(rig.mine_block()) == 0
    found = _the_block(world)
    assert (found.height, found.worker_name) == (1001, ALICE + ".rig")
    assert world.records[0].meets_network_target
    assert world.records[0].best == best_of(found.block_hash)


def test_block_with_rolled_version_is_whole_and_valid(world: World) -> None:
    rig = world.ready()
    rig.configure()
    assert rig.verdict(rig.mine_block(version_bits=MASK)) == 0
    assert parse_block(_the_block(world).block).header.version == 0x3FFFE000


def test_block_without_segwit_has_no_witness() -> None:
    world = World()
    world.new_block(transactions=0, segwit=False)
    rig = world.ready()
    assert rig.verdict(rig.mine_block()) == 0
    (coinbase,) = parse_block(world.found[0].block).transactions
    assert coinbase.stripped == coinbase.serialized and len(coinbase.outputs) == 1


def test_same_block_twice_is_found_once(world: World) -> None:
    rig = world.ready()
    share = rig.mine_block()
    assert [rig.verdict(share), rig.verdict(share)] == [0, 22]
    assert len(world.found) == 1


def test_block_on_a_stale_job_is_found(world: World) -> None:
    rig = world.ready()
    share = rig.mine_block()
    world.new_block()
    assert [rig.verdict(share), rig.verdict(share)] == [21, 21]
    _the_block(world, world.kept[0])


def test_block_of_a_name_never_authorized_is_found(world: World) -> None:
    rig = world.ready()
    assert rig.verdict(rig.mine_block(name="stranger")) == 24
    _the_block(world)


def test_block_with_an_ntime_outside_the_window_is_found(world: World) -> None:
    rig = world.ready()
    assert rig.verdict(rig.mine_block(ntime=rig.job.ntime - 1)) == 20
    _the_block(world)


@pytest.mark.parametrize("bits", [0x2000, 0x00000001, 0x40000000])
def test_block_with_version_bits_outside_the_mask_is_found(world: World, bits: int) -> None:
    rig = world.ready()
    assert rig.verdict(rig.mine_block(version_bits=bits)) == 20
    assert parse_block(_the_block(world).block).header.version == 0x20000000 | bits


def test_block_below_the_shares_difficulty_is_found() -> None:
    """Where the network is easier than the port, as on a fresh regtest."""
    world = World()
    world.new_block(nbits=0x207FFFFF)
    rig = world.ready()
    share = rig.mine(target=rig.job.network_target, above=rig.job.share_target)
    assert rig.verdict(share) == 23
    _the_block(world)


def test_block_on_a_job_this_rig_was_never_sent_is_found(world: World) -> None:
    early = world.ready()
    job = early.job
    world.refresh()
    late = world.ready()
    assert late.verdict(late.mine_block(job)) == 21
    _the_block(world)


def test_block_on_a_job_pushed_out_of_the_ring_is_found(world: World) -> None:
    rig = world.ready()
    share = rig.mine_block()
    for _ in range(RING_SIZE):
        world.refresh()
    assert rig.verdict(share) == 21
    _the_block(world)


def test_block_that_the_log_has_no_room_for_is_found(world: World) -> None:
    rig = world.ready()
    world.has_room = False
    assert rig.verdict(rig.mine_block()) == 20
    _the_block(world)


def test_block_of_a_withheld_layout_is_found() -> None:
    """The node refused the layout after the rig had its job: nothing is lost by submitting."""
    world = World()
    world.new_block()
    rig = world.ready()
    world.pool.layout_answered(world.questions[0].layout, False)
    assert rig.verdict(rig.mine_block()) == 0
    _the_block(world)


# -- real blocks ---------------------------------------------------------------------------


@pytest.mark.parametrize("vector", VECTORS["blocks"], ids=lambda vector: vector["name"])
def test_real_block_is_accepted_and_found(vector: dict[str, Any]) -> None:
    world, rig = _real_job(vector)
    submit = read_submit(vector["submit"]["params"], vector["extranonce2_size"])

    judgement = judge(world.site, rig, submit, submit.ntime)

    assert judgement.verdict is Verdict.ACCEPTED
    (found,) = world.found
    assert found.block_hash[::-1].hex() == vector["hash"]
    assert found.block[:80].hex() == vector["header"]


def test_real_block_in_a_strangers_name_is_refused_and_found() -> None:
    vector = VECTORS["blocks"][0]
    world, rig = _real_job(vector)
    submit = read_submit(["stranger", *vector["submit"]["params"][1:]], vector["extranonce2_size"])
    assert judge(world.site, rig, submit, submit.ntime).verdict is Verdict.UNAUTHORIZED
    assert len(world.found) == 1


def test_real_block_without_its_version_bits_is_low_difficulty() -> None:
    """What a server that ignores version_bits would make of it."""
    vector = VECTORS["blocks"][0]
    world, rig = _real_job(vector)
    submit = read_submit(vector["submit"]["params"][:5], vector["extranonce2_size"])
    assert judge(world.site, rig, submit, submit.ntime).verdict is Verdict.LOW_DIFFICULTY
    assert not world.found


# -- inside --------------------------------------------------------------------------------


def _the_block(world: World, work: Work | None = None) -> BlockFound:
    """The one block that was found, checked as a node would check it."""
    (found,) = world.found
    block = parse_block(found.block)
    template = (work or world.kept[-1]).template
    _check_header(block, found, template.prevhash)
    _check_coinbase(block, template.coinbasevalue)
    assert tuple(each.serialized for each in block.transactions[1:]) == template.transactions
    assert found.sats == template.coinbasevalue
    return found


def _check_header(block: Block, found: BlockFound, previous: bytes) -> None:
    assert block.header.block_hash == found.block_hash
    assert block.header.prevhash == previous
    assert hash_to_int(found.block_hash) <= target_from_nbits(block.header.nbits)
    assert block.header.merkle_root == merkle_root([each.txid for each in block.transactions])


def _check_coinbase(block: Block, value: int) -> None:
    coinbase, *others = block.transactions
    paid, commitment = coinbase.outputs
    assert paid.sats == value and commitment.sats == 0
    assert commitment.script_pubkey == witness_commitment([each.wtxid for each in others])
    assert coinbase.witness == ((bytes(32),),)
    assert coinbase.lock_time == 1000 + 1 - 1 and coinbase.inputs[0].sequence == 0xFFFFFFFE


def _real_job(vector: dict[str, Any]) -> tuple[World, Rig]:
    """A real block's job, as if this pool had sent it at the network's own difficulty."""
    job_id, previous, coinb1, coinb2, branch, version, nbits, ntime, _ = vector["notify"]["params"]
    world = World(MAIN)
    template = replace(
        make_template(MAIN, swap_words(bytes.fromhex(previous)), nbits=int(nbits, 16)),
        branch=tuple(bytes.fromhex(node) for node in branch),
    )
    mask = int(vector.get("mask") or "0", 16)
    # The real coinb2 as it is: nothing of it is left open for a payee.
    coinbase = OpenCoinbase(bytes.fromhex(coinb1), bytes.fromhex(coinb2), b"", True)
    work = Work(1, 0, template, int(version, 16), mask, START, coinbase, MAX_WEIGHT)
    work.log_index = 0
    target = template.network_target
    weight = world.network.scale.weight_of_target(target)

    payee = Payee(address(1, MAIN), b"\x51")
    payee.coinbase_part = b""
    rig = Rig(0, world.gate.open_session())
    rig.extranonce1 = bytes.fromhex(vector["extranonce1"])  # longer than ours may be
    rig.authorize(vector["submit"]["params"][0], payee)
    rig.requested_mask = 0xFFFFFFFF
    rig.grant(mask)
    job = replace(make_job(work, 0, int(ntime, 16), START), job_id=job_id)
    world.pool._book._jobs[job_id] = job
    world.site.record = lambda share: (1, 1)  # such an extranonce has no place in a record
    rig.state.remember(job.number, weight)
    return world, rig
