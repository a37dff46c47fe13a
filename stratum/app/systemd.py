"""What a service manager is told: one datagram to the socket that it names (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(*lines: str) -> None:
    """Say it where somebody listens. Nothing depends on being heard."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket, as the man page writes it
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        with contextlib.suppress(OSError):
            sender.sendto("\n".join(lines).encode(), address)
