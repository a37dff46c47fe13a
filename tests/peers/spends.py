"""Coins that anybody may spend, and transactions that spend them, without a wallet.

Two locks around the script OP_TRUE: P2WSH, opened by a witness, and P2SH, opened by a scriptSig.
No signature is needed, so a test can put real segwit and legacy transactions into a real node's
mempool.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from embit import base58, bech32
from embit.hashes import hash160

from stratum.bitcoin.script import push_data
from stratum.bitcoin.transaction import Output, Reader, compact_size, read_transaction

OP_TRUE = b"\x51"
P2WSH_TRUE = b"\x00\x20" + hashlib.sha256(OP_TRUE).digest()
P2SH_TRUE = b"\xa9\x14" + hash160(OP_TRUE) + b"\x87"
LOCKS = (P2WSH_TRUE, P2SH_TRUE)

#: Bitcoin Core and bcoin both want 1 sat/vB; nothing here is larger than 100 vB per output.
_FEE_PER_OUTPUT = 500


@dataclass(frozen=True)
class Coin:
    """An unspent output under one of `LOCKS`."""

    txid: bytes
    index: int
    sats: int
    script_pubkey: bytes


def address(script_pubkey: bytes, prefix: str, p2sh_version: int) -> str:
    """The lock's address, with the prefixes of whichever node software asks."""
    if script_pubkey == P2WSH_TRUE:
        return str(bech32.encode(prefix, 0, list(script_pubkey[2:])))
    return str(base58.encode_check(bytes([p2sh_version]) + script_pubkey[2:22]))


def spend(coin: Coin, scripts: list[bytes]) -> tuple[bytes, list[Coin]]:
    """Spend a coin in equal parts to `scripts`; the transaction and the new coins."""
    sats = coin.sats // len(scripts) - _FEE_PER_OUTPUT
    outputs = b"".join(Output(sats, script).serialize() for script in scripts)
    is_segwit = coin.script_pubkey == P2WSH_TRUE
    script_sig = b"" if is_segwit else push_data(OP_TRUE)
    body = (
        compact_size(1)
        + coin.txid
        + coin.index.to_bytes(4, "little")
        + push_data(script_sig)
        + b"\xfe\xff\xff\xff"
        + compact_size(len(scripts))
        + outputs
    )
    marker, witness = (b"\x00\x01", b"\x01" + push_data(OP_TRUE)) if is_segwit else (b"", b"")
    serialized = b"\x02\x00\x00\x00" + marker + body + witness + bytes(4)
    txid = read_transaction(Reader(serialized)).txid
    return serialized, [Coin(txid, index, sats, script) for index, script in enumerate(scripts)]
