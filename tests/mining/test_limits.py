"""Budgets and bans, by address or by an IPv6 customer's /64."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.bitcoin.networks import REGTEST
from stratum.mining import limits
from stratum.mining.limits import BAN_TIME, SCORE_LIFETIME, Gatekeeper, neighbourhood
from stratum.mining.settings import LimitSettings
from stratum.mining.site import make_gate
from tests.mining.world import START

HOST = "192.0.2.1"


# -- lines ---------------------------------------------------------------------------------


class Budget:
    """The gate's meter at a rate, in seconds after some start."""

    def __init__(self, rate: float, now: float = 0.0) -> None:
        gate = make_gate(REGTEST, LimitSettings(lines_per_second=rate))
        self._state = gate.open_session()
        self._state.pay_line(_at(now))

    def spend(self, now: float) -> int:
        """How many lines can be paid for at once."""
        count = 0
        while count < 10_000 and self._state.pay_line(_at(now)):
            count += 1
        return count

    def wait(self, now: float) -> float:
        return self._state.line_wait_us(_at(now)) / 1_000_000


def _at(now: float) -> int:
    return round((START + now) * 1_000_000)


def test_budget_pays_for_a_burst_and_then_for_the_rate() -> None:
    budget = Budget(50, -100.0)
    assert budget.spend(0.0) == 400
    assert budget.spend(1.0) == 50
    assert budget.spend(1000.0) == 400


def test_rate_zero_is_no_limit() -> None:
    budget = Budget(0)
    assert budget.spend(0.0) == 10_000 and budget.wait(0.0) == 0


def test_wait_is_until_the_next_line() -> None:
    budget = Budget(4)
    budget.spend(0.0)
    assert budget.wait(0.0) == 0.25
    assert budget.spend(0.2) == 0
    assert budget.wait(0.25) == 0 and budget.spend(0.25) == 1


def test_rate_below_one_line_in_a_burst_still_lets_lines_through() -> None:
    budget = Budget(0.1, -100.0)
    assert budget.spend(0.0) == 1
    assert budget.spend(10.0) == 1


def test_clock_that_is_set_back_costs_nothing() -> None:
    budget = Budget(50, 10_000.0)
    assert budget.spend(0.0) == 400
    assert budget.spend(1.0) == 50


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 10), max_size=30))
def test_no_more_lines_than_burst_and_rate(rate: float, pauses: list[float]) -> None:
    budget, now, lines = Budget(rate), 0.0, 1
    for pause in pauses:
        now += pause
        lines += budget.spend(now)
    # A line costs whole microseconds, so that the rate is met to one part in a thousand.
    assert lines <= (max(8 * rate, 1) + now * rate) * 1.001 + 1


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
