"""Budgets and bans, by address or by an IPv6 customer's /64."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.mining import limits
from stratum.mining.limits import BAN_TIME, SCORE_LIFETIME, Gatekeeper, LineBudget, neighbourhood
from stratum.mining.settings import LimitSettings

HOST = "192.0.2.1"


# -- lines ---------------------------------------------------------------------------------


def _spend(budget: LineBudget, now: float) -> int:
    count = 0
    while budget.has_line(now) and count < 10_000:
        budget.pay()
        count += 1
    return count


def test_budget_pays_for_a_burst_and_then_for_the_rate() -> None:
    budget = LineBudget(50, 0.0)
    assert _spend(budget, 0.0) == 400
    assert _spend(budget, 1.0) == 50
    assert _spend(budget, 1000.0) == 400


def test_rate_zero_is_no_limit() -> None:
    budget = LineBudget(0, 0.0)
    assert _spend(budget, 0.0) == 10_000 and budget.wait() == 0


def test_wait_is_until_the_next_line() -> None:
    budget = LineBudget(4, 0.0)
    _spend(budget, 0.0)
    assert budget.wait() == 0.25
    assert not budget.has_line(0.2)
    assert budget.has_line(0.25) and budget.wait() == 0


def test_rate_below_one_line_in_a_burst_still_lets_lines_through() -> None:
    budget = LineBudget(0.1, 0.0)
    assert _spend(budget, 0.0) == 1
    assert _spend(budget, 10.0) == 1


def test_clock_that_is_set_back_costs_nothing() -> None:
    budget = LineBudget(50, 10_000.0)
    assert budget.has_line(0.0)
    assert _spend(budget, 0.0) == 400
    assert _spend(budget, 1.0) == 50


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 10), max_size=30))
def test_no_more_lines_than_burst_and_rate(rate: float, pauses: list[float]) -> None:
    budget, now, lines = LineBudget(rate, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        lines += _spend(budget, now)
    assert lines <= max(8 * rate, 1) + now * rate + 1e-6


# -- addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("somewhere", "somewhere"),
    ],
)
def test_neighbourhood_is_one_customer(address: str, place: str) -> None:
    assert neighbourhood(address) == place


def test_connections_of_one_address_are_capped_and_those_of_a_64_together() -> None:
    keeper = Gatekeeper(LimitSettings(connections_per_address=2))
    for address in ("2001:db8::1", "2001:db8::2"):
        assert keeper.refusal(address, 0.0) is None
        keeper.connected(address)
    assert "more than 2" in (keeper.refusal("2001:db8::3", 0.0) or "")
    assert keeper.refusal("2001:db8:0:1::3", 0.0) is None
    keeper.disconnected("2001:db8::1")
    assert keeper.refusal("2001:db8::3", 0.0) is None


def test_no_cap_where_the_setting_is_zero() -> None:
    keeper = Gatekeeper(LimitSettings(connections_per_address=0))
    for _ in range(2000):
        keeper.connected(HOST)
    assert keeper.refusal(HOST, 0.0) is None


def test_score_reaches_a_ban_that_ends() -> None:
    keeper = Gatekeeper(LimitSettings(ban_score=100))
    assert [keeper.misbehaved(HOST, 25, 0.0) for _ in range(4)] == [False, False, False, True]
    assert keeper.refusal(HOST, 1.0) == "banned"
    assert keeper.refusal("192.0.2.2", 1.0) is None
    assert keeper.refusal(HOST, BAN_TIME) is None
    assert not keeper.misbehaved(HOST, 25, BAN_TIME), "it begins at nothing again"


def test_score_is_forgotten() -> None:
    keeper = Gatekeeper(LimitSettings(ban_score=100))
    keeper.misbehaved(HOST, 99, 0.0)
    assert not keeper.misbehaved(HOST, 99, SCORE_LIFETIME)
    assert keeper.misbehaved(HOST, 99, SCORE_LIFETIME)


def test_working_rig_protects_its_address_also_from_an_older_ban() -> None:
    keeper = Gatekeeper(LimitSettings(ban_score=100))
    keeper.started_working(HOST)
    assert not keeper.misbehaved(HOST, 1000, 0.0)
    keeper.stopped_working(HOST)
    assert keeper.misbehaved(HOST, 1000, 0.0)
    keeper.started_working(HOST)
    assert keeper.refusal(HOST, 1.0) is None


def test_memory_of_scores_and_bans_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_SCORED", 10)
    keeper = Gatekeeper(LimitSettings(ban_score=100))
    for number in range(30):
        keeper.misbehaved(f"192.0.2.{number}", 99, 0.0)
        keeper.misbehaved(f"198.51.100.{number}", 100, 0.0)
    assert len(keeper._scores) == len(keeper._banned) == 10
    assert keeper.refusal("198.51.100.0", 0.0) is None
    assert keeper.refusal("198.51.100.29", 0.0) == "banned"
