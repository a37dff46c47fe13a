"""One file a UTC day, and what its end means to whoever continues it.

    <directory>/2026-11-20.journal      the day's
    <directory>/2026-11-20-2.journal    begun where that one could not be continued

A crash leaves a torn record at the end, never whole ones behind it: it is cut and counted. A fault
with whole records behind it is no crash. That file stays as it is, as evidence, and a new one goes
on from its last whole record: the load must be controlled, and the journal kept, whatever happened
to the disk.
"""

from __future__ import annotations

import mmap
import os
import re
from dataclasses import dataclass
from pathlib import Path

from stratum.power.journal.chain import FRONT_SIZE, MAGIC, Link, front_length, is_whole
from stratum.power.journal.records import HASH_SIZE, Header, utc_text

_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:-(\d+))?\.journal")

#: Checksums are tried of this much at the end of a file that is continued: more than was ever
#: written between two syncs. What lies before it is for `replay --verify`, not for a start.
_TRIED = 64 << 20

_BOOT_AT = FRONT_SIZE + 24
_BOOT_SIZE = 16


@dataclass(frozen=True, slots=True)
class FileEnd:
    """How a file ends: `size` bytes of it are good, the next record is to continue `link`."""

    path: Path
    link: Link
    size: int
    cut_bytes: int = 0
    damaged_at: int | None = None  # of a faulty record that whole ones follow


def day_of(t_utc_ms: int) -> str:
    """The UTC date, as in a file's name; dates compare as their texts do."""
    return utc_text(t_utc_ms)[:10]


def journal_files(directory: Path) -> list[Path]:
    """The journal's files, oldest first."""
    named = [(_NAME.fullmatch(path.name), path) for path in directory.iterdir()]
    return [path for _, _, path in sorted((m[1], int(m[2] or 1), path) for m, path in named if m)]


def day_of_file(path: Path) -> str:
    match = _NAME.fullmatch(path.name)
    assert match, f"{path.name} is no journal's name"
    return match[1]


def next_path(directory: Path, day: str) -> Path:
    """A name for that day that no file has."""
    part = 1
    while True:
        path = directory / (f"{day}.journal" if part == 1 else f"{day}-{part}.journal")
        if not path.exists():
            return path
        part += 1


def end_of(path: Path) -> FileEnd | None:
    """How the file ends; None where it holds no whole record. Nothing is written."""
    size = path.stat().st_size
    if size <= len(MAGIC):
        return None
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        return _end_in(path, data, size)


def _end_in(path: Path, data: mmap.mmap, size: int) -> FileEnd | None:
    offset = len(MAGIC)
    last: int | None = None
    faulty: int | None = None
    damaged: int | None = None
    while offset < size:
        length = _whole_length(data, offset, size)
        if length is None:
            faulty = offset if faulty is None else faulty
            found = None if last is None else _next_whole(data, offset, size, _boot(data, last))
            if found is None:
                break
            offset = found
            continue
        damaged = faulty
        last = offset
        offset += FRONT_SIZE + length
    if last is None:
        return None

    good = offset if faulty is None else faulty
    cut = 0 if damaged is not None else size - good
    return FileEnd(path, _link(data, last), good, cut, damaged)


def _whole_length(data: mmap.mmap, offset: int, size: int) -> int | None:
    front = data[offset : offset + FRONT_SIZE]
    length = front_length(front) if len(front) == FRONT_SIZE else None
    end = offset + FRONT_SIZE + (length or 0)
    if length is None or end > size:
        return None
    if offset >= size - _TRIED and not is_whole(front, data[offset + FRONT_SIZE : end]):
        return None
    return length


def _next_whole(data: mmap.mmap, offset: int, size: int, boot: bytes) -> int | None:
    """Where the next whole record of the same boot begins, behind a faulty one."""
    at = data.find(boot, offset + _BOOT_AT + 1)
    while at >= 0:
        if _whole_length(data, at - _BOOT_AT, size) is not None:
            return at - _BOOT_AT
        at = data.find(boot, at + 1)
    return None


def _boot(data: mmap.mmap, offset: int) -> bytes:
    return data[offset + _BOOT_AT : offset + _BOOT_AT + _BOOT_SIZE]


def _link(data: mmap.mmap, offset: int) -> Link:
    length = front_length(data[offset : offset + FRONT_SIZE])
    assert length is not None
    end = offset + FRONT_SIZE + length
    header = Header.unpack(data[offset + FRONT_SIZE : end])
    return Link(header.seq + 1, data[end - HASH_SIZE : end])


def sync_directory(directory: Path) -> None:
    """Make a new file's name outlive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
