"""`baseload pool CONFIG`: the supervisor of it, or one part under the supervisor.

The two share a command, because a part is the same program with the same config. What a part
needs is imported when it runs: the supervisor stays small, and neither part carries the other.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from stratum.app.parts import Lifeline, Part
from stratum.app.supervisor import Supervisor
from stratum.app.turn import turn
from stratum.config import PoolConfig

#: Books that are ending have their last transaction to finish; their supervisor kills them
#: before this is over.
_BOOKS_PATIENCE = 30.0


def supervise(path: Path, options: Sequence[str], takeover: bool) -> int:
    """Run the pool of a config file that was checked; the exit code.

    `options` are what every part is told besides, as command-line arguments.
    """

    def command(part: Part, lifeline: int, takes_over: bool) -> list[str]:
        own = [f"--part={part}", f"--lifeline={lifeline}", *["--takeover"] * takes_over]
        return [*_program(), "pool", str(path), *options, *own]

    return asyncio.run(Supervisor(command, takeover=takeover).run())


def _program() -> list[str]:
    """This program as a new process. `-m` would look into the working directory first, where a
    checkout of another version may lie; unless that is where we come from ourselves."""
    is_here = "" in sys.path or os.getcwd() in sys.path
    return [sys.executable, *["-P"] * (not is_here), "-m", "stratum.cli"]


def run_part(part: Part, config: PoolConfig, lifeline: int | None, takeover: bool) -> int:
    """Run one part until its end; the exit code (`parts.Ending`). `takeover` is serve's."""
    from stratum.app.loop import run

    line = Lifeline(lifeline)
    try:
        return run(_serve(config, line, takeover) if part is Part.SERVE else _books(config, line))
    finally:
        line.close()


async def _serve(config: PoolConfig, line: Lifeline, takeover: bool) -> int:
    from stratum.app.serve import run_serve

    return await run_serve(config, line, takeover)


async def _books(config: PoolConfig, line: Lifeline) -> int:
    from stratum.app.books import run_books

    stop = asyncio.Event()
    line.watch(stop.set)
    async with turn(config.data_dir, Part.BOOKS, _BOOKS_PATIENCE):
        return await run_books(config, stop, line.say_begun)
