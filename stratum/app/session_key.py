"""The secret behind session ids: a rig proves by it that an extranonce1 is its own.

It lives as long as the data_dir, so that a rig finds its place again after a restart of ours, and
is readable to the owner only. Whoever knows it can take a rig's extranonce1 and nothing else.
"""

from __future__ import annotations

import os
from pathlib import Path

from stratum.errors import ConfigError, Problem

_NAME = "session.key"
_SIZE = 32


def session_key(data_dir: Path) -> bytes:
    """The key, made where there is none. Raises ConfigError where it can't be read or written.

    A kill while it is being written must not leave an empty one, which anybody could guess: one
    of the wrong size is replaced.
    """
    path = data_dir / _NAME
    try:
        if path.exists() and len(key := path.read_bytes()) == _SIZE:
            return key
        return _write(path)
    except OSError as exc:
        fault = f"{path} can't be used: {exc.strerror}"
        raise ConfigError([Problem("data_dir", fault, "it must be ours, and have room")]) from exc


def _write(path: Path) -> bytes:
    key = os.urandom(_SIZE)
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)  # a mode is given to new files only
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    return key
