"""The log's slots, on every back end: what is whole, and what is not."""

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing import reference

leaves = st.binary(min_size=80, max_size=80)


def test_the_checksum_is_the_castagnoli_one(core: ModuleType) -> None:
    # RFC 3720, B.4
    assert core.crc32c(b"123456789") == 0xE3069283
    assert core.crc32c(bytes(32)) == 0x8A9136AA
    assert core.crc32c(bytes(range(32))) == 0x46DD794E


@given(data=st.binary(max_size=200))
def test_any_checksum_equals_the_reference(core: ModuleType, data: bytes) -> None:
    assert core.crc32c(data) == reference.crc32c(data)


@given(index=st.integers(0, 2**64 - 1), leaf=leaves)
def test_any_slot_equals_the_reference(core: ModuleType, index: int, leaf: bytes) -> None:
    assert core.pack_slot(index, leaf) == reference.pack_slot(index, leaf)


@given(first=st.integers(0, 2**63), run=st.lists(leaves, max_size=5))
def test_a_run_of_slots_is_its_slots_one_by_one(
    core: ModuleType, first: int, run: list[bytes]
) -> None:
    slots = b"".join(reference.pack_slot(first + i, leaf) for i, leaf in enumerate(run))
    assert core.pack_slots(first, b"".join(run)) == slots


def test_leaves_are_eighty_bytes_each(core: ModuleType) -> None:
    with pytest.raises(ValueError, match="leaves are 81 bytes, expected a multiple of 80"):
        core.pack_slots(0, bytes(81))


@given(first=st.integers(0, 2**63), run=st.lists(leaves, min_size=1, max_size=5), data=st.data())
def test_a_flipped_bit_ends_the_run_of_whole_slots(
    core: ModuleType, first: int, run: list[bytes], data: st.DataObject
) -> None:
    slots = bytearray().join(core.pack_slot(first + i, leaf) for i, leaf in enumerate(run))
    assert core.whole_slots(slots, first) == len(run)
    bit = data.draw(st.integers(0, len(slots) * 8 - 1))
    slots[bit // 8] ^= 1 << bit % 8
    assert core.whole_slots(slots, first) == bit // 8 // 96


def test_a_slot_at_another_place_is_not_whole(core: ModuleType) -> None:
    slots = core.pack_slot(7, bytes(80)) + bytes(96)
    assert core.whole_slots(slots, 7) == 1
    assert core.whole_slots(slots, 8) == 0


def test_a_tail_fills_its_segment_and_turns_to_the_next(core: ModuleType) -> None:
    first, second = bytearray(2 * 96), bytearray(96)
    tail = core.LogTail(first, 0, 5, 40, 0)
    assert [tail.append(bytes([n]) * 80) for n in (1, 2, 3)] == [True, True, False]
    assert (tail.used, tail.next_index, core.whole_slots(first, 5)) == (2, 7, 2)

    tail.turn(second, 7)
    assert tail.append(bytes(80)) and tail.next_index == 8
    tail.count_share()
    assert (tail.next_edge_seq, core.whole_slots(second, 7)) == (41, 1)
    tail.release()
    assert not tail.append(bytes(80)) and tail.next_index == 8
    second.clear()  # not exported any more


def test_a_sealed_tail_takes_nothing_and_still_knows_how_much_it_holds(core: ModuleType) -> None:
    memory = bytearray(2 * 96)
    tail = core.LogTail(memory, 1, 5, 0, 0)
    tail.seal()
    assert not tail.append(bytes(80))
    assert (tail.used, tail.next_index) == (1, 6)
    assert not any(memory)
    tail.release()


def test_a_tail_without_a_segment_is_full_until_it_turns_to_one(core: ModuleType) -> None:
    memory = bytearray(96)
    tail = core.LogTail(bytearray(), 0, 3, 0, 0)
    assert not tail.append(bytes(80))
    tail.turn(memory, 3)
    assert tail.append(bytes(80)) and core.whole_slots(memory, 3) == 1
    tail.release()
