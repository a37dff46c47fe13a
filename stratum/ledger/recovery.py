"""Decide at start which records of a log stand.

Below the synced count the disk had confirmed every record: a log that is shorter, or a record
with a body whose leaf is unreadable, is damage there, and starting anyway would quietly drop
shares that somebody was promised. At or above it, after a power cut, pages may have landed in any
order: the first record that is not whole ends the log, whatever follows. Kill -9 alone leaves at
most one torn leaf or one body without a leaf, because written pages belong to the kernel, not to
the process.

What "whole" can mean: a body has its SHA-256 in its leaf. A share has no checksum. It is taken
for whole when its fields can be a share's; that finds a page or sector that never landed, which
reads as zeros, because each lies on a multiple of 16 bytes in the leaf and between two of those is
a field that is never zero. It does not find a flipped bit: auditing the hashes does.
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
    shares: int  # SHARE records among them
    body_end: int  # bytes
    cut_leaf_bytes: int
    cut_body_bytes: int


def recover(files: LogFiles) -> Recovered:
    """Check the log, cut its torn tail. Raises LogDamaged where synced records are not whole."""
    synced = files.synced_count()
    bodies, body_end = _check_synced(files, synced)
    count, more_bodies, body_end = _keep_whole(files, synced, body_end)

    recovered = Recovered(
        count,
        count - bodies - more_bodies,
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


def _check_synced(files: LogFiles, synced: int) -> tuple[int, int]:
    """Number and end of the synced bodies.

    Neither shares nor bodies are read there, but taken at the disk's word: millions may be.
    """
    found = files.leaf_count()
    if found < synced:
        raise LogDamaged(f"the log holds {found} records, {synced} had been synced: {_REMEDY}")

    bodies = body_end = 0
    for index, leaf in files.body_leaves(0, synced):
        if leaf.body_offset != body_end:
            raise LogDamaged(f"record {index} of the log names a body out of place: {_REMEDY}")
        bodies += 1
        body_end += leaf.body_length

    found = os.fstat(files.bodies_fd).st_size
    if found < body_end:
        raise LogDamaged(f"the log's bodies end at {found}, {body_end} were synced: {_REMEDY}")
    return bodies, body_end


def _keep_whole(files: LogFiles, synced: int, body_end: int) -> tuple[int, int, int]:
    """Where the run of whole records after the synced ones ends, how many in it have a body, and
    the end of those bodies."""
    bodies = 0
    for index, raw in files.leaves(synced, files.leaf_count()):
        try:
            if raw[0] == RecordType.SHARE:
                _expect_plausible(ShareRecord.unpack(raw), index, files)
                continue
            leaf = BodyLeaf.unpack(raw)
        except ValueError:
            return index, bodies, body_end
        if leaf.body_offset != body_end or not leaf.matches(files.body_bytes(leaf)):
            return index, bodies, body_end
        bodies += 1
        body_end += leaf.body_length
    return files.leaf_count(), bodies, body_end


def _expect_plausible(share: ShareRecord, index: int, files: LogFiles) -> None:
    """Raises ValueError for a share that no pool keeps: see the top of this module."""
    never_zero = (
        share.recv_time_us,
        share.account_id,
        share.worker_id,
        share.weight,
        share.ntime,
        any(share.extranonce1 + share.extranonce2),
    )
    if not all(never_zero):
        raise ValueError("a field that is never zero is zero")
    if share.job_index >= index or files.leaf(share.job_index)[:1] != bytes([RecordType.JOB]):
        raise ValueError(f"record {share.job_index} is no job")


def _cut(descriptor: int, size: int) -> int:
    """Shorten a file; how many bytes went. Synced, or the next crash might bring them back."""
    excess = os.fstat(descriptor).st_size - size
    if excess:
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    return excess
