"""Folds of the log, on every back end: RFC 6962's tree, and sums of shares."""

from __future__ import annotations

import hashlib
import struct
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing import ShareSum, pack_slots, reference

#: Leaves and roots that every implementation of RFC 6962 is tested with
#: (certificate-transparency, merkletree/merkle_tree_test.cc).
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

MINUTE_US = 60_000_000


def share(
    minute: int = 0,
    account_id: int = 1,
    worker_id: int = 1,
    listen: int = 0,
    weight: int = 5,
    best: int = 7,
    within_us: int = 0,
) -> bytes:
    """A share's leaf, from the layout in the books' description and no code of ours."""
    return struct.pack(
        "<BBHIQQQIIQIIIBBH16s",
        *(1, 1, 0, listen << 8 | 0xA5_00_00_01, 3),
        *(minute * MINUTE_US + within_us, 9, account_id, worker_id, weight),
        *(0x20000000, 1_769_860_800, 77, 4, 8, best, bytes(16)),
    )


def root_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    halves = root_by_definition(leaves[:k]) + root_by_definition(leaves[k:])
    return hashlib.sha256(b"\1" + halves).digest()


# -- the tree ------------------------------------------------------------------------------


def test_roots_are_those_that_everybody_computes(core: ModuleType) -> None:
    edge = core.MerkleEdge()
    assert edge.root().hex() == ROOTS[0]
    for size, leaf in enumerate(LEAVES, 1):
        edge.append(leaf)
        assert (edge.size, edge.root().hex()) == (size, ROOTS[size])


@given(leaves=st.lists(st.binary(min_size=80, max_size=80), max_size=40))
def test_any_root_is_the_one_of_the_definition(core: ModuleType, leaves: list[bytes]) -> None:
    edge = core.MerkleEdge()
    for leaf in leaves:
        edge.append(leaf)
    assert edge.root() == root_by_definition(leaves)


@given(count=st.integers(0, 70), more=st.integers(0, 20))
def test_an_edge_goes_on_from_its_bytes(core: ModuleType, count: int, more: int) -> None:
    edge, other = core.MerkleEdge(), reference.MerkleEdge()
    for number in range(count):
        edge.append(bytes([number]))
        other.append(bytes([number]))
    kept = edge.to_bytes()
    assert kept == other.to_bytes()
    assert len(kept) == 8 + 32 * count.bit_count()

    again = core.MerkleEdge.from_bytes(kept)
    for number in range(more):
        edge.append(bytes([number]))
        again.append(bytes([number]))
    assert (again.size, again.root(), again.to_bytes()) == (
        edge.size,
        edge.root(),
        edge.to_bytes(),
    )


@pytest.mark.parametrize("data", [b"", bytes(7), bytes(9), b"\x01" + bytes(7 + 31)])
def test_bytes_that_are_no_edge_are_refused(core: ModuleType, data: bytes) -> None:
    with pytest.raises(ValueError, match="edge is .* bytes, expected"):
        core.MerkleEdge.from_bytes(data)


# -- the sums ------------------------------------------------------------------------------


def test_shares_are_summed_by_minute_account_worker_and_port(core: ModuleType) -> None:
    leaves = [
        share(28_000_000, 1, 1, weight=2**64 - 1, best=3, within_us=59_999_999),
        share(28_000_000, 1, 1, weight=2**64 - 1, best=0xFFFF, within_us=5),
        share(28_000_001, 1, 1),
        share(28_000_000, 2, 1),
        share(28_000_000, 1, 2),
        share(28_000_000, 1, 1, listen=255),
    ]
    edge, sums = core.MerkleEdge(), core.ShareSums()
    assert core.fold(pack_slots(0, b"".join(leaves)), edge, sums) == 6
    assert len(sums) == 5
    first = 28_000_000 * MINUTE_US
    assert sums.take() == [
        ShareSum(28_000_000, 1, 1, 0, 2, 2 * (2**64 - 1), 0xFFFF, first + 59_999_999),
        ShareSum(28_000_000, 1, 1, 255, 1, 5, 7, first),
        ShareSum(28_000_000, 1, 2, 0, 1, 5, 7, first),
        ShareSum(28_000_000, 2, 1, 0, 1, 5, 7, first),
        ShareSum(28_000_001, 1, 1, 0, 1, 5, 7, first + MINUTE_US),
    ]
    assert (len(sums), sums.take()) == (0, [])
    assert edge.root() == root_by_definition(leaves)


