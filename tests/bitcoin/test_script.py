"""Pushes and numbers as CScript writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.bitcoin.script import push_data, push_number

#: BIP 34 heights at every edge of the encoding, and real ones (reference §2).
HEIGHTS = {
    0: "00",
    1: "51",
    2: "52",
    16: "60",
    17: "0111",
    127: "017f",
    128: "028000",
    255: "02ff00",
    256: "020001",
    32767: "02ff7f",
    32768: "03008000",
    65535: "03ffff00",
    65536: "03000001",
    8388607: "03ffff7f",
    8388608: "0400008000",
    40000: "03409c00",
    227931: "035b7a03",
    482683: "037b5d07",
    898352: "0330b50d",
    951658: "036a850e",
}


@pytest.mark.parametrize(("height", "script"), HEIGHTS.items())
def test_heights_are_written_as_bip_34_demands(height: int, script: str) -> None:
    assert push_number(height).hex() == script


def script_number(data: bytes) -> int:
    """CScriptNum, little-endian with a sign bit on top."""
    number = int.from_bytes(data, "little")
    sign = 0x80 << 8 * (len(data) - 1)
    return -(number & ~sign) if number & sign else number


@given(st.integers(17, 2**32))
def test_a_number_reads_back_positive_and_is_minimal(number: int) -> None:
    length, *data = push_number(number)
    assert length == len(data)
    assert script_number(bytes(data)) == number
    # Minimal: the last byte is needed, for itself or for the sign of the one before.
    assert data[-1] or data[-2] & 0x80


@given(st.binary(max_size=255))
def test_a_push_is_the_shortest_that_holds_the_data(data: bytes) -> None:
    pushed = push_data(data)
    opcodes = bytes([len(data)]) if len(data) <= 75 else bytes([0x4C, len(data)])
    assert pushed == opcodes + data
