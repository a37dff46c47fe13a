"""Found blocks on disk, so that neither a crash nor a full disk loses one.

One file per block, `<height>-<hash>.<fate>`, holding the serialized block. The name is the whole
state: a rename changes it in one step, and a restart reads it back. A block is written into a
file that was allocated beforehand, the spare, since a disk may be full when a block is found:

    allocating ──done──▶ spare ──taken──▶ writing ──written──▶ <height>-<hash>.found

Each step is a rename, so the thread that makes the next spare can't meet the loop that writes a
block: no file is ever both. Reading and renaming is all that happens here; `submitter.py` decides.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from stratum.bitcoin.block import Block
from stratum.bitcoin.header import HEADER_SIZE, Header
from stratum.bitcoin.target import display, internal
from stratum.bitcoin.transaction import Reader, read_transaction
from stratum.errors import ConfigError, Problem

logger = logging.getLogger(__name__)

#: No block is larger (MAX_BLOCK_SERIALIZED_SIZE).
_SPARE_SIZE = 4_000_000
_SPARE = "spare"
_ALLOCATING = "allocating"
_WRITING = "writing"
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
        """Raises ConfigError where the directory can't be made.

        A full disk is no reason to stay away: what is in the spool can still be submitted.
        """
        self._directory = directory
        self._spare = directory / _SPARE
        self._one_at_a_time = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            fault = f"{directory} cannot be used: {exc.strerror}"
            raise ConfigError([Problem("data_dir", fault)]) from exc

        for name in (_WRITING, _SPARE):
            self._adopt(directory / name)
        try:
            self.make_spare()
        except OSError as exc:
            logger.warning("no room is kept for the next block in %s: %s", directory, exc)

    @property
    def has_spare(self) -> bool:
        return self._spare.exists()

    def path(self, block: SpooledBlock) -> Path:
        return self._directory / f"{block.height}-{display(block.block_hash)}.{block.stage}"

    def write(self, block: SpooledBlock, data: bytes) -> int:
        """Store a block so that a kill at any moment leaves it whole or absent.

        Returns a descriptor of its file for `sync`: the kernel has the block now, until then a
        power cut may lose it. Raises OSError.
        """
        writing = self._directory / _WRITING
        try:
            self._spare.rename(writing)
        except FileNotFoundError:
            pass  # taken by another block a moment ago: a new file must do
        descriptor = os.open(writing, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Shorten first: a kill after the write then leaves exactly a block.
            os.truncate(descriptor, len(data))
            if os.pwrite(descriptor, data, 0) != len(data):
                raise OSError(f"short write of {len(data)} bytes to {writing}")
            writing.rename(self.path(block))
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def sync(self, descriptor: int) -> None:
        """Force a block that was just written and its name to the disk, and close it.

        By its descriptor, because its name may have changed meanwhile: accepted before it was
        synced. Blocks: call it in a thread. Raises OSError.
        """
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def make_spare(self) -> None:
        """Allocate the file that the next block is written to, unless it is there.

        Blocks: call it in a thread. Raises OSError on a full disk.
        """
        unfinished = self._directory / _ALLOCATING
        with self._one_at_a_time:
            if _size(self._spare) >= _SPARE_SIZE:
                return
            descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, _SPARE_SIZE)
                unfinished.rename(self._spare)
            except OSError:
                unfinished.unlink(missing_ok=True)  # half a spare would only fill the disk
                raise
            finally:
                os.close(descriptor)

    def move(self, block: SpooledBlock, stage: Stage) -> SpooledBlock:
        """Change a block's stage. Raises OSError."""
        moved = SpooledBlock(block.block_hash, block.height, stage)
        self.path(block).rename(self.path(moved))
        return moved

    def remove(self, block: SpooledBlock) -> None:
        self.path(block).unlink(missing_ok=True)

    def holds(self, block: SpooledBlock) -> bool:
        """False for a block that lives in memory only."""
        return self.path(block).exists()

    def read(self, block: SpooledBlock) -> bytes:
        """The serialized block. Raises OSError; ValueError where the file holds none."""
        return _block_in(self.path(block).read_bytes())[1]

    def blocks(self, in_work: Container[bytes] = ()) -> Iterator[SpooledBlock]:
        """All whole blocks: those to be submitted first, then by height.

        Left out are blocks whose hash is `in_work`, and files that go away meanwhile, because
        somebody moves them. A damaged file is renamed and reported, once.
        """
        named = (_from_name(path.name) for path in self._directory.iterdir())
        blocks = [block for block in named if block is not None]
        for block in sorted(blocks, key=lambda one: (one.stage is not Stage.FOUND, one.height)):
            if block.block_hash in in_work:
                continue
            try:
                if block.stage.is_final or self._is_whole(block):
                    yield block
                elif block.block_hash not in in_work:
                    self._set_aside(block)
            except FileNotFoundError:
                continue
            except OSError as exc:
                logger.error("spooled block %s can't be read: %s", self.path(block).name, exc)

    def _is_whole(self, block: SpooledBlock) -> bool:
        """A power cut before the sync may leave the name with nothing or zeros in it."""
        try:
            found, _ = _block_in(self.path(block).read_bytes())
        except ValueError:
            return False
        return found.header.block_hash == block.block_hash

    def _set_aside(self, block: SpooledBlock) -> None:
        path = self.path(block)
        path.rename(path.with_suffix(f".{_DAMAGED}"))
        logger.error("spooled block %s is damaged and can't be submitted", path.name)

    def _adopt(self, path: Path) -> None:
        """A kill between write and rename left a block without its name: give it that."""
        try:
            found, _ = _block_in(path.read_bytes())
            height = _height(found.transactions[0].inputs[0].script_sig)
            path.rename(self.path(SpooledBlock(found.header.block_hash, height, Stage.FOUND)))
        except (OSError, ValueError, IndexError):
            return


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _from_name(name: str) -> SpooledBlock | None:
    """None for what is no block of ours."""
    stem, _, suffix = name.partition(".")
    height, _, hash_hex = stem.partition("-")
    try:
        return SpooledBlock(internal(hash_hex), int(height), Stage(suffix))
    except ValueError:
        return None


def _block_in(data: bytes) -> tuple[Block, bytes]:
    """The block at the front of a file, parsed and as it is submitted; zeros may follow it.

    Zeros, because a file may have been allocated longer than the block that was written into
    it. Raises ValueError for anything else.
    """
    header = Header.parse(data[:HEADER_SIZE])
    reader = Reader(data, HEADER_SIZE)
    transactions = tuple(read_transaction(reader) for _ in range(reader.compact_size()))
    if not transactions or any(data[reader.position :]):
        raise ValueError("no block, or more than one")
    return Block(header, transactions), data[: reader.position]


def _height(script_sig: bytes) -> int:
    """BIP 34's height at the front of a coinbase's script; small ones are OP_1 … OP_16."""
    first = script_sig[0]
    if first > 0x50:
        return first - 0x50
    return int.from_bytes(script_sig[1 : 1 + first], "little")
