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
from stratum.power.journal.records import FORMAT, Record, RecordKind, checkpoint_text


def expand(paths: Iterable[Path]) -> list[Path]:
    """The files of what an operator named: directories stand for all of theirs."""
    files: list[Path] = []
    for path in paths:
        files += journal_files(path) if path.is_dir() else [path]
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
class Verified:
    """What a whole journal says of itself; `signed` is by keys, oldest first."""

    files: int
    size: int
    first: Record
    last: Record
    counts: dict[RecordKind, int]
    signed: dict[bytes, int]

    @property
    def head(self) -> bytes:
        """The hash of the last record: whoever has it can tell this journal from any other."""
        return self.last.hash


def verify(paths: Sequence[Path], key: bytes | None = None) -> Verified:
    """Read everything: checksums, chain, payloads and signatures.

    With a `key` (Ed25519, 32 bytes) a checkpoint of any other is a fault. Raises JournalDamaged,
    and Unreadable for what another program wrote.
    """
    first: Record | None = None
    last: Record | None = None
    counts: Counter[RecordKind] = Counter()
    signed: Counter[bytes] = Counter()
    for path in paths:
        link = Link(last.header.seq + 1, last.hash) if last else None
        for record in records([path], link=link):
            first = first or record
            counts[record.kind] += 1
            payload = record.payload()
            try:
                if record.kind is RecordKind.CHECKPOINT:
                    _expect_signature(record, payload.key, payload.signature, key)
                    signed[payload.key] += 1
                elif record.kind is RecordKind.START and payload.format != FORMAT:
                    raise ValueError(f"format {payload.format}, this program knows {FORMAT}")
            except ValueError as exc:
                raise JournalDamaged(_fault(path, record, str(exc))) from exc
            last = record
    if first is None or last is None:
        raise JournalDamaged(Fault(paths[0], 0, 0, "", None, "there is no record at all", True))
    size = sum(path.stat().st_size for path in paths)
    return Verified(len(paths), size, first, last, dict(counts), dict(signed))


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


def _expect_signature(record: Record, key: bytes, signature: bytes, wanted: bytes | None) -> None:
    if wanted is not None and key != wanted:
        raise ValueError(f"signed by {key.hex()}, expected {wanted.hex()}")
    text = checkpoint_text(record.header.seq - 1, record.header.prev_hash)
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
    except InvalidSignature as exc:
        raise ValueError(f"the signature of {key.hex()} is wrong") from exc


def _fault(path: Path, record: Record, text: str) -> Fault:
    header = record.header
    return Fault(path, record.offset, header.seq, header.kind.value, header.t_utc_ms, text)
