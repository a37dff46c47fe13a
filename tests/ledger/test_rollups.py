from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hashing.values import ShareSum
from stratum.ledger.effects import CAUSES, Effect
from stratum.ledger.rollups import Batch, Cursor, Sum, SumKey
from tests.ledger.worksums import NAMES, NOON, effects, rejects, row, rows

RIG1 = SumKey(NOON, 1, 1, 0)


def batch_of(*parts: ShareSum | Effect) -> Batch:
    batch = Batch(Cursor(), Cursor())
    batch.add(
        [part for part in parts if isinstance(part, ShareSum)],
        [part for part in parts if not isinstance(part, ShareSum)],
        Cursor(len(parts)),
    )
    return batch


def test_work_falls_into_the_ten_minutes_that_begin_before_it() -> None:
    batch = batch_of(row(NOON + 599, shares=1), row(NOON + 600, shares=2), row(NOON - 1, shares=4))
    assert {key.bucket - NOON: part.shares for key, part in batch.sums.items()} == {
        0: 1,
        600: 2,
        -600: 4,
    }


def test_sum_knows_the_minute_it_began_and_the_last_share() -> None:
    batch = batch_of(
        row(NOON + 185, shares=2, best=9), row(NOON + 125, best=12), row(NOON + 186, best=3)
    )
    assert batch.sums[RIG1] == Sum(4, 4, 12, NOON + 120, (NOON + 186) * 10**6)


def test_rejects_fall_into_the_bucket_of_their_record_and_begin_nothing() -> None:
    batch = batch_of(rejects(NOON + 601, stale=2), rejects(NOON + 602, stale=1, duplicate=1))
    counts = rejects(0, stale=3, duplicate=1).counts
    assert batch.sums == {RIG1._replace(bucket=NOON + 600): Sum(rejected=counts)}


def test_tiers_of_one_worker_are_kept_apart() -> None:
    assert len(batch_of(row(NOON, listen=0), row(NOON, listen=1)).sums) == 2


@given(st.lists(rows | effects))
def test_nothing_is_lost_on_the_way_into_a_batch(parts: list[ShareSum | Effect]) -> None:
    sums = batch_of(*parts).sums.values()
    works = [part for part in parts if isinstance(part, ShareSum)]
    assert sum(part.work for part in sums) == sum(work.work for work in works)
    assert sum(part.shares for part in sums) == sum(work.shares for work in works)
    refused = [
        part.counts for part in parts if not isinstance(part, ShareSum) and hasattr(part, "counts")
    ]
    for place in range(len(CAUSES)):
        assert sum(part.rejected[place] for part in sums) == sum(each[place] for each in refused)


def test_batch_of_nothing_is_empty_and_one_of_a_job_alone_is_not() -> None:
    batch = Batch(Cursor(5), Cursor(5))
    assert batch.is_empty
    batch.add([], [], Cursor(6))
    assert not batch.is_empty
    assert batch.size == 0


def test_size_tells_what_a_batch_holds() -> None:
    assert batch_of(*NAMES, row(NOON), row(NOON + 1), row(NOON, 2)).size == len(NAMES) + 2
