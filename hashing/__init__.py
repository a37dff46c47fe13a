"""SHA-256, shares and nonce search: bytes in, bytes out, nothing of Bitcoin's wire.

One of two modules with the same functions runs, and the choice is explicit:

- native:    C, compiled at installation. Picks the best back end of this CPU:
             sha_ni, armv8, avx2 or portable.
- reference: hashlib, to compare with, or to run where the extension can't be built.

The environment variable BASELOAD_HASHING names a back end for the process
(hashlib, sha_ni, armv8, avx2, portable); without it native chooses. A broken
build is an ImportError with a remedy: falling back in silence to something
ten times slower would hide it. Log backend() at start.

A hash is bytes in internal order, as SHA-256 gives it. A target is an integer,
or 32 bytes little-endian where a share is checked.
"""

import os
from typing import TYPE_CHECKING

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

_wanted = os.environ.get("BASELOAD_HASHING", "")

# Both branches bind the same names; mypy reads the first.
if TYPE_CHECKING or _wanted != "hashlib":
    try:
        from hashing import _native  # noqa: F401  (only to tell a broken build from a broken module)
    except ImportError as exc:
        raise ImportError(
            "hashing._native is not built for this Python: run `pip install -e .` in the"
            " source tree, or set BASELOAD_HASHING=hashlib to run without C (slow)"
        ) from exc
    from hashing.native import (
        Gate,
        GateSession,
        GateWork,
        LogTail,
        MerkleEdge,
        SeenShares,
        ShareJob,
        ShareSums,
        SwarmCore,
        backend,
        backends,
        check_share,
        crc32c,
        fold,
        header_hash,
        merkle_fold,
        midstate,
        pack_slot,
        pack_slots,
        search_nonce,
        sha256,
        sha256d,
        sha256d_headers,
        use,
        whole_slots,
    )
else:
    from hashing.reference import (
        Gate,
        GateSession,
        GateWork,
        LogTail,
        MerkleEdge,
        SeenShares,
        ShareJob,
        ShareSums,
        SwarmCore,
        backend,
        backends,
        check_share,
        crc32c,
        fold,
        header_hash,
        merkle_fold,
        midstate,
        pack_slot,
        pack_slots,
        search_nonce,
        sha256,
        sha256d,
        sha256d_headers,
        use,
        whole_slots,
    )

if _wanted:
    try:
        use(_wanted)
    except ValueError as exc:
        raise ImportError(f"environment BASELOAD_HASHING: {exc}, or hashlib") from exc

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
