"""The same in Python, on hashlib: slow, short, and right. What native is compared with."""

from hashing.reference.fold import MerkleEdge, ShareSums, fold
from hashing.reference.gate import Gate, GateSession, GateWork, SeenShares
from hashing.reference.hashes import (
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
from hashing.reference.slots import LogTail, crc32c, pack_slot, pack_slots, whole_slots
from hashing.reference.swarm import SwarmCore
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
