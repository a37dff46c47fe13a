"""Found blocks on disk, so that neither a crash nor a full disk loses one.

One file per block, `<height>-<hash>.<fate>`, holding the serialized block. The name is the whole
state: a rename changes it in one step, and a restart reads it back. The first write goes into a
file that was allocated beforehand, since a disk may be full when a block is found. Reading and
renaming is all that happens here; `submitter.py` decides.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from stratum.bitcoin.block import parse_block
from stratum.bitcoin.target import display, internal

logger = logging.getLogger(__name__)

#: No block is larger (MAX_BLOCK_SERIALIZED_SIZE).
_SPARE_SIZE = 4_000_000
_SPARE = "spare"
_DAMAGED = "damaged"


class Stage(StrEnum):
    """What is known of a spooled block; the words are file suffixes."""

    FOUND = "found"  # to be submitted until a node has it
    ACCEPTED = "accepted"  # in the active chain, not yet mature
    ORPHANED = "orphaned"  # known to a node beside the active chain; may come back
    REJECTED = "rejected"  # refused for good; kept for whoever wants to know why
    LOST = "lost"  # orphaned and buried; kept

    @property
    def is_final(self) -> bool:
        return self in (Stage.REJECTED, Stage.LOST)


@dataclass(frozen=True, slots=True)
class SpooledBlock:
    """One file of the spool."""

    block_hash: bytes  # internal order
    height: int
    stage: Stage


class Spool:
    """The files of one directory, which is made if it is missing."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError where the directory can't be made or written."""
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._adopt_spare()
        self.make_spare()

    def path(self, block: SpooledBlock) -> Path:
        return self._directory / f"{block.height}-{display(block.block_hash)}.{block.stage}"

    def write(self, block: SpooledBlock, data: bytes) -> None:
        """Store a block so that a kill at any moment leaves it whole or absent.

        Not synced: the kernel has it, a power cut may lose it until `sync`. Raises OSError.
        """
        spare = self._directory / _SPARE
        descriptor = os.open(spare, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Shorten first: a kill after the write then leaves exactly a block in the spare.
            os.truncate(descriptor, len(data))
            if os.pwrite(descriptor, data, 0) != len(data):
                raise OSError(f"short write of {len(data)} bytes to {spare}")
        finally:
            os.close(descriptor)
        spare.rename(self.path(block))

    def sync(self, block: SpooledBlock) -> None:
        """Force a block and its name to the disk, then make the next spare. Blocks; raises OSError.

        Call it in a thread.
        """
        for path in (self.path(block), self._directory):
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue  # renamed meanwhile: accepted before it was synced
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self.make_spare()

    def make_spare(self) -> None:
        """Allocate the file that the next block is written to. Raises OSError on a full disk."""
        spare = self._directory / _SPARE
        descriptor = os.open(spare, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size < _SPARE_SIZE:
                os.posix_fallocate(descriptor, 0, _SPARE_SIZE)
        finally:
            os.close(descriptor)

    def move(self, block: SpooledBlock, stage: Stage) -> SpooledBlock:
        """Change a block's stage. Raises OSError."""
        moved = SpooledBlock(block.block_hash, block.height, stage)
        self.path(block).rename(self.path(moved))
        return moved

    def remove(self, block: SpooledBlock) -> None:
        self.path(block).unlink(missing_ok=True)

    def read(self, block: SpooledBlock) -> bytes:
        """The serialized block. Raises OSError."""
        return self.path(block).read_bytes()

    def blocks(self) -> Iterator[SpooledBlock]:
        """All whole blocks, oldest first. A damaged file is renamed and reported, once."""
        for path in sorted(self._directory.iterdir(), key=lambda path: path.name):
            block = _from_name(path.name)
            if block is None:
                continue
            if not block.stage.is_final and not _holds(path, block):
                logger.error("spooled block %s is damaged and can't be submitted", path.name)
                path.rename(path.with_suffix(f".{_DAMAGED}"))
                continue
            yield block

    def _adopt_spare(self) -> None:
        """A kill between write and rename left a block in the spare file: give it its name."""
        spare = self._directory / _SPARE
        try:
            data = spare.read_bytes()
            found = parse_block(data)
        except (OSError, ValueError):
            return
        height = _height(found.transactions[0].inputs[0].script_sig)
        spare.rename(self.path(SpooledBlock(found.header.block_hash, height, Stage.FOUND)))


def _from_name(name: str) -> SpooledBlock | None:
    """None for what is no block of ours."""
    stem, _, suffix = name.partition(".")
    height, _, hash_hex = stem.partition("-")
    try:
        return SpooledBlock(internal(hash_hex), int(height), Stage(suffix))
    except ValueError:
        return None


def _holds(path: Path, block: SpooledBlock) -> bool:
    """A power cut before the sync may leave the name with nothing or zeros in it."""
    try:
        return parse_block(path.read_bytes()).header.block_hash == block.block_hash
    except (OSError, ValueError):
        return False


def _height(script_sig: bytes) -> int:
    """BIP 34's height at the front of a coinbase's script; small ones are OP_1 … OP_16."""
    first = script_sig[0]
    if first > 0x50:
        return first - 0x50
    return int.from_bytes(script_sig[1 : 1 + first], "little")
