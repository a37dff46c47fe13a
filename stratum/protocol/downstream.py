"""The server's side of the wire: what a rig may ask, read into values, and what it is told.

Each `read_…` takes the `params` of one method as they came and returns a checked value, or raises
Refusal with the wire's code; each `…_result` gives the result to encode. Nothing here remembers
anything: who is subscribed, authorized or paid is the session's business (`mining.session`).

What must never fail for its content (configure, subscribe) does not: real firmware sends odd
things there, and what can't be granted is answered `false`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from stratum.protocol.messages import (
    ErrorCode,
    Refusal,
    encode_notification,
    encode_request,
    parse_hex,
    parse_hex32,
)
from stratum.units import DIFF1_TARGET

#: BIP 320's bits 13–28: contiguous, because ESP-Miner shifts the mask (rule 16).
VERSION_ROLLING_MASK = 0x1FFFE000

#: Rule 18: what every direct miner can use, and room for 2^64 hashes a connection.
EXTRANONCE2_SIZE = 8

MAX_EXTENSIONS = 16
MAX_USER_AGENT = 128
MAX_NAME = 191  # datum's limit; Whatsminer overflows past 127 by itself
MAX_SUBMIT_PARAMS = 8

GET_VERSION_ID = 1 << 30

_DEFAULT_MASK = 0xFFFFFFFF
_MASK = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,8})", re.ASCII)
_TARGET = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_NAME = re.compile(r"(?![._])[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Configure:
    """What `mining.configure` asked for (BIP 310); absent extensions are None or False."""

    extensions: tuple[str, ...]
    version_rolling_mask: int | None = None
    minimum_difficulty: Fraction | None = None
    subscribe_extranonce: bool = False
    info: Mapping[str, str] = field(default_factory=dict)


def read_configure(params: Any) -> Configure:
    """Only a wrong shape of the outer list is refused; content never is (BIP 310)."""
    if type(params) is not list or (params and type(params[0]) is not list):
        raise Refusal(ErrorCode.OTHER, "params must be a list of extensions and an object")
    asked = [code for code in params[0] if type(code) is str] if params else []
    extensions = tuple(dict.fromkeys(asked))[:MAX_EXTENSIONS]
    options = params[1] if len(params) > 1 and type(params[1]) is dict else {}

    return Configure(
        extensions,
        _read_mask(options) if "version-rolling" in extensions else None,
        _read_minimum(options) if "minimum-difficulty" in extensions else None,
        "subscribe-extranonce" in extensions,
        _read_info(options) if "info" in extensions else {},
    )


def _read_mask(options: dict[str, Any]) -> int:
    mask = options.get("version-rolling.mask")
    if mask is None:
        return _DEFAULT_MASK
    match = _MASK.fullmatch(mask) if type(mask) is str else None
    return int(match[1], 16) if match else 0


def _read_minimum(options: dict[str, Any]) -> Fraction | None:
    minimum = _number(options.get("minimum-difficulty.value"))
    return None if minimum is None or minimum < 0 else minimum


def _number(value: Any) -> Fraction | None:
    """An integer or a float, exactly; a boolean is no number here."""
    return Fraction(value) if type(value) in (int, float) else None


def _read_info(options: dict[str, Any]) -> dict[str, str]:
    return {
        key.removeprefix("info."): printable(value)
        for key, value in options.items()
        if key.startswith("info.") and type(value) is str
    }


def configure_result(request: Configure, mask: int) -> dict[str, Any]:
    """Exactly the extensions asked for, each with a value (rule 17); `mask` is what we grant."""
    result: dict[str, Any] = {}
    for code in request.extensions:
        match code:
            case "version-rolling":
                result[code] = mask != 0
                if mask:
                    result["version-rolling.mask"] = f"{mask:08x}"
            case "minimum-difficulty":
                result[code] = request.minimum_difficulty is not None
            case "subscribe-extranonce" | "info":
                result[code] = True
            case _:
                # An extension may bear the name of another one's parameter.
                result.setdefault(code, False)
    return result


@dataclass(frozen=True, slots=True)
class Subscribe:
    """`session_id` is what a rig kept of an earlier connection; empty where it gave none."""

    user_agent: str
    session_id: str


def read_subscribe(params: Any) -> Subscribe:
    """Any shape is taken: what is not a string counts as absent."""
    given = params if type(params) is list else []
    texts = [item if type(item) is str else "" for item in given[:2]] + ["", ""]
    return Subscribe(printable(texts[0])[:MAX_USER_AGENT], texts[1][:MAX_USER_AGENT])


def subscribe_result(session_id: str, extranonce1: bytes, extranonce2_size: int) -> list[Any]:
    """Three elements: every client looks for `mining.notify` and keeps its id for a resume."""
    subscriptions = [["mining.set_difficulty", session_id], ["mining.notify", session_id]]
    return [subscriptions, extranonce1.hex(), extranonce2_size]


@dataclass(frozen=True, slots=True)
class Authorize:
    """`account` is the worker name up to its first dot, `worker` the rest."""

    worker_name: str
    account: str
    worker: str
    password: str


def read_authorize(params: Any) -> Authorize:
    """Missing or not a string is 20; a name that must not reach a log or a file is 24."""
    if type(params) is not list or not params or type(params[0]) is not str:
        raise Refusal(ErrorCode.OTHER, "worker name must be a string")
    name = params[0]
    if not _NAME.fullmatch(name) or "/" in name or len(name) > MAX_NAME:
        raise Refusal(
            ErrorCode.UNAUTHORIZED,
            f"worker name must be 1 to {MAX_NAME} printable ASCII characters without blanks or "
            "slashes, not beginning with . or _",
        )
    account, _, worker = name.partition(".")
    password = params[1] if len(params) > 1 and type(params[1]) is str else ""
    return Authorize(name, account, worker, password)


@dataclass(frozen=True, slots=True)
class Submit:
    """A share as submitted; numbers are those that the hex digits spell, big-endian."""

    worker_name: str
    job_id: str
    extranonce2: bytes
    ntime: int
    nonce: int
    version_bits: int | None  # None: five parameters, or a null sixth


def read_submit(params: Any, extranonce2_size: int) -> Submit:
    """Hex must be exactly as wide as its field: padding or cutting opens duplicate holes."""
    if type(params) is not list or not 5 <= len(params) <= MAX_SUBMIT_PARAMS:
        raise Refusal(ErrorCode.OTHER, f"submit takes 5 or 6 parameters, not {_count(params)}")
    if type(params[0]) is not str or type(params[1]) is not str:
        raise Refusal(ErrorCode.OTHER, "worker name and job id must be strings")
    bits = params[5] if len(params) > 5 else None
    return Submit(
        params[0],
        params[1],
        parse_hex(params[2], extranonce2_size, "extranonce2"),
        parse_hex32(params[3], "ntime"),
        parse_hex32(params[4], "nonce"),
        None if bits is None else parse_hex32(bits, "version_bits"),
    )


def _count(params: Any) -> str:
    return str(len(params)) if type(params) is list else type(params).__name__


def read_suggested_difficulty(params: Any) -> Fraction:
    """An integer or a float, zero meaning "no wish". Refuses negatives, strings and booleans."""
    wish = _number(params[0]) if type(params) is list and params else None
    if wish is None:
        raise Refusal(ErrorCode.OTHER, "suggested difficulty must be a number")
    if wish < 0:
        raise Refusal(ErrorCode.OTHER, "suggested difficulty must not be negative")
    return wish


def read_suggested_target(params: Any) -> Fraction:
    """The difficulty of a target in 64 hex digits, big-endian."""
    value = params[0] if type(params) is list and params else None
    match = _TARGET.fullmatch(value) if type(value) is str else None
    target = int(match[0], 16) if match else 0
    if not target:
        raise Refusal(ErrorCode.OTHER, "suggested target must be 64 hex digits and not zero")
    return Fraction(DIFF1_TARGET, target)


def set_version_mask(mask: int) -> bytes:
    """Valid at once (BIP 310); only for rigs that configured, and never before authorize."""
    return encode_notification("mining.set_version_mask", [f"{mask:08x}"])


def set_extranonce(extranonce1: bytes, extranonce2_size: int) -> bytes:
    """Takes effect with the next notify; only for rigs that subscribed to it (reference §1.8)."""
    return encode_notification("mining.set_extranonce", [extranonce1.hex(), extranonce2_size])


def show_message(text: str) -> bytes:
    """Some firmware prints it raw: ASCII, at most 200 characters."""
    return encode_notification("client.show_message", [printable(text)[:200]])


def get_version() -> bytes:
    """Ask a rig for its name. The id is one that no share of it can have (rule 7)."""
    return encode_request(GET_VERSION_ID, "client.get_version", [])


def reconnect() -> bytes:
    """Come back here. No host: cgminer obeys only its own domain, ESP-Miner none at all."""
    return encode_notification("client.reconnect", [])


def printable(text: str) -> str:
    """ASCII that is safe in logs and pages; anything else is a question mark."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)
