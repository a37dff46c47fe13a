"""Ids, and the bytes of a notification."""

from __future__ import annotations

import binascii
import json

from hypothesis import given
from hypothesis import strategies as st

from stratum.bitcoin.coinbase import build_coinbase, coinbase_start, open_coinbase
from stratum.bitcoin.networks import REGTEST
from stratum.bitcoin.transaction import Output
from stratum.mining.jobs import JOB_LIFETIME, MAX_REFRESHES, JobBook, Work, make_job, microseconds
from stratum.mining.names import Payee
from stratum.protocol.messages import swap_words
from tests.mining.world import START, make_template, prevhash

TEMPLATE = make_template(REGTEST, prevhash(1))
OPEN = open_coinbase(1000, coinbase_start(1000, b"/x/", 12), 5, TEMPLATE.witness_commitment)


def _work(book: JobBook, generation: int = 1, received: float = START) -> Work:
    work = Work(book.new_work_id(), generation, TEMPLATE, 0x20000000, 0x1FFFE000, received, OPEN, 1)
    book.add_work(work)
    return work


def test_notification_is_head_payee_and_tail() -> None:
    work = Work(0xABC, 1, TEMPLATE, 0x20000004, 0x1FFFE000, START, OPEN, 1)
    coinbase = build_coinbase(1000, b"/x/", 12, [Output(5, b"\x51")], TEMPLATE.witness_commitment)
    line = make_job(work, 7, 0x6A1A5C2F, START).notify(Payee("any", b"\x51"), True)
    assert line.endswith(b"true]}\n")
    assert json.loads(line) == {
        "id": None,
        "method": "mining.notify",
        "params": [
            "000abc07",
            swap_words(TEMPLATE.prevhash).hex(),
            coinbase.coinb1.hex(),
            coinbase.coinb2.hex(),
            [node.hex() for node in TEMPLATE.branch],
            "20000004",
            "1f00ffff",
            "6a1a5c2f",
            True,
        ],
    }


@given(st.integers(0, 2**24 - 1))
def test_ids_of_one_connection_differ_also_in_their_crc(first: int) -> None:
    book = JobBook(first)
    ids: list[str] = []
    for _ in range(3):
        work = _work(book)
        for _ in range(20):
            job = book.new_job(work, int(START), START)
            assert job
            ids.append(job.job_id)
    assert len(set(ids)) == 60
    crcs = [binascii.crc_hqx(job_id.encode(), 0) for job_id in ids]
    assert all(len(set(crcs[i : i + 8])) == 8 for i in range(53))


def test_a_work_has_256_ids_and_no_more() -> None:
    book = JobBook(1)
    work = _work(book)
    jobs = [book.new_job(work, int(START) + n, START) for n in range(MAX_REFRESHES)]
    assert jobs[-1] is None or jobs[-1].job_id == "000001ff"
    assert book.new_job(work, int(START), START) is None


def test_ids_go_round_the_end_of_their_space() -> None:
    book = JobBook(2**24 - 1)
    assert [book.new_work_id() for _ in range(2)] == [2**24 - 1, 0]


def test_job_names_its_work_and_nothing_else_does() -> None:
    book = JobBook(10)
    work = _work(book)
    job = book.new_job(work, int(START), START)
    assert job and book.find(job.job_id) is work
    for other in ("", job.job_id.upper(), job.job_id + "0", "0000000a", "00000a01", "é" * 8):
        assert book.find(other) is None


def test_any_id_of_a_restored_work_names_it() -> None:
    book = JobBook(1)
    work = Work(0xABC, 0, TEMPLATE, 0x20000000, 0, START, OPEN, 1, restored=True)
    book.restore(work)
    assert book.find("000abc00") is book.find("000abcff") is work
    for other in ("000ABC00", "000abc0", "000abc000", "000abd00", "000abc0g"):
        assert book.find(other) is None
    assert book.new_job(work, int(START), START) is None, "its ids may all be in use"


@given(st.integers(0, 2**24 - 1), st.integers(-50, 50))
def test_restored_id_is_never_given_again_soon(first: int, distance: int) -> None:
    book = JobBook(first)
    work_id = (first + distance) % 2**24
    book.restore(Work(work_id, 0, TEMPLATE, 0, 0, START, OPEN, 1, restored=True))
    assert work_id not in [book.new_work_id() for _ in range(100)]


def test_jobs_past_their_lifetime_are_forgotten_with_their_work() -> None:
    book = JobBook(1)
    work = _work(book)
    job = book.new_job(work, int(START), START)
    assert job
    book.forget(1, START + JOB_LIFETIME - 1)
    assert book.find(job.job_id) is work
    book.forget(1, START + JOB_LIFETIME)
    assert book.find(job.job_id) is None and not book.works


def test_ntime_follows_the_nodes_clock_and_never_goes_below_mintime() -> None:
    book = JobBook(1)
    work = _work(book, received=START + 50)
    assert work.ntime(microseconds(START + 50)) == TEMPLATE.curtime
    assert work.ntime(microseconds(START + 80.9)) == TEMPLATE.curtime + 30
    assert work.ntime(microseconds(START)) == TEMPLATE.curtime
