"""A whole block: assembled from a solved header, and taken apart again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stratum.bitcoin.header import HEADER_SIZE, Header
from stratum.bitcoin.transaction import Reader, Transaction, compact_size, read_transaction


def assemble_block(header: bytes, coinbase: bytes, transactions: Sequence[bytes]) -> bytes:
    """Serialize for submitblock: the coinbase with its witness, then the template's bytes."""
    return header + compact_size(1 + len(transactions)) + coinbase + b"".join(transactions)


@dataclass(frozen=True, slots=True)
class Block:
    """A parsed block."""

    header: Header
    transactions: tuple[Transaction, ...]


def parse_block(data: bytes) -> Block:
    """Raises ValueError if the data ends early, goes on too long, or holds no transaction."""
    header = Header.parse(data[:HEADER_SIZE])
    reader = Reader(data, HEADER_SIZE)
    count = reader.compact_size()
    if not count:
        raise ValueError("a block needs a coinbase")
    transactions = tuple(read_transaction(reader) for _ in range(count))
    if reader.position != len(data):
        raise ValueError(f"{len(data) - reader.position} bytes after the last transaction")
    return Block(header, transactions)
