from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.ledger.records import (
    BodyLeaf,
    RecordType,
    ShareRecord,
    decode_body,
    encode_body,
    share_flags,
)
from stratum.units import best_of
from tests.ledger.conftest import share


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


SHARES = st.builds(
    ShareRecord,
    edge_id=unsigned(16),
    flags=unsigned(32),
    edge_seq=unsigned(64),
    recv_time_us=unsigned(64),
    job_index=unsigned(64),
    account_id=unsigned(32),
    worker_id=unsigned(32),
    weight=unsigned(64),
    version=unsigned(32),
    ntime=unsigned(32),
    nonce=unsigned(32),
    extranonce1=st.binary(max_size=8),
    extranonce2=st.binary(max_size=8),
    best=unsigned(16),
)

BODY_LEAVES = st.builds(
    BodyLeaf,
    type=st.sampled_from([kind for kind in RecordType if kind is not RecordType.SHARE]),
    edge_id=unsigned(16),
    body_length=unsigned(32),
    body_offset=unsigned(64),
    time_us=unsigned(64),
    body_sha256=st.binary(min_size=32, max_size=32),
)

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.binary() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)

BODIES = st.dictionaries(st.text(), VALUES)

# The first block: bitcoin/bitcoin, src/kernel/chainparams.cpp, CMainParams.
GENESIS_COINBASE = bytes.fromhex(
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff00"
    "1d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b20"
    "6f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104678afd"
    "b0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c"
    "384df7ba0b8d578a4c702b6bf11d5fac00000000"
)
GENESIS_NBITS = 0x1D00FFFF
GENESIS_HASH = bytes.fromhex("000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f")[
    ::-1
]


def sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def genesis_share() -> ShareRecord:
    """The first block as a share: bytes 50 to 62 of its coinbase stand for the extranonces."""
    return ShareRecord(
        edge_id=3,
        flags=share_flags(candidate=True, listen=1),
        edge_seq=5,
        recv_time_us=1_231_006_505_000_000,
        job_index=4,
        account_id=1,
        worker_id=2,
        weight=1,
        version=1,
        ntime=1_231_006_505,
        nonce=2_083_236_893,
        extranonce1=GENESIS_COINBASE[50:54],
        extranonce2=GENESIS_COINBASE[54:62],
        best=best_of(GENESIS_HASH),
    )


def test_layout_is_that_of_the_reference_field_by_field() -> None:
    expected = (
        "01" "01" "0300" "01010000"  # type, version, edge_id, flags
        "0500000000000000" "405c7209985f0400" "0400000000000000"  # edge_seq, time, job_index
        "01000000" "02000000" "0100000000000000" "01000000"  # account, worker, weight, version
        "29ab5f49" "1dac2b7c" "04" "08" "ce2b"  # ntime, nonce, lengths, best
        "54686520" "54696d6573203033" "00000000"  # "The ", "Times 03"
    )  # fmt: skip
    assert genesis_share().pack().hex() == expected


def test_share_and_job_are_enough_to_hash_the_header_again() -> None:
    record = ShareRecord.unpack(genesis_share().pack())
    coinb1, coinb2 = GENESIS_COINBASE[:50], GENESIS_COINBASE[62:]
    merkle_root = sha256d(coinb1 + record.extranonce1 + record.extranonce2 + coinb2)
    header = (
        record.version.to_bytes(4, "little")
        + bytes(32)
        + merkle_root
        + record.ntime.to_bytes(4, "little")
        + GENESIS_NBITS.to_bytes(4, "little")
        + record.nonce.to_bytes(4, "little")
    )
    assert sha256d(header) == GENESIS_HASH
    assert record.best == best_of(GENESIS_HASH)


@given(SHARES)
def test_share_survives_the_round_trip(record: ShareRecord) -> None:
    leaf = record.pack()
    assert len(leaf) == 80
    assert ShareRecord.unpack(leaf) == record


@given(BODY_LEAVES)
def test_leaf_of_a_body_survives_the_round_trip(leaf: BodyLeaf) -> None:
    packed = leaf.pack()
    assert len(packed) == 80
    assert BodyLeaf.unpack(packed) == leaf


