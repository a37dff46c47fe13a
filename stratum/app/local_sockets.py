"""The Unix sockets in data_dir, by which the parts of one pool talk.

They are for the pool's own user only. A path of such a socket may have 107 bytes (sun_path,
unix(7)) and a data_dir any length: one that is too long is reached through /proc/self/fd, where
an open directory has a short name.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from stratum.errors import ConfigError, Problem

#: What serve tells: GET /live.
SERVE_SOCKET = "serve.sock"

#: What books answer: everything on [http].listen that serve does not answer itself.
BOOKS_SOCKET = "books.sock"

#: Where a new process asks the one that serves for its rigs (`handover`).
HANDOVER_SOCKET = "handover.sock"

#: struct sockaddr_un has 108 bytes, the last of them a zero.
_MAX_PATH = 107

_BACKLOG = 128


class Meeting:
    """Where a socket of the data_dir is found. `path` is good until close()."""

    def __init__(self, data_dir: Path, name: str) -> None:
        """Raises ConfigError where the path is too long and this system has no way round it."""
        self._directory: int | None = None
        self.path = str(data_dir / name)
        if len(os.fsencode(self.path)) > _MAX_PATH:
            self.path = f"{self._short(data_dir)}/{name}"

    def _short(self, data_dir: Path) -> str:
        try:
            self._directory = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            short = f"/proc/self/fd/{self._directory}"
            if os.path.isdir(short):
                return short
            self.close()
        except OSError as exc:
            raise ConfigError([Problem("data_dir", f"{data_dir}: {exc.strerror}")]) from exc
        fault = f"{data_dir} is too long for the sockets in it"
        raise ConfigError([Problem("data_dir", fault, "choose a shorter one")])

    def listen(self) -> socket.socket:
        """A new listening socket there, in place of what an earlier run left; for us only."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
            sock.bind(self.path)
            os.chmod(self.path, 0o600)  # before listen(): until then nobody can connect
            sock.listen(_BACKLOG)
            sock.setblocking(False)
        except OSError as exc:
            sock.close()
            fault = f"can't listen on {self.path}: {exc.strerror}"
            raise ConfigError([Problem("data_dir", fault, "it must be ours")]) from exc
        return sock

    def answers(self) -> bool:
        """Whether somebody listens there now."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.setblocking(False)
            return sock.connect_ex(self.path) == 0

    def close(self) -> None:
        """Give back what a long path needs."""
        directory, self._directory = self._directory, None
        if directory is not None:
            os.close(directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
