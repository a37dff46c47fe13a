"""Frames: length, checksums, body and hash, each naming the one before.

    0  u32  length   of body and hash
    4  u32  CRC-32 of body and hash
    8  u32  CRC-32 of the eight bytes before
   12  body          a record's header and payload
       32 bytes      SHA-256 of the body

The front has a checksum of its own: a length that promises more than the file holds is then a torn
end, as a crash leaves it, and never a changed byte, which is another matter. CRC-32 finds every
single changed byte; the hashes find whoever repairs the checksums; the signatures find whoever
repairs the hashes.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from stratum.errors import BaseloadError
from stratum.power.journal.records import (
    HASH_SIZE,
    HEADER_SIZE,
    NO_HASH,
    Header,
    Record,
    utc_text,
)

#: What a file begins with.
MAGIC = b"BLPWR 1\n"

_FRONT = struct.Struct("<III")
FRONT_SIZE = _FRONT.size

#: A snapshot of 100,000 rigs is a tenth of it.
MAX_LENGTH = 256 << 20


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and with which record: its number and kind as far as they can be known."""

    path: Path
    offset: int
    seq: int
    kind: str
    t_utc_ms: int | None
    text: str
    is_torn: bool = False  # the file ends inside the record: a crash does that

    def __str__(self) -> str:
        when = "" if self.t_utc_ms is None else f", {utc_text(self.t_utc_ms)}"
        return (
            f"{self.path}: record {self.seq} ({self.kind or 'kind unknown'}{when})"
            f" at byte {self.offset}: {self.text}"
        )


class JournalDamaged(BaseloadError):
    """The first fault of a journal."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Link:
    """The end of a chain: the next record has this number and repeats this hash."""

    seq: int = 0
    head: bytes = NO_HASH


def framed(header: Header, payload: bytes) -> tuple[bytes, Link]:
    """A record's frame, and the chain's end behind it."""
    body = header.pack() + payload
    digest = hashlib.sha256(body).digest()
    front = struct.pack("<II", len(body) + HASH_SIZE, zlib.crc32(digest, zlib.crc32(body)))
    frame = b"".join((front, zlib.crc32(front).to_bytes(4, "little"), body, digest))
    return frame, Link(header.seq + 1, digest)


def front_length(front: bytes) -> int | None:
    """The length that a frame's first FRONT_SIZE bytes promise, None where they are no front."""
    length, _, checksum = _FRONT.unpack(front)
    if checksum != zlib.crc32(front[:8]) or not HEADER_SIZE + HASH_SIZE <= length <= MAX_LENGTH:
        return None
    return int(length)


def is_whole(front: bytes, rest: bytes) -> bool:
    """Whether body and hash are what the front's checksum was made of."""
    _, checksum, _ = _FRONT.unpack(front)
    return bool(zlib.crc32(rest) == checksum)


class Reader:
    """Checks frames one after the other, whoever brings the bytes, and names the first fault.

    Without a Link to continue from, the first record of the file says itself where it stands.
    """

    def __init__(self, path: Path, link: Link | None = None) -> None:
        self.path = path
        self.link = link
        self._last_ms: int | None = None

    def record(self, offset: int, front: bytes, rest: bytes) -> Record:
        """The record of a frame. Raises JournalDamaged."""
        if len(front) < FRONT_SIZE:
            raise self._fault(offset, rest, f"the file ends after {len(front)} bytes of it", True)
        length = front_length(front)
        if length is None:
            raise self._fault(offset, rest, "its length or its checksums are changed")
        if len(rest) < length:
            missing = length - len(rest)
            raise self._fault(offset, rest, f"the file ends {missing} bytes before it does", True)
        if not is_whole(front, rest):
            raise self._fault(offset, rest, "a byte is changed: the checksum is of other bytes")
        return self._checked(offset, rest)

    def _checked(self, offset: int, rest: bytes) -> Record:
        """Checksums are right: whoever is wrong now meant it."""
        body, digest = rest[:-HASH_SIZE], rest[-HASH_SIZE:]
        if hashlib.sha256(body).digest() != digest:
            raise self._fault(offset, rest, "its hash is of another record")
        try:
            header = Header.unpack(body)
        except ValueError as exc:
            raise self._fault(offset, rest, str(exc)) from exc
        if self.link is not None and header.seq != self.link.seq:
            text = f"it says it is number {header.seq}"
            raise self._fault(offset, rest, text)
        if self.link is not None and header.prev_hash != self.link.head:
            raise self._fault(offset, rest, "it follows another record than the one before it")
        self.link = Link(header.seq + 1, digest)
        self._last_ms = header.t_utc_ms
        return Record(header, digest, self.path, offset, body)

    def _fault(self, offset: int, rest: bytes, text: str, is_torn: bool = False) -> JournalDamaged:
        """Names the record by its own header where that fits the chain, else by the one before."""
        seq = 0 if self.link is None else self.link.seq
        kind, when = "", self._last_ms
        try:
            header = Header.unpack(rest)
        except ValueError:
            pass
        else:
            if self.link is None or self.link == Link(header.seq, header.prev_hash):
                seq, kind, when = header.seq, header.kind.value, header.t_utc_ms
        return JournalDamaged(Fault(self.path, offset, seq, kind, when, text, is_torn))
