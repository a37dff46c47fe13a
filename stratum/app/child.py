"""One part of a pool as a process: started, heard, ended."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Self

from stratum.app.parts import BEGUN, Part

logger = logging.getLogger(__name__)

#: The command line of a part, given the descriptor of its lifeline and whether it takes over.
Command = Callable[[Part, int, bool], Sequence[str]]


class Child:
    """A process that runs a part, and our end of its lifeline (`stratum.app.parts`)."""

    def __init__(
        self, part: Part, process: asyncio.subprocess.Process, line: socket.socket
    ) -> None:
        loop = asyncio.get_running_loop()
        self.part = part
        self._born = loop.time()
        self.is_leaving = False  # we told it to
        self._process = process
        self._line = line
        self._hearing = loop.create_task(_hear(line))

    @classmethod
    async def start(cls, part: Part, command: Command, *, takeover: bool = False) -> Self:
        """Raises OSError where the program can't be run."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:  # ours must be the only end left here
                process = await asyncio.create_subprocess_exec(
                    *command(part, theirs.fileno(), takeover),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                )
        except BaseException:
            ours.close()
            raise
        return cls(part, process, ours)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lived(self) -> float:
        """Seconds since its start."""
        return asyncio.get_running_loop().time() - self._born

    async def begun(self) -> bool:
        """Wait until the part has begun; False where it ended before it did."""
        await asyncio.wait({self._hearing})  # by several, and none of them may cancel it
        return self._hearing.result()

    async def wait(self) -> int:
        """Its exit code, negative for a signal."""
        code = await self._process.wait()
        await self.begun()
        self._line.close()
        return code

    async def end(self, limit: float) -> int:
        """Tell it to end; kill it where that takes longer than `limit`."""
        self._tell(signal.SIGTERM)
        return await self.wait_or_kill(limit)

    async def wait_or_kill(self, limit: float) -> int:
        """It is ending by itself, within `limit` or by force."""
        self.is_leaving = True
        try:
            async with asyncio.timeout(limit):
                return await self.wait()
        except TimeoutError:
            logger.error("%s did not end in %.0f s: killed", self.part, limit)
            self._tell(signal.SIGKILL)
            return await self.wait()

    def _tell(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)


async def _hear(line: socket.socket) -> bool:
    try:
        return await asyncio.get_running_loop().sock_recv(line, len(BEGUN)) == BEGUN
    except ConnectionError:
        return False
