"""The C core, wrapped: check lengths, allocate, call, return bytes.

Only the modules of this package touch ffi and lib. csrc/hashing.h says what each call does; here
its arguments become safe. One module for each part of that header.
"""

from hashing.native.fold import MerkleEdge, ShareSums, fold
from hashing.native.gate import Gate, GateWork
from hashing.native.hashes import (
    ShareJob,
    backend,
    backends,
    check_share,
    header_hash,
    merkle_fold,
    midstate,
    search_nonce,
    sha256,
    sha256d,
    sha256d_headers,
    use,
)
from hashing.native.seen import SeenShares
from hashing.native.sessions import GateSession
from hashing.native.slots import LogTail, crc32c, pack_slot, pack_slots, whole_slots
from hashing.native.swarm import SwarmCore
from hashing.values import (
    GATE_BUFFER,
    MAX_LINE,
    NEVER,
    RING_SIZE,
    VERDICTS,
    CheckedShare,
    GateStatus,
    ShareSum,
)

__all__ = [
    "GATE_BUFFER",
    "MAX_LINE",
    "NEVER",
    "RING_SIZE",
    "VERDICTS",
    "CheckedShare",
    "Gate",
    "GateSession",
    "GateStatus",
    "GateWork",
    "LogTail",
    "SeenShares",
    "ShareJob",
    "SwarmCore",
    "MerkleEdge",
    "ShareSum",
    "ShareSums",
    "backend",
    "backends",
    "check_share",
    "crc32c",
    "fold",
    "header_hash",
    "merkle_fold",
    "midstate",
    "pack_slot",
    "pack_slots",
    "search_nonce",
    "sha256",
    "sha256d",
    "sha256d_headers",
    "use",
    "whole_slots",
]
