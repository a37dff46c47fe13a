from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.bitcoin.target import difficulty_of_target
from stratum.ledger.effects import CAUSES
from stratum.ledger.rollups import Sum
from stratum.ledger.statistics import KeptWork, Statistics, Tally, difficulty_of_best, lost_shares
from stratum.units import HASHES_PER_DIFFICULTY, DifficultyScale, best_of
from tests.ledger.worksums import NOON, rejects, row


def statistics_of_a_farm(workers: int = 2) -> Statistics:
    statistics = Statistics(DifficultyScale(0))
    statistics.begin_at(NOON)
    statistics.add_account(1, "farm", NOON * 10**6)
    for number in range(1, workers + 1):
        statistics.add_worker(number, 1, f"rig{number}", NOON * 10**6)
    return statistics


def minute_rate(statistics: Statistics, tally: Tally) -> float:
    ((rate, *_),) = statistics.rates([tally])
    return rate.hashrate / HASHES_PER_DIFFICULTY


def test_every_series_counts_the_same_shares() -> None:
    statistics = statistics_of_a_farm()
    statistics.apply([row(NOON + 1, 1, 3), row(NOON + 2, 2, 4, listen=1, best=0x2890)])
    statistics.apply([row(NOON + 3, 1, 5, listen=1)])
    shares = {
        "rig1": statistics.workers[1].shares,
        "rig2": statistics.workers[2].shares,
        "farm": statistics.accounts[1].shares,
        "tier 0": statistics.tiers[0].shares,
        "tier 1": statistics.tiers[1].shares,
        "site": statistics.site.shares,
    }
    assert shares == {"rig1": 8, "rig2": 4, "farm": 12, "tier 0": 3, "tier 1": 9, "site": 12}
    assert statistics.site.best == statistics.workers[2].best == 0x2890
    assert statistics.site.last_us == (NOON + 3) * 10**6
    assert statistics.workers[2].name == "farm.rig2"


def test_rate_counts_from_the_first_news_and_not_the_news_itself() -> None:
    statistics = statistics_of_a_farm()
    statistics.apply([row(NOON + 10, shares=1000)])
    statistics.advance(NOON + 20)
    assert minute_rate(statistics, statistics.workers[1]) == 0
    statistics.apply([row(NOON + 25, shares=6)])
    statistics.advance(NOON + 30)
    assert minute_rate(statistics, statistics.workers[1]) == pytest.approx(6 / 20)
    assert statistics.workers[1].shares == 1006


def test_rates_of_a_log_read_at_once_are_those_of_one_followed_live() -> None:
    news = [row(NOON + 10 * step, 1 + step % 2, 5) for step in range(10_000)]
    live, late = statistics_of_a_farm(), statistics_of_a_farm()
    for each in news:
        live.apply([each])
        live.advance(each.last_us / 1e6)
    late.apply(news)
    late.advance(live.as_of)
    assert live.site.shares == late.site.shares
    assert live.rates([live.workers[2]]) == late.rates([late.workers[2]])
    # What counts as the site's first news is a second's in the one and a minute's in the other.
    for (one,), (other,) in zip(
        map(live.rates, [[live.site]]), map(late.rates, [[late.site]]), strict=True
    ):
        assert [rate.hashrate for rate in one] == pytest.approx([rate.hashrate for rate in other])


def test_silence_at_the_end_of_the_log_lowers_the_rate() -> None:
    statistics = statistics_of_a_farm()
    for second in range(60):
        statistics.apply([row(NOON + second)])
    busy = minute_rate(statistics, statistics.site)
    statistics.advance(NOON + 119)
    assert minute_rate(statistics, statistics.site) == pytest.approx(busy / 2, rel=0.05)
    statistics.advance(NOON + 180)
    assert minute_rate(statistics, statistics.site) == 0


def test_clock_set_back_begins_the_rates_anew_and_keeps_the_counts() -> None:
    statistics = statistics_of_a_farm()
    for second, shares in ((10, 1), (20, 50)):
        statistics.apply([row(NOON + second, shares=shares)])
    statistics.advance(NOON + 20)
    assert minute_rate(statistics, statistics.site) > 0
    statistics.advance(NOON - 3600)
    assert minute_rate(statistics, statistics.site) == 0
    assert statistics.site.shares == 51
    assert statistics.as_of == NOON - 3600


def test_rejects_are_counted_by_cause_for_worker_account_tier_and_site() -> None:
    statistics = statistics_of_a_farm()
    statistics.reject(rejects(NOON + 1, 1, stale=2, duplicate=1))
    statistics.reject(rejects(NOON + 1, 0, 0, unauthorized=7))
    by_cause = dict(zip(CAUSES, statistics.site.rejected, strict=True))
    assert {cause: count for cause, count in by_cause.items() if count} == {
        "stale": 2,
        "duplicate": 1,
        "unauthorized": 7,
    }
    assert sum(statistics.workers[1].rejected) == sum(statistics.accounts[1].rejected) == 3
    assert sum(statistics.workers[2].rejected) == 0
    assert sum(statistics.tiers[0].rejected) == 10


