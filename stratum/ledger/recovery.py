"""Decide at start which records of a log stand.

Below the synced index the disk had confirmed every record: one that is not whole there is damage,
and starting anyway would quietly drop shares that somebody was promised. At or above it, after a
power cut, pages may have landed in any order: the first record that is not whole, slot or body,
ends the log, and what follows is zeroed, so that nothing of it comes back behind records that are
written later. Kill -9 alone leaves at most one torn slot or one body without a slot, because
written pages belong to the kernel, not to the process.

Only the segment where the synced index lies is looked at from its beginning, and those behind it:
years of log start as fast as a day. What is older was synced long ago, and whoever reads it checks
every slot.
"""

from __future__ import annotations

import logging
import os
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import hashing
from hashing.values import SLOT_SIZE
from stratum.ledger.bodies import body_end, body_offset, entry_is_whole
from stratum.ledger.errors import LogDamaged
from stratum.ledger.records import BodyLeaf, RecordType, ShareRecord
from stratum.ledger.segment import (
    LEAF_AT,
    Header,
    Segment,
    body_path,
    leaf_in,
    not_shares,
    remove_unfinished,
    slots_path,
    sync_directory,
)
from stratum.ledger.sources import all_headers, open_source

logger = logging.getLogger(__name__)

_REMEDY = "restore the log directory from a copy, or move it away to begin new books"


@dataclass(frozen=True, slots=True)
class Recovered:
    """Where writing goes on, and what had to go."""

    next_index: int = 0
    next_edge_seq: int = 0
    cut_slots: int = 0
    cut_body_bytes: int = 0


def recover(log: Path) -> tuple[Recovered, list[Segment]]:
    """Check a log, cut its torn tail, put all that stands on the disk.

    Returns also the segments to go on with: the one where the next record goes, and an empty one
    behind it where that was prepared. There is none at all in a new log. Raises LogDamaged where
    synced records are not whole; OSError.
    """
    remove_unfinished(log)
    headers, synced = _checked_headers(log)
    if not headers:
        return Recovered(), []
    at = bisect_right([header.first_index for header in headers], synced) - 1
    segments = _opened(log, headers[max(at, 0) :])
    try:
        end = _whole_end(segments, synced) if segments else headers[-1].end
        for segment in segments:
            end = _whole_bodies(segment, synced, end)
        next_edge_seq = _next_edge_seq(log, headers, end)
        cut_slots, cut_body_bytes = _cut(segments, end)
        return (
            Recovered(end, next_edge_seq, cut_slots, cut_body_bytes),
            _to_go_on_with(log, segments, end),
        )
    except BaseException:
        for segment in segments:
            segment.close()
        raise


def _checked_headers(log: Path) -> tuple[list[Header], int]:
    try:
        headers, synced = all_headers(log)
    except ValueError as exc:
        raise LogDamaged(f"{exc}: {_REMEDY}") from exc
    for before, after in pairwise(headers):
        if before.end != after.first_index:
            raise LogDamaged(
                f"records {before.end} to {after.first_index - 1} of the log are gone: {_REMEDY}"
            )
    return headers, synced


def _opened(log: Path, headers: list[Header]) -> list[Segment]:
    """For writing; but what is archived is complete, and nothing of it is written again."""
    segments: list[Segment] = []
    try:
        for header in headers:
            if slots_path(log, header.first_index).exists():
                segments.append(Segment(log, header))
    except (FileNotFoundError, ValueError) as exc:
        for segment in segments:
            segment.close()
        raise LogDamaged(f"segment {header.first_index}: {exc}: {_REMEDY}") from exc
    return segments


def _whole_end(segments: list[Segment], synced: int) -> int:
    """The index behind the last slot before the first that is not whole."""
    end = 0
    for segment in segments:
        first_index = segment.header.first_index
        end = first_index + hashing.whole_slots(segment.slots, first_index)
        if end < segment.header.end:
            break
    if end < synced:
        raise LogDamaged(f"record {end} of the log is not whole, {synced} were synced: {_REMEDY}")
    return end


