"""Walk the space of headers that one core searches for shares.

A header is tried in the order in which it is cheap to change: nonce (four bytes of the second
SHA-256 block), then version bits under the mask, then extranonce2 (a new merkle root), last ntime.
Core `part` of `parts` takes every parts-th extranonce2, so no two cores ever try the same header
and none has to ask another. The search is a value that is stepped: each step takes a bounded
number of hashes, and the owner decides between two steps whether to go on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import hashing
from stratum.protocol.upstream_events import UpstreamJob

NONCE_SPACE = 1 << 32

#: BIP 323: devices roll up to 7 bits of ntime; every pool takes that much.
MAX_NTIME_ROLL = 127

#: A pool whose difficulty is far too low must get neither one line per hash nor a silent core.
MAX_SHARES_PER_STEP = 64

_HEADER = struct.Struct("<I32s32sIII")


@dataclass(frozen=True, slots=True)
class Position:
    """A point in the space of headers."""

    ntime: int
    extranonce2: int
    version_bits: int
    nonce: int


@dataclass(frozen=True, slots=True)
class Found:
    """A header that meets the job's target, as `mining.submit` names it. Hash in internal order."""

    extranonce2: bytes
    ntime: int
    nonce: int
    version_bits: int
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class Step:
    hashes: int
    shares: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """2^32 headers that differ in nothing but the nonce."""

    ntime: int
    extranonce2: bytes
    version_bits: int
    header: bytes


class Search:
    """One core's walk over one job. `nonces` is below 2^32 only in tests of the rolling."""

    __slots__ = ("_nonce", "_nonces", "_row", "_rows", "_target")

    def __init__(
        self,
        job: UpstreamJob,
        part: int = 0,
        parts: int = 1,
        start: Position | None = None,
        nonces: int = NONCE_SPACE,
    ) -> None:
        start = start or Position(job.ntime, part, 0, 0)
        self._target = job.target
        self._nonces = nonces
        self._nonce = start.nonce
        self._rows = rows(job, part, parts, start)
        self._row = next(self._rows, None)

    @property
    def is_exhausted(self) -> bool:
        """Nothing is left to try: only a tiny extranonce2 gets there before the next job."""
        return self._row is None

    def step(self, count: int) -> Step:
        """Try up to `count` headers; fewer when many were shares or none are left."""
        shares: list[Found] = []
        left = count
        while left and self._row is not None and len(shares) < MAX_SHARES_PER_STEP:
            run = min(left, self._nonces - self._nonce)
            nonce = hashing.search_nonce(self._row.header, self._target, self._nonce, run)
            if nonce is not None:
                shares.append(_found(self._row, nonce))
                run = nonce + 1 - self._nonce
            left -= run
            self._advance(run)
        return Step(count - left, tuple(shares))

    def _advance(self, run: int) -> None:
        self._nonce += run
        if self._nonce == self._nonces:
            self._nonce = 0
            self._row = next(self._rows, None)


def rows(job: UpstreamJob, part: int, parts: int, start: Position) -> Iterator[Row]:
    """Every row of this part from `start` on, each once."""
    space = 1 << 8 * job.extranonce2_size
    mask = job.version_mask
    last_ntime = min(job.ntime + MAX_NTIME_ROLL, 0xFFFFFFFF)
    number, bits = start.extranonce2, start.version_bits

    for ntime in range(start.ntime, last_ntime + 1):
        while number < space:
            extranonce2 = number.to_bytes(job.extranonce2_size, "little")
            root = _merkle_root(job, extranonce2)
            while True:
                # BIP 310: the bits replace those of the job under the mask.
                version = job.version & ~mask | bits
                header = _HEADER.pack(version, job.prevhash, root, ntime, job.nbits, 0)
                yield Row(ntime, extranonce2, bits, header)
                bits = bits - mask & mask  # the next number that has bits under the mask only
                if not bits:
                    break
            number += parts
        number = part


def _merkle_root(job: UpstreamJob, extranonce2: bytes) -> bytes:
    coinbase = job.coinb1 + job.extranonce1 + extranonce2 + job.coinb2
    return hashing.merkle_fold(hashing.sha256d(coinbase), job.branch)


def _found(row: Row, nonce: int) -> Found:
    header = row.header[:76] + nonce.to_bytes(4, "little")
    return Found(row.extranonce2, row.ntime, nonce, row.version_bits, hashing.header_hash(header))
