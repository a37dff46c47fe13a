"""Script pushes as BIP 34 and the coinbase need them."""

from __future__ import annotations

_OP_1 = 0x51
_OP_PUSHDATA1 = 0x4C


def push_data(data: bytes) -> bytes:
    """The shortest push of up to 255 bytes of data."""
    if len(data) < _OP_PUSHDATA1:
        return bytes([len(data)]) + data
    return bytes([_OP_PUSHDATA1, len(data)]) + data


def push_number(number: int) -> bytes:
    """A non-negative number as CScript << int64 writes it: OP_0, OP_1 … OP_16, else minimal bytes.

    This is the form BIP 34 demands of the height: Core compares the scriptSig's start with
    `CScript() << nHeight` byte by byte.
    """
    if number == 0:
        return b"\x00"
    if number <= 16:
        return bytes([_OP_1 + number - 1])
    # One spare bit for the sign: 128 is 80 00, not 80.
    return push_data(number.to_bytes(number.bit_length() // 8 + 1, "little"))
