"""Real blocks as a rig saw them: notify, submit, and the header that came of it.

The vectors are those of the hashing tests. What the wire does to a prevhash is undone here by
hand, since nothing of this package knows the wire.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VECTORS = json.loads((Path(__file__).parent.parent / "data" / "wire_vectors.json").read_text())


@dataclass(frozen=True, slots=True)
class RealBlock:
    """One entry of `blocks`; the names are the wire's."""

    name: str
    header: bytes
    block_hash_hex: str
    coinbase: bytes
    branch: tuple[bytes, ...]
    prevhash_words: bytes
    version: int
    version_bits: int
    mask: int
    nbits: int
    ntime: int
    nonce: int


def _read(entry: dict[str, Any]) -> RealBlock:
    _, prevhash, coinb1, coinb2, branch, version, nbits, ntime, _ = entry["notify"]["params"]
    _, _, extranonce2, submitted_ntime, nonce, *bits = entry["submit"]["params"]
    assert ntime == submitted_ntime
    return RealBlock(
        name=entry["name"],
        header=bytes.fromhex(entry["header"]),
        block_hash_hex=entry["hash"],
        coinbase=bytes.fromhex(coinb1 + entry["extranonce1"] + extranonce2 + coinb2),
        branch=tuple(bytes.fromhex(node) for node in branch),
        prevhash_words=bytes.fromhex(prevhash),
        version=int(version, 16),
        version_bits=int(bits[0], 16) if bits else 0,
        mask=int(entry["mask"], 16),
        nbits=int(nbits, 16),
        ntime=int(ntime, 16),
        nonce=int(nonce, 16),
    )


BLOCKS = [_read(entry) for entry in VECTORS["blocks"]]


def flip_words(data: bytes) -> bytes:
    """Reverse the bytes inside each 4-byte word."""
    return b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))
