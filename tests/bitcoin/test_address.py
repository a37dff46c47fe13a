"""Addresses: five types on four networks, and every way to get one wrong."""

from __future__ import annotations

import pytest
from embit import base58, bech32
from hypothesis import given
from hypothesis import strategies as st

from stratum.bitcoin.address import (
    AddressError,
    address_from_key_hash,
    looks_like_address,
    script_from_address,
)
from stratum.bitcoin.networks import MAIN, NETWORKS, REGTEST, SIGNET, TESTNET4, Network

NETWORK = st.sampled_from(list(NETWORKS.values()))
HASH160 = st.binary(min_size=20, max_size=20)
HASH256 = st.binary(min_size=32, max_size=32)

BECH32, BECH32M = bech32.Encoding.BECH32, bech32.Encoding.BECH32M


def pubkey_hash(network: Network, hash160: bytes) -> tuple[str, bytes]:
    address = base58.encode_check(bytes([network.p2pkh_version]) + hash160)
    return address, b"\x76\xa9\x14" + hash160 + b"\x88\xac"


def script_hash(network: Network, hash160: bytes) -> tuple[str, bytes]:
    return base58.encode_check(
        bytes([network.p2sh_version]) + hash160
    ), b"\xa9\x14" + hash160 + b"\x87"


def witness(network: Network, version: int, program: bytes) -> tuple[str, bytes]:
    opcode = 0x50 + version if version else 0
    address = bech32.encode(network.bech32_prefix, version, program)
    return address, bytes([opcode, len(program)]) + program


def segwit_text(encoding: int, prefix: str, version: int, program: bytes) -> str:
    """An address with a checksum of the caller's choice."""
    data = [version, *bech32.convertbits(program, 8, 5)]
    text: str = bech32.bech32_encode(encoding, prefix, data)
    return text


@st.composite
def addresses(draw: st.DrawFn) -> tuple[Network, str, bytes]:
    """Network, address, script: any type on any network."""
    network = draw(NETWORK)
    kind = draw(st.sampled_from(["p2pkh", "p2sh", "p2wpkh", "p2wsh", "p2tr"]))
    short, long = draw(HASH160), draw(HASH256)
    made = {
        "p2pkh": lambda: pubkey_hash(network, short),
        "p2sh": lambda: script_hash(network, short),
        "p2wpkh": lambda: witness(network, 0, short),
        "p2wsh": lambda: witness(network, 0, long),
        "p2tr": lambda: witness(network, 1, long),
    }[kind]()
    return network, *made


@given(addresses())
def test_any_address_is_read_to_its_script(made: tuple[Network, str, bytes]) -> None:
    network, address, script = made
    assert script_from_address(address, network) == script
    assert looks_like_address(address)


@given(addresses(), NETWORK)
def test_an_address_of_another_network_is_refused(
    made: tuple[Network, str, bytes], other: Network
) -> None:
    network, address, _ = made
    shares_prefix = other.bech32_prefix == network.bech32_prefix
    shares_version = other.p2pkh_version == network.p2pkh_version
    is_segwit = address.startswith(network.bech32_prefix + "1")
    if shares_prefix if is_segwit else shares_version:
        script_from_address(address, other)  # test networks can't be told apart by these
    else:
        with pytest.raises(AddressError, match=other.name):
            script_from_address(address, other)


@given(addresses(), st.data())
def test_one_wrong_character_is_never_another_address(
    made: tuple[Network, str, bytes], data: st.DataObject
) -> None:
    network, address, _ = made
    place = data.draw(st.integers(0, len(address) - 1))
    alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7lABCDEFGHJKLMNPQRSTUVWXYZ1 _."
    character = data.draw(st.sampled_from(alphabet).filter(lambda char: char != address[place]))
    with pytest.raises(AddressError):
        script_from_address(address[:place] + character + address[place + 1 :], network)


@given(st.text(max_size=100), NETWORK)
def test_any_text_is_an_address_or_an_address_error(text: str, network: Network) -> None:
    looks_like_address(text)
    with pytest.raises(AddressError):
        script_from_address(text, network)


#: The genesis coinbase's address, and two of Core's key_io_valid.json.
GENESIS_HASH = "62e907b15cbf27d5425399ebf6f0fb50ebb88f18"
CORE_HASH = "243f1394f44554f4ce3fd68649c19adc483ce924"
CORE_SCRIPT_HASH = "4e9f39ca4688ff102128ea4ccda34105324305b0"
KNOWN = {
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa": (MAIN, f"76a914{GENESIS_HASH}88ac"),
    "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn": (TESTNET4, f"76a914{CORE_HASH}88ac"),
    "2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc": (REGTEST, f"a914{CORE_SCRIPT_HASH}87"),
}


@pytest.mark.parametrize(("address", "known"), KNOWN.items())
def test_known_addresses_have_their_known_scripts(address: str, known: tuple[Network, str]) -> None:
    network, script = known
    assert script_from_address(address, network).hex() == script


#: BIP 350, "Test vectors for v0-v16 native segregated witness addresses": those we can pay.
VALID = {
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4":
        "0014751e76e8199196d454941c45d1b3a323f1433bd6",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7":
        "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
    "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy":
        "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
    "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c":
        "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0":
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
}  # fmt: skip

