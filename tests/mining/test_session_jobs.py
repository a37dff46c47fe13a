"""The jobs a rig is sent. Each line of them has passed the Ear's rules already."""

from __future__ import annotations

from fractions import Fraction

import pytest

from stratum.bitcoin.address import script_from_address
from stratum.bitcoin.networks import MAIN, REGTEST
from stratum.bitcoin.transaction import Reader, read_transaction
from stratum.mining.settings import TierSettings
from tests.mining.world import ALICE, BOB, EASY, OPERATOR, World, address


def _paid(rig_job: bytes) -> bytes:
    """The script that a coinbase pays."""
    return read_transaction(Reader(rig_job)).outputs[0].script_pubkey


def test_new_block_is_a_clean_job_and_everything_else_is_not(world: World) -> None:
    rig = world.ready()
    world.refresh()
    world.new_template()
    world.refresh()
    world.new_block()
    world.refresh()
    assert [job.clean_jobs for job in rig.jobs] == [True, False, False, False, True, False]
    assert len({job.job_id for job in rig.jobs}) == 6


def test_difficulty_is_said_once_and_again_only_with_a_job_that_changes_it(world: World) -> None:
    rig = world.ready()
    world.refresh()
    assert rig.ask("mining.suggest_difficulty", [2**-10])["result"] is True
    said = [line.get("method") for line in rig.ear.lines]
    assert said.count("mining.set_difficulty") == 1, "not before the next job"
    world.tick()
    said = [line.get("method") for line in rig.ear.lines]
    assert said[-2:] == ["mining.set_difficulty", "mining.notify"]
    assert not rig.job.clean_jobs
    assert rig.job.difficulty == Fraction(1, 2**10)


def test_same_job_is_never_sent_twice(world: World) -> None:
    rig = world.ready()
    job = world.pool.current
    assert job is not None
    world.broadcast(job, False)
    world.broadcast(job, True)
    assert len(rig.jobs) == 1


def test_rig_that_comes_before_any_work_gets_the_first_job() -> None:
    world = World()
    rig = world.ready()
    assert not rig.jobs and not rig.session.has_job
    world.tick()
    world.new_block()
    assert len(rig.jobs) == 1 and rig.job.clean_jobs


def test_finder_is_paid_under_solo_and_the_operator_for_farm_names(world: World) -> None:
    for name, payee in ((ALICE + ".w", ALICE), (BOB, BOB), ("barn.7", OPERATOR)):
        rig = world.ready(name)
        coinbase = rig.job.coinb1 + bytes(12) + rig.job.coinb2
        assert _paid(coinbase) == script_from_address(payee, REGTEST)


def test_line_of_a_large_block_stays_below_4_kib(world: World) -> None:
    rig = world.ready()
    world.new_template(transactions=2100)  # twelve branches; the Ear measures the line
    assert len(rig.job.branch) == 12


def test_resumed_rig_gets_a_job_it_never_had(world: World) -> None:
    """It begins its extranonce2 anew: on the same job it would find the same shares."""
    rig = world.ready()
    world.now += 10
    world.disconnect(rig)
    back = world.connect()
    back.subscribe("x/1", rig.session_id)
    back.authorize(ALICE + ".rig")
    assert back.extranonce1 == rig.extranonce1
    assert back.job.job_id != rig.job.job_id and back.job.ntime > rig.job.ntime
    assert back.job.clean_jobs


def test_rig_resumed_within_the_same_second_waits_for_a_job_it_never_had(world: World) -> None:
    rig = world.ready()
    world.disconnect(rig)
    back = world.connect()
    back.subscribe("x/1", rig.session_id)
    back.authorize(ALICE + ".rig")
    assert not back.jobs
    world.tick()
    assert back.job.ntime > rig.job.ntime and back.job.clean_jobs


def test_rig_with_an_unproven_layout_waits_for_its_first_job() -> None:
    world = World(proves_layouts=False)
    world.new_block()
    rig, other = world.ready(), world.ready(BOB)
    assert not rig.jobs and len(world.questions) == 1
    world.pool.layout_answered(world.questions[0].layout, True)
    world.refresh()
    assert rig.job.clean_jobs and other.job.clean_jobs


def test_rig_whose_layout_is_new_on_a_new_block_gets_a_clean_job_later() -> None:
    world = World(proves_layouts=False)
    world.new_block(segwit=False)
    world.pool.layout_answered("p2wpkh", True)
    rig = world.ready()
    world.new_block()
    assert len(rig.jobs) == 1 and not rig.session.has_job
    world.pool.layout_answered("p2wpkh+commitment", True)
    world.refresh()
    assert [job.clean_jobs for job in rig.jobs] == [True, True]


