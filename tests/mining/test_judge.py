"""Every verdict with its code on the wire, and the block before every rejection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import hashing
from stratum.bitcoin.coinbase import OpenCoinbase, payee_of
from stratum.bitcoin.networks import MAIN, Network
from stratum.mining.jobs import Work
from stratum.mining.judge import merged_version
from stratum.mining.rig import RING_SIZE
from stratum.mining.settings import LimitSettings
from stratum.mining.verdicts import Verdict
from stratum.units import best_of
from tests.mining.rig import MASK, Share, with_name
from tests.mining.world import ALICE, BOB, START, World, make_template, prevhash

# -- verdicts ------------------------------------------------------------------------------


def test_share_that_meets_its_difficulty_is_accepted_and_recorded(world: World) -> None:
    rig = world.ready()
    share = rig.mine(above=rig.job.network_target)

    assert rig.verdict(share) == 0

    (record,) = world.records
    assert (record.account, record.worker_name) == (ALICE, ALICE + ".rig")
    assert record.weight == 16 and record.tier == 0
    assert record.extranonce1 == rig.extranonce1
    assert record.extranonce2.hex() == share.extranonce2
    assert not record.meets_network_target and not world.found
    assert world.site.verdicts[Verdict.ACCEPTED] == 1
    assert world.gate.work == 16


def test_record_holds_enough_to_hash_the_share_again(world: World) -> None:
    rig = world.ready()
    rig.configure()
    rig.verdict(rig.mine(version_bits=0x053AC000, ntime=rig.job.ntime + 5))

    (record,) = world.records
    work = world.kept[record.log_index]
    checked = hashing.check_share(
        work.share_job,
        record.extranonce1 + record.extranonce2,
        record.version,
        record.ntime,
        record.nonce,
        world.network.scale.target(record.weight).to_bytes(32, "little"),
        payee_of(record.script_pubkey),
    )
    assert checked.meets_share_target and best_of(checked.hash) == record.best


def test_same_share_again_is_a_duplicate_whatever_its_spelling(world: World) -> None:
    rig = world.ready()
    share = rig.mine()
    assert rig.verdict(share) == 0

    shouted = replace(share, nonce=share.nonce.upper(), extranonce2=share.extranonce2.upper())
    for again in (share, shouted, replace(share, version_bits="00000000")):
        assert rig.verdict(again) == 22
    assert rig.submit(share, request_id="other id")["error"][0] == 22
    assert len(world.records) == 1


def test_share_submitted_again_after_a_resume_is_a_duplicate(world: World) -> None:
    rig = world.ready()
    share = rig.mine()
    assert rig.verdict(share) == 0
    world.disconnect(rig)

    back = world.connect()
    back.subscribe("cgminer/4.11.1", rig.session_id)
    back.authorize(ALICE + ".rig")

    assert back.extranonce1 == rig.extranonce1
    assert back.verdict(share) == 22


def test_share_found_while_the_connection_was_broken_is_accepted_after_a_resume(
    world: World,
) -> None:
    rig = world.ready()
    share = rig.mine()
    world.disconnect(rig)
    world.now += 60

    back = world.connect()
    back.subscribe("cgminer/4.11.1", rig.session_id)
    back.authorize(ALICE + ".rig")

    assert back.verdict(share) == 0


def test_resumed_jobs_are_not_for_another_payee(world: World) -> None:
    rig = world.ready()
    share = rig.mine()
    world.disconnect(rig)
    world.now += 60

    back = world.connect()
    back.subscribe("cgminer/4.11.1", rig.session_id)
    back.authorize(BOB + ".rig")

    assert back.extranonce1 == rig.extranonce1
    assert back.verdict(with_name(share, BOB + ".rig")) == 21


def test_beyond_its_limit_on_a_block_a_rigs_shares_are_refused_and_its_blocks_are_not() -> None:
    def gate(network: Network, limits: LimitSettings) -> hashing.Gate:
        return hashing.Gate(scale_shift=network.scale.shift, share_limit=2)

    world = World(gate=gate)
    world.new_block()
    rig, other = world.ready(), world.ready(BOB + ".rig")
    shares = [rig.mine() for _ in range(3)]
    assert [rig.verdict(share) for share in shares] == [0, 0, 20]
    assert rig.verdict(shares[0]) == 22, "what was seen is known for certain"
    assert rig.verdict(rig.mine_block()) == 20
    assert len(world.found) == 1
    assert other.verdict(other.mine()) == 0
    assert world.site.verdicts[Verdict.LIMITED] == 2

    world.new_block()
    assert rig.verdict(rig.mine()) == 0


def test_duplicates_outlive_a_new_block_and_a_new_template(world: World) -> None:
    rig = world.ready()
    share = rig.mine()
    assert rig.verdict(share) == 0
    world.new_template()
    assert rig.verdict(share) == 22
    world.new_block()
    assert rig.verdict(share) == 21


def test_hash_above_the_jobs_target_is_low_difficulty(world: World) -> None:
    rig = world.ready()
    assert rig.verdict(rig.mine_low()) == 23
    assert not world.records


def test_share_of_another_extranonce1_is_low_difficulty(world: World) -> None:
    rig, other = world.ready(), world.ready()
    share = rig.mine()
    assert other.verdict(share) == 23


def test_job_nobody_made_is_unknown(world: World) -> None:
    rig = world.ready()
    share = rig.mine()
    for job_id in ("", "ffffffff", share.job_id + "0", "a" * 5000, "١٢٣٤٥٦٧٨"):
        assert rig.verdict(replace(share, job_id=job_id)) == 21


def test_job_id_is_case_sensitive() -> None:
    world = World()
    for _ in range(10):
        world.new_block()  # Work 10 is "00000a…"
    rig = world.ready()
    share = rig.mine()
    assert share.job_id != share.job_id.upper()
    assert rig.verdict(replace(share, job_id=share.job_id.upper())) == 21
    assert rig.verdict(share) == 0


def test_job_of_another_connection_is_unknown(world: World) -> None:
    early = world.ready()
    share = early.mine()
    world.refresh()
    late = world.ready()
    late_share = replace(share, worker_name=late.worker_name)
    assert late.verdict(late_share) == 21


def test_previous_job_of_the_same_block_is_good_at_its_own_difficulty(world: World) -> None:
    rig = world.ready()
    old = rig.job
    rig.ask("mining.suggest_difficulty", [2**-20])
    world.tick()
    assert rig.job.difficulty == 2**-20 and old.difficulty < rig.job.difficulty

    assert rig.verdict(rig.mine(old, above=rig.job.share_target)) == 0
    assert world.records[-1].weight == 16
    assert rig.verdict(rig.mine()) == 0
    assert world.records[-1].weight == 2**12


def test_lowered_difficulty_does_not_make_old_jobs_easier(world: World) -> None:
    rig = world.ready()
    rig.ask("mining.suggest_difficulty", [2**-20])
    world.tick()
    old = rig.job
    rig.ask("mining.suggest_difficulty", [2**-28])
    world.tick()
    assert rig.job.difficulty < old.difficulty
    weak = rig.mine(old, target=rig.job.share_target, above=old.share_target)
    assert rig.verdict(weak) == 23


def test_job_of_the_previous_block_is_stale(world: World) -> None:
    rig = world.ready()
    share = rig.mine(above=rig.job.network_target)
    world.new_block()
    reply = rig.submit(share)
    assert reply["error"][:2] == [21, "Stale share"]


def test_job_pushed_out_of_the_ring_is_unknown(world: World) -> None:
    rig = world.ready()
    first = rig.job
    world.refresh()
    second = rig.job
    for _ in range(RING_SIZE - 1):
        world.refresh()
    assert rig.verdict(rig.mine(first, above=first.network_target)) == 21
    assert rig.verdict(rig.mine(second)) == 0
    assert len(rig.session.rig.state.ring()) == RING_SIZE


@pytest.mark.parametrize(
    ("later", "code"), [(-1, 20), (0, 0), (127, 0), (7000, 0), (7001, 20), (7200, 20)]
)
def test_ntime_window_is_the_jobs_time_and_7000_s_more(world: World, later: int, code: int) -> None:
    rig = world.ready()
    world.now += 300
    share = rig.mine(ntime=rig.job.ntime + later, above=rig.job.network_target)
    assert rig.verdict(share) == code


def test_future_is_judged_by_the_nodes_clock_as_the_network_will(world: World) -> None:
    """Ours may have been set: an hour behind the node's, it must not refuse good shares."""
    world.take_template(make_template(world.network, prevhash(1), curtime=int(START) + 3600))
    rig = world.ready()
    assert rig.job.ntime > world.now + 3000
    share = rig.mine(ntime=rig.job.ntime + 7000, above=rig.job.network_target)
    assert rig.verdict(share) == 0


