"""Chains as data: the subsidy, and which networks count in which unit."""

from __future__ import annotations

import pytest

from stratum.bitcoin.networks import COIN, MAIN, NETWORKS, REGTEST, subsidy


@pytest.mark.parametrize(
    ("height", "interval", "sats"),
    [
        (0, 210_000, 50 * COIN),
        (209_999, 210_000, 50 * COIN),
        (210_000, 210_000, 25 * COIN),
        (840_000, 210_000, 312_500_000),
        (951_658, 210_000, 312_500_000),
        (32 * 210_000, 210_000, 1),
        (33 * 210_000, 210_000, 0),
        (64 * 210_000, 210_000, 0),
        (149, 150, 50 * COIN),
        (150, 150, 25 * COIN),
        (300, 150, 1_250_000_000),
        (64 * 150, 150, 0),
        (10**9, 150, 0),
    ],
)
def test_the_subsidy_is_that_of_get_block_subsidy(height: int, interval: int, sats: int) -> None:
    assert subsidy(height, interval) == sats


def test_all_subsidies_together_are_just_under_21_million_coins() -> None:
    total = sum(subsidy(era * 210_000, 210_000) for era in range(64)) * 210_000
    assert total == 2_099_999_997_690_000


def test_only_main_counts_in_whole_difficulties_and_is_no_test() -> None:
    assert {name: network.scale.shift for name, network in NETWORKS.items()} == {
        "main": 0,
        "testnet4": 32,
        "signet": 32,
        "regtest": 32,
    }
    assert [name for name, network in NETWORKS.items() if not network.is_test] == ["main"]


def test_main_and_regtest_halve_when_core_does() -> None:
    assert (MAIN.halving_interval, REGTEST.halving_interval) == (210_000, 150)
