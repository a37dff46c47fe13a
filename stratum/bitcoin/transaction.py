"""Serialized transactions: as much as a pool must know of them.

A template's transactions are opaque bytes with a txid and a wtxid; only the coinbase is built
here. `read_transaction` finds the ends and the witness, for the devnet and for block checks.
"""

from __future__ import annotations

from dataclasses import dataclass

import hashing


@dataclass(frozen=True, slots=True)
class Output:
    """One output: sats and the script that locks them."""

    sats: int
    script_pubkey: bytes

    def serialize(self) -> bytes:
        return (
            self.sats.to_bytes(8, "little") + compact_size(len(self.script_pubkey))
        ) + self.script_pubkey


@dataclass(frozen=True, slots=True)
class Input:
    """One input; `txid` in internal order."""

    txid: bytes
    index: int
    script_sig: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """A parsed transaction. `stripped` is the serialization without witness data."""

    version: int
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    witness: tuple[tuple[bytes, ...], ...]
    lock_time: int
    stripped: bytes
    serialized: bytes

    @property
    def txid(self) -> bytes:
        return hashing.sha256d(self.stripped)

    @property
    def wtxid(self) -> bytes:
        return hashing.sha256d(self.serialized)


def compact_size(number: int) -> bytes:
    """Bitcoin's variable-length count. Source: Bitcoin Core, WriteCompactSize."""
    if number < 0xFD:
        return number.to_bytes(1, "little")
    if number <= 0xFFFF:
        return b"\xfd" + number.to_bytes(2, "little")
    if number <= 0xFFFFFFFF:
        return b"\xfe" + number.to_bytes(4, "little")
    return b"\xff" + number.to_bytes(8, "little")


class Reader:
    """Takes values off the front of serialized data; ValueError where it ends too early."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise ValueError(f"data ends at byte {len(self.data)}, expected {end}")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def integer(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def compact_size(self) -> int:
        """Refuses what Core's ReadCompactSize refuses: an encoding longer than needed."""
        first = self.integer(1)
        if first < 0xFD:
            return first
        size = {0xFD: 2, 0xFE: 4, 0xFF: 8}[first]
        number = self.integer(size)
        if compact_size(number)[0] != first:
            raise ValueError(f"count {number} is not in its shortest form")
        return number

    def string(self) -> bytes:
        return self.take(self.compact_size())


def read_transaction(reader: Reader) -> Transaction:
    """Read one transaction, with or without witness (BIP 144). Raises ValueError."""
    start = reader.position
    version = reader.integer(4)
    has_witness = reader.data[reader.position : reader.position + 2] == b"\x00\x01"
    if has_witness:
        reader.take(2)

    body_start = reader.position
    inputs = tuple(
        Input(reader.take(32), reader.integer(4), reader.string(), reader.integer(4))
        for _ in range(reader.compact_size())
    )
    outputs = tuple(
        Output(reader.integer(8), reader.string()) for _ in range(reader.compact_size())
    )
    body = reader.data[body_start : reader.position]

    witness: tuple[tuple[bytes, ...], ...] = ()
    if has_witness:
        witness = tuple(
            tuple(reader.string() for _ in range(reader.compact_size())) for _ in inputs
        )
    lock_time = reader.integer(4)

    return Transaction(
        version,
        inputs,
        outputs,
        witness,
        lock_time,
        version.to_bytes(4, "little") + body + lock_time.to_bytes(4, "little"),
        reader.data[start : reader.position],
    )
