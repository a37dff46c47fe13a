"""What differs between main, testnet4, signet and regtest, as data."""

from __future__ import annotations

from dataclasses import dataclass

from stratum.units import DifficultyScale


@dataclass(frozen=True, slots=True)
class Network:
    """Constants of one chain. Source: Bitcoin Core, src/kernel/chainparams.cpp."""

    name: str  # our config's word
    chain: str  # what getblockchaininfo calls it
    genesis_hex: str  # display order; proves that a node is on this chain
    bech32_prefix: str
    p2pkh_version: int
    p2sh_version: int
    halving_interval: int
    scale: DifficultyScale

    @property
    def is_test(self) -> bool:
        return self.name != "main"


_MAIN_UNIT = DifficultyScale(0)
_TEST_UNIT = DifficultyScale(32)

MAIN = Network(
    "main",
    "main",
    "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    "bc",
    0x00,
    0x05,
    210_000,
    _MAIN_UNIT,
)
TESTNET4 = Network(
    "testnet4",
    "testnet4",
    "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
    "tb",
    0x6F,
    0xC4,
    210_000,
    _TEST_UNIT,
)
SIGNET = Network(
    "signet",
    "signet",
    "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
    "tb",
    0x6F,
    0xC4,
    210_000,
    _TEST_UNIT,
)
REGTEST = Network(
    "regtest",
    "regtest",
    "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
    "bcrt",
    0x6F,
    0xC4,
    150,
    _TEST_UNIT,
)

NETWORKS = {network.name: network for network in (MAIN, TESTNET4, SIGNET, REGTEST)}

COIN = 100_000_000

#: Blocks between difficulty adjustments; regtest keeps the number but not the adjustment.
RETARGET_INTERVAL = 2016

#: Confirmations before a coinbase can be spent (COINBASE_MATURITY).
MATURITY = 100


def subsidy(height: int, halving_interval: int) -> int:
    """Sats created by the block at `height`. Source: Bitcoin Core, GetBlockSubsidy."""
    halvings = height // halving_interval
    return 0 if halvings >= 64 else 50 * COIN >> halvings
