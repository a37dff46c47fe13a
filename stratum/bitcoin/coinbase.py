"""The coinbase transaction, cut in two around the extranonce.

Layout (DESIGN §8.3): scriptSig = BIP 34 height ‖ tag ‖ push of extranonce1‖extranonce2, the
extranonce last and always inside the scriptSig, since ESP-Miner decodes it there. nLockTime is
height - 1 and nSequence 0xfffffffe (BIP 54), so no two coinbases can share a txid. What a miner
gets (`coinb1`, `coinb2`) is the serialization without witness; the witness is put back when a
block is assembled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stratum.bitcoin.script import push_data, push_number
from stratum.bitcoin.transaction import Output, compact_size

MAX_SCRIPT_SIG = 100  # consensus: bad-cb-length
MIN_SCRIPT_SIG = 2

_VERSION = 2
_SEQUENCE = 0xFFFFFFFE  # BIP 54: not final, so that nLockTime counts
_NO_TXID = bytes(32)
_NO_INDEX = 0xFFFFFFFF

#: One stack item of 32 zero bytes: the witness reserved value of BIP 141.
WITNESS_RESERVED_VALUE = bytes(32)


@dataclass(frozen=True, slots=True)
class Coinbase:
    """Both halves around the extranonce, without witness."""

    coinb1: bytes
    coinb2: bytes
    has_commitment: bool

    def stripped(self, extranonce: bytes) -> bytes:
        """The serialization that the txid is the hash of."""
        return self.coinb1 + extranonce + self.coinb2

    def serialize(self, extranonce: bytes) -> bytes:
        """The form that goes into a block: with the BIP 141 witness where there is a commitment."""
        plain = self.stripped(extranonce)
        if not self.has_commitment:
            return plain
        witness = b"\x01\x20" + WITNESS_RESERVED_VALUE
        return plain[:4] + b"\x00\x01" + plain[4:-4] + witness + plain[-4:]


@dataclass(frozen=True, slots=True)
class OpenCoinbase:
    """A coinbase with one output whose payee is still open: what ten thousand payees share."""

    coinb1: bytes
    coinb2: bytes  # sequence, number of outputs, value
    coinb2_end: bytes  # the commitment, lock time
    has_commitment: bool

    def paid_to(self, payee: bytes) -> Coinbase:
        """`payee` is an output script with its length before it, see `payee_of`."""
        return Coinbase(self.coinb1, self.coinb2 + payee + self.coinb2_end, self.has_commitment)


def payee_of(script_pubkey: bytes) -> bytes:
    """The part of a coinbase that names who is paid."""
    return compact_size(len(script_pubkey)) + script_pubkey


def open_coinbase(
    height: int, coinb1: bytes, sats: int, witness_commitment: bytes = b""
) -> OpenCoinbase:
    """All of `sats` to one payee, whoever that will be; `coinb1` is from `coinbase_start`."""
    commitment = Output(0, witness_commitment).serialize() if witness_commitment else b""
    return OpenCoinbase(
        coinb1,
        _SEQUENCE.to_bytes(4, "little")
        + compact_size(2 if commitment else 1)
        + sats.to_bytes(8, "little"),
        commitment + (height - 1).to_bytes(4, "little"),
        bool(commitment),
    )


def build_coinbase(
    height: int,
    tag: bytes,
    extranonce_size: int,
    outputs: Sequence[Output],
    witness_commitment: bytes = b"",
) -> Coinbase:
    """Cut a coinbase for `extranonce_size` bytes of extranonce1‖extranonce2.

    `witness_commitment` is the whole scriptPubKey that the template gives, or nothing before
    segwit. Raises ValueError if there is nothing to pay to or the extranonce does not fit.
    """
    return Coinbase(
        coinbase_start(height, tag, extranonce_size),
        _coinbase_end(height, outputs, witness_commitment),
        bool(witness_commitment),
    )


def coinbase_start(height: int, tag: bytes, extranonce_size: int) -> bytes:
    """coinb1: the same for every payee. The tag is cut so that the scriptSig keeps to 100 bytes."""
    script_start = push_number(height)
    room = MAX_SCRIPT_SIG - len(script_start) - 1 - extranonce_size
    if room < 0:
        raise ValueError(f"extranonce of {extranonce_size} bytes does not fit the scriptSig")
    script_start += fit_tag(tag, room) + bytes([extranonce_size])
    return (
        _VERSION.to_bytes(4, "little")
        + compact_size(1)
        + _NO_TXID
        + _NO_INDEX.to_bytes(4, "little")
        + compact_size(len(script_start) + extranonce_size)
        + script_start
    )


def _coinbase_end(height: int, outputs: Sequence[Output], witness_commitment: bytes) -> bytes:
    """coinb2: sequence, outputs with the commitment last, lock time."""
    if not outputs:
        raise ValueError("a coinbase needs at least one output")
    paid = list(outputs)
    if witness_commitment:
        paid.append(Output(0, witness_commitment))
    return (
        _SEQUENCE.to_bytes(4, "little")
        + compact_size(len(paid))
        + b"".join(output.serialize() for output in paid)
        + (height - 1).to_bytes(4, "little")
    )


def fit_tag(tag: bytes, room: int) -> bytes:
    """A push of as much of the tag as fits `room` bytes; nothing where nothing fits."""
    overhead = 1 if room <= 0x4C else 2
    text = tag[: max(room - overhead, 0)]
    return push_data(text) if text else b""
