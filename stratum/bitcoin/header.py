"""The 80-byte block header."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import hashing

HEADER_SIZE = 80

_LAYOUT = struct.Struct("<I32s32sIII")


@dataclass(frozen=True, slots=True)
class Header:
    """Fields as the header holds them; hashes in internal order, numbers little-endian in it."""

    version: int
    prevhash: bytes
    merkle_root: bytes
    ntime: int
    nbits: int
    nonce: int

    def serialize(self) -> bytes:
        return _LAYOUT.pack(
            self.version, self.prevhash, self.merkle_root, self.ntime, self.nbits, self.nonce
        )

    @property
    def block_hash(self) -> bytes:
        return hashing.header_hash(self.serialize())

    @classmethod
    def parse(cls, header: bytes) -> Header:
        """Raises ValueError unless there are exactly 80 bytes."""
        if len(header) != HEADER_SIZE:
            raise ValueError(f"header is {len(header)} bytes, expected {HEADER_SIZE}")
        return cls(*_LAYOUT.unpack(header))
