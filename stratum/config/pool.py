"""The config of a pool: what the file must hold, and what it becomes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stratum.bitcoin.networks import NETWORKS, Network
from stratum.config import values
from stratum.config.document import read_document
from stratum.config.nodes import read_nodes
from stratum.config.payout import read_payout
from stratum.config.table import Table
from stratum.config.tiers import read_ports
from stratum.config.values import Fault
from stratum.errors import ConfigError
from stratum.mining.settings import LimitSettings, PayoutSettings, TierSettings
from stratum.node.settings import NodeSettings
from stratum.observability.settings import HttpSettings

#: When a log record is on the disk: soon after the answer, or before it (DESIGN §3).
DURABILITY = ("batch", "strict")

#: Long enough for a node's restart, short enough that rigs lose little before their backup.
NO_WORK_CLOSE_S = 120.0

#: The shape of the file is settled; the parts behind these tables are not built yet.
_LATER_TABLES = {
    "upstream": "the proxy",
    "power": "the power controller",
    "signal": "the power controller",
    "meter": "the power controller",
}


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """Everything `baseload pool` is told; checked, and at odds with nothing inside itself."""

    network: Network
    data_dir: Path
    nodes: tuple[NodeSettings, ...]
    payout: PayoutSettings
    listen: tuple[TierSettings, ...]
    limits: LimitSettings = LimitSettings()
    http: HttpSettings = HttpSettings()
    durability: str = DURABILITY[0]
    no_work_close_s: float = NO_WORK_CLOSE_S

    @property
    def is_strict(self) -> bool:
        """Whether a share is answered only once it outlives a power cut."""
        return self.durability == "strict"


def load(path: Path, environ: Mapping[str, str] = os.environ) -> PoolConfig:
    """Read and check a file. Raises ConfigError with every problem it has."""
    return read_pool(read_document(path), environ)


def read_pool(document: Mapping[str, Any], environ: Mapping[str, str]) -> PoolConfig:
    """Check what TOML made of a file. Raises ConfigError with every problem it has."""
    root = Table(document)
    network = root.read(
        "network", _network, None, required=True, remedy=f"one of {', '.join(NETWORKS)}"
    )
    data_dir = root.read("data_dir", _directory, Path(), required=True, remedy='such as "data"')
    no_work_close_s = root.read("no_work_close_s", values.number(0, above=True), NO_WORK_CLOSE_S)
    nodes = read_nodes(root, environ)
    payout = read_payout(root, network)
    listen, http = read_ports(root, network)
    limits = _read_limits(root.table("limits"))
    durability = _read_durability(root.table("log"))
    for key, part in _LATER_TABLES.items():
        root.read(key, values.not_yet(part, f"remove {key}"), None)
    root.close()

    if root.problems or network is None:
        raise ConfigError(root.problems)
    return PoolConfig(
        network, data_dir, nodes, payout, listen, limits, http, durability, no_work_close_s
    )


def _network(value: object) -> Network:
    return NETWORKS[values.one_of(NETWORKS)(value)]


def _directory(value: object) -> Path:
    path = values.path(value)
    try:
        is_file = path.exists() and not path.is_dir()
    except OSError as exc:
        raise Fault(f"{path} can't be used: {exc.strerror}", "choose another") from exc
    if is_file:
        raise Fault(f"{path} is no directory", "choose another")
    return path


def _read_limits(table: Table) -> LimitSettings:
    default = LimitSettings()
    limits = LimitSettings(
        table.read("lines_per_second", values.number(0), default.lines_per_second),
        table.read("connections_per_address", values.whole(0), default.connections_per_address),
        table.read("ban_score", values.whole(0), default.ban_score),
    )
    table.close()
    return limits


def _read_durability(table: Table) -> str:
    durability = table.read("durability", values.one_of(DURABILITY), DURABILITY[0])
    table.close()
    return durability
