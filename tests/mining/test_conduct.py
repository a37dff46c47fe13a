"""When a connection has done enough wrong."""

from __future__ import annotations

import pytest

from stratum.mining.conduct import CloseSession, Conduct
from stratum.mining.limits import MAX_JUNK_RUN, MAX_REFUSED_AUTHORIZES, STRIKE, Gatekeeper
from stratum.mining.settings import LimitSettings

HOST = "192.0.2.1"


def _conduct(ban_score: int = 100) -> tuple[Conduct, Gatekeeper]:
    keeper = Gatekeeper(LimitSettings(ban_score=ban_score))
    return Conduct(keeper, ban_score, HOST), keeper


def test_score_ends_the_connection_and_bans_its_address() -> None:
    conduct, keeper = _conduct()
    for _ in range(4):
        conduct.offend(STRIKE, 0.0)
    with pytest.raises(CloseSession):
        conduct.offend(STRIKE, 0.0)
    assert keeper.refusal(HOST, 0.0) == "banned"


def test_nothing_is_no_offence() -> None:
    conduct, keeper = _conduct()
    for _ in range(1000):
        conduct.offend(0, 0.0)
    assert not keeper._scores


def test_wrong_names_are_free_up_to_a_number() -> None:
    conduct, _ = _conduct()
    for _ in range(MAX_REFUSED_AUTHORIZES + 4):
        conduct.refused_authorize(0.0)
    with pytest.raises(CloseSession):
        conduct.refused_authorize(0.0)


def test_run_of_junk_ends_the_connection_unless_work_interrupts_it() -> None:
    conduct, keeper = _conduct()
    for run in range(1, MAX_JUNK_RUN):
        conduct.junk(run, 0.0)
    conduct.junk(1, 0.0)
    with pytest.raises(CloseSession):
        conduct.junk(MAX_JUNK_RUN, 0.0)
    assert keeper.refusal(HOST, 0.0) is None, "one strike, no ban"


def test_ban_score_zero_is_no_limit() -> None:
    conduct, keeper = _conduct(0)
    for run in range(10 * MAX_JUNK_RUN):
        conduct.junk(run, 0.0)
        conduct.offend(STRIKE, 0.0)
    assert keeper.refusal(HOST, 0.0) is None
