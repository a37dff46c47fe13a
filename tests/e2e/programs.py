"""`baseload pool` and `baseload mine` as processes of their own, looked at from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from stratum.app.local_sockets import SERVE_SOCKET, Meeting
from stratum.node.settings import NodeSettings
from tests.e2e.tree import children, gone, kill
from tests.peers.node import free_port

#: Generous: these bound a hang, they are no measurement.
PATIENCE_S = 60.0

#: P2WSH of OP_TRUE on regtest.
ADDRESS = "bcrt1qft5p2uhsdcdc3l2ua4ap5qqfg4pjaqlp250x7us7a8qqhrxrxfsqseac85"


def _node_table(node: NodeSettings) -> str:
    secret = (
        f'cookie_file = "{node.cookie_file}"\n'
        if node.cookie_file
        else f'user = "{node.user}"\npassword = "{node.password}"\n'
    )
    zmq = f'zmq_hashblock = "{node.zmq_hashblock}"\n' if node.zmq_hashblock else ""
    return f'[[node]]\nurl = "{node.url}"\n{secret}{zmq}'


class Pool:
    """A `baseload pool` process with a config and a data_dir; may be killed and started again."""

    def __init__(
        self, home: Path, nodes: Sequence[NodeSettings], difficulty: str = "0.0005"
    ) -> None:
        self.port = free_port()
        self.http_port = free_port()
        self._home = home
        self._config = home / "pool.toml"
        self._config.write_text(self._toml(nodes, difficulty))
        self._process: asyncio.subprocess.Process | None = None

    def _toml(self, nodes: Sequence[NodeSettings], difficulty: str) -> str:
        tables = "".join(_node_table(node) for node in nodes)
        return (
            f'network = "regtest"\ndata_dir = "{self._home}/data"\n{tables}'
            f'[payout]\nscheme = "solo"\naddress = "{ADDRESS}"\n'
            f'[[listen]]\naddress = "127.0.0.1:{self.port}"\n'
            f"difficulty = {difficulty}\nmin_difficulty = 0.0000000005\n"
            "[limits]\nlines_per_second = 0\n"
            f'[http]\nlisten = "127.0.0.1:{self.http_port}"\n'
        )

    @property
    def url(self) -> str:
        return f"stratum+tcp://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self._home / "pool.log").read_text()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.end(signal.SIGTERM)
        if error is not None:
            print(self.log)

    async def start(self, ready: bool = True) -> None:
        """Start it and wait until it serves, and until it has work if `ready`."""
        self._process = await self._run()
        if ready:
            await self.until_ready()
        else:
            await self.until(lambda: self._answers("healthz"), "/healthz")

    async def _run(self, *options: str) -> asyncio.subprocess.Process:
        with (self._home / "pool.log").open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "stratum.cli", "pool", str(self._config), *options),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    async def renew(self) -> None:
        """SIGUSR2: another serve takes over under the same supervisor, and it has other books."""
        before = children(self.pid)
        handles = [os.pidfd_open(pid) for pid in before.values()]
        os.kill(self.pid, signal.SIGUSR2)
        async with asyncio.timeout(PATIENCE_S):
            await gone(handles)
        await self.until_part("serve", other_than=before["serve"])
        await self.until_part("books", other_than=before["books"])

    async def replace(self) -> int:
        """A second pool of the same config takes over; the exit code of the first."""
        first, self._process = self._process, await self._run("--takeover")
        assert first is not None
        async with asyncio.timeout(PATIENCE_S):
            return await first.wait()

    async def until_ready(self) -> None:
        """Wait until rigs get work."""
        await self.until(lambda: self._answers("readyz"), "/readyz")

    async def _answers(self, path: str) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self.log
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"http://127.0.0.1:{self.http_port}/{path}") as reply,
            ):
                status: int = reply.status
                return status == HTTPStatus.OK
        except aiohttp.ClientError:
            return False

    async def end(self, how: signal.Signals) -> int:
        """Send a signal and wait; the exit code, negative for a signal. SIGKILL goes to every
        process of the pool, as from the kernel or a power cut."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.returncode is None and how == signal.SIGKILL:
            await kill(process.pid, *children(process.pid).values())
        elif process.returncode is None:
            process.send_signal(how)
        async with asyncio.timeout(PATIENCE_S):
            return await process.wait()

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        assert self._process is not None
        return self._process.pid

    async def until_part(self, name: str, other_than: int = 0) -> int:
        """Wait until a part runs, in another process than one before; its pid."""

        async def runs() -> bool:
            return children(self.pid).get(name, other_than) != other_than

        await self.until(runs, name)
        return children(self.pid)[name]

    async def status(self) -> dict[str, Any]:
        """What serve tells of itself."""
        with Meeting(self._home / "data", SERVE_SOCKET) as serve:
            connector = aiohttp.UnixConnector(serve.path)
            async with (
                aiohttp.ClientSession(connector=connector) as http,
                http.get("http://serve/live") as reply,
            ):
                body: dict[str, Any] = await reply.json()
                return body

    async def until_page(self) -> None:
        """Wait until books answer behind serve."""
        await self.until(lambda: self._answers(""), "the page")

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        """Ask again and again: another process can't be awaited otherwise."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await holds():  # noqa: ASYNC110 (another process sets no Event)
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{what} did not come in {PATIENCE_S} s\n{self.log}") from None

    async def until_accepted(self, blocks: int) -> None:
        async def enough() -> bool:
            rows = (await self.status())["blocks"]
            return len([row for row in rows if row["fate"] == "accepted"]) >= blocks

        await self.until(enough, f"{blocks} accepted blocks")


async def mine(pool: Pool, shares: int, user: str = "farm.rig1") -> list[dict[str, Any]]:
    """Run `baseload mine` until so many shares are accepted; its JSON lines."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "stratum.cli",
        "mine",
        pool.url,
        "-u",
        user,
        "--shares",
        str(shares),
        "--json",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"NO_COLOR": "1"},
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
        raise AssertionError(f"mining hung: {err.decode()}\n{pool.log}") from None
    assert process.returncode == 0, err.decode()
    return [json.loads(line) for line in out.splitlines()]
