"""What a start keeps of a log that ended badly, over every way it may have ended."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum.ledger.errors import LogDamaged
from stratum.ledger.log import Log
from stratum.ledger.reading import Record, read
from stratum.ledger.records import RecordType, ShareRecord
from tests.ledger.conftest import no_failure, share

NAMES = ("leaves", "bodies", "synced")


@dataclass(frozen=True)
class Written:
    """A whole log as bytes, and what it says."""

    leaves: bytes
    bodies: bytes
    records: tuple[Record, ...]

    def put(self, directory: Path, *, leaves: bytes, bodies: bytes, synced: int) -> None:
        log = directory / "log"
        log.mkdir()
        for name, data in zip(NAMES, (leaves, bodies, b"%020d\n" % synced), strict=True):
            (log / name).write_bytes(data)

    def whole_within(self, leaf_bytes: int, body_bytes: int) -> int:
        """How many records have their leaf and body inside these sizes."""
        count = 0
        for record in self.records[: leaf_bytes // 80]:
            leaf = getattr(record, "leaf", None)
            if leaf and leaf.body_offset + leaf.body_length > body_bytes:
                break
            count += 1
        return count


def write() -> Written:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with Log(directory, on_failure=no_failure) as log:
            for number in range(12):
                if number % 4 == 0:
                    log.append(RecordType.JOB, {"number": number, "coinb1": bytes(number * 3)})
                else:
                    log.append_share(share(number))
        leaves, bodies = ((directory / "log" / name).read_bytes() for name in NAMES[:2])
        return Written(leaves, bodies, tuple(record for _, record in read(directory)))


WRITTEN = write()


def reopened(directory: Path) -> tuple[Record, ...]:
    """What stands after a start, which must also be able to go on from there."""
    with Log(directory, on_failure=no_failure) as log:
        kept = log.next_index
        log.append(RecordType.JOB, {"after": True})
        assert log.append_share(share(99)) == kept + 1
    records = tuple(record for _, record in read(directory))
    assert len(records) == kept + 2
    assert records[-1] == share(99)
    return records[:-2]


@given(
    st.integers(0, len(WRITTEN.leaves)),
    st.integers(0, len(WRITTEN.bodies)),
    st.integers(0, len(WRITTEN.records)),
)
def test_log_cut_at_any_byte_comes_back_as_a_prefix_or_not_at_all(
    leaf_bytes: int, body_bytes: int, synced: int
) -> None:
    whole = WRITTEN.whole_within(leaf_bytes, body_bytes)
    with tempfile.TemporaryDirectory() as name:
        WRITTEN.put(
            Path(name),
            leaves=WRITTEN.leaves[:leaf_bytes],
            bodies=WRITTEN.bodies[:body_bytes],
            synced=synced,
        )
        if whole < synced:
            with pytest.raises(LogDamaged, match="synced"):
                Log(Path(name), on_failure=no_failure)
        else:
            assert reopened(Path(name)) == WRITTEN.records[:whole]


@settings(max_examples=50)
@given(st.integers(0, 11), st.integers(0, 11))
def test_page_that_never_reached_the_disk_ends_the_log_there(hole: int, synced: int) -> None:
    leaves = bytearray(WRITTEN.leaves)
    leaves[hole * 80 : hole * 80 + 80] = bytes(80)
    with tempfile.TemporaryDirectory() as name:
        WRITTEN.put(Path(name), leaves=bytes(leaves), bodies=WRITTEN.bodies, synced=synced)
        if hole < synced:
            with pytest.raises(LogDamaged, match=f"record {hole} of the log"):
                Log(Path(name), on_failure=no_failure)
        else:
            assert reopened(Path(name)) == WRITTEN.records[:hole]


def test_body_that_never_reached_the_disk_ends_the_log_before_its_record(tmp_path: Path) -> None:
    bodies = bytes(len(WRITTEN.bodies))
    WRITTEN.put(tmp_path, leaves=WRITTEN.leaves, bodies=bodies, synced=0)
    assert reopened(tmp_path) == ()


def test_body_without_a_leaf_is_cut(tmp_path: Path) -> None:
    WRITTEN.put(
        tmp_path,
        leaves=WRITTEN.leaves,
        bodies=WRITTEN.bodies + b"body of a killed writer",
        synced=3,
    )
    with Log(tmp_path, on_failure=no_failure) as log:
        assert log.recovered.cut_body_bytes == 23
        assert log.recovered.cut_leaf_bytes == 0
        assert log.next_index == len(WRITTEN.records)


def test_cut_is_counted_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    WRITTEN.put(tmp_path, leaves=WRITTEN.leaves[:-3], bodies=WRITTEN.bodies, synced=0)
    with Log(tmp_path, on_failure=no_failure) as log:
        assert log.recovered.cut_leaf_bytes == 77
    assert "cut a torn tail of 77 bytes of leaves and 0 of bodies, 11 records stand" in caplog.text


def test_whole_log_starts_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    WRITTEN.put(tmp_path, leaves=WRITTEN.leaves, bodies=WRITTEN.bodies, synced=12)
    assert reopened(tmp_path) == WRITTEN.records
    assert caplog.text == ""


@pytest.mark.parametrize("synced", [b"", b"12", b"garbage"])
def test_unreadable_synced_count_promises_nothing(tmp_path: Path, synced: bytes) -> None:
    WRITTEN.put(tmp_path, leaves=WRITTEN.leaves[:200], bodies=WRITTEN.bodies, synced=0)
    (tmp_path / "log" / "synced").write_bytes(synced)
    assert reopened(tmp_path) == WRITTEN.records[:2]


def test_damage_stops_the_start_with_what_to_do_and_changes_nothing(tmp_path: Path) -> None:
    WRITTEN.put(tmp_path, leaves=WRITTEN.leaves[:-80], bodies=WRITTEN.bodies, synced=12)
    with pytest.raises(LogDamaged, match="holds 11 records, 12 had been synced: restore the log"):
        Log(tmp_path, on_failure=no_failure)
    assert (tmp_path / "log" / "leaves").read_bytes() == WRITTEN.leaves[:-80]


@pytest.mark.parametrize("hole", range(0, 80, 16))
@pytest.mark.parametrize("to_the_end", [False, True])
def test_share_of_which_a_page_never_landed_ends_the_log(
    tmp_path: Path, hole: int, to_the_end: bool
) -> None:
    size = 80 - hole if to_the_end else 16
    leaves = bytearray(WRITTEN.leaves)
    leaves[80 + hole : 80 + hole + size] = bytes(size)
    WRITTEN.put(tmp_path, leaves=bytes(leaves), bodies=WRITTEN.bodies, synced=0)
    assert reopened(tmp_path) == WRITTEN.records[:1]


@pytest.mark.parametrize("job_index", [1, 5, 2**64 - 1])
def test_share_on_what_is_no_job_ends_the_log(tmp_path: Path, job_index: int) -> None:
    leaves = WRITTEN.leaves[:160] + share(2, job_index=job_index).pack() + WRITTEN.leaves[240:]
    WRITTEN.put(tmp_path, leaves=leaves, bodies=WRITTEN.bodies, synced=0)
    assert reopened(tmp_path) == WRITTEN.records[:2]


@given(st.integers(0, len(WRITTEN.leaves)), st.integers(0, len(WRITTEN.records)))
def test_shares_are_counted_on_from_those_that_stand(leaf_bytes: int, synced: int) -> None:
    kept = WRITTEN.records[: leaf_bytes // 80]
    with tempfile.TemporaryDirectory() as name:
        WRITTEN.put(
            Path(name),
            leaves=WRITTEN.leaves[:leaf_bytes],
            bodies=WRITTEN.bodies,
            synced=min(synced, len(kept)),
        )
        with Log(Path(name), on_failure=no_failure) as log:
            assert log.next_edge_seq == sum(isinstance(one, ShareRecord) for one in kept)
