"""The same in Python, on hashlib: slow, short, and right. What native is compared with."""

from hashing.reference.fold import MerkleEdge, ShareSums, fold
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
from hashing.values import CheckedShare, ShareSum

__all__ = [
    "CheckedShare",
    "LogTail",
    "MerkleEdge",
    "ShareJob",
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
