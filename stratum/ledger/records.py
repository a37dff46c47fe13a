"""The 80-byte leaf: what the books keep of a share, and of everything else.

A share is complete in its leaf: with the job it names anyone can rebuild the header and hash it
again (reference: ledger §2.2). Every other record has a body of any length; its leaf holds the
body's place and SHA-256, so that a log of equal slots can be walked without looking inside.

Bodies are deterministic CBOR, because they are hashed: one value has one encoding. JSON has
several for a number or a string. Floats are refused: money and difficulties are integers here.
Decoding is strict both ways: bytes that pack() would not have written are a ValueError.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import cbor2

LEAF_SIZE = 80

#: Of the layout, second byte of every leaf.
LEAF_VERSION = 1

#: The hash met the network target.
FLAG_BLOCK_CANDIDATE = 1
#: The share came for the previous block, inside the grace that POLICY allows.
FLAG_STALE_GRACED = 2

_LISTEN_SHIFT = 8
_LISTEN_MASK = 0xFF

_EXTRANONCE_MAX = 8
_EXTRANONCE_FIELD = 16

_SHARE = struct.Struct("<BBHIQQQIIQIIIBBH16s")
_BODY_LEAF = struct.Struct("<BBHIQQ32s24x")


class RecordType(IntEnum):
    """First byte of a leaf (ledger §3.2, and 14 of DESIGN §8.2). Numbers are never reused."""

    SHARE = 1
    JOB = 2
    POLICY = 3
    ACCOUNT = 4
    BLOCK = 5
    BLOCK_STATUS = 6
    LEDGER_ROOT = 7
    ENERGY = 8
    ADJUSTMENT = 9
    REJECT = 10
    STATEMENT = 11
    EDGE = 12
    FPPS_DAY = 13
    WORKER = 14


@dataclass(frozen=True, slots=True)
class ShareRecord:
    """One accepted share. Integers are unsigned; bits and order as in the layout's table."""

    #: Which process took the share; 0 where there is only one.
    edge_id: int
    #: FLAG_BLOCK_CANDIDATE, FLAG_STALE_GRACED; bits 8 to 15 the index of the [[listen]] table.
    flags: int
    #: Gap-free count of this edge's shares, from 0.
    edge_seq: int
    #: UTC, microseconds, when the bytes were read. For people: no money rule uses a clock.
    recv_time_us: int
    #: Log index of the JOB record that the share was made on.
    job_index: int
    account_id: int
    worker_id: int
    #: Difficulty the job was sent with, in the network's units (`stratum.units`): the score.
    weight: int
    #: Of the block header, version rolling applied.
    version: int
    ntime: int
    nonce: int
    #: Up to 8 bytes each; the coinbase has them side by side.
    extranonce1: bytes
    extranonce2: bytes
    #: How good the hash was, see units.best_of().
    best: int

    def pack(self) -> bytes:
        """The 80-byte leaf. Raises ValueError for a field that does not fit its place."""
        if max(len(self.extranonce1), len(self.extranonce2)) > _EXTRANONCE_MAX:
            raise ValueError(
                f"extranonces are {len(self.extranonce1)} and {len(self.extranonce2)} bytes,"
                f" a share record holds {_EXTRANONCE_MAX} of each"
            )
        try:
            return _SHARE.pack(
                RecordType.SHARE,
                LEAF_VERSION,
                self.edge_id,
                self.flags,
                self.edge_seq,
                self.recv_time_us,
                self.job_index,
                self.account_id,
                self.worker_id,
                self.weight,
                self.version,
                self.ntime,
                self.nonce,
                len(self.extranonce1),
                len(self.extranonce2),
                self.best,
                self.extranonce1 + self.extranonce2,
            )
        except struct.error as exc:
            raise ValueError(f"share does not fit its record: {exc}: {self}") from exc

    @classmethod
    def unpack(cls, leaf: bytes) -> ShareRecord:
        """Raises ValueError for anything that pack() does not write."""
        _expect_leaf(leaf)
        kind, layout, *numbers, size1, size2, best, extranonces = _SHARE.unpack(leaf)
        if (kind, layout) != (RecordType.SHARE, LEAF_VERSION):
            raise ValueError(f"leaf is type {kind} version {layout}, expected a share, version 1")
        if max(size1, size2) > _EXTRANONCE_MAX:
            raise ValueError(f"extranonces are {size1} and {size2} bytes, at most 8 each")
        if any(extranonces[size1 + size2 :]):
            raise ValueError("bytes after the extranonces are not zero")

        fields = (*numbers, extranonces[:size1], extranonces[size1 : size1 + size2], best)
        return cls(*fields)


