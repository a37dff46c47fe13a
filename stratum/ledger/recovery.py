"""Decide at start which records of a log stand.

Below the synced count the disk had confirmed every record: one that is missing or unreadable
there is damage, and starting anyway would quietly drop shares that somebody was promised. At or
above it, after a power cut, pages may have landed in any order: the first record that is not
whole ends the log, whatever follows. Kill -9 alone leaves at most one torn leaf or one body
without a leaf, because written pages belong to the kernel, not to the process.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

from stratum.ledger.errors import LogDamaged
from stratum.ledger.reading import LogFiles
from stratum.ledger.records import LEAF_SIZE, BodyLeaf, RecordType, ShareRecord

logger = logging.getLogger(__name__)

_REMEDY = "restore the log directory from a copy, or move it away to begin new books"


@dataclass(frozen=True, slots=True)
class Recovered:
    """Where writing goes on, and what had to go."""

    count: int  # records
    body_end: int  # bytes
    cut_leaf_bytes: int
    cut_body_bytes: int


def recover(files: LogFiles) -> Recovered:
    """Check the log, cut its torn tail. Raises LogDamaged where synced records are not whole."""
    synced = files.synced_count()
    body_end = _check_synced(files, synced)
    count, body_end = _keep_whole(files, synced, body_end)

    recovered = Recovered(
        count,
        body_end,
        _cut(files.leaves_fd, count * LEAF_SIZE),
        _cut(files.bodies_fd, body_end),
    )
    if recovered.cut_leaf_bytes or recovered.cut_body_bytes:
        logger.warning(
            "log: cut a torn tail of %s bytes of leaves and %s of bodies, %s records stand",
            recovered.cut_leaf_bytes,
            recovered.cut_body_bytes,
            count,
        )
    return recovered


def _check_synced(files: LogFiles, synced: int) -> int:
    """The end of the synced bodies. Shares there are taken at the disk's word: millions may be."""
    found = files.leaf_count()
    if found < synced:
        raise LogDamaged(f"the log holds {found} records, {synced} had been synced: {_REMEDY}")

    body_end = 0
    for index, leaf in files.body_leaves(0, synced):
        if leaf.body_offset != body_end:
            raise LogDamaged(f"record {index} of the log names a body out of place: {_REMEDY}")
        body_end += leaf.body_length

    found = os.fstat(files.bodies_fd).st_size
    if found < body_end:
        raise LogDamaged(f"the log's bodies end at {found}, {body_end} were synced: {_REMEDY}")
    return body_end


def _keep_whole(files: LogFiles, synced: int, body_end: int) -> tuple[int, int]:
    """Count and end of bodies after the run of whole records that follows the synced ones."""
    for index, raw in files.leaves(synced, files.leaf_count()):
        try:
            if raw[0] == RecordType.SHARE:
                ShareRecord.unpack(raw)
                continue
            leaf = BodyLeaf.unpack(raw)
        except ValueError:
            return index, body_end
        if leaf.body_offset != body_end or not leaf.matches(files.body_bytes(leaf)):
            return index, body_end
        body_end += leaf.body_length
    return files.leaf_count(), body_end


def _cut(descriptor: int, size: int) -> int:
    """Shorten a file; how many bytes went. Synced, or the next crash might bring them back."""
    excess = os.fstat(descriptor).st_size - size
    if excess:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    return excess
