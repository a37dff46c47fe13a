"""Names and passwords (DESIGN §8.4): who is paid, and what a typing error must never do."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.bitcoin.address import script_from_address
from stratum.bitcoin.networks import MAIN, REGTEST, TESTNET4
from stratum.mining.names import PayeeRule, Wishes, read_password
from stratum.mining.settings import PayoutSettings
from stratum.protocol.messages import Refusal
from tests.mining.world import ALICE, OPERATOR, address

OWNER_SCRIPT = script_from_address(OPERATOR, REGTEST)
LEGACY = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"


def _rule(scheme: str = "solo", unknown_worker: str = "operator") -> PayeeRule:
    return PayeeRule(PayoutSettings(scheme, OPERATOR, unknown_worker), REGTEST)


def _refusal(rule: PayeeRule, account: str) -> str:
    with pytest.raises(Refusal) as caught:
        rule.payee(account)
    assert caught.value.code == 24
    return caught.value.text


# -- solo ----------------------------------------------------------------------------------


@pytest.mark.parametrize("account", [ALICE, LEGACY])
def test_valid_address_is_paid_itself(account: str) -> None:
    payee = _rule().payee(account)
    assert payee.account == account
    assert payee.script_pubkey == script_from_address(account, REGTEST) != OWNER_SCRIPT


def test_bech32_in_upper_case_is_the_same_account() -> None:
    assert _rule().payee(ALICE.upper()) == _rule().payee(ALICE)


@pytest.mark.parametrize("account", ["barn", "rig-7", "provoost", "b", "123456", "x" * 60])
def test_farm_name_mines_for_the_operator(account: str) -> None:
    payee = _rule().payee(account)
    assert (payee.account, payee.script_pubkey) == (account, OWNER_SCRIPT)


@pytest.mark.parametrize("account", ["barn", "rig-7"])
def test_farm_name_is_refused_where_the_operator_says_so(account: str) -> None:
    rule = _rule(unknown_worker="refuse")
    assert "regtest address" in _refusal(rule, account)
    assert rule.payee(ALICE).account == ALICE


def test_farm_name_is_refused_where_nobody_owns_the_farm() -> None:
    rule = PayeeRule(PayoutSettings("solo"), REGTEST)
    assert "regtest address" in _refusal(rule, "barn")
    assert rule.payee(ALICE).account == ALICE


@pytest.mark.parametrize(
    "account",
    [
        ALICE[:-1] + ("q" if ALICE[-1] != "q" else "p"),  # checksum
        address(2, MAIN),
        address(2, TESTNET4),
        "bc1qexampleuser",
        "BC1QEXAMPLEUSER",
        "tb1",
        LEGACY[:-1] + "m",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",  # a main network address
        "a" * 30,
    ],
)
@pytest.mark.parametrize("unknown_worker", ["operator", "refuse"])
def test_what_looks_like_an_address_and_is_none_is_always_refused(
    account: str, unknown_worker: str
) -> None:
    _refusal(_rule(unknown_worker=unknown_worker), account)


@given(st.integers(0, len(ALICE) - 1), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_no_single_typing_error_in_an_address_pays_somebody_else(place: int, char: str) -> None:
    mistyped = ALICE[:place] + char + ALICE[place + 1 :]
    if mistyped == ALICE:
        return
    try:
        payee = _rule().payee(mistyped)
    except Refusal:
        return
    # Only where the prefix itself is damaged it is no address at all, but a farm's name.
    assert not mistyped.startswith("bcrt1") and payee.script_pubkey == OWNER_SCRIPT


# -- prop ----------------------------------------------------------------------------------


def test_every_name_mines_for_the_owner_under_prop() -> None:
    rule = _rule("prop")
    assert not rule.one_account_per_connection and _rule().one_account_per_connection
    for account in (ALICE, "barn", "bc1qexampleuser"):
        payee = rule.payee(account)
        assert (payee.account, payee.script_pubkey) == (account, OWNER_SCRIPT)


def test_nobody_can_be_paid_under_prop_without_an_owner() -> None:
    assert "payout address" in _refusal(PayeeRule(PayoutSettings("prop"), REGTEST), "barn")


# -- passwords -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("password", "fixed", "floor"),
    [
        ("", None, None),
        ("x", None, None),
        ("123", None, None),
        ("d=500", 500, None),
        ("diff=0.5", Fraction(1, 2), None),
        ("md=500", None, 500),
        ("x,d=8;md=4", 8, 4),
        ("d=8 md=4", 8, 4),
        ("d=8,d=9", 9, None),
        ("d=-1,md=abc", None, None),
        ("d=0", None, None),
        ("d=1e9", None, None),
        ("d=inf,d=nan", None, None),
        ("d=\u0665", None, None),
        ("xd=5,D=5,dd=5", None, None),
        ("d=" + "9" * 31, None, None),
        ("d=5=6", None, None),
    ],
)
def test_tokens_of_a_password(
    password: str, fixed: Fraction | None, floor: Fraction | None
) -> None:
    assert read_password(password) == Wishes(fixed, floor)


@given(st.text())
def test_any_password_is_read(password: str) -> None:
    wishes = read_password(password)
    assert all(wish is None or wish > 0 for wish in (wishes.fixed, wishes.floor))
