"""What leaves when: at once, or under `strict` not before the log has synced."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stratum.mining.outbox import Outbox
from tests.mining.world import World


class Disk:
    """A log that grows and syncs as a test says."""

    def __init__(self, is_strict: bool) -> None:
        self.end = self.synced = self.hurries = 0
        site = World().site
        site.is_strict = is_strict
        site.log_end = lambda: self.end
        site.log_synced = lambda: self.synced
        site.hurry = self._hurry
        self.out = Outbox(site)

    def _hurry(self) -> None:
        self.hurries += 1


def test_without_strict_everything_leaves_at_once() -> None:
    disk = Disk(is_strict=False)
    disk.end = 5
    disk.out.put(b"one ")
    disk.out.put(b"two")
    assert disk.out.take() == b"one two" and not disk.out.is_held
    assert disk.out.take() == b""


def test_answer_waits_for_what_the_log_held_when_it_was_given() -> None:
    disk = Disk(is_strict=True)
    disk.end = 5
    disk.out.put(b"true")
    assert disk.out.take() == b"" and disk.out.is_held and disk.hurries == 1
    disk.synced = 4
    assert disk.out.take() == b""
    disk.synced = 5
    assert disk.out.take() == b"true" and not disk.out.is_held


def test_nothing_overtakes_what_waits() -> None:
    disk = Disk(is_strict=True)
    disk.end = 5
    disk.out.put(b"true ")
    disk.out.take()
    disk.end = 6
    disk.out.put(b"job")
    disk.synced = 5
    assert disk.out.take() == b"true "
    disk.synced = 6
    assert disk.out.take() == b"job"


@given(st.lists(st.sampled_from(["say", "share", "sync", "take"]), max_size=40))
def test_under_strict_the_order_holds_and_no_answer_is_early(steps: list[str]) -> None:
    disk, said, left = Disk(is_strict=True), b"", b""
    promised: list[tuple[int, int]] = []  # end of an answer in `said`, records it speaks of
    for step in [*steps, "sync", "take"]:
        match step:
            case "say":
                said += b"j"
                disk.out.put(b"j")
            case "share":
                disk.end += 1
                said += b"t"
                disk.out.put(b"t")
                left += disk.out.take()
                promised.append((len(said), disk.end))
            case "sync":
                disk.synced = disk.end
            case "take":
                left += disk.out.take()
        assert said.startswith(left)
        assert all(disk.synced >= end for at, end in promised if at <= len(left))
    assert left == said
