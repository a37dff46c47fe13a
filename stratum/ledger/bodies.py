"""The bodies of a log, record by record, without a look at the shares between them.

An entry of a .body file is the record's slot, then the body that the slot's leaf names: enough to
find and check a record from this file alone. Whether the log has the record is for the slots to
say: a writer that was killed between body and slot leaves an entry that recovery cuts.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

import hashing
from hashing.values import SLOT_SIZE
from stratum.ledger.errors import LogDamaged
from stratum.ledger.records import BodyLeaf, BodyRecord, RecordType
from stratum.ledger.segment import body_path, first_indexes, leaf_in


def pack_entry(index: int, leaf: bytes, body: bytes) -> bytes:
    """What is appended to the .body file before the leaf goes into its slot."""
    return hashing.pack_slot(index, leaf) + body


def body_offset(entry_offset: int) -> int:
    """Where the body of the entry at this offset is: what its leaf says."""
    return entry_offset + SLOT_SIZE


def body_end(leaf: BodyLeaf) -> int:
    """Where the next entry begins."""
    return leaf.body_offset + leaf.body_length


def entry_is_whole(descriptor: int, slot: bytes, leaf: BodyLeaf) -> bool:
    """Whether the record in this slot has its entry where its leaf says."""
    entry = os.pread(descriptor, SLOT_SIZE + leaf.body_length, leaf.body_offset - SLOT_SIZE)
    return entry[:SLOT_SIZE] == slot and leaf.matches(entry[SLOT_SIZE:])


def body_bytes(descriptor: int, leaf: BodyLeaf) -> bytes:
    """The body that a leaf names. Raises ValueError where that is not what is there."""
    data = os.pread(descriptor, leaf.body_length, leaf.body_offset)
    if not leaf.matches(data):
        raise ValueError(f"body of the {leaf.type.name} record does not match its hash")
    return data


def read_bodies(
    log: Path, end: int, types: Collection[RecordType]
) -> Iterator[tuple[int, BodyRecord]]:
    """Index and content of the records of these types below `end`, oldest first; of all but
    shares where none is named. The bodies of others are not even read. Raises LogDamaged."""
    for first_index in first_indexes(log):
        if first_index >= end:
            return
        try:
            descriptor = os.open(body_path(log, first_index), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as exc:
            raise LogDamaged(f"segment {first_index} of the log has lost its bodies") from exc
        try:
            yield from _in_segment(descriptor, first_index, end, types)
        finally:
            os.close(descriptor)


def _in_segment(
    descriptor: int, first_index: int, end: int, types: Collection[RecordType]
) -> Iterator[tuple[int, BodyRecord]]:
    offset = 0
    while entry := os.pread(descriptor, SLOT_SIZE, offset):
        try:
            index, leaf = _unpack_slot(entry, offset)
            if index >= end:
                return
            if not types or leaf.type in types:
                yield index, BodyRecord.unpack(leaf, body_bytes(descriptor, leaf))
        except ValueError as exc:
            raise LogDamaged(f"body at {offset} of segment {first_index}: {exc}") from exc
        offset = body_end(leaf)


def _unpack_slot(entry: bytes, offset: int) -> tuple[int, BodyLeaf]:
    """Index and leaf of the record whose entry this is. Raises ValueError."""
    index = int.from_bytes(entry[8:16], "little")
    if hashing.whole_slots(entry, index) != 1:
        raise ValueError("the record's slot is not whole")
    leaf = BodyLeaf.unpack(leaf_in(entry, 0))
    if leaf.body_offset != body_offset(offset):
        raise ValueError("it is another record's")
    return index, leaf
