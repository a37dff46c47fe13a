"""`[[node]]`: where each node is, and where its credentials come from.

Three ways, one per node: `cookie_file` (Bitcoin Core writes it at each start), `user` with
`password_file`, or `user` with the environment's BASELOAD_NODE_PASSWORD. A password in the file
itself works too, for tests; the environment's is then not looked at.

A password file must be there when the pool starts. A cookie need not be: a machine that boots
may start the pool first, and the node's client reads the cookie when it needs it. Only its
directory has to exist, which catches the typing error.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from stratum.config import values
from stratum.config.table import Table
from stratum.config.values import Fault
from stratum.node.settings import NodeSettings

#: For every node that has a `user` and neither `password` nor `password_file`.
PASSWORD_VARIABLE = "BASELOAD_NODE_PASSWORD"

#: More is no password but a wrong path.
_MAX_SECRET_BYTES = 4096

_ONE_LINE = "it should hold the password on one line, and nothing else"

_WAYS = f"set cookie_file, or user and password_file, or user and {PASSWORD_VARIABLE}"


class Credentials(NamedTuple):
    """As NodeSettings wants them: a cookie, or a user with a password."""

    user: str = ""
    password: str = ""
    cookie_file: Path | None = None


def read_nodes(root: Table, environ: Mapping[str, str]) -> tuple[NodeSettings, ...]:
    """All nodes in order of preference; at least one, no two alike."""
    tables = root.tables("node")
    if not tables and root.sound("node"):
        root.complain("node", "is missing", "add a [[node]] table with url and credentials")

    nodes: list[NodeSettings] = []
    for table in tables:
        node = _read_node(table, environ)
        twin = [other for other in nodes if other.url == node.url]
        if node.url and twin:
            table.complain("url", "is the same as an earlier node's", "remove one of the two")
        nodes.append(node)
    return tuple(nodes)


def _read_node(table: Table, environ: Mapping[str, str]) -> NodeSettings:
    url = table.read(
        "url", values.http_url, "", required=True, remedy="write it like http://127.0.0.1:8332"
    )
    credentials = _read_credentials(table, environ)
    zmq_hashblock = table.read("zmq_hashblock", values.tcp_url, "")
    table.close()
    return NodeSettings(url, *credentials, zmq_hashblock=zmq_hashblock)


def _read_credentials(table: Table, environ: Mapping[str, str]) -> Credentials:
    """Check that exactly one of the ways is taken, and take it."""
    user = table.read("user", values.text, "")
    inline = table.read("password", values.secret, "")
    from_file = table.read("password_file", secret_file, "")
    cookie_file = table.read("cookie_file", cookie_path, None)

    named = [key for key in ("user", "password", "password_file") if table.has(key)]
    if table.has("cookie_file"):
        if named:
            fault = f"stands beside {' and '.join(named)}"
            table.complain("cookie_file", fault, "keep one of the two ways")
        return Credentials(cookie_file=cookie_file)
    if not named:
        table.complain("user", "is missing, and there is no cookie_file either", _WAYS)
        return Credentials()
    if not table.has("user"):
        table.complain("user", f"is missing beside {named[0]}", "add the node's rpcuser")
    elif not user and table.sound("user"):
        table.complain("user", "is empty", "write the node's rpcuser")
    if ":" in user:
        fault = "holds a colon, which ends the name in HTTP (RFC 7617)"
        table.complain("user", fault, "choose another rpcuser")

    if table.has("password") and table.has("password_file"):
        table.complain("password_file", "stands beside password", "keep one of the two")
    if table.has("password") or table.has("password_file"):
        return Credentials(user, inline or from_file)
    if PASSWORD_VARIABLE not in environ:
        remedy = f"set password_file, or {PASSWORD_VARIABLE} in the environment"
        table.complain("password_file", "is missing beside user", remedy)
    return Credentials(user, environ.get(PASSWORD_VARIABLE, ""))


def secret_file(value: object) -> str:
    """The one line a secret file holds. No message shows it."""
    path = values.path(value)
    try:
        # stat first: opening a pipe would wait for a writer
        _check_secret_mode(path, path.stat().st_mode)
        with path.open("rb") as file:
            content = file.read(_MAX_SECRET_BYTES + 1)
        line = content.decode().rstrip("\r\n")
    except UnicodeDecodeError as exc:
        raise Fault(f"{path} is not UTF-8 text", _ONE_LINE) from exc
    except OSError as exc:
        raise _unreadable(path, exc) from exc

    if not line:
        raise Fault(f"{path} is empty", _ONE_LINE)
    if len(content) > _MAX_SECRET_BYTES or not line.isprintable():
        raise Fault(f"{path} holds more than one line of text", _ONE_LINE)
    return line


def cookie_path(value: object) -> Path:
    """The path of a cookie that exists, or that a node about to start can write."""
    path = values.path(value)
    try:
        if not path.exists():
            if not path.parent.is_dir():
                raise Fault(
                    f"{path.parent} is no directory", "it is in the node's datadir, per network"
                )
            return path
        _check_secret_mode(path, path.stat().st_mode)
    except OSError as exc:
        raise _unreadable(path, exc) from exc

    if not os.access(path, os.R_OK):
        raise Fault(f"{path} can't be read by this user", "start the node with -rpccookieperms")
    return path


def _unreadable(path: Path, exc: OSError) -> Fault:
    return Fault(f"{path} can't be read: {exc.strerror}", "it must be there, and readable")


def _check_secret_mode(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise Fault(f"{path} is no file", "name the file itself")
    # The group may read: that is how a service user is let in (-rpccookieperms=group).
    if mode & stat.S_IRWXO:
        raise Fault(
            f"{path} is open to every user of this machine (mode {mode & 0o777:o})",
            f"chmod 600 {path}",
        )
