"""The functions of hashing in C: check lengths, allocate, call, return bytes.

The only module that touches ffi and lib. csrc/hashing.h says what each call
does; here its arguments become safe. A crossing with its objects costs about
a microsecond, ten hashes of a header, so a whole share crosses once. Output
buffers are fresh each time, for cffi lets other threads run during a call.
"""

from collections.abc import Sequence

from hashing._native import ffi, lib
from hashing.values import (
    HASH_SIZE,
    HEADER_SIZE,
    NONCE_SPACE,
    CheckedShare,
    expect_multiple,
    expect_range,
    expect_size,
    joined_branch,
    target_bytes,
)

_HASH = ffi.typeof("uint8_t[32]")
_HASHES = ffi.typeof("uint8_t[]")
_NONCE = ffi.typeof("uint32_t *")
_HASH_AND_HEADER = ffi.typeof("uint8_t[112]")
_JOB = ffi.typeof("struct share_job *")
_MEETS_TARGET: int = lib.SHARE_MEETS_TARGET
_MEETS_NETWORK: int = lib.SHARE_MEETS_NETWORK


def _all_names() -> list[str]:
    names: list[str] = []
    while name := lib.sha256_backend_name(len(names)):
        names.append(ffi.string(name).decode())
    return names


_NAMES = _all_names()
lib.sha256_autodetect()


def backends() -> tuple[str, ...]:
    """Return the back ends that this machine can run, the preferred one first."""
    return tuple(name for at, name in enumerate(_NAMES) if lib.sha256_backend_usable(at))


def use(name: str) -> None:
    """Choose a back end for the whole process, after a smoke test in C.

    Call it before there are threads. Raises ValueError for a name that
    backends() does not list, RuntimeError if the smoke test fails.
    """
    if name not in backends():
        raise ValueError(f"back end is {name!r}, expected one of {', '.join(backends())}")
    if not lib.sha256_select(_NAMES.index(name)):
        raise RuntimeError(f"back end {name} computes wrong hashes on this CPU, choose another")


def backend() -> str:
    """Return the name of what runs."""
    name: str = ffi.string(lib.sha256_backend()).decode()
    return name


def sha256(data: bytes) -> bytes:
    """Return SHA-256 of data."""
    out = ffi.new(_HASH)
    lib.sha256(out, data, len(data))
    return bytes(ffi.buffer(out))


def sha256d(data: bytes) -> bytes:
    """Return SHA-256 of SHA-256 of data, internal order."""
    out = ffi.new(_HASH)
    lib.sha256d(out, data, len(data))
    return bytes(ffi.buffer(out))


def header_hash(header: bytes) -> bytes:
    """Return the hash of an 80-byte block header, internal order."""
    expect_size("header", header, HEADER_SIZE)
    out = ffi.new(_HASH)
    lib.header_hash(out, header)
    return bytes(ffi.buffer(out))


def sha256d_headers(headers: bytes) -> bytes:
    """Return 32 bytes for each 80 of headers, internal order."""
    count = expect_multiple("headers", headers, HEADER_SIZE)
    out = ffi.new(_HASHES, count * HASH_SIZE)
    lib.sha256d_headers(out, headers, count)
    return bytes(ffi.buffer(out))


def midstate(first64: bytes) -> bytes:
    """Return SHA-256's eight words after a header's first 64 bytes, each big-endian."""
    expect_size("first64", first64, 64)
    out = ffi.new(_HASH)
    lib.midstate(out, first64)
    return bytes(ffi.buffer(out))


def merkle_fold(leaf: bytes, branch: Sequence[bytes]) -> bytes:
    """Return the merkle root above the leftmost leaf, all in internal order."""
    expect_size("leaf", leaf, HASH_SIZE)
    out = ffi.new(_HASH)
    lib.merkle_fold(out, leaf, joined_branch(branch), len(branch))
    return bytes(ffi.buffer(out))


class ShareJob:
    """What all shares of one job have in common.

    coinb1 and coinb2 are the coinbase around the extranonce, without witness. Where rigs are paid
    differently, coinb2 ends before the payee's part of it and coinb2_end goes on after that;
    prevhash and branch are in internal order, network_target is an integer.
    Raises ValueError for a wrong length or a number out of range.
    """

    __slots__ = ("_alive", "_struct")

    def __init__(
        self,
        coinb1: bytes,
        coinb2: bytes,
        branch: Sequence[bytes],
        prevhash: bytes,
        nbits: int,
        network_target: int,
        coinb2_end: bytes = b"",
    ) -> None:
        expect_size("prevhash", prevhash, HASH_SIZE)
        expect_range("nbits", nbits, 1 << 32)
        job = ffi.new(_JOB)
        job.nbits = nbits
        job.prevhash = prevhash
        job.network_target = target_bytes("network_target", network_target)

        # The struct points into these; they live as long as it does.
        parts = [
            ffi.from_buffer(part) for part in (coinb1, coinb2, coinb2_end, joined_branch(branch))
        ]
        job.coinb1, job.coinb2, job.coinb2_end, job.branch = parts
        job.coinb1_size = len(coinb1)
        job.coinb2_size = len(coinb2)
        job.coinb2_end_size = len(coinb2_end)
        job.branch_count = len(branch)
        lib.share_job_init(job)
        self._alive = parts
        self._struct = job


def check_share(
    job: ShareJob,
    extranonce: bytes,
    version: int,
    ntime: int,
    nonce: int,
    share_target: bytes,
    payee: bytes = b"",
) -> CheckedShare:
    """Build a share's header, hash it and compare it with both targets.

    extranonce is extranonce1 then extranonce2; version is already merged with
    the rolled bits; payee goes between coinb2 and coinb2_end; share_target is
    32 bytes, little-endian, met when the hash as a number is not above it.
    Raises ValueError for a wrong length or a number that is not of 32 bits.
    """
    expect_size("share_target", share_target, HASH_SIZE)
    out = ffi.new(_HASH_AND_HEADER)
    try:
        flags = lib.share_check(
            out,
            out + HASH_SIZE,
            job._struct,
            extranonce,
            len(extranonce),
            payee,
            len(payee),
            version,
            ntime,
            nonce,
            share_target,
        )
    except OverflowError:
        # cffi has compared them with uint32_t; say which one it was.
        for name, value in (("version", version), ("ntime", ntime), ("nonce", nonce)):
            expect_range(name, value, 1 << 32)
        raise
    both = bytes(ffi.buffer(out))
    return CheckedShare(
        flags & _MEETS_TARGET != 0,
        flags & _MEETS_NETWORK != 0,
        both[:HASH_SIZE],
        both[HASH_SIZE:],
    )


def search_nonce(header: bytes, target: int, start: int, count: int) -> int | None:
    """Return the first nonce from start on whose header meets target, or None.

    The header's own nonce is ignored. The search ends after count nonces or at
    2**32. Raises ValueError for a wrong length or a number out of range.
    """
    expect_size("header", header, HEADER_SIZE)
    expect_range("start", start, NONCE_SPACE)
    expect_range("count", count, NONCE_SPACE + 1)
    nonce = ffi.new(_NONCE)
    found = lib.nonce_search(nonce, header, target_bytes("target", target), start, count)
    return int(nonce[0]) if found else None
