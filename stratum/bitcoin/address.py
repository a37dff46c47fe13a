"""Addresses to scripts, for one network at a time.

Decoding is embit's; the guards are ours, because embit takes an address of any network, any
witness version it can decode, and reports faults as whatever its helpers raised (ledger.md §4).
"""

from __future__ import annotations

import re

from embit import base58, bech32

from stratum.bitcoin.networks import NETWORKS, Network

_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]{25,35}", re.ASCII)
_SEGWIT_PREFIXES = {network.bech32_prefix for network in NETWORKS.values()}

_OP_1 = 0x51


class AddressError(ValueError):
    """The text is no address of this network; the message says why."""


def looks_like_address(text: str) -> bool:
    """True for what can only be meant as an address, right or wrong (DESIGN §8.4).

    bc1, tb1 and bcrt1 in either case, or 25 to 35 base58 characters. Such a name is never taken
    for a farm's worker name: a typing error in an address must not send money elsewhere.
    """
    prefix, separator, _ = text.lower().partition("1")
    if separator and prefix in _SEGWIT_PREFIXES:
        return True
    return _BASE58.fullmatch(text) is not None


def script_from_address(address: str, network: Network) -> bytes:
    """scriptPubKey of a P2PKH, P2SH, P2WPKH, P2WSH or P2TR address.

    Raises AddressError with the reason: checksum, network, witness version or length.
    """
    prefix, separator, _ = address.lower().partition("1")
    if separator and prefix in _SEGWIT_PREFIXES:
        return _script_from_segwit(address, prefix, network)
    return _script_from_base58(address, network)


def _script_from_segwit(address: str, prefix: str, network: Network) -> bytes:
    if prefix != network.bech32_prefix:
        raise AddressError(
            f"address begins {prefix}1, {network.name} uses {network.bech32_prefix}1"
        )
    version, program = bech32.decode(prefix, address)
    if version is None or program is None:
        raise AddressError("address has a wrong checksum or a wrong character")

    if version == 0 and len(program) in (20, 32):
        return bytes([0, len(program), *program])
    if version == 1 and len(program) == 32:
        return bytes([_OP_1, 32, *program])
    # A later version is anyone-can-spend until a soft fork says otherwise.
    raise AddressError(f"witness version {version} with {len(program)} bytes is not P2WPKH/WSH/TR")


def _script_from_base58(address: str, network: Network) -> bytes:
    if not _BASE58.fullmatch(address):
        raise AddressError("not an address: neither base58 nor bech32")
    try:
        payload = bytes(base58.decode_check(address))
    except Exception as exc:  # embit raises bare assertions and its own errors alike
        raise AddressError("address has a wrong checksum") from exc
    if len(payload) != 21:
        raise AddressError(f"address holds {len(payload)} bytes, expected 21")

    version, hash160 = payload[0], payload[1:]
    if version == network.p2pkh_version:
        return b"\x76\xa9\x14" + hash160 + b"\x88\xac"
    if version == network.p2sh_version:
        return b"\xa9\x14" + hash160 + b"\x87"
    raise AddressError(f"address version {version} is not of {network.name}")


def address_from_key_hash(key_hash: bytes, network: Network) -> str:
    """The P2WPKH address of a 20-byte key hash."""
    if len(key_hash) != 20:
        raise AddressError(f"key hash is {len(key_hash)} bytes, expected 20")
    return str(bech32.encode(network.bech32_prefix, 0, key_hash))
