"""`baseload pool CONFIG`: the small process that starts the parts and keeps them running.

It serves nothing itself, so there is little in it that can break. `serve` and `books` outlive
each other: whichever dies is started again, soon at first and then more slowly, while the other
goes on. Only three things end the whole: a signal to stop, a part that can't even begin because
of something the operator must mend, and a log that can't be kept (DESIGN §8.1).

Books wait until serve has begun: serve holds the lock on the data_dir, and whoever can't have it
must not touch anything in there.

An upgrade keeps the rigs (DESIGN §8.5): at SIGUSR2 a second serve is started from the program on
disk, it takes the rigs over, the first one leaves, and books are started anew.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass

from stratum.app.child import Child, Command
from stratum.app.parts import Ending, Part
from stratum.app.systemd import notify

logger = logging.getLogger(__name__)

#: A part that is told to end gets so long. Serve waits for blocks under way and for its viewers,
#: books for their last transaction.
END_LIMITS = {Part.SERVE: 20.0, Part.BOOKS: 10.0}


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long a part that died stays down: twice as long each time, until one lives."""

    first: float = 1.0
    longest: float = 30.0
    settled: float = 60.0  # after such a life a death is a first one again

    def after(self, before: float, lived: float) -> float:
        """The next pause, after one of `before` seconds (0: none) and a life of `lived`."""
        if not before or lived >= self.settled:
            return self.first
        return min(2 * before, self.longest)


class Supervisor:
    """Runs both parts until something ends the whole."""

    def __init__(
        self,
        command: Command,
        *,
        takeover: bool = False,
        pauses: Pauses = Pauses(),
        end_limits: Mapping[Part, float] = END_LIMITS,
    ) -> None:
        """`takeover`: the first serve takes over the rigs of a pool that is running."""
        self._command = command
        self._takes_over = takeover
        self._pauses = pauses
        self._end_limits = end_limits
        self._children: dict[Part, Child] = {}
        self._successor: Child | None = None  # a serve that is taking over from ours
        self._renewal: asyncio.Task[None] | None = None
        self._serving = asyncio.Event()
        self._ended = asyncio.Event()
        self._code = Ending.DONE

    async def run(self) -> int:
        """Returns the exit code, when no part runs any more."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGUSR2, self.renew)
        try:
            async with asyncio.TaskGroup() as self._group:
                keepers = [self._group.create_task(self._keep(part)) for part in Part]
                await self._ended.wait()
                for task in (*keepers, self._renewal):
                    if task is not None:
                        task.cancel()
        finally:
            notify("STOPPING=1")
            await self._end_all()
        return self._code

    def stop(self) -> None:
        """Ask it to end."""
        self._end(Ending.DONE)

    def renew(self) -> None:
        """Replace serve, whose rigs notice nothing, and books by the program on disk."""
        if self._serving.is_set() and (self._renewal is None or self._renewal.done()):
            self._renewal = self._group.create_task(self._renew(self._children[Part.SERVE]))

    def _end(self, code: Ending) -> None:
        if not self._ended.is_set():
            self._code = code
            self._ended.set()

    # -- life ------------------------------------------------------------------------------

    async def _keep(self, part: Part) -> None:
        """Start a part, and start it again whenever it dies."""
        if part is Part.BOOKS:
            await self._serving.wait()
        pause = 0.0
        child = await self._start(part, takeover=self._takes_over and part is Part.SERVE)
        while True:
            code = await self._watch(child)
            ending = self._ending(child, code)
            if ending is not None:
                return self._end(ending)
            if part is Part.SERVE and await self._has_heir(child, code):
                assert self._successor is not None
                child, self._successor = self._enter(self._successor), None
                continue
            if not child.is_leaving:
                pause = self._pauses.after(pause, child.lived)
                logger.error("%s %s; it is started again in %.0f s", part, _died(code), pause)
                await asyncio.sleep(pause)
            child = await self._start(part)

    async def _has_heir(self, child: Child, code: int) -> bool:
        """Whether a new serve has its rigs; also of one that died while it gave them away."""
        if self._successor is None:
            return False
        return child.is_leaving or code == Ending.TAKEN_OVER or await self._successor.begun()

    async def _start(self, part: Part, takeover: bool = False) -> Child:
        while True:
            try:
                return self._enter(await Child.start(part, self._command, takeover=takeover))
            except OSError as exc:
                logger.error("%s can't be started: %s; trying again", part, exc.strerror)
            await asyncio.sleep(self._pauses.longest)

    def _enter(self, child: Child) -> Child:
        self._children[child.part] = child
        return child

    async def _watch(self, child: Child) -> int:
        """From its start to its end; the exit code."""
        if await child.begun() and child.part is Part.SERVE:
            self._serving.set()
            notify("READY=1", f"MAINPID={os.getpid()}")
        return await child.wait()

    def _ending(self, child: Child, code: int) -> Ending | None:
        """What the end of a part means for the whole; None: it is started again."""
        if child.part is not Part.SERVE:
            return None  # rigs are served whatever keeps the books, e.g. a full disk
        if code == Ending.MISUSED and not self._serving.is_set():
            return Ending.MISUSED
        if code == Ending.FAILED:
            return Ending.FAILED
        if code == Ending.TAKEN_OVER and self._successor is None:
            logger.info("another pool has taken over the rigs: leaving")
            return Ending.DONE
        return None

    async def _renew(self, serving: Child) -> None:
        """Start the one that takes over; when it has, the one before leaves by itself."""
        logger.info("a new serve is started to take over")
        try:
            successor = await Child.start(Part.SERVE, self._command, takeover=True)
        except OSError as exc:
            logger.error("the new serve can't be started: %s", exc.strerror)
            return
        self._successor = successor
        if await successor.begun():
            await serving.wait_or_kill(self._end_limits[Part.SERVE])
            if Part.BOOKS in self._children:
                await self._children[Part.BOOKS].end(self._end_limits[Part.BOOKS])
            return
        code = await successor.wait()
        self._successor = None
        logger.error("the new serve %s; the one before goes on", _died(code))

    async def _end_all(self) -> None:
        """Serve first, so that books see its last record."""
        serving = [self._children.get(Part.SERVE), self._successor]
        for child in (*serving, self._children.get(Part.BOOKS)):
            if child is None:
                continue
            code = await child.end(self._end_limits[child.part])
            if child.part is Part.SERVE and code == Ending.FAILED:
                self._code = Ending.FAILED  # the log failed while we stopped


def _died(code: int) -> str:
    """`died of SIGKILL`, `ended with exit code 70`."""
    return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
