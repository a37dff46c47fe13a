from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stratum.config.pool import read_pool
from stratum.mining.settings import PayoutSettings

Document = dict[str, Any]
Complaints = Callable[..., dict[str, str]]


@pytest.mark.parametrize("scheme", ["solo", "prop"])
def test_both_schemes_are_read(document: Document, scheme: str) -> None:
    document["payout"]["scheme"] = scheme
    address = document["payout"]["address"]
    assert read_pool(document, {}).payout == PayoutSettings(scheme, address)


def test_solo_needs_an_address_for_farm_names(document: Document, complaints: Complaints) -> None:
    del document["payout"]["address"]
    assert 'unknown_worker = "refuse"' in complaints(document)["payout.address"]


def test_solo_without_farm_names_needs_no_address(document: Document) -> None:
    document["payout"] = {"scheme": "solo", "unknown_worker": "refuse"}
    assert read_pool(document, {}).payout.address == ""


def test_prop_needs_an_address_in_any_case(document: Document, complaints: Complaints) -> None:
    document["payout"] = {"scheme": "prop", "unknown_worker": "refuse"}
    assert complaints(document).keys() == {"payout.address"}


def test_an_address_of_another_network_is_refused_with_the_reason(
    document: Document, complaints: Complaints
) -> None:
    document["network"] = "signet"
    assert "signet uses tb1" in complaints(document)["payout.address"]


def test_an_address_with_one_wrong_character_is_refused(
    document: Document, complaints: Complaints
) -> None:
    document["payout"]["address"] = document["payout"]["address"][:-1] + "3"
    assert "wrong checksum" in complaints(document)["payout.address"]


def test_an_address_is_not_judged_by_a_network_that_is_wrong(
    document: Document, complaints: Complaints
) -> None:
    document["network"] = "mainnet"
    assert complaints(document).keys() == {"network"}


@pytest.mark.parametrize("scheme", ["pplns", "pps", "fpps"])
def test_a_scheme_of_later_versions_is_refused_by_name(
    document: Document, complaints: Complaints, scheme: str
) -> None:
    document["payout"]["scheme"] = scheme
    expected = f"{scheme} is not available in this version"
    assert complaints(document)["payout.scheme"].startswith(expected)


@pytest.mark.parametrize("scheme", ["", "Solo", 1, True, [], {}])
def test_any_other_scheme_is_refused(
    document: Document, complaints: Complaints, scheme: object
) -> None:
    document["payout"]["scheme"] = scheme
    assert complaints(document).keys() == {"payout.scheme"}


@pytest.mark.parametrize("key", ["fee_bps", "reserve_bps"])
def test_a_fee_or_reserve_is_never_read_and_forgotten(
    document: Document, complaints: Complaints, key: str
) -> None:
    document["payout"][key] = 0
    assert read_pool(document, {})
    document["payout"][key] = 1
    assert "not available in this version" in complaints(document)[f"payout.{key}"]
    document["payout"][key] = 10_001
    assert "write 0 to 10000" in complaints(document)[f"payout.{key}"]


def test_the_least_payout_is_accepted_as_whole_sats(
    document: Document, complaints: Complaints
) -> None:
    document["payout"]["min_payout"] = 100_000
    assert read_pool(document, {})
    document["payout"]["min_payout"] = 0.001
    assert complaints(document).keys() == {"payout.min_payout"}


@pytest.mark.parametrize("tag", ["/pöol/", "a\nb", "x" * 61, 1])
def test_a_coinbase_tag_is_short_printable_ascii(
    document: Document, complaints: Complaints, tag: object
) -> None:
    document["payout"]["coinbase_tag"] = tag
    assert complaints(document).keys() == {"payout.coinbase_tag"}


def test_an_unknown_worker_is_the_operators_or_refused(
    document: Document, complaints: Complaints
) -> None:
    document["payout"]["unknown_worker"] = "refused"
    found = complaints(document)["payout.unknown_worker"]
    assert "write one of operator, refuse" in found
