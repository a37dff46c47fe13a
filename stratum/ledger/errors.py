"""What can go wrong with the books, and who can do something about it.

ConfigError
└── DataDirLocked      another process writes here; exit 2
OutsideError
├── StorageFull        the disk is full; shares are refused until it is not
└── DatabaseFailed     the books' database is out of order; tried again, the log has it all
    └── DatabaseDamaged    the file itself is; a new one is made from the log
BaseloadError
├── LogFailed          the disk refused to keep what was promised: final, exit 1
├── LogDamaged         the files contradict what was synced: start-up stops, exit 1
└── LogRewound         the log ends before what a reader had read: its books must be rebuilt
"""

from __future__ import annotations

from pathlib import Path

from stratum.errors import BaseloadError, ConfigError, OutsideError, Problem


class DataDirLocked(ConfigError):
    """Two writers would number their records alike; the second one must not start."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            [
                Problem(
                    "data_dir",
                    f"{directory} is in use by another baseload process",
                    "stop that one, or choose another directory",
                )
            ]
        )


class StorageFull(OutsideError):
    """No room for the record; nothing of it was kept, the next append may succeed."""


class DatabaseFailed(OutsideError):
    """Nothing of the transaction happened, or nobody knows: ask the cursor."""


class DatabaseDamaged(DatabaseFailed):
    """What is in the file is no database, or no longer a whole one."""


class LogFailed(BaseloadError):
    """A write or sync failed for another reason than a full disk; the log takes no more."""


class LogDamaged(BaseloadError):
    """A record that had been synced is gone or unreadable."""


class LogRewound(BaseloadError):
    """A reader's cursor points behind the end of the log.

    The log was restored from an older copy, or the power went before the disk had what the reader
    had seen (`LogReader(synced_only=True)` never sees that). What was built from the records that
    are gone must be built again.
    """