# -- difficulty on the wire ----------------------------------------------------------------


def _main(**tier: float | bool) -> World:
    world = World(MAIN, tier=TierSettings("127.0.0.1", 0, **tier))  # type: ignore[arg-type]
    world.new_block(nbits=0x1B0404CB)  # difficulty 16307.42
    return world


def _first_difficulty(world: World, password: str = "x") -> Fraction:
    return world.ready(address(2, world.network) + ".w", password).job.difficulty


def test_first_difficulty_is_the_tiers() -> None:
    assert _first_difficulty(_main(difficulty=512)) == 512


def test_difficulty_is_never_above_the_networks_on_main() -> None:
    world = _main(difficulty=1_000_000)
    difficulty = _first_difficulty(world)
    assert 16000 < difficulty < 16308
    assert _first_difficulty(world, "d=99999999") == difficulty


def test_difficulty_is_never_below_one_on_main() -> None:
    assert _first_difficulty(_main(difficulty=1, min_difficulty=0.001), "d=0.001") == 1


def test_difficulty_may_be_above_the_networks_elsewhere(world: World) -> None:
    """Testnet4's 20-minute rule would drop every rig to 1."""
    rig = world.ready(password="d=1000")
    assert rig.job.difficulty == 1000


@pytest.mark.parametrize(
    ("password", "difficulty"),
    [
        ("x", 64),
        ("", 64),
        ("d=500", 500),
        ("diff=500", 500),
        ("x,d=500", 500),
        ("x; d=500", 500),
        ("md=500", 500),
        ("md=32", 64),
        ("md=500,d=100", 500),
        ("d=-1,md=abc", 64),
        ("d=0", 64),
        ("D=500", 64),
        ("speed=500", 64),
        ("d=2", 16),
    ],
)
def test_password_pins_or_floors_the_difficulty(password: str, difficulty: int) -> None:
    world = _main(difficulty=64, min_difficulty=16)
    assert _first_difficulty(world, password) == difficulty


@pytest.mark.parametrize(
    ("method", "wish", "difficulty"),
    [
        ("mining.suggest_difficulty", 512, 512),
        ("mining.suggest_difficulty", 512.7, 512),
        ("mining.suggest_difficulty", 0.0001, 16),
        ("mining.suggest_difficulty", 0, 64),
        ("mining.suggest_difficulty", 10**26, 16307),
        ("mining.suggest_target", f"{0xFFFF << 200:064x}", 256),
        ("mining.suggest_target", "f" * 64, 16),
        ("mining.suggest_target", "F" * 63 + "0", 16),
    ],
)
@pytest.mark.parametrize("is_ready", [False, True])
def test_suggestion_is_taken_before_and_after_authorize(
    method: str, wish: object, difficulty: int, is_ready: bool
) -> None:
    world = _main(difficulty=64, min_difficulty=16)
    rig = world.connect()
    rig.subscribe()
    if is_ready:
        rig.authorize(address(2, MAIN))
    assert rig.ask(method, [wish])["result"] is True
    if not is_ready:
        rig.authorize(address(2, MAIN))
    world.tick()
    assert rig.job.difficulty == difficulty


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("mining.suggest_difficulty", [-5]),
        ("mining.suggest_difficulty", [True]),
        ("mining.suggest_difficulty", ["512"]),
        ("mining.suggest_difficulty", []),
        ("mining.suggest_target", ["0"]),
        ("mining.suggest_target", ["0" * 64]),
        ("mining.suggest_target", [5]),
    ],
)
def test_senseless_suggestion_is_refused(world: World, method: str, params: list[object]) -> None:
    assert world.ready().ask(method, params)["error"][0] == 20


def test_minimum_difficulty_of_configure_is_a_floor_and_zero_lifts_it(world: World) -> None:
    rig = world.ready()
    for minimum, expected in ((2**-20, 2**-20), (0, EASY)):
        wish = {"minimum-difficulty.value": minimum}
        reply = rig.ask("mining.configure", [["minimum-difficulty"], wish])
        assert reply["result"] == {"minimum-difficulty": True}
        world.tick()
        assert rig.job.difficulty == expected


def test_no_difficulty_change_costs_a_share(world: World) -> None:
    """Up and down with shares in flight on every job sent so far."""
    rig = world.ready()
    for exponent in (-26, -20, -27, -22, -18, -28):
        shares = [rig.mine(job) for job in rig.jobs[-4:]]
        rig.ask("mining.suggest_difficulty", [2.0**exponent])
        world.tick()
        assert [rig.verdict(share) for share in shares] == [0] * len(shares)
