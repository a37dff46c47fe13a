from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stratum.config.pool import read_pool
from stratum.config.tiers import overlap
from stratum.config.values import Endpoint
from stratum.mining.settings import TierSettings

Document = dict[str, Any]
Complaints = Callable[..., dict[str, str]]


def test_a_tier_has_the_defaults_of_its_dataclass(document: Document) -> None:
    assert read_pool(document, {}).listen == (TierSettings("127.0.0.1", 3333),)


def test_every_option_of_a_tier_is_read(document: Document) -> None:
    document["listen"] = [
        {
            "address": "[::1]:4444",
            "difficulty": 8,
            "min_difficulty": 0.5,
            "vardiff": False,
            "max_difficulty": 64,
        }
    ]
    assert read_pool(document, {}).listen == (TierSettings("::1", 4444, 8.0, 0.5, False, 64.0),)


def test_a_low_difficulty_alone_lowers_the_floor_with_it(document: Document) -> None:
    document["listen"][0]["difficulty"] = 0.001
    assert read_pool(document, {}).listen[0].min_difficulty == 0.001


def test_a_floor_above_the_first_difficulty_is_refused(
    document: Document, complaints: Complaints
) -> None:
    document["listen"].append({"address": "127.0.0.1:4444", "difficulty": 1, "min_difficulty": 2})
    found = complaints(document)
    assert found.keys() == {"listen[1].min_difficulty"}
    assert "above the first difficulty of 1" in found["listen[1].min_difficulty"]


def test_a_ceiling_below_the_first_difficulty_is_refused(
    document: Document, complaints: Complaints
) -> None:
    document["listen"][0] |= {"difficulty": 8, "max_difficulty": 4}
    found = complaints(document)
    assert found.keys() == {"listen[0].max_difficulty"}
    assert "below the first difficulty of 8" in found["listen[0].max_difficulty"]


def test_a_ceiling_of_0_is_none(document: Document) -> None:
    document["listen"][0]["max_difficulty"] = 0
    assert read_pool(document, {}).listen == (TierSettings("127.0.0.1", 3333),)


@pytest.mark.parametrize("value", [-1, True, "1", float("nan"), 2.0**-40, 2.0**40])
def test_a_ceiling_that_can_not_be_is_refused(
    document: Document, complaints: Complaints, value: object
) -> None:
    document["listen"][0]["max_difficulty"] = value
    assert complaints(document).keys() == {"listen[0].max_difficulty"}


@pytest.mark.parametrize("key", ["difficulty", "min_difficulty"])
@pytest.mark.parametrize("value", [0, -1, True, "1", float("nan"), 2.0**-40, 2.0**40])
def test_a_difficulty_that_can_not_be_is_refused(
    document: Document, complaints: Complaints, key: str, value: object
) -> None:
    document["listen"][0][key] = value
    assert complaints(document).keys() == {f"listen[0].{key}"}


def test_difficulty_below_one_is_for_test_networks(
    document: Document, complaints: Complaints
) -> None:
    document["payout"] = {"scheme": "solo", "unknown_worker": "refuse"}
    document["listen"][0]["difficulty"] = 0.5
    for network in ("regtest", "signet", "testnet4"):
        assert read_pool(document | {"network": network}, {}).listen[0].difficulty == 0.5
    found = complaints(document | {"network": "main"})
    assert "test networks only" in found["listen[0].difficulty"]


def test_a_port_wanted_twice_is_blamed_on_the_second(
    document: Document, complaints: Complaints
) -> None:
    document["listen"] += [{"address": "0.0.0.0:3333"}, {"address": "127.0.0.1:8080"}]
    found = complaints(document)
    assert "taken by listen[0].address" in found["listen[1].address"]
    assert "taken by listen[2].address" in found["http.listen"]  # its default clashes too


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.0.0", "127.0.0.1", True),
        ("::", "::1", True),
        ("::", "127.0.0.1", False),
        ("::", "0.0.0.0", False),
        ("localhost", "127.0.0.1", True),
        ("localhost", "::1", True),
        ("LOCALHOST", "localhost", True),
        ("pool.example", "0.0.0.0", True),
        ("pool.example", "::", True),
        ("pool.example", "10.0.0.1", False),
    ],
)
def test_two_sockets_clash_where_the_system_would_refuse_the_second(
    one: str, other: str, clash: bool
) -> None:
    assert overlap(Endpoint(one, 1), Endpoint(other, 1)) is clash
    assert overlap(Endpoint(other, 1), Endpoint(one, 1)) is clash
    assert not overlap(Endpoint(one, 1), Endpoint(other, 2))


def test_ports_that_the_system_chooses_never_clash(document: Document) -> None:
    document["listen"] = [{"address": "127.0.0.1:0"}] * 2
    document["http"] = {"listen": "127.0.0.1:0"}
    assert len(read_pool(document, {}).listen) == 2
