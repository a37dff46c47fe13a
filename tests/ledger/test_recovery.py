"""What a start keeps of a log that ended badly, over every way it may have ended."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing import pack_slot
from stratum.ledger.errors import LogDamaged
from stratum.ledger.log import Log
from stratum.ledger.reading import read
from stratum.ledger.records import BodyLeaf, RecordType
from stratum.ledger.segment import Header, body_path, pack_synced, slots_path
from tests.ledger.conftest import fill, is_filled, no_failure

ROOM = 20
COUNT = 50

#: What a disk writes at once.
SECTOR = 512


@dataclass(frozen=True)
class Written:
    """A log of three segments, the last one half full, and an empty fourth; as bytes."""

    leaves: tuple[bytes, ...]
    bodies: tuple[bytes, ...]  # one for each record; shares have none

    @property
    def firsts(self) -> range:
        return range(0, COUNT + ROOM, ROOM)

    def slots(self, first: int, end: int) -> bytes:
        """The .slots file of the segment at `first`, as it was when the log had `end` records."""
        used = [
            pack_slot(index, self.leaves[index])
            for index in range(first, min(first + ROOM, max(end, first), COUNT))
        ]
        return Header(first, ROOM, 7).pack() + b"".join(used).ljust(ROOM * 96, b"\0")

    def body(self, first: int, end: int) -> bytes:
        entries = [
            pack_slot(index, self.leaves[index]) + self.bodies[index]
            for index in range(first, min(first + ROOM, max(end, first), COUNT))
            if self.bodies[index]
        ]
        return b"".join(entries)

    def put(self, directory: Path, *, synced: int, told: int | None = None) -> None:
        """All of it; the headers say that records below `told` were synced."""
        (directory / "log").mkdir()
        for first in self.firsts:
            self.put_segment(directory, first, self.slots(first, COUNT), self.body(first, COUNT))
            self.tell(directory, first, synced if told is None else told)

    def put_segment(self, directory: Path, first: int, slots: bytes, body: bytes) -> None:
        slots_path(directory / "log", first).write_bytes(slots)
        body_path(directory / "log", first).write_bytes(body)

    def tell(self, directory: Path, first: int, synced: int) -> None:
        path = slots_path(directory / "log", first)
        page = bytearray(path.read_bytes())
        page[512:524] = pack_synced(max(first, min(first + ROOM, synced)))
        path.write_bytes(page)


def write() -> Written:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with Log(directory, on_failure=no_failure, room=ROOM, now_us=lambda: 7) as log:
            fill(log, COUNT)
        leaves, bodies = [], []
        for index in range(COUNT):
            first = index // ROOM * ROOM
            at = 4096 + 96 * (index - first)
            leaf = slots_path(directory / "log", first).read_bytes()[at + 16 : at + 96]
            body = b""
            if leaf[0] != RecordType.SHARE:
                named = BodyLeaf.unpack(leaf)
                data = body_path(directory / "log", first).read_bytes()
                body = data[named.body_offset : named.body_offset + named.body_length]
            leaves.append(leaf)
            bodies.append(body)
        return Written(tuple(leaves), tuple(bodies))


WRITTEN = write()


def reopened(directory: Path) -> int:
    """How many records stand after a start; it must be able to go on from there, and start again,
    and nothing of what went may come back."""
    with Log(directory, on_failure=no_failure, room=ROOM, sync_interval=0.001) as log:
        kept = log.next_index
        assert log.synced_count == kept
        fill(log, 1)
    with Log(directory, on_failure=no_failure, room=ROOM, sync_interval=0.001) as log:
        assert log.next_index == kept + 1
        assert (log.recovered.cut_slots, log.recovered.cut_body_bytes) == (0, 0)
        fill(log, ROOM * 2)
        assert all(is_filled(index, record) for index, record in log.bodies())
    records = list(read(directory))
    assert [index for index, _ in records] == list(range(kept + 1 + ROOM * 2))
    assert all(is_filled(index, record) for index, record in records)
    shares = [record.edge_seq for _, record in records if hasattr(record, "edge_seq")]
    assert shares == list(range(len(shares)))
    return kept


def test_a_log_as_it_was_written_stands_whole_and_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    WRITTEN.put(tmp_path, synced=COUNT)
    assert reopened(tmp_path) == COUNT
    assert caplog.text == ""


@given(data=st.data())
def test_after_a_power_cut_the_longest_whole_beginning_stands(data: st.DataObject) -> None:
    """Sectors above the synced index landed or not, each by itself; bodies came in any part."""
    synced = data.draw(st.integers(0, COUNT), "synced")
    told = data.draw(st.integers(0, synced), "told")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "log").mkdir()
        stand = COUNT
        for first in WRITTEN.firsts:
            before, after = WRITTEN.slots(first, synced), WRITTEN.slots(first, COUNT)
            slots = landed(data, before, after)
            old, new = WRITTEN.body(first, synced), WRITTEN.body(first, COUNT)
            body = landed(data, old.ljust(len(new), b"\0"), new)
            body = body[: data.draw(st.integers(len(old), len(new)), "body")]
            WRITTEN.put_segment(directory, first, slots, body)
            WRITTEN.tell(directory, first, told)
            stand = min(stand, whole_of(first, slots, body))
        assert reopened(directory) == max(stand, synced)
        assert stand >= synced


def landed(data: st.DataObject, before: bytes, after: bytes) -> bytes:
    """Every sector is what it was, or what was written."""
    places = range(0, len(after), SECTOR)
    differing = [at for at in places if before[at : at + SECTOR] != after[at : at + SECTOR]]
    lost = data.draw(st.sets(st.sampled_from(differing))) if differing else set()
    return b"".join((before if at in lost else after)[at : at + SECTOR] for at in places)


def whole_of(first: int, slots: bytes, body: bytes) -> int:
    """Index of the first record in this segment that is not what was written; COUNT if all are."""
    offset = 0
    for index in range(first, min(first + ROOM, COUNT)):
        at = 4096 + 96 * (index - first)
        if slots[at : at + 96] != pack_slot(index, WRITTEN.leaves[index]):
            return index
        if WRITTEN.bodies[index]:
            size = 96 + len(WRITTEN.bodies[index])
            if body[offset : offset + size] != slots[at : at + 96] + WRITTEN.bodies[index]:
                return index
            offset += size
    return COUNT


@given(st.integers(0, COUNT - 1), st.integers(0, 95), st.integers(0, COUNT))
def test_one_flipped_bit_ends_the_log_or_stops_the_start(index: int, at: int, synced: int) -> None:
    first = index // ROOM * ROOM
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        WRITTEN.put(directory, synced=synced)
        path = slots_path(directory / "log", first)
        slots = bytearray(path.read_bytes())
        slots[4096 + 96 * (index - first) + at] ^= 0x10
        path.write_bytes(slots)
        if index >= synced:
            assert reopened(directory) == index
        elif first + ROOM > synced:
            with pytest.raises(LogDamaged, match=f"record {index} of the log is not whole"):
                Log(directory, on_failure=no_failure)
            assert path.read_bytes() == bytes(slots), "damage is for a person to look at"
        else:
            # Synced segments ago: whoever reads it finds it.
            Log(directory, on_failure=no_failure).close()
            with pytest.raises(LogDamaged, match=f"record {index} "):
                list(read(directory))


def test_cut_is_counted_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    WRITTEN.put(tmp_path, synced=5)
    path = slots_path(tmp_path / "log", 0)
    slots = bytearray(path.read_bytes())
    slots[4096 + 96 * 17] ^= 1
    path.write_bytes(slots)
    with Log(tmp_path, on_failure=no_failure) as log:
        assert log.next_index == 17
        bodies = len(WRITTEN.body(20, COUNT) + WRITTEN.body(40, COUNT))
        assert (log.recovered.cut_slots, log.recovered.cut_body_bytes) == (33, bodies)
    assert f"cut a torn tail of 33 slots and {bodies} bytes of bodies, 17 records" in caplog.text


def test_body_without_a_slot_is_cut(tmp_path: Path) -> None:
    WRITTEN.put(tmp_path, synced=3)
    with open(body_path(tmp_path / "log", 40), "ab") as file:
        file.write(b"body of a killed writer")
    with Log(tmp_path, on_failure=no_failure) as log:
        assert (log.recovered.cut_slots, log.recovered.cut_body_bytes) == (0, 23)
        assert log.next_index == COUNT


def test_segment_that_ran_ahead_of_a_cut_keeps_its_room_and_nothing_else(tmp_path: Path) -> None:
    """Cut in the first of four: the second is zeroed for what comes next, the others go."""
    WRITTEN.put(tmp_path, synced=0)
    slots_path(tmp_path / "log", 0).write_bytes(WRITTEN.slots(0, 3))
    second = slots_path(tmp_path / "log", 20).stat().st_ino
    with Log(tmp_path, on_failure=no_failure, sync_interval=3600) as log:
        assert (log.next_index, log.room_left) == (3, 37)
        assert slots_path(tmp_path / "log", 20).stat().st_ino == second
        assert not any(slots_path(tmp_path / "log", 20).read_bytes()[4096:])
        assert body_path(tmp_path / "log", 20).read_bytes() == b""
        assert sorted(path.name for path in (tmp_path / "log").iterdir()) == [
            f"{first:020}{suffix}" for first in (0, 20) for suffix in (".body", ".slots")
        ]


@pytest.mark.parametrize("gone", [20, 40])
def test_missing_segment_stops_the_start(tmp_path: Path, gone: int) -> None:
    WRITTEN.put(tmp_path, synced=COUNT)
    slots_path(tmp_path / "log", gone).unlink()
    expected = f"records {gone} to {gone + 19} of the log are gone: restore the log"
    with pytest.raises(LogDamaged, match=expected):
        Log(tmp_path, on_failure=no_failure)


@pytest.mark.parametrize("at", [0, 8, 12, 16, 24, 32])
def test_damaged_header_stops_the_start(tmp_path: Path, at: int) -> None:
    WRITTEN.put(tmp_path, synced=COUNT)
    path = slots_path(tmp_path / "log", 20)
    page = bytearray(path.read_bytes())
    page[at] ^= 0x40
    path.write_bytes(page)
    with pytest.raises(LogDamaged, match="segment 20: .*: restore the log"):
        Log(tmp_path, on_failure=no_failure)


def test_file_shorter_than_its_header_says_stops_the_start(tmp_path: Path) -> None:
    WRITTEN.put(tmp_path, synced=COUNT)
    path = slots_path(tmp_path / "log", 40)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LogDamaged, match="segment 40: .*: restore the log"):
        Log(tmp_path, on_failure=no_failure)


@pytest.mark.parametrize("missing", [1, 10_000])
def test_synced_bodies_that_are_gone_stop_the_start(tmp_path: Path, missing: int) -> None:
    WRITTEN.put(tmp_path, synced=COUNT)
    path = body_path(tmp_path / "log", 40)
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(LogDamaged, match=r"record 4. of the log has lost its body"):
        Log(tmp_path, on_failure=no_failure)


def test_unreadable_synced_index_promises_nothing(tmp_path: Path) -> None:
    WRITTEN.put(tmp_path, synced=COUNT)
    for first in WRITTEN.firsts:
        path = slots_path(tmp_path / "log", first)
        page = bytearray(path.read_bytes())
        page[520] ^= 1
        path.write_bytes(page)
    slots_path(tmp_path / "log", 40).write_bytes(WRITTEN.slots(40, 45))
    assert reopened(tmp_path) == 45


def test_half_a_segment_that_was_being_made_is_removed(tmp_path: Path) -> None:
    WRITTEN.put(tmp_path, synced=COUNT)
    unfinished = slots_path(tmp_path / "log", 80).with_suffix(".new")
    unfinished.write_bytes(b"half")
    Log(tmp_path, on_failure=no_failure).close()
    assert not unfinished.exists()
