from __future__ import annotations

import pytest

from stratum.app.books_rows import (
    block_row,
    by_name,
    cut,
    group_rows,
    newcomer,
    nonzero,
    ordered,
    period_row,
    rig_rows,
)
from stratum.ledger.database.recall import BlockFact, Period
from stratum.ledger.rollups import Sum
from stratum.ledger.statistics import Statistics
from stratum.observability.live import SessionRow
from stratum.observability.queries import SORTS, RowsQuery
from stratum.units import HASHES_PER_DIFFICULTY, DifficultyScale
from tests.ledger.worksums import NOON, rejects, row

SCALE = DifficultyScale(0)


def session(name: str = "farm.rig1", at: float = NOON, **changes: float) -> SessionRow:
    return SessionRow(name, "agent", changes.get("difficulty", 8.0), at, 0)


@pytest.fixture
def statistics() -> Statistics:
    """Three workers: the first by name is the slowest and the best, the last lost most."""
    statistics = Statistics(SCALE)
    statistics.begin_at(NOON)
    statistics.add_account(1, "farm", NOON * 10**6)
    for number in (1, 2, 3):
        statistics.add_worker(number, 1, f"rig{number}", NOON * 10**6)
        best = 0x3000 - number
        statistics.apply([row(NOON + number, number, best=best)])
        statistics.apply([row(NOON + 10 + number, number, number * 10, best=best)])
    statistics.reject(rejects(NOON + 20, 3, stale=5, duplicate=1))
    statistics.advance(NOON + 60)
    return statistics


def test_row_of_a_worker_is_its_tally_and_its_sessions(statistics: Statistics) -> None:
    sessions = by_name([session("farm.rig3", NOON + 5), session("farm.rig3", NOON + 2)])
    (found,) = rig_rows(statistics, [statistics.workers[3]], sessions)
    assert (found.worker, found.account) == ("farm.rig3", "farm")
    assert (found.accepted, found.rejected) == (31, 6)
    assert found.rejects == {"stale": 5, "duplicate": 1}
    assert found.efficiency == pytest.approx(30 / 35)
    assert found.best == pytest.approx(2.0**15, rel=0.01)
    assert (found.sessions, found.connected_at, found.difficulty) == (2, NOON + 2, 8.0)
    assert found.last_share_at == NOON + 13
    assert list(found.rates) == ["1m", "10m", "1h", "24h"]
    assert found.hashrate == found.rates["10m"].hashrate
    assert found.rates["1m"].hashrate == pytest.approx(30 / 57 * HASHES_PER_DIFFICULTY)


def test_row_of_a_worker_that_is_away_has_no_connection(statistics: Statistics) -> None:
    (found,) = rig_rows(statistics, [statistics.workers[1]], {})
    assert (found.sessions, found.connected_at, found.agent) == (0, None, "")
    assert found.difficulty == 1.0  # of its last share


def test_newcomer_has_a_connection_and_no_share() -> None:
    found = newcomer("farm.new", [session("farm.new", NOON + 3), session("farm.new", NOON + 4)])
    assert (found.accepted, found.last_share_at, found.rates) == (0, None, {})
    assert (found.account, found.sessions, found.connected_at) == ("farm", 2, NOON + 3)


def test_sessions_go_by_the_name_that_the_books_have() -> None:
    known = {"bcrt1qx.rig", "hall\\ud800", "Hall.rig"}
    typed = ["BCRT1QX.rig", "bcrt1qx.rig", "hall\ud800", "Hall.rig", "HALL.new"]
    found = by_name([session(name) for name in typed], known)
    assert {name: len(mine) for name, mine in found.items()} == {
        "bcrt1qx.rig": 2,
        "hall\\ud800": 1,
        "Hall.rig": 1,
        "HALL.new": 1,
    }


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("hashrate", "321"),
        ("hashrate_24h", "321"),
        ("-hashrate_1m", "123"),
        ("accepted", "321"),
        ("rejected", "312"),
        ("best", "123"),
        ("last_share", "321"),
        ("efficiency", "312"),
        ("name", "123"),
        ("-name", "321"),
    ],
)
def test_rows_are_in_the_order_of_the_query(statistics: Statistics, sort: str, names: str) -> None:
    found = ordered(statistics, list(statistics.workers.values()), RowsQuery(sort))
    assert "".join(tally.name[-1] for tally in found) == names


def test_every_sort_has_keys(statistics: Statistics) -> None:
    for sort in SORTS:
        assert len(ordered(statistics, list(statistics.workers.values()), RowsQuery(sort))) == 3


def test_pages_do_not_overlap() -> None:
    rows = list(range(25))
    pages = [list(cut(rows, RowsQuery(offset=start, limit=10))) for start in range(0, 30, 10)]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert sum(pages, []) == rows


def test_series_of_no_share_is_a_row_of_zeros() -> None:
    statistics = Statistics(SCALE)
    (found,) = group_rows(statistics, [statistics.site])
    assert (found.accepted, found.best, found.efficiency, found.last_share_at) == (
        0,
        None,
        None,
        None,
    )
    assert found.rates["24h"].hashrate == 0


def test_running_period_has_the_mean_of_what_has_passed() -> None:
    period = Period(NOON, Sum(shares=3, work=600))
    whole = period_row(period, 600, NOON + 6000.0, SCALE)
    running = period_row(period, 600, NOON + 60.0, SCALE)
    assert whole.hashrate == HASHES_PER_DIFFICULTY
    assert running.hashrate == pytest.approx(10 * HASHES_PER_DIFFICULTY)
    assert (whole.work, whole.difficulty) == ("600", 600.0)


def test_block_is_shown_with_the_reason_of_a_rejection_alone() -> None:
    fact = BlockFact(bytes(31) + b"\x01", 7, "farm.rig1", 50, NOON * 10**6, "rejected", "high-hash")
    assert block_row(fact).reason == "high-hash"
    assert block_row(fact).block_hash == "01" + "00" * 31
    assert block_row(fact).found_at == NOON
    accepted = BlockFact(bytes(32), 7, "x", 50, 0, "accepted", "node: accepted")
    assert block_row(accepted).reason == ""


def test_causes_without_a_reject_are_left_out() -> None:
    assert nonzero(rejects(0, bad_time=2).counts) == {"bad_time": 2}
