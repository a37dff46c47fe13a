"""SHA-256 itself, against what NIST published and against hashlib."""

import hashlib
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing import reference

# NIST, "Examples with Intermediate Values: SHA256"; the last is FIPS 180-2, B.3.
NIST = [
    (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
    (
        b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
        b"hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
    ),
    (b"a" * 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
]


@pytest.mark.parametrize(("message", "digest_hex"), NIST, ids=lambda value: str(value)[:8])
def test_nist_messages_have_their_published_digests(
    core: ModuleType, message: bytes, digest_hex: str
) -> None:
    assert core.sha256(message).hex() == digest_hex


def test_every_length_around_the_padding_agrees_with_hashlib(core: ModuleType) -> None:
    noise = hashlib.shake_128(b"padding").digest(300)
    for size in range(len(noise)):
        once = hashlib.sha256(noise[:size]).digest()
        assert core.sha256(noise[:size]) == once
        assert core.sha256d(noise[:size]) == hashlib.sha256(once).digest()


@given(data=st.binary(max_size=2000))
def test_any_message_hashes_as_in_hashlib(core: ModuleType, data: bytes) -> None:
    assert core.sha256(data) == hashlib.sha256(data).digest()
    assert core.sha256d(data) == reference.sha256d(data)
