"""Templates: Core's and bcoin's replies understood, everything else refused with a sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hashing
from stratum.bitcoin.networks import MAIN, NETWORKS, REGTEST, SIGNET, TESTNET4, Network, subsidy
from stratum.bitcoin.target import display, target_from_nbits
from stratum.bitcoin.template import (
    Template,
    TemplateError,
    empty_successor,
    parse_template,
    witness_commitment,
)
from stratum.bitcoin.transaction import Input, Output
from tests.bitcoin.transactions import Made, transactions

Reply = dict[str, Any]

COMMITMENT = "6a24aa21a9ed" + "ab" * 32

PLAIN = Made(2, (Input(bytes(32), 0, b"", 0),), (Output(1, b"\x51"),), (), 0)
SEGWIT = Made(2, (Input(bytes(32), 1, b"", 0),), (Output(2, b"\x51"),), ((b"sig", b"key"),), 0)


def entry(made: Made, fee: int) -> Reply:
    return {
        "data": made.serialized.hex(),
        "txid": display(hashing.sha256d(made.stripped)),
        "hash": display(hashing.sha256d(made.serialized)),
        "depends": [],
        "fee": fee,
        "sigops": 4,
        "weight": 400,
    }


def make_reply() -> Reply:
    """As Bitcoin Core 28 answers on main."""
    return {
        "capabilities": ["proposal"],
        "version": 0x20000000,
        "rules": ["csv", "!segwit", "taproot"],
        "vbavailable": {},
        "vbrequired": 0,
        "previousblockhash": "00000000000000000001cbe4b4add61d60d9a470e0958f1b4024f202db9ca628",
        "transactions": [entry(PLAIN, 300), entry(SEGWIT, 700)],
        "coinbaseaux": {},
        "coinbasevalue": 312_501_000,
        "longpollid": "00000000000000000001cbe4b4add61d60d9a470e0958f1b4024f202db9ca62812",
        "target": f"{target_from_nbits(0x1702068F):064x}",
        "mintime": 1780112000,
        "mutable": ["time", "transactions", "prevblock"],
        "noncerange": "00000000ffffffff",
        "sigoplimit": 80000,
        "sizelimit": 4000000,
        "weightlimit": 4000000,
        "curtime": 1780112431,
        "bits": "1702068f",
        "height": 951659,
        "default_witness_commitment": COMMITMENT,
    }


@pytest.fixture
def reply() -> Reply:
    return make_reply()


def test_a_reply_of_bitcoin_core_is_understood(reply: Reply) -> None:
    template = parse_template(reply, MAIN)
    txids = tuple(hashing.sha256d(made.stripped) for made in (PLAIN, SEGWIT))
    assert template == Template(
        height=951659,
        prevhash=bytes.fromhex(reply["previousblockhash"])[::-1],
        version=0x20000000,
        version_required=0,
        nbits=0x1702068F,
        network_target=target_from_nbits(0x1702068F),
        curtime=1780112431,
        mintime=1780112000,
        coinbasevalue=312_501_000,
        fees=1000,
        transactions=(PLAIN.serialized, SEGWIT.serialized),
        txids=txids,
        branch=(txids[0], hashing.sha256d(txids[1] * 2)),
        witness_commitment=bytes.fromhex(COMMITMENT),
        longpollid=reply["longpollid"],
    )
    assert not template.is_empty


def test_a_reply_without_transactions_is_an_empty_template(reply: Reply) -> None:
    template = parse_template(reply | {"transactions": []}, MAIN)
    assert template.is_empty
    assert (template.branch, template.fees) == ((), 0)


@pytest.mark.parametrize(
    "key",
    [
        "version", "previousblockhash", "transactions", "coinbasevalue", "mintime", "curtime",
        "bits", "height",
    ],
)  # fmt: skip
def test_a_missing_key_is_named(reply: Reply, key: str) -> None:
    del reply[key]
    with pytest.raises(TemplateError, match=f"block template is not usable: lacks '{key}'"):
        parse_template(reply, MAIN)


@pytest.mark.parametrize("key", ["target", "vbrequired", "longpollid"])
def test_a_key_that_some_nodes_leave_out_is_not_needed(reply: Reply, key: str) -> None:
    del reply[key]
    assert parse_template(reply, MAIN).height == 951659


def test_a_rule_that_must_be_known_and_is_not_ends_it(reply: Reply) -> None:
    reply["rules"] = ["csv", "!segwit", "!eatcoins", "!freeze", "harmless"]
    with pytest.raises(TemplateError, match="demands the rule eatcoins, freeze, which this"):
        parse_template(reply, MAIN)


def test_a_rule_without_a_mark_may_be_unknown(reply: Reply) -> None:
    reply["rules"] = ["csv", "segwit", "cleanstack2030", ""]
    assert parse_template(reply, MAIN).witness_commitment.hex() == COMMITMENT


@pytest.mark.parametrize("rules", [[], ["csv"]])
@pytest.mark.parametrize("network", [MAIN, TESTNET4, SIGNET])
def test_a_template_without_segwit_is_refused(
    reply: Reply, network: Network, rules: list[str]
) -> None:
    with pytest.raises(TemplateError, match="no segwit rule"):
        parse_template(reply | {"rules": rules}, network)


def test_a_young_regtest_has_no_segwit_and_no_commitment(reply: Reply) -> None:
    template = parse_template(reply | {"rules": ["csv"]}, REGTEST)
    assert template.witness_commitment == b""


def test_a_commitment_that_the_node_leaves_out_is_computed(reply: Reply) -> None:
    del reply["default_witness_commitment"]
    template = parse_template(reply, MAIN)
    wtxids = [hashing.sha256d(made.serialized) for made in (PLAIN, SEGWIT)]
    assert template.witness_commitment == witness_commitment(wtxids)


def test_the_commitment_of_an_empty_block_is_the_one_that_every_empty_block_has() -> None:
    commitment = "e2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9"
    assert witness_commitment([]).hex() == "6a24aa21a9ed" + commitment


@pytest.mark.parametrize("challenge", ["512103ad5e0edad18cb1f0fc0d28a3d4f1f3e4", "", "5152"])
def test_a_signet_that_signs_its_blocks_is_refused(reply: Reply, challenge: str) -> None:
    with pytest.raises(TemplateError, match="BIP 325"):
        parse_template(reply | {"signet_challenge": challenge}, SIGNET)


def test_a_signet_that_anyone_can_sign_is_mined(reply: Reply) -> None:
    reply |= {"signet_challenge": "51", "rules": ["csv", "!segwit", "!signet", "taproot"]}
    assert parse_template(reply, SIGNET).height == 951659


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("target", "00" * 32, "does not belong to bits 1702068f"),
        ("target", "zz", "invalid literal"),
        ("bits", "00000000", "is zero"),
        ("bits", "04923456", "is negative"),
        ("bits", "ff123456", "overflows"),
        ("bits", "1702068f1702068f", "is not a 32-bit number"),
        ("bits", 386008719, "not usable"),
        ("previousblockhash", "00" * 31, "expected 64"),
        ("previousblockhash", None, "not usable"),
        ("transactions", None, "not usable"),
        ("transactions", [{"txid": "00" * 32}], "lacks 'data'"),
        ("transactions", [{"data": "zz", "txid": "00" * 32}], "not usable"),
        ("transactions", [{"data": "00"}], "not usable"),
        ("transactions", ["00"], "not usable"),
        ("height", "tall", "not usable"),
        ("curtime", float("inf"), "not usable"),
        ("default_witness_commitment", "6a2", "not usable"),
        ("rules", None, "not usable"),
    ],
)
def test_what_is_wrong_is_said(reply: Reply, key: str, value: object, complaint: str) -> None:
    with pytest.raises(TemplateError, match=complaint):
        parse_template(reply | {key: value}, MAIN)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(make_reply())), JSON, st.sampled_from(list(NETWORKS.values())))
def test_any_value_in_any_place_is_taken_or_a_template_error(
    key: str, value: object, network: Network
) -> None:
    try:
        parse_template(make_reply() | {key: value}, network)
    except TemplateError as error:
        assert str(error)


@given(st.lists(transactions(), max_size=8))
def test_the_branch_is_that_of_the_txids(made: list[Made]) -> None:
    reply = make_reply() | {"transactions": [entry(one, 1) for one in made]}
    template = parse_template(reply, MAIN)
    assert template.txids == tuple(hashing.sha256d(one.stripped) for one in made)
    assert len(template.branch) == len(made).bit_length()
    assert template.fees == len(made)


def test_a_version_with_the_top_bit_is_32_bits_unsigned(reply: Reply) -> None:
    reply |= {"version": -1, "vbrequired": 1 << 28}
    template = parse_template(reply, MAIN)
    assert (template.version, template.version_required) == (0xFFFFFFFF, 1 << 28)


# -- the empty block on a new tip ---------------------------------------------------------------

TIP = b"t" * 32


def template_at(height: int, network: Network, fees: int = 1000) -> Template:
    reply = make_reply() | {
        "height": height,
        "transactions": [entry(PLAIN, fees)],
        "coinbasevalue": subsidy(height, network.halving_interval) + fees,
        "default_witness_commitment": COMMITMENT,
    }
    return parse_template(reply, network)


def test_an_empty_block_pays_the_subsidy_and_no_fees() -> None:
    template = template_at(951659, MAIN)
    empty = empty_successor(template, TIP, 1780112100, 1780112500, MAIN)
    assert empty is not None and empty.is_empty
    assert (empty.height, empty.prevhash) == (951660, TIP)
    assert (empty.coinbasevalue, empty.fees) == (312_500_000, 0)
    assert (empty.branch, empty.txids, empty.longpollid) == ((), (), None)
    assert empty.witness_commitment == witness_commitment([])
    assert (empty.version, empty.nbits) == (template.version, template.nbits)
    assert empty.network_target == template.network_target


def test_an_empty_block_without_segwit_has_no_commitment() -> None:
    reply = make_reply() | {"rules": [], "height": 5, "transactions": []}
    reply["coinbasevalue"] = subsidy(5, REGTEST.halving_interval)
    empty = empty_successor(parse_template(reply, REGTEST), TIP, 1, 2, REGTEST)
    assert empty is not None and empty.witness_commitment == b""


@pytest.mark.parametrize(("now", "curtime"), [(99, 100), (100, 100), (101, 101)])
def test_an_empty_block_is_never_earlier_than_consensus_allows(now: int, curtime: int) -> None:
    empty = empty_successor(template_at(951659, MAIN), TIP, 100, now, MAIN)
    assert empty is not None
    assert (empty.curtime, empty.mintime) == (curtime, 100)


@pytest.mark.parametrize("network", [MAIN, REGTEST])
def test_at_a_retarget_nobody_knows_the_next_target(network: Network) -> None:
    assert empty_successor(template_at(2015, network), TIP, 1, 2, network) is None
    assert empty_successor(template_at(2014, network), TIP, 1, 2, network) is not None
    assert empty_successor(template_at(2016, network), TIP, 1, 2, network) is not None


@pytest.mark.parametrize("sats", [-1, 1, 3_125_000])
def test_a_value_that_is_not_subsidy_and_fees_leaves_the_empty_block_out(sats: int) -> None:
    template = template_at(951659, MAIN)
    odd = replace(template, coinbasevalue=template.coinbasevalue + sats)
    assert empty_successor(odd, TIP, 1, 2, MAIN) is None


def test_fees_that_the_node_left_out_are_unknown_and_not_zero() -> None:
    unknown = entry(PLAIN, 1000)
    del unknown["fee"]
    reply = make_reply() | {
        "height": 951659,
        "transactions": [unknown],
        "coinbasevalue": subsidy(951659, MAIN.halving_interval) + 1000,
    }
    assert empty_successor(parse_template(reply, MAIN), TIP, 1, 2, MAIN) is None


@pytest.mark.parametrize("network", [TESTNET4, SIGNET])
def test_other_networks_wait_for_the_full_template(network: Network) -> None:
    reply = make_reply() | {"signet_challenge": "51"}
    assert empty_successor(parse_template(reply, network), TIP, 1, 2, network) is None


@pytest.mark.parametrize(
    ("network", "height"),
    [
        (MAIN, 209_999),
        (MAIN, 839_999),
        (MAIN, 1_049_999),
        (REGTEST, 149),
        (REGTEST, 299),
        (REGTEST, 33 * 150 - 1),
        (REGTEST, 64 * 150 - 1),
    ],
)
def test_the_block_after_a_halving_pays_half(network: Network, height: int) -> None:
    for before in (height - 1, height, height + 1):
        empty = empty_successor(template_at(before, network), TIP, 1, 2, network)
        assert empty is not None
        assert empty.coinbasevalue == subsidy(before + 1, network.halving_interval)
