"""How a node is reached: one `[[node]]` table."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """One Bitcoin node, in order of preference. Secrets never appear in `name` or in a log."""

    url: str  # http://host:port, no credentials in it
    user: str = ""
    password: str = field(default="", repr=False)
    cookie_file: Path | None = None  # re-read at every refusal: Core writes a new one per start
    zmq_hashblock: str = ""  # tcp://host:port; empty: longpoll and polling alone

    @property
    def name(self) -> str:
        """`host:port`, for logs, metrics and messages."""
        return urlsplit(self.url).netloc.rpartition("@")[2]
