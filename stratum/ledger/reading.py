"""Read a log once, from its first record to its last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stratum.ledger.records import Record
from stratum.ledger.segment import LOG_DIRECTORY
from stratum.ledger.tail import LogReader


def read(directory: Path) -> Iterator[tuple[int, Record]]:
    """Every record of a data_dir's log with its index; a torn slot at the end is left out.

    Raises LogDamaged at the first record that is not what its writer wrote, FileNotFoundError
    where there is no log.
    """
    if not (directory / LOG_DIRECTORY).is_dir():
        raise FileNotFoundError(f"{directory} holds no log")
    with LogReader(directory) as reader:
        yield from reader.records()
