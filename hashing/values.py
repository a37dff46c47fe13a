"""What native and reference have in common: the result type and the guards.

Both check their arguments here, so that a wrong length is refused by the same
words whichever of them runs.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

HEADER_SIZE = 80
HASH_SIZE = 32
NONCE_SPACE = 1 << 32

#: How many sums of shares are kept at a time: one for each worker of a large site.
SUMS_ROOM = 1 << 14

#: A record of the share log, and the slot that holds it.
LEAF_SIZE = 80
SLOT_SIZE = 96

#: What a socket may give the gate at once, and the longest line that it looks at.
GATE_BUFFER = 65536
MAX_LINE = 8192

#: Jobs that a session remembers, each with the weight it was sent with.
RING_SIZE = 64

#: How many verdicts there are, `stratum.mining.verdicts` in its order.
VERDICTS = 11

#: A worker's name, as long as the wire lets it be.
MAX_WORKER_NAME = 191

#: For wake_us and wake_shares: not by this.
NEVER = (1 << 64) - 1


class GateStatus(IntEnum):
    """Why the gate has stopped; everything before `consumed` is answered."""

    MORE = 0  # no whole line is left
    LINE = 1  # the next line is Python's, all of it: nothing was counted, paid or written
    SEEN = 2  # the table of seen shares is of another block, or has to grow first
    BUDGET = 3  # the next line can't be paid for yet
    LOG_FULL = 4  # the segment has no room for the next share
    LIMIT = 5  # enough lines for one call, or no room for more replies: call again
    WORKER = 6  # a good share of a worker that has to be given its number first


class CheckedShare(NamedTuple):
    """The outcome of one share; hash and header are as the chain would hold them.

    hash is in internal order, header is the 80 serialized bytes.
    """

    meets_share_target: bool
    meets_network_target: bool
    hash: bytes
    header: bytes


class ShareSum(NamedTuple):
    """The shares of one worker, at one port, in one minute."""

    #: Of recv_time_us: minutes since 1970, UTC.
    minute: int
    account_id: int
    worker_id: int
    #: Index of the [[listen]] table.
    listen: int
    shares: int
    #: Sum of the weights.
    work: int
    #: The best of them, as a share record has it.
    best: int
    #: recv_time_us of the latest.
    last_us: int


def expect_size(name: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise ValueError(f"{name} is {len(value)} bytes, expected {size}")


def expect_multiple(name: str, value: bytes, size: int) -> int:
    """How many times `size` the value has."""
    count, rest = divmod(len(value), size)
    if rest:
        raise ValueError(f"{name} are {len(value)} bytes, expected a multiple of {size}")
    return count


def expect_room(room: int) -> None:
    if not 1 <= room <= 1 << 30:
        raise ValueError(f"room is {room}, expected 1 to 2**30")


def expect_slots(size: int) -> int:
    """How many slots so many bytes are."""
    count, rest = divmod(size, SLOT_SIZE)
    if rest:
        raise ValueError(f"slots are {size} bytes, expected a multiple of {SLOT_SIZE}")
    return count


def expect_next(slots: memoryview, leaves: int) -> int:
    """How many slots; ValueError where they do not follow an edge of so many leaves."""
    count = expect_slots(slots.nbytes)
    first_index = int.from_bytes(slots.cast("B")[8:16], "little")
    if count and first_index != leaves:
        raise ValueError(f"slots begin at record {first_index}, the edge has {leaves} leaves")
    return count


def edge_levels(data: bytes) -> tuple[int, list[int]]:
    """An edge's size, and the levels of the nodes that follow it in its bytes."""
    size = int.from_bytes(data[:8], "little")
    levels = [level for level in range(size.bit_length()) if size >> level & 1]
    expect_size("edge", data, 8 + HASH_SIZE * len(levels))
    return size, levels


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
