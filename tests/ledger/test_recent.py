from __future__ import annotations

from stratum.ledger.effects import BlockKept, FateKept
from stratum.ledger.recent import RecentBlocks


def found(number: int) -> BlockKept:
    return BlockKept(number, number.to_bytes(32, "big"), number, "farm.rig1", 50)


def fate(number: int, fate: str) -> FateKept:
    return FateKept(number, number.to_bytes(32, "big"), fate, "why")


def test_newest_block_comes_first_with_its_fate() -> None:
    blocks = RecentBlocks()
    for effect in (found(1), found(2), fate(1, "orphaned")):
        blocks.add(effect)
    assert [(block.height, block.fate, block.reason) for block in blocks] == [
        (2, "found", ""),
        (1, "orphaned", "why"),
    ]


def test_blocks_are_kept_to_a_number_and_late_fates_change_nothing() -> None:
    blocks = RecentBlocks()
    for number in range(RecentBlocks.KEPT + 10):
        blocks.add(found(number))
    blocks.add(fate(3, "accepted"))
    heights = [block.height for block in blocks]
    assert heights == list(range(RecentBlocks.KEPT + 9, 9, -1))


def test_blocks_go_on_from_what_the_database_had() -> None:
    before = RecentBlocks()
    for effect in (found(1), found(2)):
        before.add(effect)
    after = RecentBlocks(list(before))
    after.add(found(2))  # a record that is read again
    after.add(found(3))
    assert [block.height for block in after] == [3, 2, 1]
