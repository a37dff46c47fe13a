"""Where the parts of a pool are played by `tests.app.actor`, and the test says what they do."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from stratum.app.parts import Part
from tests.app import actor

#: Bounds a hang; no measurement.
PATIENCE_S = 30.0


class Actor:
    """One process that has come on stage."""

    def __init__(
        self, words: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.part = Part(words[0])
        self.pid = int(words[1])
        self.takeover = words[2] == "True"
        self._reader = reader
        self._writer = writer

    async def order(self, *words: object) -> Self:
        self._writer.write(" ".join(map(str, words)).encode() + b"\n")
        await self._writer.drain()
        return self

    async def hears(self) -> str:
        """What happened to it; empty when it is gone."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return (await self._reader.readline()).decode().rstrip("\n")
            except ConnectionError:
                return ""

    def leave(self) -> None:
        self._writer.close()


class Stage:
    """Enter it, hand `command` to a supervisor, and wait for who comes."""

    def __init__(self, home: Path) -> None:
        self._path = home / "stage"
        self._come: asyncio.Queue[Actor] = asyncio.Queue()
        self._actors: list[Actor] = []

    def command(self, part: Part, lifeline: int, takeover: bool) -> list[str]:
        program = [sys.executable, "-S", "-E", actor.__file__]
        return [*program, str(self._path), part, str(lifeline), str(takeover)]

    async def next(self, part: Part, takeover: bool = False) -> Actor:
        """The next one that comes; it must be this one."""
        async with asyncio.timeout(PATIENCE_S):
            come = await self._come.get()
        assert (come.part, come.takeover) == (part, takeover)
        return come

    @property
    def is_empty(self) -> bool:
        """Whether nobody has come whom the test has not met."""
        return self._come.empty()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._welcome, self._path)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for one in self._actors:
            one.leave()
        self._server.close()
        await self._server.wait_closed()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        come = Actor((await reader.readline()).decode().split(), reader, writer)
        self._actors.append(come)
        await self._come.put(come)
