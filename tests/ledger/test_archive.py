from __future__ import annotations

from pathlib import Path

import pytest

from stratum.ledger.archive import archive_below
from stratum.ledger.errors import LogDamaged
from stratum.ledger.reading import read
from stratum.ledger.segment import archived_path, slots_path
from stratum.ledger.tail import LogReader
from tests.ledger.conftest import Opener, fill, is_filled


def names(directory: Path, pattern: str) -> list[int]:
    return sorted(int(path.name[:20]) for path in (directory / "log").glob(pattern))


def test_archived_log_is_read_as_before(opened: Opener, tmp_path: Path) -> None:
    log = opened(room=50)
    fill(log, 220)
    log.close()
    before = list(read(tmp_path))
    assert list(archive_below(tmp_path, 200)) == [0, 50, 100, 150]
    assert names(tmp_path, "*.slots") == [200, 250]
    assert names(tmp_path, "*.slots.z") == [0, 50, 100, 150]
    assert list(read(tmp_path)) == before
    assert list(archive_below(tmp_path, 200)) == [], "once is enough"


def test_log_goes_on_behind_an_archive(opened: Opener, tmp_path: Path) -> None:
    for _ in range(3):
        log = opened(room=20)
        fill(log, 45)
        log.close()
        list(archive_below(tmp_path, log.next_index))
    assert len(names(tmp_path, "*.slots.z")) >= 5
    records = list(read(tmp_path))
    assert [index for index, _ in records] == list(range(135))
    assert all(is_filled(index, record) for index, record in records)
    assert [record.edge_seq for _, record in records if hasattr(record, "edge_seq")][-1] == 100


def test_log_goes_on_where_everything_is_archived(opened: Opener, tmp_path: Path) -> None:
    log = opened(room=20)
    fill(log, 40)
    log.close()
    list(archive_below(tmp_path, 40))
    for path in (tmp_path / "log").glob("*.slots"):
        path.unlink()  # only an operator would
    assert names(tmp_path, "*.slots.z") == [0, 20]
    log = opened(room=20)
    assert (log.next_index, log.next_edge_seq) == (40, 30)
    assert fill(log, 3) == [40, 41, 42]


def test_only_what_lies_below_and_is_synced_is_archived(opened: Opener, tmp_path: Path) -> None:
    log = opened(room=10, sync_interval=3600)
    fill(log, 9)
    assert list(archive_below(tmp_path, 1000)) == [], "the last segment is its writer's"
    log.close()
    log = opened(room=10, sync_interval=0.001)
    fill(log, 31)
    log.close()
    assert list(archive_below(tmp_path, 19)) == [0]
    assert list(archive_below(tmp_path, 20)) == [10]

    path = slots_path(tmp_path / "log", 20)
    page = bytearray(path.read_bytes())
    page[512] ^= 1
    path.write_bytes(page)
    assert list(archive_below(tmp_path, 1000)) == [30]


def test_damage_is_found_before_the_written_form_goes(opened: Opener, tmp_path: Path) -> None:
    log = opened(room=10)
    fill(log, 25)
    log.close()
    path = slots_path(tmp_path / "log", 0)
    slots = bytearray(path.read_bytes())
    slots[4096 + 96 * 7 + 30] ^= 1
    path.write_bytes(slots)
    with pytest.raises(LogDamaged, match="record 7 of the log is not whole"):
        list(archive_below(tmp_path, 20))
    assert path.exists() and names(tmp_path, "*.slots.z") == []


def test_archive_left_unfinished_is_made_again(opened: Opener, tmp_path: Path) -> None:
    log = opened(room=10)
    fill(log, 25)
    log.close()
    (tmp_path / "log" / "00000000000000000000.slots.unfinished").write_bytes(b"half")
    written = slots_path(tmp_path / "log", 0).read_bytes()
    assert next(archive_below(tmp_path, 20)) == 0
    # As if killed between the rename and the unlink: both forms are there.
    slots_path(tmp_path / "log", 0).write_bytes(written)
    assert len(list(read(tmp_path))) == 25
    assert list(archive_below(tmp_path, 20)) == [0, 10]
    assert names(tmp_path, "*.unfinished") == []
    assert len(list(read(tmp_path))) == 25


@pytest.mark.parametrize("at", [4096, 4096 + 40, -1, -300])
def test_flipped_bit_of_an_archive_is_found(opened: Opener, tmp_path: Path, at: int) -> None:
    log = opened(room=100)
    fill(log, 101)
    log.close()
    assert list(archive_below(tmp_path, 100)) == [0]
    path = archived_path(tmp_path / "log", 0)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(LogDamaged, match="segment 0 .*archive"):
        LogReader(tmp_path).read()


def test_archive_is_a_sixth_of_what_it_replaces(opened: Opener, tmp_path: Path) -> None:
    log = opened(room=4000)
    fill(log, 4001, every=1000)
    log.close()
    written = slots_path(tmp_path / "log", 0).stat().st_size
    assert list(archive_below(tmp_path, 4000)) == [0]
    assert archived_path(tmp_path / "log", 0).stat().st_size < written / 5
