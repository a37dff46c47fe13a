"""A part of a pool that does what the test says: run as a program by `tests.app.stage`.

It calls at the stage, says who it is, and then obeys, one line at a time: `begin`, `exit N`,
`kill`, `linger`. It tells what happens to it, `term` for a SIGTERM and `lost` when its supervisor
is gone, and then ends with 0, unless it was told to linger.
"""

import os
import select
import signal
import socket
import sys
from typing import NoReturn


class Actor:
    def __init__(self, stage: str, part: str, lifeline: str, takeover: str) -> None:
        self._line = socket.socket(fileno=int(lifeline))
        self._stage = socket.socket(socket.AF_UNIX)
        self._stage.connect(stage)
        self._lingers = False
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self._happened(b"term"))
        self._stage.sendall(f"{part} {os.getpid()} {takeover}\n".encode())

    def play(self) -> NoReturn:
        orders = self._stage.makefile("rb", buffering=0)
        watched = [self._stage, self._line]
        while True:
            ready, _, _ = select.select(watched, [], [])
            if self._line in ready:
                watched.remove(self._line)
                self._happened(b"lost")
            if self._stage in ready:
                self._obey(orders.readline().split())

    def _happened(self, what: bytes) -> None:
        self._stage.sendall(what + b"\n")
        if not self._lingers:
            sys.exit(0)

    def _obey(self, words: list[bytes]) -> None:
        match words:
            case [b"begin"]:
                self._line.sendall(b"+")
            case [b"linger"]:
                self._lingers = True
                self._stage.sendall(b"lingering\n")
            case [b"exit", code]:
                sys.exit(int(code))
            case [b"kill"]:
                os.kill(os.getpid(), signal.SIGKILL)
            case _:  # the test is over
                sys.exit(0)


if __name__ == "__main__":
    Actor(*sys.argv[1:]).play()
