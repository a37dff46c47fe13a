"""The coinbase: what a rig completes is what the block holds, within consensus' limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hashing
from stratum.bitcoin.coinbase import MAX_SCRIPT_SIG, MIN_SCRIPT_SIG, build_coinbase, fit_tag
from stratum.bitcoin.script import push_data, push_number
from stratum.bitcoin.transaction import Output, Reader, Transaction, read_transaction
from tests.bitcoin.transactions import OUTPUTS

PAYOUT = Output(312_500_000, bytes.fromhex("0014") + bytes(20))
COMMITMENT = bytes.fromhex("6a24aa21a9ed") + bytes(range(32))

HEIGHTS = [1, 16, 17, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 8388607, 8388608, 951658]


def read(data: bytes) -> Transaction:
    reader = Reader(data)
    transaction = read_transaction(reader)
    assert reader.position == len(data)
    return transaction


def script_sig(height: int, tag: bytes, extranonce: bytes) -> bytes:
    coinbase = build_coinbase(height, tag, len(extranonce), [PAYOUT])
    (source,) = read(coinbase.stripped(extranonce)).inputs
    return source.script_sig


@given(
    height=st.one_of(st.sampled_from(HEIGHTS), st.integers(1, 2**31)),
    tag=st.binary(max_size=300),
    extranonce=st.binary(max_size=40),
    outputs=st.lists(OUTPUTS, min_size=1, max_size=3),
    commitment=st.sampled_from([b"", COMMITMENT]),
)
def test_any_coinbase_is_what_consensus_allows(
    height: int, tag: bytes, extranonce: bytes, outputs: list[Output], commitment: bytes
) -> None:
    coinbase = build_coinbase(height, tag, len(extranonce), outputs, commitment)
    plain = read(coinbase.stripped(extranonce))

    (source,) = plain.inputs
    assert (source.txid, source.index) == (bytes(32), 0xFFFFFFFF)
    assert MIN_SCRIPT_SIG <= len(source.script_sig) <= MAX_SCRIPT_SIG
    assert source.script_sig.startswith(push_number(height))  # BIP 34
    assert source.script_sig.endswith(bytes([len(extranonce)]) + extranonce)

    assert (source.sequence, plain.lock_time) == (0xFFFFFFFE, height - 1)  # BIP 54
    assert plain.outputs[: len(outputs)] == tuple(outputs)
    assert [output.script_pubkey for output in plain.outputs[len(outputs) :]] == (
        [commitment] if commitment else []
    )


@given(st.binary(min_size=12, max_size=12), st.sampled_from([b"", COMMITMENT]))
def test_the_witness_form_keeps_the_txid(extranonce: bytes, commitment: bytes) -> None:
    coinbase = build_coinbase(951658, b"/baseload/", 12, [PAYOUT], commitment)
    plain, full = read(coinbase.stripped(extranonce)), read(coinbase.serialize(extranonce))
    assert full.txid == plain.txid == hashing.sha256d(coinbase.stripped(extranonce))
    assert full.stripped == coinbase.stripped(extranonce)
    assert full.witness == (((bytes(32),),) if commitment else ())


def test_the_commitment_is_the_last_output_and_pays_nothing() -> None:
    coinbase = build_coinbase(500_000, b"", 12, [PAYOUT, PAYOUT], COMMITMENT)
    assert read(coinbase.stripped(bytes(12))).outputs == (PAYOUT, PAYOUT, Output(0, COMMITMENT))


@pytest.mark.parametrize("height", HEIGHTS)
@pytest.mark.parametrize("extranonce_size", [8, 12, 16])
def test_a_script_sig_with_an_endless_tag_ends_at_100_bytes(
    height: int, extranonce_size: int
) -> None:
    # A push of 76 bytes costs one more than a push of 75: there a byte may stay empty.
    whole = script_sig(height, b"t" * 500, bytes(extranonce_size))
    assert MAX_SCRIPT_SIG - 1 <= len(whole) <= MAX_SCRIPT_SIG


@pytest.mark.parametrize("height", HEIGHTS)
def test_the_script_sig_is_height_tag_extranonce(height: int) -> None:
    extranonce = bytes(range(12))
    assert script_sig(height, b"/baseload/", extranonce) == (
        push_number(height) + push_data(b"/baseload/") + b"\x0c" + extranonce
    )


def test_without_a_tag_nothing_stands_between_height_and_extranonce() -> None:
    assert script_sig(1, b"", b"e" * 12) == b"\x51\x0c" + b"e" * 12


@given(st.binary(max_size=300), st.integers(0, MAX_SCRIPT_SIG))
def test_a_tag_is_cut_to_the_room_there_is(tag: bytes, room: int) -> None:
    pushed = fit_tag(tag, room)
    assert len(pushed) <= room
    if pushed:
        text = pushed[1:] if pushed[0] < 0x4C else pushed[2:]
        assert push_data(text) == pushed
        assert text and tag.startswith(text)


@given(st.binary(min_size=1, max_size=90))
def test_a_tag_that_fits_is_kept_whole(tag: bytes) -> None:
    assert fit_tag(tag, len(push_data(tag))) == push_data(tag)


def test_an_extranonce_that_does_not_fit_is_refused() -> None:
    build_coinbase(951658, b"tag", 95, [PAYOUT])
    with pytest.raises(ValueError, match="extranonce of 96 bytes does not fit the scriptSig"):
        build_coinbase(951658, b"tag", 96, [PAYOUT])


def test_a_coinbase_without_outputs_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one output"):
        build_coinbase(951658, b"tag", 12, [], COMMITMENT)
