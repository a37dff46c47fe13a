"""The client's jobs: which difficulty, extranonce and mask hold for which."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.errors import UpstreamError
from stratum.protocol.upstream_events import (
    Authorized,
    DifficultyChanged,
    ExtranonceChanged,
    NotifyReceived,
    VersionMaskChanged,
)
from stratum.units import DIFF1_TARGET, DifficultyScale
from tests.protocol.pool_hand import MASK, NOTIFY, VECTORS, Wire, only_job, ready


def test_job_has_every_field_of_the_notify_in_internal_order() -> None:
    wire = ready()
    wire.say("mining.set_difficulty", 16384)
    job = wire.job()
    header = bytes.fromhex(VECTORS["blocks"][0]["header"])
    assert job.prevhash == header[4:36]
    assert (job.version, job.nbits, job.ntime) == (0x20000004, 0x1702068F, 0x6A1A5C2F)
    assert (len(job.coinb1), len(job.coinb2), len(job.branch)) == (73, 87, 9)
    assert job.clean_jobs
    assert (job.extranonce1.hex(), job.extranonce2_size) == ("29387c9b", 8)
    assert (job.difficulty, job.target) == (Fraction(16384), DIFF1_TARGET // 16384)
    assert job.version_mask == MASK


def test_jobs_before_the_authorize_answer_wait_for_it() -> None:
    wire = Wire()
    wire.answer_configure()
    wire.answer_subscribe()
    assert wire.say("mining.set_difficulty", 4) == [
        DifficultyChanged(Fraction(4), DIFF1_TARGET // 4)
    ]
    assert wire.say("mining.notify", *NOTIFY) == []
    first, second = wire.answer_authorize()
    assert first == Authorized("user.w1")
    assert only_job([second]).difficulty == 4


def test_only_jobs_since_the_last_clean_one_are_kept() -> None:
    wire = Wire()
    wire.answer_configure()
    wire.answer_subscribe()
    for job_id, clean in (("a", True), ("b", False), ("c", True), ("d", False)):
        wire.say("mining.notify", job_id, *NOTIFY[1:8], clean)
    events = wire.answer_authorize()
    jobs = [event.job.job_id for event in events if isinstance(event, NotifyReceived)]
    assert jobs == ["c", "d"]


def test_notify_before_the_subscribe_answer_gets_its_extranonce() -> None:
    wire = Wire(version_mask=0)
    assert wire.say("mining.notify", *NOTIFY) == []
    assert only_job(wire.shake_hands()).extranonce1.hex() == "29387c9b"


def test_difficulty_counts_from_the_next_notify() -> None:
    wire = ready()
    wire.say("mining.set_difficulty", 8)
    before = wire.job()
    assert wire.say("mining.set_difficulty", 16)[0] == DifficultyChanged(
        Fraction(16), DIFF1_TARGET // 16
    )
    assert before.difficulty == 8
    assert wire.job().difficulty == 16


def test_first_difficulty_after_the_first_notify_is_meant_for_it_too() -> None:
    wire = ready()
    assert wire.job().difficulty == 1
    assert only_job(wire.say("mining.set_difficulty", 512)).difficulty == 512
    assert len(wire.say("mining.set_difficulty", 1024)) == 1


def test_first_difficulty_replaces_that_of_a_waiting_job() -> None:
    wire = Wire()
    wire.answer_configure()
    wire.answer_subscribe()
    wire.say("mining.notify", *NOTIFY)
    wire.say("mining.set_difficulty", 512)
    assert only_job(wire.answer_authorize()).difficulty == 512


def test_difficulty_of_an_earlier_connection_is_forgotten() -> None:
    wire = ready()
    wire.say("mining.set_difficulty", 8)
    wire.client.connected(wire.now)
    wire.shake_hands()
    assert wire.job().difficulty == 1


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("0.001", Fraction(1, 1000)),
        ("1638.4", Fraction(16384, 10)),
        ("16384.0", Fraction(16384)),
        ("1e-3", Fraction(1, 1000)),
        ("1E6", Fraction(10**6)),
        ('"512.5"', Fraction(1025, 2)),
        ("0.00000000023283064365386962890625", Fraction(1, 2**32)),
        ("1099511627776", Fraction(2**40)),
    ],
)
def test_difficulty_is_the_exact_decimal_on_the_wire(text: str, exact: Fraction) -> None:
    wire = ready()
    [event] = wire.raw(f'{{"id":null,"method":"mining.set_difficulty","params":[{text}]}}')
    assert event == DifficultyChanged(
        exact, min(DIFF1_TARGET * exact.denominator // exact.numerator, 2**256 - 1)
    )


@given(weight=st.integers(1, 2**63), shift=st.sampled_from([0, 32]))
def test_every_weight_our_own_pool_prints_is_read_as_its_own_target(
    weight: int, shift: int
) -> None:
    scale = DifficultyScale(shift)
    wire = ready()
    line = f'{{"id":null,"method":"mining.set_difficulty","params":[{scale.wire(weight)}]}}'
    [event] = wire.raw(line)
    assert isinstance(event, DifficultyChanged)
    assert event.target == scale.target(weight)


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-1",
        "0.0",
        "true",
        "null",
        "[]",
        '"x"',
        '"nan"',
        "1e-400",
        "1e300",
        "1e-310",
        "1e-999999999",
        "9e999",
    ],
)
def test_impossible_difficulty_ends_the_connection(text: str) -> None:
    wire = ready()
    with pytest.raises(UpstreamError):
        wire.raw(f'{{"id":null,"method":"mining.set_difficulty","params":[{text}]}}')


def test_numbers_without_leading_zeros_are_taken() -> None:
    wire = ready()
    job = only_job(wire.say("mining.notify", *NOTIFY[:5], "4", "207fffff", "1", False))
    assert (job.version, job.ntime) == (4, 1)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, ""),
        (0, 7),
        (1, "00"),
        (1, "g" * 64),
        (2, "abc"),
        (3, None),
        (4, "00"),
        (4, ["00"]),
        (4, ["00" * 32] * 25),
        (5, "123456789"),
        (6, 5),
        (7, ""),
    ],
)
def test_unusable_notify_ends_the_connection(place: int, value: Any) -> None:
    wire = ready()
    params = [*NOTIFY]
    params[place] = value
    with pytest.raises(UpstreamError):
        wire.say("mining.notify", *params)


def test_extranonce_counts_from_the_next_notify() -> None:
    wire = ready()
    before = wire.job()
    assert wire.say("mining.set_extranonce", "08000002", 4) == [
        ExtranonceChanged(bytes.fromhex("08000002"), 4)
    ]
    after = wire.job()
    assert (before.extranonce1.hex(), before.extranonce2_size) == ("29387c9b", 8)
    assert (after.extranonce1.hex(), after.extranonce2_size) == ("08000002", 4)


@pytest.mark.parametrize("method", ["mining.set_version_mask", "mining.set_version"])
def test_version_mask_counts_at_once(method: str) -> None:
    wire = ready()
    wire.job()
    changed, again = wire.say(method, "00ffe000")
    assert changed == VersionMaskChanged(0x00FFE000)
    assert only_job([again]).version_mask == 0x00FFE000
    assert wire.say(method, "00ffe000") == []


def test_version_mask_without_an_agreement_is_ignored() -> None:
    wire = ready(version_mask=0)
    assert wire.say("mining.set_version_mask", "1fffe000") == []
