from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hashing
from stratum.ledger.archive import archive_below
from stratum.ledger.effects import AccountAdded, BlockKept, FateKept, Rejects, WorkerAdded
from stratum.ledger.errors import LogDamaged, LogRewound
from stratum.ledger.following import Follower, News
from stratum.ledger.notary import Notary
from stratum.ledger.records import RecordType
from stratum.ledger.rollups import Batch, Cursor
from stratum.ledger.segment import leaf_in
from stratum.ledger.tail import LogReader
from tests.ledger.kept import KeptLog, recount
from tests.ledger.worksums import NOON

START = Cursor()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of several segments with a little of everything, the first ones archived."""
    directory = tmp_path_factory.mktemp("kept")
    with KeptLog(directory, room=100) as log:
        for number in range(40):
            log.clock = NOON + 13 * number
            log.record(RecordType.JOB, number=number)
            log.share(f"farm.rig{number % 5}", 8, weight=number + 1, tier=number % 2)
            if number % 7 == 0:
                log.reject(f"farm.rig{number % 5}", stale=2)
                log.reject(unauthorized=1)
        log.block(7)
        log.sync()
    assert len(list(archive_below(directory, 250))) == 2
    return directory


def all_news(directory: Path, cursor: Cursor = START, limit: int = 4096) -> News:
    follower = Follower(directory, cursor)
    try:
        while follower.step(limit):
            pass
        return follower.take()
    finally:
        follower.close()


def test_everything_of_the_log_arrives_once(directory: Path) -> None:
    news = all_news(directory)
    counted = recount(directory)
    assert sum(work.shares for work in news.works) == counted["shares"].total() == 320
    assert sum(work.work for work in news.works) == counted["work"].total()
    kinds = [type(effect) for effect in news.effects]
    assert kinds.count(AccountAdded) == 1
    assert kinds.count(WorkerAdded) == 5
    assert kinds.count(Rejects) == 12
    assert kinds[-2:] == [BlockKept, FateKept]
    assert news.works == sorted(news.works)


def test_cursor_tells_the_last_record_and_the_trees_edge(directory: Path) -> None:
    cursor = all_news(directory).cursor
    edge = hashing.MerkleEdge()
    with LogReader(directory) as reader:
        while (run := reader.read()).slots:
            for place in range(run.count):
                edge.append(leaf_in(run.slots, place))
    assert cursor.next_index == edge.size
    assert cursor.edge == edge.to_bytes()
    with LogReader(directory, cursor.next_index - 1) as reader:
        assert leaf_in(reader.read().slots, 0) == cursor.last_leaf


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(1, 150), max_size=8), limit=st.integers(1, 200))
def test_pieces_add_up_to_one_straight_fold(directory: Path, cuts: list[int], limit: int) -> None:
    """Wherever a follower was left and another went on from its cursor."""
    batch, straight = Batch(Cursor(), Cursor()), Batch(Cursor(), Cursor())
    cursor = Cursor()
    for size in cuts:
        follower = Follower(directory, cursor)
        follower.step(size)
        news = follower.take()
        follower.close()
        cursor = news.cursor
        batch.add(news.works, news.effects, cursor)
    rest = all_news(directory, cursor, limit)
    batch.add(rest.works, rest.effects, rest.cursor)

    whole = all_news(directory)
    straight.add(whole.works, whole.effects, whole.cursor)
    assert batch == straight


def test_full_segments_and_blocks_are_shown_to_the_notary(directory: Path) -> None:
    for _ in range(2):  # books that are made anew find what they signed before
        follower = Follower(directory, START, Notary(directory))
        while follower.step(64):
            pass
        cursor = follower.take().cursor
        follower.close()
    names = {path.name for path in (directory / "log").glob("*.checkpoint")}
    block = "00" * 31 + "07"
    full = {f"{first:020}.checkpoint" for first in range(0, cursor.next_index - 99, 100)}
    assert names == full | {f"{block}.checkpoint"}


def test_more_workers_than_the_sums_have_room_for_are_counted_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with KeptLog(tmp_path) as log:
        for number in range(30):
            log.share(f"farm.rig{number}")
        log.sync()
    small = hashing.ShareSums
    monkeypatch.setattr(hashing, "ShareSums", lambda room: small(4))
    assert sum(work.shares for work in all_news(tmp_path).works) == 30


def test_follower_waits_for_a_log_and_for_more_of_it(tmp_path: Path) -> None:
    follower = Follower(tmp_path, Cursor())
    assert follower.step(100) == 0
    with KeptLog(tmp_path) as log:
        log.share()
        log.sync()
        assert follower.step(100) == 3
        assert follower.step(100) == 0
        assert len(follower.take().works) == 1
        log.share()
        log.sync()
        assert follower.step(100) == 1
    follower.close()
    assert follower.take().cursor.next_index == 4


def test_nothing_that_a_power_cut_could_take_back_is_read(tmp_path: Path) -> None:
    with KeptLog(tmp_path) as log:
        log.share()
        log.sync()
        follower = Follower(tmp_path, Cursor())
        while follower.step(100):
            pass
        log.share(count=50)
        seen = 3
        while seen < log.count:
            seen += follower.step(100)
            with LogReader(tmp_path, synced_only=True) as reader:
                assert seen <= reader.read().end
        follower.close()


def test_log_that_ends_before_the_cursor_is_found_out(directory: Path, tmp_path: Path) -> None:
    cursor = all_news(directory).cursor
    with KeptLog(tmp_path) as log:
        log.share(count=5)
        log.sync()
    with pytest.raises(LogRewound):
        Follower(tmp_path, cursor)
    with pytest.raises(LogRewound):
        Follower(tmp_path / "empty", cursor)


def test_log_that_grew_again_after_it_lost_its_tail_is_found_out(tmp_path: Path) -> None:
    with KeptLog(tmp_path) as log:
        log.share(count=3)
        log.sync()
    shutil.copytree(tmp_path / "log", tmp_path / "older")
    with KeptLog(tmp_path) as log:
        log.share(count=3)
        log.sync()
    cursor = all_news(tmp_path).cursor

    shutil.rmtree(tmp_path / "log")
    (tmp_path / "older").rename(tmp_path / "log")
    with KeptLog(tmp_path) as log:
        log.clock += 1
        log.share(count=10)
        log.sync()
    with pytest.raises(LogRewound, match=r"record 7 of the log is not the one"):
        Follower(tmp_path, cursor)


def test_record_without_its_fields_is_damage_with_its_place(tmp_path: Path) -> None:
    with KeptLog(tmp_path) as log:
        log.share()
        log.record(RecordType.WORKER, id=9)
        log.sync()
    with pytest.raises(LogDamaged, match="record 3 of the log, WORKER: 'account'"):
        all_news(tmp_path)
