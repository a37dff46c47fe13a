"""bcoin, a full node in JavaScript: the peer that every machine with Node.js can have.

It differs from Bitcoin Core on purpose here: segwit only from block 432 on, its own address
prefixes on regtest, no ZMQ, other words in its answers. Installed from `package.json` beside this
file; the environment variable BCOIN_MODULES names another node_modules.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from stratum.node.settings import NodeSettings
from tests.peers.node import FullNode, free_port, missing

_ROOT = Path(__file__).resolve().parents[2]
_API_KEY = "regtest-only"


class Bcoin(FullNode):
    """A bcoin node on regtest, without peers and without a wallet."""

    bech32_prefix = "rb"
    p2sh_version = 0x26
    segwit_height = 433  # active from 432, but its mempool waits for that block

    def __init__(self) -> None:
        self._program = _find()
        self._port = free_port()
        super().__init__(
            NodeSettings(f"http://127.0.0.1:{self._port}", user="x", password=_API_KEY)
        )

    def command(self, home: Path) -> tuple[list[str], dict[str, str]]:
        arguments = [
            *self._program,
            "--network=regtest",
            f"--prefix={home}",
            "--memory=false",
            f"--http-port={self._port}",
            f"--api-key={_API_KEY}",
            "--no-wallet",
            "--listen=false",
            "--no-dns",
            "--only=127.0.0.1:1",  # where nobody is: no peers
            "--workers=false",
            "--bip37=false",
            "--log-level=warning",
        ]
        return arguments, {"NODE_BACKEND": "js"}


def _find() -> list[str]:
    """The command that runs bcoin; skips the test where there is none."""
    node = shutil.which("node")
    if node is None:
        missing("no Node.js for bcoin: install node")
    modules = Path(os.environ.get("BCOIN_MODULES") or _ROOT / ".venv" / "peers" / "node_modules")
    program = modules / "bcoin" / "bin" / "node"
    if not program.exists():
        missing("bcoin is not installed: `make test` does it")
    return [node, str(program)]
