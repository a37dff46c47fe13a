"""Merkle trees of a block, and the branch that a miner needs for its coinbase.

The coinbase is leaf 0 and not known yet when the branch is made, so a miner gets the neighbours
on its way up: `root = sha256d(root ‖ branch[i])`, coinbase always on the left.
"""

from __future__ import annotations

from collections.abc import Sequence

import hashing


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Root over txids or wtxids, internal order. An odd level repeats its last node.

    Source: Bitcoin Core, ComputeMerkleRoot. Raises ValueError without leaves.
    """
    if not leaves:
        raise ValueError("a merkle tree needs at least one leaf")
    level = list(leaves)
    while len(level) > 1:
        level = _level_above(level)
    return level[0]


def coinbase_branch(txids: Sequence[bytes]) -> list[bytes]:
    """The merkle branch of leaf 0, bottom to top; `txids` are those after the coinbase."""
    branch = []
    level = [b"", *txids]  # the coinbase's place, never read
    while len(level) > 1:
        branch.append(level[1])
        above = _level_above(level[2:]) if len(level) > 2 else []
        level = [b"", *above]
    return branch


def _level_above(level: list[bytes]) -> list[bytes]:
    if len(level) % 2:
        level = [*level, level[-1]]
    return [hashing.sha256d(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
