"""The writer: nothing waits for it, nothing is lost that there is room for, nothing is in doubt."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stratum.power.brain.values import JournalHealth
from stratum.power.journal import files
from stratum.power.journal.chain import MAGIC, JournalDamaged
from stratum.power.journal.files import end_of, journal_files
from stratum.power.journal.reading import records, verify
from stratum.power.journal.recorder import SNAPSHOT_MS, Journal, this_boot
from stratum.power.journal.records import Record, RecordKind, Why
from stratum.power.journal.replay import replay
from stratum.power.journal.writer import Disk, JournalLocked, Writer
from tests.power.journals import (
    NOON_MS,
    SETTINGS,
    Controller,
    Site,
    State,
    decide,
    fleet_of,
    recorded,
)

FLEET = fleet_of(20)
ROOT = Path(__file__).parent.parent.parent


class SmallDisk(Disk):
    """So many bytes fit; a write takes what it can, as a real one does, then fails."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.refused = threading.Event()

    def write(self, descriptor: int, data: bytes | memoryview, offset: int) -> int:
        fits = min(len(data), self.room - offset)
        if fits <= 0:
            self.refused.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(descriptor, data[:fits], offset)


class StuckDisk(Disk):
    """A sync that lasts until it is let go, then may fail."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.entered = threading.Event()
        self.fails = False

    def sync(self, descriptor: int) -> None:
        self.entered.set()
        assert self.free.wait(10)
        if self.fails:
            raise OSError(errno.EIO, "Input/output error")
        super().sync(descriptor)


class Loop:
    """A controller whose journal lies on that disk."""

    def __init__(self, directory: Path, disk: Disk | None = None, backlog: int = 1 << 20) -> None:
        self.writer = Writer(directory, disk=disk, backlog=backlog, retry=0.01)
        self.journal: Journal[State] = Journal(self.writer, SETTINGS, FLEET, boot_id=bytes(16))
        self.site = Site(FLEET)
        self.controller = Controller(self.journal, FLEET)

    def tick(self, count: int = 1, step_ms: int = 1_000) -> None:
        for _ in range(count):
            self.controller.take(self.site.second(FLEET.total_w // 2, step_ms=step_ms))

    def drained(self) -> None:
        assert self.writer.drained(10)


@pytest.fixture
def stuck() -> Iterator[StuckDisk]:
    disk = StuckDisk()
    yield disk
    disk.free.set()


def read(directory: Path) -> list[Record]:
    return list(records(journal_files(directory)))


def ticks_in(found: list[Record]) -> list[int]:
    return [record.payload().inputs.tick for record in found if record.kind is RecordKind.TICK]


def replays(directory: Path) -> int:
    """How many ticks replay alike."""
    done = replay(records(journal_files(directory)), State, decide)
    assert done.difference is None
    return done.ticks


# -- a disk that is slow ------------------------------------------------------------------------


def test_what_is_not_on_the_disk_yet_is_slow_and_then_ok(tmp_path: Path, stuck: StuckDisk) -> None:
    loop = Loop(tmp_path, stuck)
    assert loop.journal.health() is JournalHealth.OK
    loop.tick()
    assert stuck.entered.wait(10)
    assert loop.journal.health() is JournalHealth.SLOW
    loop.tick(3)  # nobody waits
    stuck.free.set()
    loop.drained()
    assert loop.journal.health() is JournalHealth.OK
    loop.journal.close()
    assert ticks_in(read(tmp_path)) == [0, 1, 2, 3]


def test_a_full_queue_loses_ticks_and_says_how_many(tmp_path: Path, stuck: StuckDisk) -> None:
    loop = Loop(tmp_path, stuck, backlog=20_000)
    loop.tick(30)
    assert loop.journal.health() is JournalHealth.FULL
    stuck.free.set()
    loop.drained()
    loop.tick(3)
    loop.drained()
    assert loop.journal.health() is JournalHealth.OK
    loop.journal.close()

    found = read(tmp_path)
    (gap,) = [record for record in found if record.kind is RecordKind.GAP]
    lost = gap.payload()
    kept = ticks_in(found)
    assert lost.last_tick == 29 and lost.ticks == 30 - lost.first_tick
    assert kept == [*range(lost.first_tick), 30, 31, 32]
    assert found[gap.header.seq + 1].payload().why is Why.GAP
    assert replays(tmp_path) == len(kept)


def test_ticks_lost_until_the_end_are_counted_too(tmp_path: Path, stuck: StuckDisk) -> None:
    loop = Loop(tmp_path, stuck, backlog=20_000)
    loop.tick(30)
    stuck.free.set()
    loop.drained()
    loop.journal.close()
    *_, gap, end = read(tmp_path)
    assert (gap.kind, end.kind) == (RecordKind.GAP, RecordKind.END)
    assert gap.payload().last_tick == 29


def test_after_a_failed_sync_everything_is_written_again(tmp_path: Path, stuck: StuckDisk) -> None:
    """Linux forgets which pages it failed to write; who only syncs again loses them."""
    loop = Loop(tmp_path, stuck)
    loop.tick()
    stuck.fails = True
    stuck.free.set()
    while loop.journal.health() is not JournalHealth.FULL:
        stuck.entered.wait(0.01)
    (path,) = journal_files(tmp_path)
    path.write_bytes(bytes(path.stat().st_size))  # what the disk made of it
    stuck.fails = False
    loop.drained()
    loop.tick()
    loop.journal.close()
    assert ticks_in(read(tmp_path)) == [0, 1]


# -- a disk that is full ------------------------------------------------------------------------


def test_a_full_disk_stops_nothing_and_what_waited_is_written_later(tmp_path: Path) -> None:
    disk = SmallDisk(30_000)
    loop = Loop(tmp_path, disk)
    while not disk.refused.is_set():
        loop.tick()
    loop.tick(5)
    assert loop.journal.health() is JournalHealth.FULL
    disk.room = 1 << 30
    loop.drained()
    assert loop.journal.health() is JournalHealth.OK
    loop.journal.close()
    assert ticks_in(read(tmp_path)) == list(range(loop.site.tick))
    assert replays(tmp_path) == loop.site.tick


def test_a_disk_that_stays_full_costs_the_end_only(tmp_path: Path) -> None:
    disk = SmallDisk(30_000)
    loop = Loop(tmp_path, disk)
    while not disk.refused.is_set():
        loop.tick()
    loop.journal.close()
    kept = ticks_in(list(records(journal_files(tmp_path), torn_is_end=True)))
    assert kept == list(range(len(kept))) and 0 < len(kept) < loop.site.tick

    again = Loop(tmp_path)
    again.tick(2)
    again.journal.close()
    starts = [r.payload() for r in read(tmp_path) if r.kind is RecordKind.START]
    assert [start.cut_bytes > 0 for start in starts] == [False, True]
    assert ticks_in(read(tmp_path)) == [*kept, 0, 1]


def test_the_kernels_own_refusal_is_survived(tmp_path: Path) -> None:
    """A limit on file size makes real writes short and then fail with EFBIG."""
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from tests.power.test_journal_writer import Loop, JournalHealth\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "loop = Loop(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))\n"
        "while loop.journal.health() is not JournalHealth.FULL: loop.tick()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n"
        "loop.drained()\n"
        "loop.tick(); loop.journal.close()\n"
        "print(loop.site.tick)\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert ticks_in(read(tmp_path)) == list(range(int(done.stdout)))


# -- starts -------------------------------------------------------------------------------------


def test_a_restart_goes_on_in_the_days_file(tmp_path: Path) -> None:
    for _ in range(3):
        loop = Loop(tmp_path)
        loop.tick(2)
        loop.journal.close()
    found = read(tmp_path)
    assert len(journal_files(tmp_path)) == 1
    assert [record.header.seq for record in found] == list(range(15))
    assert replays(tmp_path) == 6


def test_a_killed_writer_leaves_whole_records_and_a_tail_that_is_cut(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.power.test_journal_writer import Loop\n"
        "loop = Loop(Path(sys.argv[1]))\n"
        "while True:\n"
        "    loop.tick(); loop.drained(); print(loop.site.tick, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    with process.stdout as printed:
        said = int([printed.readline() for _ in range(20)][-1])
        process.send_signal(signal.SIGKILL)
        said = int([str(said), *printed.read().split()][-1])
    assert process.wait(10) == -signal.SIGKILL

    loop = Loop(tmp_path)
    loop.tick()
    loop.journal.close()
    kept = ticks_in(read(tmp_path))
    assert kept[:-1] == list(range(len(kept) - 1))
    assert len(kept) - 1 >= said  # what was said to be on the disk is there


def test_a_torn_record_is_cut_at_every_length(tmp_path: Path) -> None:
    path = recorded(tmp_path, ticks=2, rigs=2)
    good = path.read_bytes()
    last = list(records([path]))[-1]
    for size in range(last.offset + 1, len(good)):
        path.write_bytes(good[:size])
        end = end_of(path)
        assert end is not None
        assert (end.size, end.cut_bytes) == (last.offset, size - last.offset)
        assert (end.link.seq, end.link.head) == (last.header.seq, last.header.prev_hash)
        assert end.damaged_at is None


def test_zeros_behind_the_last_record_are_cut(tmp_path: Path) -> None:
    """What a power cut leaves where the size was written and the data was not."""
    path = recorded(tmp_path, ticks=2, rigs=2)
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(bytes(5_000))
    end = end_of(path)
    assert end is not None and (end.size, end.cut_bytes) == (size, 5_000)


@pytest.mark.parametrize("into", [1, 300], ids=["front", "body"])
def test_a_damaged_file_stays_as_it_is_and_another_goes_on(tmp_path: Path, into: int) -> None:
    path = recorded(tmp_path, ticks=4, rigs=20)
    tick = list(records([path]))[3]
    data = bytearray(path.read_bytes())
    data[tick.offset + into] ^= 1
    path.write_bytes(data)

    loop = Loop(tmp_path)
    loop.tick(2)
    loop.journal.close()
    assert path.read_bytes() == data
    assert [p.name for p in journal_files(tmp_path)] == [
        "2026-11-20.journal",
        "2026-11-20-2.journal",
    ]
    second = list(records(journal_files(tmp_path)[1:]))
    start = second[0].payload()
    assert start.why is Why.DAMAGE and "2026-11-20.journal is damaged" in start.damage
    assert second[0].header.seq == 7  # goes on behind the last whole record
    with pytest.raises(JournalDamaged, match="record 3 "):
        read(tmp_path)


def test_a_file_without_a_whole_record_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "2026-11-19.journal").write_bytes(MAGIC + b"torn")
    (tmp_path / "2026-11-20.journal").write_bytes(MAGIC[:3])
    loop = Loop(tmp_path)
    loop.tick()
    loop.journal.close()
    assert [path.name for path in journal_files(tmp_path)] == ["2026-11-20.journal"]
    assert read(tmp_path)[0].header.seq == 0


def test_only_the_end_of_a_large_file_is_tried_at_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recorded(tmp_path, ticks=4, rigs=20)
    tick = list(records([path]))[2]
    data = bytearray(path.read_bytes())
    data[tick.offset + 100] ^= 1
    path.write_bytes(data)
    found = end_of(path)
    assert found is not None and found.damaged_at == tick.offset
    monkeypatch.setattr(files, "_TRIED", 1_000)
    found = end_of(path)
    assert found is not None and found.damaged_at is None


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    with pytest.raises(JournalLocked, match="in use by another"):
        Writer(tmp_path)
    writer.close()
    Writer(tmp_path).close()


# -- what a tick makes --------------------------------------------------------------------------


def test_a_snapshot_goes_out_when_it_is_time(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    loop.tick(7, step_ms=SNAPSHOT_MS // 3)
    loop.journal.close()
    why = [r.payload().why for r in read(tmp_path) if r.kind is RecordKind.SNAPSHOT]
    assert why == [Why.PROCESS, Why.HOUR, Why.HOUR]
    assert replays(tmp_path) == 7


def test_new_settings_end_the_run_and_a_snapshot_begins_another(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    loop.tick(2)
    settings = replace(SETTINGS, reserve_bp=200)
    fleet = fleet_of(20, seed=2)
    moment = loop.site.wall_ms, loop.site.now_ms
    loop.journal.change(
        settings, fleet, operator="ann", text="reserve", wall_ms=moment[0], now_ms=moment[1]
    )
    loop.controller = Controller(loop.journal, fleet, settings)
    loop.tick(2)
    loop.journal.close()
    found = read(tmp_path)
    kinds = [record.kind.value for record in found]
    assert kinds == [
        *("start", "snapshot", "tick", "tick"),
        *("change", "snapshot", "tick", "tick", "end"),
    ]
    assert found[4].payload().settings == settings
    assert found[5].payload().why is Why.CHANGE
    assert replays(tmp_path) == 4


def test_a_clock_set_back_over_midnight_begins_no_file(tmp_path: Path) -> None:
    loop = Loop(tmp_path)
    loop.tick()
    loop.site.wall_ms -= 24 * 3_600_000
    loop.tick(2)
    loop.journal.close()
    assert [path.name for path in journal_files(tmp_path)] == ["2026-11-20.journal"]
    assert verify(journal_files(tmp_path)).counts[RecordKind.TICK] == 3


def test_files_are_in_the_order_in_which_they_continue_each_other(tmp_path: Path) -> None:
    names = ["2026-11-20.journal", "2026-11-20-2.journal", "2026-11-20-10.journal"]
    names.append("2026-11-21.journal")
    for name in [*names, "lock", "2026-11-21.csv"]:
        (tmp_path / name).touch()
    assert [path.name for path in journal_files(tmp_path)] == names


def test_the_boot_is_the_kernels() -> None:
    assert this_boot() == this_boot() and len(this_boot()) == 16


def test_descriptors_are_closed(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    loop = Loop(tmp_path)
    loop.site.wall_ms = NOON_MS + 12 * 3_600_000 - 1_500
    loop.tick(3)
    loop.journal.close()
    assert len(journal_files(tmp_path)) == 2
    assert len(os.listdir("/proc/self/fd")) == before