def test_efficiency_is_the_part_of_proved_work_that_counted() -> None:
    statistics = statistics_of_a_farm()
    statistics.apply([row(NOON, shares=1, work=1024), row(NOON + 60, shares=90, work=90 * 1024)])
    assert statistics.efficiencies([statistics.workers[1]]) == [1.0]
    statistics.reject(rejects(NOON + 61, stale=7, unknown_job=3))
    statistics.reject(rejects(NOON + 62, duplicate=500, low_difficulty=500, malformed=500))
    statistics.advance(NOON + 70)
    assert statistics.efficiencies([statistics.workers[1]]) == [0.9]
    assert statistics.efficiencies([statistics.workers[2]]) == [None]


def test_a_reject_is_priced_at_its_workers_own_difficulty() -> None:
    statistics = statistics_of_a_farm()
    statistics.apply([row(NOON, 1, work=1), row(NOON, 2, work=1_000_000)])
    statistics.apply([row(NOON + 1, 1, work=1), row(NOON + 1, 2, work=1_000_000)])
    statistics.reject(rejects(NOON + 2, 1, stale=1))
    (site,) = statistics.efficiencies([statistics.site])
    assert site == pytest.approx(1_000_001 / 1_000_002, rel=1e-9)
    assert statistics.efficiencies([statistics.workers[1]]) == [0.5]


def test_lost_shares_leaves_out_what_proves_no_work() -> None:
    assert lost_shares(rejects(NOON, stale=1, limited=2, duplicate=4, not_subscribed=8).counts) == 3


def test_idle_workers_and_their_accounts_leave_memory_after_two_days() -> None:
    statistics = statistics_of_a_farm()
    statistics.add_account(2, "gone", NOON * 10**6)
    statistics.apply([row(NOON + 1, 1), row(NOON + 1, 2)])
    later = NOON + 49 * 3600
    statistics.reject(rejects(later, 2, stale=1))  # a sign of life, too
    statistics.advance(later)
    statistics.forget_idle()
    assert set(statistics.workers) == {2}
    assert set(statistics.accounts) == {1}
    assert statistics.site.shares == 2

    statistics.add_worker(3, 1, "new", int(later * 1e6))
    assert minute_rate(statistics, statistics.workers[3]) == 0


def test_restored_series_go_on_with_their_counts_and_their_last_day() -> None:
    statistics = statistics_of_a_farm(1)
    worker = statistics.workers[1]
    totals = Sum(
        500, 500 * 64, 0x2580, NOON - 7200, (NOON - 60) * 10**6, rejects(0, stale=5).counts
    )
    for tally in (worker, statistics.accounts[1], statistics.tier(0), statistics.site):
        statistics.restore(tally, totals)
    statistics.restore_work(
        [KeptWork(NOON - 600 * back, 1, 1, 0, 60, 60 * 64, 0) for back in range(1, 13)]
        + [KeptWork(NOON - 600, 1, 99, 0, 10**6, 10**9, 0)]  # somebody long forgotten
    )
    statistics.advance(NOON)

    assert worker.difficulty == 64
    for tally in (worker, statistics.site):
        (rates,) = statistics.rates([tally])
        minute, ten, hour, day = (rate.hashrate / HASHES_PER_DIFFICULTY for rate in rates)
        assert (minute, ten) == (0, 0)  # minutes are in memory alone
        assert hour == day == pytest.approx(60 * 64 / 600)
        assert rates[2].low < rates[2].hashrate < rates[2].high
    statistics.apply([row(NOON + 1, 1, work=64)])
    assert worker.shares == 501
    assert minute_rate(statistics, worker) > 0


def test_worker_that_nobody_introduced_is_an_error() -> None:
    with pytest.raises(KeyError):
        statistics_of_a_farm().apply([row(NOON, 17)])


@given(st.integers(1, 2**256 - 1))
def test_best_share_is_never_shown_better_than_it_was(number: int) -> None:
    shown = difficulty_of_best(best_of(number.to_bytes(32, "little")))
    assert shown is not None
    exact = difficulty_of_target(number)
    assert shown <= exact * (1 + 1e-12)
    if number >= 256:
        assert exact <= shown * 1.0079


def test_no_share_has_no_best() -> None:
    assert difficulty_of_best(0) is None
    assert difficulty_of_best(best_of(bytes(32))) == float(0xFFFF << 208)