def test_name_never_authorized_here_is_unauthorized(world: World) -> None:
    rig = world.ready()
    share = rig.mine(above=rig.job.network_target)
    for name in (ALICE, ALICE + ".other", BOB + ".rig", "", ALICE.upper() + ".rig"):
        assert rig.verdict(with_name(share, name)) == 24
    assert rig.verdict(share) == 0


def test_second_name_of_the_same_account_is_good(world: World) -> None:
    rig = world.ready()
    rig.authorize(ALICE + ".second")
    assert rig.verdict(rig.mine(name=ALICE + ".second")) == 0
    assert rig.verdict(rig.mine(name=ALICE + ".rig")) == 0


def test_submit_before_subscribe_is_not_subscribed_and_before_authorize_unauthorized(
    world: World,
) -> None:
    share = Share(ALICE, "00000100", "00" * 8, "00000000", "00000000")
    rig = world.connect()
    assert rig.verdict(share) == 25
    rig.subscribe()
    assert rig.verdict(share) == 24


def test_share_that_the_log_has_no_room_for_is_refused(world: World) -> None:
    rig = world.ready()
    world.has_room = False
    reply = rig.submit(rig.mine())
    assert reply["error"][:2] == [20, "storage full"]
    assert world.gate.work == 0


def test_every_verdict_is_counted(world: World) -> None:
    rig = world.ready()
    share = rig.mine()
    rig.submit(share)
    rig.submit(share)
    rig.submit(rig.mine_low())
    rig.submit(replace(share, nonce="xyz"))
    counted = {verdict: n for verdict, n in world.site.verdicts.items() if n}
    assert counted == dict.fromkeys(
        (Verdict.ACCEPTED, Verdict.DUPLICATE, Verdict.LOW_DIFFICULTY, Verdict.MALFORMED), 1
    )
    assert rig.session.rig.state.rejected == 3


