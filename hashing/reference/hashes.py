"""The functions of hashing on hashlib: slow, short, and right.

This is what native is compared with, test by test, and what runs where
BASELOAD_HASHING=hashlib asks for it. It refuses to be clever: every line
follows the definition, none shares code with csrc. OpenSSL does the hashing.
"""

import hashlib
from collections.abc import Sequence

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

# FIPS 180-4, 4.2.2 and 5.3.3. hashlib does not give out its state between
# blocks, so midstate() is the one function that needs the rounds themselves.
_K = bytes.fromhex(
    "428a2f9871374491b5c0fbcfe9b5dba53956c25b59f111f1923f82a4ab1c5ed5"
    "d807aa9812835b01243185be550c7dc372be5d7480deb1fe9bdc06a7c19bf174"
    "e49b69c1efbe47860fc19dc6240ca1cc2de92c6f4a7484aa5cb0a9dc76f988da"
    "983e5152a831c66db00327c8bf597fc7c6e00bf3d5a7914706ca635114292967"
    "27b70a852e1b21384d2c6dfc53380d13650a7354766a0abb81c2c92e92722c85"
    "a2bfe8a1a81a664bc24b8b70c76c51a3d192e819d6990624f40e3585106aa070"
    "19a4c1161e376c082748774c34b0bcb5391c0cb34ed8aa4a5b9cca4f682e6ff3"
    "748f82ee78a5636f84c878148cc7020890befffaa4506cebbef9a3f7c67178f2"
)
_IV = bytes.fromhex("6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19")
_MASK = 0xFFFFFFFF


def backends() -> tuple[str, ...]:
    """Return the names that use() takes here."""
    return ("hashlib",)


def use(name: str) -> None:
    """Accept "hashlib", the only back end here; ValueError for another."""
    if name != "hashlib":
        raise ValueError(f"back end is {name!r}, expected 'hashlib'")


def backend() -> str:
    """Return the name of what runs."""
    return "hashlib"


def sha256(data: bytes) -> bytes:
    """Return SHA-256 of data."""
    return hashlib.sha256(data).digest()


def sha256d(data: bytes) -> bytes:
    """Return SHA-256 of SHA-256 of data, internal order."""
    return sha256(sha256(data))


def header_hash(header: bytes) -> bytes:
    """Return the hash of an 80-byte block header, internal order."""
    expect_size("header", header, HEADER_SIZE)
    return sha256d(header)


def sha256d_headers(headers: bytes) -> bytes:
    """Return 32 bytes for each 80 of headers, internal order."""
    expect_multiple("headers", headers, HEADER_SIZE)
    starts = range(0, len(headers), HEADER_SIZE)
    return b"".join(sha256d(headers[start : start + HEADER_SIZE]) for start in starts)


def midstate(first64: bytes) -> bytes:
    """Return SHA-256's eight words after a header's first 64 bytes, each big-endian."""
    expect_size("first64", first64, 64)
    before = _words(_IV)
    after = _rounds(before, _schedule(_words(first64)))
    sums = [(x + y) & _MASK for x, y in zip(before, after, strict=True)]
    return b"".join(word.to_bytes(4, "big") for word in sums)


def merkle_fold(leaf: bytes, branch: Sequence[bytes]) -> bytes:
    """Return the merkle root above the leftmost leaf, all in internal order."""
    expect_size("leaf", leaf, HASH_SIZE)
    joined_branch(branch)
    root = leaf
    for node in branch:
        root = sha256d(root + node)
    return root


class ShareJob:
    """What all shares of one job have in common.

    coinb1 and coinb2 are the coinbase around the extranonce, without witness. Where rigs are paid
    differently, coinb2 ends before the payee's part of it and coinb2_end goes on after that;
    prevhash and branch are in internal order, network_target is an integer.
    Raises ValueError for a wrong length or a number out of range.
    """

    __slots__ = ("branch", "coinb1", "coinb2", "coinb2_end", "nbits", "network_target", "prevhash")

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
        target_bytes("network_target", network_target)
        joined_branch(branch)
        self.coinb1 = coinb1
        self.coinb2 = coinb2
        self.coinb2_end = coinb2_end
        self.branch = tuple(branch)
        self.prevhash = prevhash
        self.nbits = nbits
        self.network_target = network_target


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
    for name, value in (("version", version), ("ntime", ntime), ("nonce", nonce)):
        expect_range(name, value, 1 << 32)

    coinbase = job.coinb1 + extranonce + job.coinb2 + payee + job.coinb2_end
    root = merkle_fold(sha256d(coinbase), job.branch)
    tail = b"".join(value.to_bytes(4, "little") for value in (ntime, job.nbits, nonce))
    header = version.to_bytes(4, "little") + job.prevhash + root + tail

    digest = sha256d(header)
    number = int.from_bytes(digest, "little")
    return CheckedShare(
        number <= int.from_bytes(share_target, "little"),
        number <= job.network_target,
        digest,
        header,
    )


def search_nonce(header: bytes, target: int, start: int, count: int) -> int | None:
    """Return the first nonce from start on whose header meets target, or None.

    The header's own nonce is ignored. The search ends after count nonces or at
    2**32. Raises ValueError for a wrong length or a number out of range.
    """
    expect_size("header", header, HEADER_SIZE)
    expect_range("start", start, NONCE_SPACE)
    expect_range("count", count, NONCE_SPACE + 1)
    target_bytes("target", target)
    for nonce in range(start, min(start + count, NONCE_SPACE)):
        digest = sha256d(header[:76] + nonce.to_bytes(4, "little"))
        if int.from_bytes(digest, "little") <= target:
            return nonce
    return None


def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data), 4)]


def _rotate(word: int, bits: int) -> int:
    return (word >> bits | word << (32 - bits)) & _MASK


def _schedule(words: list[int]) -> list[int]:
    w = list(words)
    for i in range(16, 64):
        small0 = _rotate(w[i - 15], 7) ^ _rotate(w[i - 15], 18) ^ w[i - 15] >> 3
        small1 = _rotate(w[i - 2], 17) ^ _rotate(w[i - 2], 19) ^ w[i - 2] >> 10
        w.append((w[i - 16] + small0 + w[i - 7] + small1) & _MASK)
    return w


def _rounds(state: list[int], schedule: list[int]) -> list[int]:
    a, b, c, d, e, f, g, h = state
    for k, w in zip(_words(_K), schedule, strict=True):
        big1 = _rotate(e, 6) ^ _rotate(e, 11) ^ _rotate(e, 25)
        big0 = _rotate(a, 2) ^ _rotate(a, 13) ^ _rotate(a, 22)
        t1 = h + big1 + (e & f ^ ~e & g) + k + w
        t2 = big0 + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (t1 + t2) & _MASK, a, b, c, (d + t1) & _MASK, e, f, g
    return [a, b, c, d, e, f, g, h]
