from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing import pack_slot
from stratum.ledger.segment import (
    HEADER_PAGE,
    Header,
    Segment,
    body_path,
    first_indexes,
    not_shares,
    pack_synced,
    prepare,
    slots_path,
    synced_in,
)
from tests.ledger.conftest import share

u64 = st.integers(0, 2**64 - 1)


@given(u64, u64, u64)
def test_header_is_read_back(first_index: int, room: int, created_us: int) -> None:
    header = Header(first_index, room, created_us)
    page = header.pack()
    assert len(page) == HEADER_PAGE
    assert Header.unpack(page) == header
    assert synced_in(page) == first_index, "nothing of it is synced yet"


@given(st.integers(0, 39), st.integers(0, 7))
def test_header_with_a_flipped_bit_is_refused(at: int, bit: int) -> None:
    page = bytearray(Header(7, 100, 5).pack())
    page[at] ^= 1 << bit
    with pytest.raises(ValueError, match="header page|version"):
        Header.unpack(bytes(page))


def test_header_that_ends_early_is_refused() -> None:
    with pytest.raises(ValueError, match="has 4095 bytes"):
        Header.unpack(Header(7, 100, 5).pack()[:-1])


@given(u64, st.integers(0, 95))
def test_synced_index_that_was_torn_is_no_index(index: int, bit: int) -> None:
    page = bytearray(Header(0, 1, 0).pack())
    page[512:524] = pack_synced(index)
    assert synced_in(page) == index
    page[512 + bit // 8] ^= 1 << bit % 8
    assert synced_in(page) is None


def test_segment_is_made_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, offset: int, size: int) -> None:
        os.pwrite(descriptor, bytes(5000), 0)  # as some file systems do: what there is, is taken
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "posix_fallocate", full)
        with pytest.raises(OSError, match="No space"):
            prepare(tmp_path, Header(40, 100, 0))
    assert first_indexes(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == [body_path(tmp_path, 40).name]
    prepare(tmp_path, Header(40, 100, 0))
    assert first_indexes(tmp_path) == [40]


def test_only_segments_are_taken_for_segments(tmp_path: Path) -> None:
    for name in (
        "00000000000000000007.slots",
        "00000000000000000003.slots.z",
        "00000000000000000003.slots",
        "00000000000000000003.body",
        "00000000000000000009.new",
        "00000000000000000009.slotsxz",
        "9.slots",
        "notes",
    ):
        (tmp_path / name).touch()
    assert first_indexes(tmp_path) == [3, 7]
    assert first_indexes(tmp_path / "missing") == []


def test_what_is_no_share_is_found_among_shares() -> None:
    other = bytes([2]) + share().pack()[1:]
    kinds = [other, share().pack(), share().pack(), other, bytes(80)]
    slots = b"".join(pack_slot(index, leaf) for index, leaf in enumerate(kinds))
    assert list(not_shares(slots)) == [0, 3, 4]


def test_segment_whose_body_is_missing_leaves_nothing_open(tmp_path: Path) -> None:
    prepare(tmp_path, Header(0, 10, 0))
    body_path(tmp_path, 0).unlink()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        Segment(tmp_path, Header(0, 10, 0))
    body_path(tmp_path, 0).touch()
    with pytest.raises(ValueError, match="length"):
        Segment(tmp_path, Header(0, 11, 0))
    assert len(os.listdir("/proc/self/fd")) == before
    assert slots_path(tmp_path, 0).exists()
