"""Bitcoin Core, where the environment variable BITCOIND names its binary."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from stratum.node.settings import NodeSettings
from tests.peers.node import FullNode, free_port


class Core(FullNode):
    """A Bitcoin Core node on regtest: cookie, ZMQ, and segwit from the first block."""

    bech32_prefix = "bcrt"
    p2sh_version = 0xC4
    segwit_height = 1

    def __init__(self) -> None:
        self._program = _find()
        self._port, self._zmq_port = free_port(), free_port()
        super().__init__(NodeSettings(f"http://127.0.0.1:{self._port}"))
        # The cookie lies in the data directory, which is made only now.
        self.settings = NodeSettings(
            self.settings.url,
            cookie_file=Path(self._home.name) / "regtest" / ".cookie",
            zmq_hashblock=f"tcp://127.0.0.1:{self._zmq_port}",
        )

    def command(self, home: Path) -> tuple[list[str], dict[str, str]]:
        arguments = [
            self._program,
            "-regtest",
            f"-datadir={home}",
            "-server",
            f"-rpcport={self._port}",
            "-rpcbind=127.0.0.1",
            "-rpcallowip=127.0.0.1",
            f"-zmqpubhashblock=tcp://127.0.0.1:{self._zmq_port}",
            "-listen=0",
            "-connect=0",
            "-dnsseed=0",
            "-acceptnonstdtxn=1",
            "-printtoconsole=1",
            "-nodebuglogfile",
        ]
        return arguments, {}


def _find() -> str:
    """The binary; the test is skipped without one, in CI too: it is built, not installed."""
    program = os.environ.get("BITCOIND", "")
    if not program or shutil.which(program) is None:
        pytest.skip("no Bitcoin Core: set BITCOIND to its bitcoind")
    return program