def test_a_fold_stops_before_what_is_no_share_of_this_version(core: ModuleType) -> None:
    for other in (b"\x02" + share()[1:], b"\x01\x02" + share()[2:], bytes(80)):
        leaves = [share(), share(), other, share()]
        slots = memoryview(pack_slots(0, b"".join(leaves)))
        edge, sums = core.MerkleEdge(), core.ShareSums()
        assert core.fold(slots, edge, sums) == 2
        assert core.fold(slots[2 * 96 :], edge, sums) == 0
        edge.append(other)
        assert core.fold(slots[3 * 96 :], edge, sums) == 1
        assert [one.shares for one in sums.take()] == [3]
        assert edge.root() == root_by_definition(leaves)


def test_a_fold_stops_where_there_is_no_room_for_another_sum(core: ModuleType) -> None:
    leaves = [share(worker_id=worker) for worker in (1, 2, 1, 3, 1)]
    slots = memoryview(pack_slots(0, b"".join(leaves)))
    edge, sums = core.MerkleEdge(), core.ShareSums(room=2)
    assert core.fold(slots, edge, sums) == 3
    assert edge.size == 3
    assert [(one.worker_id, one.shares) for one in sums.take()] == [(1, 2), (2, 1)]
    assert core.fold(slots[3 * 96 :], edge, sums) == 2
    assert edge.root() == root_by_definition(leaves)


def test_a_fold_without_a_tree_only_sums(core: ModuleType) -> None:
    sums = core.ShareSums()
    assert core.fold(pack_slots(41, share() + share()), None, sums) == 2
    assert [one.shares for one in sums.take()] == [2]


def test_slots_at_another_place_are_not_added_to_the_tree(core: ModuleType) -> None:
    edge, sums = core.MerkleEdge(), core.ShareSums()
    with pytest.raises(ValueError, match="slots begin at record 1, the edge has 0 leaves"):
        core.fold(pack_slots(1, share()), edge, sums)
    with pytest.raises(ValueError, match="slots are 95 bytes, expected a multiple of 96"):
        core.fold(bytes(95), edge, sums)
    with pytest.raises(ValueError, match="slots are 97 bytes, expected a multiple of 96"):
        core.fold(bytes(97), None, sums)
    assert core.fold(b"", edge, sums) == 0
    assert (edge.size, len(sums)) == (0, 0)


def test_sums_have_room_for_one_at_least(core: ModuleType) -> None:
    with pytest.raises(ValueError, match="room is 0, expected 1"):
        core.ShareSums(0)


small = st.integers(0, 2)
shares = st.builds(
    share,
    minute=small,
    account_id=small | st.integers(0, 2**32 - 1),
    worker_id=small | st.integers(0, 2**32 - 1),
    listen=small,
    weight=st.integers(0, 2**64 - 1),
    best=st.integers(0, 2**16 - 1),
    within_us=st.integers(0, MINUTE_US - 1),
)
others = st.binary(min_size=80, max_size=80)


@given(
    leaves=st.lists(shares | others, max_size=40),
    room=st.integers(1, 10),
    before=st.integers(0, 9),
)
def test_any_run_is_folded_like_the_reference(
    core: ModuleType, leaves: list[bytes], room: int, before: int
) -> None:
    def folded(module: Any) -> object:
        """All of it: where a fold stops, the sums are taken, or the record is the caller's."""
        edge, sums, steps = module.MerkleEdge(), module.ShareSums(room), []
        for _ in range(before):
            edge.append(b"")
        slots = memoryview(pack_slots(before, b"".join(leaves)))
        while len(slots):
            consumed = module.fold(slots, edge, sums)
            slots = slots[consumed * 96 :]
            steps.append((consumed, len(sums), sums.take(), edge.to_bytes()))
            if not consumed:
                edge.append(bytes(slots[16:96]))
                slots = slots[96:]
        return steps, edge.root()

    assert folded(core) == folded(reference)


def test_many_sums_are_kept_apart(core: ModuleType) -> None:
    """As many as there is room for: every place of the table is tried."""
    leaves = [share(worker_id=worker, account_id=worker * 7) for worker in range(512)]
    slots = pack_slots(0, b"".join(leaves * 2))
    sums = core.ShareSums(room=512)
    assert core.fold(slots, None, sums) == 1024
    assert [(one.worker_id, one.shares) for one in sums.take()] == [
        (worker, 2) for worker in range(512)
    ]
