"""The nonce search finds the first nonce that meets the target, and no other."""

from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing import reference

Vectors = dict[str, list[dict[str, Any]]]
MAX_TARGET = (1 << 256) - 1
DIFF1_TARGET = 0xFFFF << 208
REGTEST_TARGET = 0x7FFFFF << 232
NONCE_SPACE = 1 << 32


def test_the_nonces_of_real_blocks_are_found(core: ModuleType, vectors: Vectors) -> None:
    for entry in vectors["blocks"] + vectors["headers"]:
        header = bytes.fromhex(entry["header"])
        nonce = int.from_bytes(header[76:], "little")
        blank, target = header[:76] + bytes(4), int(entry["hash"], 16)
        start = max(nonce - 100, 0)
        assert core.search_nonce(blank, target, start, 200) == nonce
        assert core.search_nonce(blank, target, start, nonce - start + 1) == nonce
        assert core.search_nonce(blank, target, start, nonce - start) is None
        assert core.search_nonce(blank, target - 1, start, 200) is None


@given(
    header=st.binary(min_size=80, max_size=80),
    target=st.sampled_from([MAX_TARGET, REGTEST_TARGET, MAX_TARGET >> 5, 1 << 224, 0]),
    start=st.one_of(
        st.integers(0, NONCE_SPACE - 1), st.integers(NONCE_SPACE - 20, NONCE_SPACE - 1)
    ),
    count=st.one_of(st.integers(0, 40), st.just(NONCE_SPACE)),
)
def test_any_search_ends_where_the_reference_does(
    core: ModuleType, header: bytes, target: int, start: int, count: int
) -> None:
    if start < NONCE_SPACE - 1000 and target < MAX_TARGET >> 5:
        count = min(count, 1000)  # so that a search in vain ends
    found = core.search_nonce(header, target, start, count)
    assert found == reference.search_nonce(header, target, start, count)


@given(header=st.binary(min_size=80, max_size=80), bits=st.integers(224, 256))
def test_targets_around_the_top_word_are_compared_in_full(
    core: ModuleType, header: bytes, bits: int
) -> None:
    """The early reject looks at 32 bits; a target may differ in those below."""
    digest = reference.header_hash(header[:76] + bytes(4))
    number = int.from_bytes(digest, "little")
    assert core.search_nonce(header, number, 0, 1) == 0
    assert core.search_nonce(header, max(number - 1, 0), 0, 1) is None
    assert core.search_nonce(header, number | (1 << bits) - 1, 0, 1) == 0


def test_the_last_nonce_is_searched_and_nothing_wraps(core: ModuleType) -> None:
    assert core.search_nonce(bytes(80), MAX_TARGET, NONCE_SPACE - 1, NONCE_SPACE) == NONCE_SPACE - 1
    assert core.search_nonce(bytes(80), DIFF1_TARGET, NONCE_SPACE - 3, NONCE_SPACE) is None
    assert core.search_nonce(bytes(80), MAX_TARGET, 7, 0) is None


def test_arguments_out_of_range_are_refused(core: ModuleType) -> None:
    with pytest.raises(ValueError, match="header is 76 bytes, expected 80"):
        core.search_nonce(bytes(76), 0, 0, 1)
    with pytest.raises(ValueError, match="start is 4294967296, expected 0 to 4294967295"):
        core.search_nonce(bytes(80), 0, NONCE_SPACE, 1)
    with pytest.raises(ValueError, match="count is -1, expected 0 to 4294967296"):
        core.search_nonce(bytes(80), 0, 0, -1)
    with pytest.raises(ValueError, match="target is 0x1"):
        core.search_nonce(bytes(80), 1 << 256, 0, 1)