#: BIP 350's valid ones of a version or length that nobody can spend from safely yet.
UNKNOWN_WITNESS = [
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
    "BC1SW50QGDZ25J",
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
]

#: BIP 350's invalid addresses, in its order.
INVALID = [
    "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut",  # human-readable part
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",  # bech32 for bech32m
    "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",  # bech32 for bech32m
    "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",  # bech32 for bech32m
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",  # bech32m for bech32
    "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47",  # bech32m for bech32
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",  # character in checksum
    "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",  # witness version
    "bc1pw5dgrnzv",  # program of one byte
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",  # 41 bytes
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",  # length for version 0
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",  # mixed case
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",  # zero padding of 5 bits
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j",  # padding that is not zero
    "bc1gmk9yu",  # no data
]


def network_of(address: str) -> Network:
    return MAIN if address.lower().startswith("bc") else SIGNET


@pytest.mark.parametrize(("address", "script"), VALID.items())
def test_bip_350s_addresses_are_read_in_either_case(address: str, script: str) -> None:
    for text in (address.lower(), address.upper()):
        assert script_from_address(text, network_of(text)).hex() == script


@pytest.mark.parametrize("address", UNKNOWN_WITNESS)
def test_a_witness_version_that_nobody_checks_yet_is_not_paid(address: str) -> None:
    with pytest.raises(AddressError, match="is not P2WPKH/WSH/TR"):
        script_from_address(address, network_of(address))


@given(NETWORK, st.integers(2, 16), HASH160 | HASH256 | st.binary(min_size=2, max_size=40))
def test_a_later_version_is_not_paid_whatever_its_length(
    network: Network, version: int, program: bytes
) -> None:
    address, _ = witness(network, version, program)
    with pytest.raises(AddressError, match=f"witness version {version} with"):
        script_from_address(address, network)


@given(NETWORK, st.binary(min_size=2, max_size=40).filter(lambda program: len(program) != 32))
def test_taproot_is_paid_with_32_bytes_only(network: Network, program: bytes) -> None:
    address, _ = witness(network, 1, program)
    with pytest.raises(AddressError, match=f"witness version 1 with {len(program)} bytes"):
        script_from_address(address, network)


@pytest.mark.parametrize("address", INVALID)
def test_bip_350s_invalid_addresses_are_refused(address: str) -> None:
    with pytest.raises(AddressError):
        script_from_address(address, network_of(address))


@given(NETWORK, HASH256, st.integers(0, 16))
def test_the_checksum_of_the_other_version_is_refused(
    network: Network, program: bytes, version: int
) -> None:
    wrong = BECH32M if version == 0 else BECH32
    address = segwit_text(wrong, network.bech32_prefix, version, program)
    with pytest.raises(AddressError, match="wrong checksum"):
        script_from_address(address, network)


@given(HASH160)
def test_mixed_case_is_refused(hash160: bytes) -> None:
    address, _ = witness(MAIN, 0, hash160)
    with pytest.raises(AddressError, match="wrong checksum or a wrong character"):
        script_from_address("BC1" + address[3:], MAIN)


@pytest.mark.parametrize("size", [19, 21, 33])
def test_a_base58_payload_of_another_length_is_refused(size: int) -> None:
    address = base58.encode_check(bytes(range(1, size + 1)))
    with pytest.raises(AddressError):
        script_from_address(address, MAIN)


@pytest.mark.parametrize("version", [0x80, 0xEF, 0x6F, 0x01])
def test_a_base58_version_of_no_address_of_this_network_is_refused(version: int) -> None:
    address = base58.encode_check(bytes([version]) + bytes(range(20)))
    with pytest.raises(AddressError, match=f"version {version} is not of main"):
        script_from_address(address, MAIN)


def test_the_reason_names_the_network_that_is_expected() -> None:
    with pytest.raises(AddressError, match="address begins tb1, main uses bc1"):
        script_from_address("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", MAIN)


@pytest.mark.parametrize(
    "name",
    [
        "bc1qtypo", "BC1QTYPO", "tb1", "bcrt1q0", "Tb1Q",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "1" * 25, "z" * 35,
    ],
)  # fmt: skip
def test_what_can_only_be_meant_as_an_address_looks_like_one(name: str) -> None:
    assert looks_like_address(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "hall3", "rack-1", "bc", "tb", "abc1rig", "ltc1qrig", "1", "z" * 24, "z" * 36,
        "0" * 30, "O" * 30, "I" * 30, "l" * 30, "z" * 25 + "\n", "ｚ" * 30,
        "z" * 15 + "." + "z" * 15,
    ],
)  # fmt: skip
def test_a_farms_name_does_not_look_like_an_address(name: str) -> None:
    assert not looks_like_address(name)


@given(network=NETWORK, key_hash=HASH160)
def test_the_address_of_a_key_hash_pays_that_key_hash(network: Network, key_hash: bytes) -> None:
    address = address_from_key_hash(key_hash, network)
    assert script_from_address(address, network) == b"\x00\x14" + key_hash


def test_a_key_hash_has_20_bytes() -> None:
    with pytest.raises(AddressError, match="key hash is 32 bytes, expected 20"):
        address_from_key_hash(bytes(32), MAIN)