# -- version rolling -----------------------------------------------------------------------


def test_five_and_six_parameters_are_good_with_and_without_rolling(world: World) -> None:
    rig = world.ready()
    assert rig.verdict(rig.mine()) == 0
    assert rig.verdict(rig.mine(version_bits=0)) == 0
    rig.configure()
    assert rig.verdict(rig.mine()) == 0
    assert rig.verdict(rig.mine(version_bits=0)) == 0
    assert rig.verdict(rig.mine(version_bits=MASK)) == 0
    share = rig.mine(version_bits=0x12345678 & MASK)
    assert rig.verdict(replace(share, version_bits=f"{0x12345678 & MASK:08X}")) == 0


def test_bits_outside_the_granted_mask_are_refused(world: World) -> None:
    rig = world.ready()
    assert rig.verdict(rig.mine(version_bits=0x2000, above=rig.job.network_target)) == 20
    rig.configure(0x00C00000)
    assert rig.verdict(rig.mine(version_bits=0x00800000, above=rig.job.network_target)) == 0
    assert rig.verdict(rig.mine(version_bits=0x00002000, above=rig.job.network_target)) == 20
    assert rig.verdict(rig.mine(version_bits=0x00000001, above=rig.job.network_target)) == 20


def test_whole_version_instead_of_its_bits_is_understood(world: World) -> None:
    """Old bmminer's sixth parameter (reference §1.13)."""
    rig = world.ready()
    rig.configure()
    share = rig.mine(version_bits=0x00402000)
    whole = replace(share, version_bits=f"{rig.job.version | 0x00402000:08x}")
    assert rig.verdict(whole) == 0
    plain = rig.mine()
    assert rig.verdict(replace(plain, version_bits=f"{rig.job.version:08x}")) == 0


def test_narrower_mask_keeps_shares_of_the_wider_one(world: World) -> None:
    rig = world.ready()
    rig.configure()
    share = rig.mine(version_bits=0x10000000)
    rig.configure(0x00C00000)
    assert rig.verdict(share) == 0


def test_merging_is_what_or_and_xor_pools_do_while_the_jobs_bits_are_zero() -> None:
    work = _work(MAIN, 0x20000004, MASK)
    for bits in (0, 0x2000, 0x053AC000, MASK):
        assert merged_version(work, MASK, bits) == 0x20000004 | bits == 0x20000004 ^ bits
    assert merged_version(work, MASK, None) == 0x20000004
    assert merged_version(work, 0x2000, 0x4000) is None
    assert merged_version(work, MASK, 0x40000000) is None


def _work(network: Any, version: int, mask: int) -> Work:
    template = make_template(network, bytes(32), version=version)
    return Work(1, 0, template, version, mask, START, OpenCoinbase(b"", b"", b"", False), 1)