def _whole_bodies(segment: Segment, synced: int, end: int) -> int:
    """`end`, or the index of the first record above the synced ones whose body is not whole.

    The synced bodies are taken at the disk's word where they are as long as they should be.
    """
    first_index = segment.header.first_index
    size = os.fstat(segment.body_fd).st_size
    for place in not_shares(segment.slots[: max(0, end - first_index) * SLOT_SIZE]):
        index = first_index + place
        slot = bytes(segment.slots[place * SLOT_SIZE : (place + 1) * SLOT_SIZE])
        try:
            leaf = BodyLeaf.unpack(leaf_in(slot, 0))
        except ValueError as exc:  # by its checksum it is what was written, but not by us
            raise LogDamaged(f"record {index} of the log: {exc}") from exc
        is_whole = leaf.body_offset == body_offset(segment.body_end) and body_end(leaf) <= size
        if index >= synced:
            is_whole = is_whole and entry_is_whole(segment.body_fd, slot, leaf)
        if not is_whole and index < synced:
            raise LogDamaged(f"record {index} of the log has lost its body: {_REMEDY}")
        if not is_whole:
            return index
        segment.body_end = body_end(leaf)
    return end


def _next_edge_seq(log: Path, headers: list[Header], end: int) -> int:
    """One more than the last share below `end` says; nearly always found in the last segment."""
    for header in reversed(headers):
        used = end - header.first_index
        if used <= 0:
            continue
        source = open_source(log, header.first_index)
        try:
            types = bytes(source.slots[LEAF_AT : used * SLOT_SIZE : SLOT_SIZE])
            place = types.rfind(RecordType.SHARE)
            if place >= 0:
                return ShareRecord.unpack(leaf_in(source.slots, place)).edge_seq + 1
        finally:
            source.close()
    return 0


def _cut(segments: list[Segment], end: int) -> tuple[int, int]:
    """Zero every slot from `end` on and drop the bodies there; how many slots and bytes went."""
    cut_slots = cut_bytes = 0
    for segment in segments:
        used = max(0, min(end - segment.header.first_index, segment.header.room))
        cut_slots += _zero(segment.slots[used * SLOT_SIZE :])
        excess = os.fstat(segment.body_fd).st_size - segment.body_end
        if excess:
            os.ftruncate(segment.body_fd, segment.body_end)
            cut_bytes += excess
    if cut_slots or cut_bytes:
        logger.warning(
            "log: cut a torn tail of %s slots and %s bytes of bodies, %s records stand",
            cut_slots,
            cut_bytes,
            end,
        )
    return cut_slots, cut_bytes


def _zero(slots: memoryview) -> int:
    """Returns how many slots had anything in them."""
    written = bytes(slots).rstrip(b"\0")
    slots[: len(written)] = bytes(len(written))
    places = range(0, len(written), SLOT_SIZE)
    return sum(any(written[place : place + SLOT_SIZE]) for place in places)


def _to_go_on_with(log: Path, segments: list[Segment], end: int) -> list[Segment]:
    """Put everything on the disk, close what is full and what lies too far ahead."""
    for segment in segments:
        segment.flush()
    # Not before all of it is there, and what had to go is gone.
    for segment in segments:
        segment.promise(min(end, segment.header.end))
    current = bisect_right([segment.header.first_index for segment in segments], end) - 1
    for place, segment in enumerate(segments):
        if place < current:
            segment.close()
        elif place > current + 1:
            _remove(log, segment)
    return segments[current : current + 2] if segments else []


def _remove(log: Path, segment: Segment) -> None:
    """Of two empty segments one is enough, and the next records decide where another begins."""
    segment.close()
    slots_path(log, segment.header.first_index).unlink()
    body_path(log, segment.header.first_index).unlink()
    sync_directory(log)
