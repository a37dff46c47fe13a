"""What a single value of the file may be.

A converter takes what tomllib made of the value and returns it as the program's own type, or
raises Fault with what is wrong and what to write instead. TOML's types are taken at their word:
`true` is no number though Python says it is 1, `"1024"` is no number, but 1024 is good enough
where a fraction may stand.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

#: RFC 1123 names and dotted IPv4; `_` because container networks use it. A label that is empty
#: or longer than 63 would reach getaddrinfo and come back as a UnicodeError.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)

#: Beyond it a float, and so a JSON reader, no longer tells neighbours apart.
_LAST_EXACT = 2**53

_MAX_PORT = 65535

#: Longer values are cut in messages; a paste of a whole file must not fill the terminal.
_SHOWN_CHARS = 60


class Fault(ValueError):
    """One value is wrong: `fault` completes the sentence "KEY: …", `remedy` says what to do."""

    def __init__(self, fault: str, remedy: str = "") -> None:
        super().__init__(fault)
        self.fault = fault
        self.remedy = remedy


class Endpoint(NamedTuple):
    """Where to listen. `str()` is what the file would say, IPv6 in brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def shown(value: object) -> str:
    """The value as the file has it, on one line, short, without control characters."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) >= 1 << 64:
        return "a number beyond 64 bits"  # Python refuses to print some of them
    if not isinstance(value, str):
        return str(value)
    if len(value) > _SHOWN_CHARS:
        value = value[:_SHOWN_CHARS] + "…"
    return json.dumps(value, ensure_ascii=not value.isprintable())


def text(value: object) -> str:
    """Any string."""
    if not isinstance(value, str):
        raise Fault(f"is {shown(value)}, no text", "put it in quotes")
    return value


def secret(value: object) -> str:
    """Any string, and no message ever shows what stood there."""
    if not isinstance(value, str):
        raise Fault("is no text", "put it in quotes")
    return value


def boolean(value: object) -> bool:
    """`true` or `false`, no other spelling."""
    if not isinstance(value, bool):
        raise Fault(f"is {shown(value)}", "write true or false, without quotes")
    return value


def whole(lowest: int, highest: int = _LAST_EXACT) -> Callable[[object], int]:
    """An integer within bounds."""
    bound = f"{lowest} or more" if highest == _LAST_EXACT else f"{lowest} to {highest}"

    def convert(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Fault(f"is {shown(value)}, no whole number", f"write {bound}{_bare(value)}")
        if not lowest <= value <= highest:
            side = "low" if value < lowest else "high"
            raise Fault(f"is {shown(value)}, too {side}", f"write {bound}")
        return value

    return convert


def number(lowest: float, *, above: bool = False) -> Callable[[object], float]:
    """A finite number not below `lowest`, or above it where `lowest` itself makes no sense."""
    bound = f"more than {lowest:g}" if above else f"{lowest:g} or more"

    def convert(value: object) -> float:
        amount = _finite(value, bound)
        if amount < lowest or (above and amount == lowest):
            raise Fault(f"is {shown(value)}, too low", f"write {bound}")
        return amount

    return convert


def _finite(value: object, bound: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Fault(f"is {shown(value)}, no number", f"write {bound}{_bare(value)}")
    try:
        amount = float(value)
    except OverflowError:
        amount = math.inf
    if not math.isfinite(amount):
        raise Fault(f"is {shown(value)}, no finite number", f"write {bound}")
    return amount


def _bare(value: object) -> str:
    return ", without quotes" if isinstance(value, str) else ""


def one_of(words: Collection[str]) -> Callable[[object], str]:
    """One of a few words, spelled exactly."""
    listed = ", ".join(words)

    def convert(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise Fault(f"is {shown(value)}", f"write one of {listed}")
        return value

    return convert


def not_yet(part: str, remedy: str) -> Callable[[object], None]:
    """Nothing: the file's shape is settled, what stands behind this key is not built."""

    def convert(value: object) -> None:
        raise Fault(f"{part} is not available in this version", remedy)

    return convert


def path(value: object) -> Path:
    """A path; `~` is the home directory, a relative one starts where baseload is started."""
    name = text(value)
    if not name.strip():
        raise Fault("is empty", "write a path")
    if not name.isprintable():
        raise Fault(f"is {shown(name)}", "write a path without control characters")
    try:
        return Path(name).expanduser()
    except RuntimeError as exc:
        raise Fault(f"is {shown(name)}, whose ~ has no home directory", "write it out") from exc


def endpoint(value: object) -> Endpoint:
    """`host:port` to listen on; IPv6 in brackets; port 0 lets the system choose."""
    written = text(value)
    example = "write it like 127.0.0.1:3333 or [::1]:3333; 0.0.0.0 is every IPv4 address"
    host, separator, port = written.rpartition(":")
    if not separator or not host or not port.isascii() or not port.isdigit():
        raise Fault(f"is {shown(written)}, no host:port", example)
    if len(port) > 5 or int(port) > _MAX_PORT:
        raise Fault(f"is {shown(written)}, whose port is above {_MAX_PORT}", example)

    if host.startswith("[") and host.endswith("]"):
        return Endpoint(_ipv6(host[1:-1], written), int(port))
    if not _HOST_NAME.fullmatch(host):
        raise Fault(f"is {shown(written)}, whose host is no name or address", example)
    return Endpoint(host, int(port))


def _ipv6(host: str, written: str) -> str:
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError as exc:
        fault = f"is {shown(written)}, whose brackets hold no IPv6 address"
        raise Fault(fault, "write it like [::1]") from exc


def http_url(value: object) -> str:
    """`http://host:port` of a service that takes credentials apart from the URL."""
    written = text(value)
    # Looked for first, and not shown: the message would carry the password into a log.
    if "@" in written:
        raise Fault("carries credentials", "move them to user and password_file, or cookie_file")
    return _url(written, ("http", "https"), "write it like http://127.0.0.1:8332")


def tcp_url(value: object) -> str:
    """`tcp://host:port`, the form in which ZeroMQ endpoints are written; empty is none."""
    written = text(value)
    return _url(written, ("tcp",), "write it like tcp://127.0.0.1:28332") if written else ""


def _url(written: str, schemes: tuple[str, ...], example: str) -> str:
    """Check scheme, host and port; what urlsplit would mend in silence is refused."""
    unfit = Fault(f"is {shown(written)}, no {schemes[0]}://host:port", example)
    if not written.isprintable() or " " in written:
        raise unfit
    try:
        parts = urlsplit(written)
        host, port = parts.hostname or "", parts.port
    except ValueError as exc:
        raise unfit from exc

    if parts.scheme not in schemes or not host or parts.query or parts.fragment:
        raise unfit
    if ":" in host:
        _ipv6(host, written)
    elif not _HOST_NAME.fullmatch(host):
        raise unfit
    if not port:
        raise Fault(f"is {shown(written)}, which names no port", example)
    if schemes == ("tcp",) and parts.path:
        raise unfit
    return written
