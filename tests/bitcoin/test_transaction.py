"""Serialized transactions: what is written is read, and what ends early is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hashing
from stratum.bitcoin.target import display
from stratum.bitcoin.transaction import Output, Reader, compact_size, read_transaction
from tests.bitcoin.real_blocks import BLOCKS, RealBlock
from tests.bitcoin.transactions import Made, count, transactions

#: The first transaction that was ever paid, in block 170.
FIRST_PAYMENT = bytes.fromhex(
    "0100000001c997a5e56e104102fa209c6a852dd90660a20b2d9c352423edce25857fcd3704000000004847304402"
    "204e45e16932b8af514961a1d3a1a25fdf3f4f7732e9d624c6c61548ab5fb8cd410220181522ec8eca07de4860a4"
    "acdd12909d831cc56cbbac4622082221a8768d1d0901ffffffff0200ca9a3b00000000434104ae1a62fe09c5f51b"
    "13905f07f06b99a2f7159b2225f374cd378d71302fa28414e7aab37397f554a7df5f142c21c1b7303b8a0626f1ba"
    "ded5c72a704f7e6cd84cac00286bee0000000043410411db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482e"
    "cad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d4c03f999b8643f656b412a3ac00000000"
)


def test_the_first_payment_is_read_and_has_its_txid() -> None:
    payment = read_transaction(Reader(FIRST_PAYMENT))
    txid = "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16"
    assert display(payment.txid) == display(payment.wtxid) == txid
    assert [output.sats for output in payment.outputs] == [1_000_000_000, 4_000_000_000]
    assert payment.witness == ()


@given(transactions())
def test_any_transaction_is_read_as_it_was_written(made: Made) -> None:
    read = read_transaction(Reader(made.serialized))
    assert (read.version, read.lock_time) == (made.version, made.lock_time)
    assert (read.inputs, read.outputs, read.witness) == (made.inputs, made.outputs, made.witness)
    assert (read.stripped, read.serialized) == (made.stripped, made.serialized)
    assert read.txid == hashing.sha256d(made.stripped)
    assert read.wtxid == hashing.sha256d(made.serialized)


@given(transactions(), st.data())
def test_a_transaction_that_ends_early_is_refused(made: Made, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(made.serialized) - 1))
    with pytest.raises(ValueError, match="data ends at byte"):
        read_transaction(Reader(made.serialized[:cut]))


@given(transactions(), transactions())
def test_reading_stops_at_the_end_of_the_transaction(one: Made, other: Made) -> None:
    reader = Reader(one.serialized + other.serialized)
    assert read_transaction(reader).serialized == one.serialized
    assert read_transaction(reader).serialized == other.serialized
    assert reader.position == len(reader.data)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_transaction_or_a_value_error(data: bytes) -> None:
    reader = Reader(data)
    try:
        read = read_transaction(reader)
    except ValueError:
        return
    assert read.serialized == data[: reader.position]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_a_real_coinbase_is_read(block: RealBlock) -> None:
    read = read_transaction(Reader(block.coinbase))
    assert read.serialized == read.stripped == block.coinbase
    (source,) = read.inputs
    assert (source.txid, source.index) == (bytes(32), 0xFFFFFFFF)


@given(st.integers(0, 2**64 - 1))
def test_a_count_reads_back(number: int) -> None:
    written = compact_size(number)
    assert written == count(number)
    reader = Reader(written)
    assert reader.compact_size() == number
    assert reader.position == len(written)


@pytest.mark.parametrize(
    ("number", "size"),
    [(0, 1), (252, 1), (253, 3), (65535, 3), (65536, 5), (2**32 - 1, 5), (2**32, 9)],
)
def test_a_count_takes_as_many_bytes_as_in_core(number: int, size: int) -> None:
    assert len(compact_size(number)) == size


@pytest.mark.parametrize("data", ["fdfc00", "fd0000", "feffff0000", "ffffffffff00000000"])
def test_a_count_in_a_longer_form_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match="not in its shortest form"):
        Reader(bytes.fromhex(data)).compact_size()


def test_a_string_that_claims_more_than_there_is_allocates_nothing() -> None:
    with pytest.raises(ValueError, match="data ends at byte 9"):
        Reader(b"\xff" * 9).string()


def test_an_output_is_sats_length_and_script() -> None:
    assert Output(5_000_000_000, b"\x51").serialize().hex() == "00f2052a010000000151"