@given(SHARES | BODY_LEAVES, st.integers(0, 79), st.integers(1, 255))
def test_whatever_unpacks_is_what_pack_would_have_written(
    record: ShareRecord | BodyLeaf, place: int, change: int
) -> None:
    leaf = bytearray(record.pack())
    leaf[place] ^= change
    for kind in (ShareRecord, BodyLeaf):
        try:
            read = kind.unpack(bytes(leaf))
        except ValueError:
            continue
        assert read.pack() == leaf


@given(st.binary(max_size=100))
def test_bytes_that_are_no_record_are_a_value_error(data: bytes) -> None:
    for kind in (ShareRecord, BodyLeaf):
        try:
            assert kind.unpack(data).pack() == data
        except ValueError:
            continue


@pytest.mark.parametrize(
    "changed",
    [
        {"extranonce1": bytes(9)},
        {"extranonce2": bytes(9)},
        {"nonce": 2**32},
        {"weight": -1},
        {"edge_id": 65536},
        {"best": 65536},
    ],
)
def test_field_that_does_not_fit_is_refused_and_not_cut(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="share"):
        share(**changed).pack()


def test_zero_slot_is_no_record() -> None:
    for kind in (ShareRecord, BodyLeaf):
        with pytest.raises(ValueError, match="leaf is type 0"):
            kind.unpack(bytes(80))


def test_best_counts_the_zero_bits_and_keeps_the_eight_that_follow() -> None:
    assert best_of(GENESIS_HASH) == 43 << 8 | 0xCE
    assert best_of(b"\xff" * 32) == 0xFF
    assert best_of(b"\x01" + bytes(31)) == 255 << 8 | 0x80
    assert best_of(bytes(32)) == 0xFFFF


@given(st.binary(min_size=32, max_size=32))
def test_best_agrees_with_the_hash_written_out_in_bits(block_hash: bytes) -> None:
    bits = f"{int.from_bytes(block_hash, 'little'):0256b}"
    zeros = len(bits) - len(bits.lstrip("0"))
    if zeros < 256:
        assert best_of(block_hash) == zeros * 256 + int(bits[zeros : zeros + 8].ljust(8, "0"), 2)


def test_flags_hold_candidate_grace_and_port() -> None:
    assert share_flags() == 0
    assert share_flags(candidate=True) == 1
    assert share_flags(graced=True, listen=2) == 0x202
    assert share_flags(listen=1000) == 0xFF00


@given(BODIES)
def test_body_survives_the_round_trip_in_one_encoding(body: dict[str, Any]) -> None:
    data = encode_body(body)
    assert decode_body(data) == body
    assert encode_body(dict(reversed(body.items()))) == data


@given(st.binary(max_size=60))
def test_decoded_body_has_no_other_encoding(data: bytes) -> None:
    try:
        body = decode_body(data)
    except ValueError:
        return
    assert encode_body(body) == data


def test_body_has_the_deterministic_encoding_of_rfc_8949() -> None:
    body = {"script": b"\x51", "id": 1, "name": "ü", "value": 2**64}
    expected = "a462696401646e616d6562c3bc6576616c7565c249010000000000000000"
    assert encode_body(body).hex() == expected + "667363726970744151"


@pytest.mark.parametrize(
    "data",
    [
        "",
        "01",
        "a1616101ff",  # a byte too many
        "a16161",
        "a161611801",  # 1 in two bytes
        "bf616101ff",  # indefinite length
        "a2616201616102",  # keys out of order
        "a2616101616101",  # a key twice
        "a10101",  # a key that is no text
        "a16161fb3ff8000000000000",  # a float
        "a161" * 500,
    ],
)
def test_body_in_any_other_encoding_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match="body"):
        decode_body(bytes.fromhex(data))


@pytest.mark.parametrize("value", [1.5, {1: 2}, {"a": [{b"b": 1}]}, {1, 2}, "\ud800", object()])
def test_value_without_one_encoding_has_no_place_in_a_record(value: object) -> None:
    with pytest.raises(ValueError, match="body"):
        encode_body({"value": value})