@dataclass(frozen=True, slots=True)
class BodyLeaf:
    """The leaf of every record but a share: where its body is and what it must hash to."""

    type: RecordType
    edge_id: int
    body_length: int  # bytes
    body_offset: int  # in the segment's file of bodies
    time_us: int  # UTC, microseconds
    body_sha256: bytes

    def pack(self) -> bytes:
        return _BODY_LEAF.pack(
            self.type,
            LEAF_VERSION,
            self.edge_id,
            self.body_length,
            self.body_offset,
            self.time_us,
            self.body_sha256,
        )

    @classmethod
    def unpack(cls, leaf: bytes) -> BodyLeaf:
        """Raises ValueError for anything that pack() does not write."""
        _expect_leaf(leaf)
        kind, layout, *fields = _BODY_LEAF.unpack(leaf)
        if kind == RecordType.SHARE or layout != LEAF_VERSION:
            raise ValueError(f"leaf is type {kind} version {layout}, expected one with a body")
        if any(leaf[-24:]):
            raise ValueError("the last 24 bytes of the leaf are not zero")
        return cls(RecordType(kind), *fields)

    def matches(self, body: bytes) -> bool:
        return len(body) == self.body_length and sha256(body) == self.body_sha256


@dataclass(frozen=True, slots=True)
class BodyRecord:
    """A record of any type but SHARE, its body decoded."""

    leaf: BodyLeaf
    body: dict[str, Any]

    @classmethod
    def unpack(cls, leaf: BodyLeaf, body: bytes) -> BodyRecord:
        """Raises ValueError for bytes that encode_body() does not write."""
        return cls(leaf, decode_body(body))


Record = ShareRecord | BodyRecord


def share_flags(*, candidate: bool = False, graced: bool = False, listen: int = 0) -> int:
    """`listen` is the index of the [[listen]] table; beyond 255 it is kept as 255."""
    port = min(listen, _LISTEN_MASK) << _LISTEN_SHIFT
    return port | FLAG_BLOCK_CANDIDATE * candidate | FLAG_STALE_GRACED * graced


def encode_body(body: Mapping[str, Any]) -> bytes:
    """Deterministic CBOR (RFC 8949 §4.2.1) of a map with text keys.

    Values are int, bytes, str, bool, None, and lists and maps of those; anything else, floats
    among it, raises ValueError. With text keys alone the two key orders that the RFC knows are
    the same one, so no reader has to ask which.
    """
    _expect_plain(body, "body")
    try:
        return cbor2.dumps(body, canonical=True)
    except (cbor2.CBOREncodeError, UnicodeEncodeError) as exc:
        raise ValueError(f"body cannot be encoded: {exc}") from exc


def decode_body(data: bytes) -> dict[str, Any]:
    """Raises ValueError for bytes that encode_body() does not write."""
    try:
        body = cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError) as exc:
        raise ValueError(f"body is no CBOR: {exc}") from exc
    # One value, one encoding: also catches trailing bytes and duplicate keys.
    if not isinstance(body, dict) or encode_body(body) != data:
        raise ValueError("body is not the deterministic CBOR of a map")
    return body


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _expect_leaf(leaf: bytes) -> None:
    if len(leaf) != LEAF_SIZE:
        raise ValueError(f"leaf is {len(leaf)} bytes, expected {LEAF_SIZE}")


def _expect_plain(value: object, path: str) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{path} has the key {key!r}, expected text")
            _expect_plain(inner, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for inner in value:
            _expect_plain(inner, path)
    elif not (value is None or isinstance(value, int | bytes | str)):
        raise ValueError(f"{path} is {type(value).__name__}, which has no place in a record")
