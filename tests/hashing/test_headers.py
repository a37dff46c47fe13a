"""Block headers: real ones, batches of them, and the midstate."""

import hashlib
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing import reference

Vectors = dict[str, list[dict[str, Any]]]

# SHA-256's state after "abc" and its padding is the digest of "abc".
ABC_BLOCK = b"abc\x80" + bytes(58) + (24).to_bytes(2, "big")
ABC_DIGEST = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("kind", ["blocks", "headers", "shares"])
def test_real_headers_have_the_hash_that_the_chain_knows(
    core: ModuleType, vectors: Vectors, kind: str
) -> None:
    for entry in vectors[kind]:
        header = bytes.fromhex(entry["header"])
        assert core.header_hash(header)[::-1].hex() == entry["hash"]
        assert core.sha256d(header)[::-1].hex() == entry["hash"]


def test_a_batch_of_real_headers_has_their_hashes_in_order(
    core: ModuleType, vectors: Vectors
) -> None:
    entries = [entry for kind in vectors.values() for entry in kind]
    headers = b"".join(bytes.fromhex(entry["header"]) for entry in entries)
    hashes = b"".join(bytes.fromhex(entry["hash"])[::-1] for entry in entries)
    assert core.sha256d_headers(headers) == hashes


@pytest.mark.parametrize("count", range(20))
def test_a_batch_of_any_size_equals_its_singles(core: ModuleType, count: int) -> None:
    noise = hashlib.shake_128(b"batch").digest(80 * count)
    singles = [core.header_hash(noise[at : at + 80]) for at in range(0, len(noise), 80)]
    assert core.sha256d_headers(noise) == b"".join(singles)


def test_the_midstate_of_a_padded_message_is_its_digest(core: ModuleType) -> None:
    assert core.midstate(ABC_BLOCK).hex() == ABC_DIGEST


@given(first64=st.binary(min_size=64, max_size=64))
def test_any_midstate_equals_the_reference(core: ModuleType, first64: bytes) -> None:
    assert core.midstate(first64) == reference.midstate(first64)


def test_a_header_of_the_wrong_length_is_refused(core: ModuleType) -> None:
    with pytest.raises(ValueError, match="header is 79 bytes, expected 80"):
        core.header_hash(bytes(79))
    with pytest.raises(ValueError, match="header is 81 bytes, expected 80"):
        core.header_hash(bytes(81))
    with pytest.raises(ValueError, match="headers are 161 bytes, expected a multiple of 80"):
        core.sha256d_headers(bytes(161))
    with pytest.raises(ValueError, match="first64 is 80 bytes, expected 64"):
        core.midstate(bytes(80))
