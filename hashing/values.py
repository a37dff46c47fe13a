"""What native and reference have in common: the result type and the guards.

Both check their arguments here, so that a wrong length is refused by the same
words whichever of them runs.
"""

from collections.abc import Sequence
from typing import NamedTuple

HEADER_SIZE = 80
HASH_SIZE = 32
NONCE_SPACE = 1 << 32

#: A record of the share log, and the slot that holds it.
LEAF_SIZE = 80
SLOT_SIZE = 96


class CheckedShare(NamedTuple):
    """The outcome of one share; hash and header are as the chain would hold them.

    hash is in internal order, header is the 80 serialized bytes.
    """

    meets_share_target: bool
    meets_network_target: bool
    hash: bytes
    header: bytes


def expect_size(name: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise ValueError(f"{name} is {len(value)} bytes, expected {size}")


def expect_multiple(name: str, value: bytes, size: int) -> int:
    """How many times `size` the value has."""
    count, rest = divmod(len(value), size)
    if rest:
        raise ValueError(f"{name} are {len(value)} bytes, expected a multiple of {size}")
    return count


def expect_range(name: str, value: int, limit: int) -> None:
    if not 0 <= value < limit:
        raise ValueError(f"{name} is {value}, expected 0 to {limit - 1}")


def target_bytes(name: str, target: int) -> bytes:
    """Return a target as 32 bytes, little-endian; ValueError outside 256 bits."""
    if not 0 <= target < 1 << 256:
        raise ValueError(f"{name} is {target:#x}, expected 0 to 2**256 - 1")
    return target.to_bytes(HASH_SIZE, "little")


def joined_branch(branch: Sequence[bytes]) -> bytes:
    """Return the branch as one string; ValueError for a node that is no hash."""
    for index, node in enumerate(branch):
        expect_size(f"branch[{index}]", node, HASH_SIZE)
    return b"".join(branch)
