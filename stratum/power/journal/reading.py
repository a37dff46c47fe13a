"""Records of one file or of many days, verified as they pass, never all in memory.

Every reader checks every checksum, hash and link: there is no other way to read. The first fault
ends it with a JournalDamaged that names the record. The end of a file that a crash tore, or that is
being written just now, is a fault too, but one that says so (`is_torn`), and `records` can be told
to take it for the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stratum.errors import BaseloadError
from stratum.power.journal.chain import (
    FRONT_SIZE,
    MAGIC,
    Fault,
    JournalDamaged,
    Link,
    Reader,
    front_length,
)
from stratum.power.journal.files import journal_files
from stratum.power.journal.records import (
    FORMAT,
    HASH_SIZE,
    NO_HASH,
    Checkpoint,
    Record,
    RecordKind,
    checkpoint_text,
)


class NoJournal(BaseloadError):
    """A directory without a single file of a journal."""


def expand(paths: Iterable[Path]) -> list[Path]:
    """The files of what an operator named: directories stand for all of theirs.

    Raises NoJournal for a directory that has none.
    """
    files: list[Path] = []
    for path in paths:
        found = journal_files(path) if path.is_dir() else [path]
        if not found:
            raise NoJournal(f"{path}: there is no journal in it")
        files += found
    return files


def records(
    paths: Sequence[Path], *, torn_is_end: bool = False, link: Link | None = None
) -> Iterator[Record]:
    """The records of these files, in order, each file continuing the one before.

    Raises JournalDamaged at the first fault; OSError where a file cannot be read.
    """
    for path in paths:
        with path.open("rb") as file:
            reader = Reader(path, link)
            try:
                yield from _in_file(file, path, reader)
            except JournalDamaged as exc:
                if not (torn_is_end and exc.fault.is_torn):
                    raise
            link = reader.link


@dataclass(frozen=True, slots=True)
class StepBack:
    """A start whose wall clock is behind the record before it."""

    seq: int
    from_ms: int
    to_ms: int


class Proof:
    """What a journal says of itself, gathered while somebody reads it.

    With a `key` (Ed25519, 32 bytes) a checkpoint of any other is a fault.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key
        self.first: Record | None = None
        self.last: Record | None = None
        self.size = 0  # bytes of frames
        self.counts: Counter[RecordKind] = Counter()
        self.signed: Counter[bytes] = Counter()  # checkpoints, by key
        #: No fault, since clocks are set; but energy and days are counted by the wall's word.
        self.steps_back: list[StepBack] = []

    @property
    def head(self) -> bytes:
        """The hash of the last record: whoever has it can tell this journal from any other."""
        return self.last.hash if self.last else NO_HASH

    @property
    def bytes_per_day(self) -> int | None:
        """At the rate of its ticks, of which a day has 86,400; None without one."""
        ticks = self.counts[RecordKind.TICK]
        return self.size * 86_400 // ticks if ticks else None

    def through(self, found: Iterable[Record]) -> Iterator[Record]:
        """The same records, each checked for its signature or format. Raises JournalDamaged."""
        for record in found:
            try:
                self._check(record)
            except ValueError as exc:
                raise JournalDamaged(_fault(record, str(exc))) from exc
            if record.kind is RecordKind.START:
                self._note_step_back(record)
            self.first = self.first or record
            self.last = record
            self.size += FRONT_SIZE + len(record.body) + HASH_SIZE
            self.counts[record.kind] += 1
            yield record

    def _note_step_back(self, record: Record) -> None:
        header = record.header
        before_ms = self.last.header.t_utc_ms if self.last else header.t_utc_ms
        if header.t_utc_ms < before_ms:
            self.steps_back.append(StepBack(header.seq, before_ms, header.t_utc_ms))

    def _check(self, record: Record) -> None:
        if record.kind is RecordKind.CHECKPOINT:
            checkpoint: Checkpoint = record.payload()
            _expect_signature(record, checkpoint, self._key)
            self.signed[checkpoint.key] += 1
        elif record.kind is RecordKind.START and record.payload().format != FORMAT:
            raise ValueError(f"format {record.payload().format}, this program knows {FORMAT}")


def verify(paths: Sequence[Path], key: bytes | None = None) -> Proof:
    """Read everything: checksums, chain, signatures, and what each record says.

    Raises JournalDamaged, and Unreadable for what another program wrote.
    """
    proof = Proof(key)
    for record in proof.through(records(paths)):
        record.payload()
    return proof


def _in_file(file: BinaryIO, path: Path, reader: Reader) -> Iterator[Record]:
    magic = file.read(len(MAGIC))
    if magic != MAGIC:
        is_torn = MAGIC.startswith(magic)
        text = "the file does not begin as a journal of this program does"
        seq = reader.link.seq if reader.link else 0
        raise JournalDamaged(Fault(path, 0, seq, RecordKind.START.value, None, text, is_torn))
    offset = len(MAGIC)
    while front := file.read(FRONT_SIZE):
        length = front_length(front) if len(front) == FRONT_SIZE else None
        # A front that is none says no length; what follows it helps to name the record.
        rest = file.read(FRONT_SIZE * 8 if length is None else length)
        yield reader.record(offset, front, rest)
        offset += FRONT_SIZE + len(rest)


def _expect_signature(record: Record, checkpoint: Checkpoint, wanted: bytes | None) -> None:
    key = checkpoint.key
    if wanted is not None and key != wanted:
        raise ValueError(f"signed by {key.hex()}, expected {wanted.hex()}")
    text = checkpoint_text(record.header.seq - 1, record.header.prev_hash)
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(checkpoint.signature, text)
    except InvalidSignature as exc:
        raise ValueError(f"the signature of {key.hex()} is wrong") from exc


def _fault(record: Record, text: str) -> Fault:
    header = record.header
    kind = header.kind.value
    return Fault(record.path, record.offset, header.seq, kind, header.t_utc_ms, text)
