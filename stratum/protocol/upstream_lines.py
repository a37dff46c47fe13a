"""Read each line of a pool into a value.

Generous in what it takes (a port as a string, numbers without their leading zeros, five shapes
of an error) and exact in what it makes of it: a difficulty is the very decimal on the wire, since
a share must meet what the pool *printed*, not the nearest float. Every reader raises
UpstreamError for what it cannot use; none knows what came before. `protocol/upstream.py` does.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

from stratum.errors import UpstreamError
from stratum.protocol.messages import ErrorCode, Response, swap_words
from stratum.protocol.upstream_events import (
    DifficultyChanged,
    ExtranonceChanged,
    MessageShown,
    ReconnectAsked,
    Terms,
    UpstreamJob,
    share_target,
)

#: The reference's rule 24 says 16 branches; 2^24 transactions don't fit a block.
_MAX_BRANCH = 24

#: A difficulty of 2^-32 has 32 decimals; past this length it is no difficulty.
_MAX_NUMBER_TEXT = 128

_MAX_TEXT = 200
_MAX_JOB_ID = 128
_MAX_EXTRANONCE1 = 32
_MAX_EXTRANONCE2 = 16  # cgminer's limit

_NUMBER = re.compile(r"(?:0x)?([0-9a-fA-F]{1,8})", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*", re.ASCII)

#: ckpool and others reject in words only; these give the words their code back.
_CODE_OF_WORDS = (
    ("duplicate", ErrorCode.DUPLICATE),
    ("above target", ErrorCode.LOW_DIFFICULTY),
    ("low diff", ErrorCode.LOW_DIFFICULTY),
    ("high-hash", ErrorCode.LOW_DIFFICULTY),
    ("stale", ErrorCode.JOB_NOT_FOUND),
    ("jobid", ErrorCode.JOB_NOT_FOUND),
    ("job not found", ErrorCode.JOB_NOT_FOUND),
    ("unauthori", ErrorCode.UNAUTHORIZED),
)


def read_notify(params: Any, terms: Terms) -> UpstreamJob:
    """The job of a `mining.notify`. `clean_jobs` is the last element, as ESP-Miner reads it."""
    values = _array("mining.notify", params, 8)
    branch = values[4]
    if type(branch) is not list or len(branch) > _MAX_BRANCH:
        raise UpstreamError(f"merkle_branch must be an array of at most {_MAX_BRANCH}")
    return UpstreamJob(
        job_id=_text(values[0], "job_id", _MAX_JOB_ID),
        prevhash=swap_words(_hex(values[1], "prevhash", 32)),
        coinb1=_hex(values[2], "coinb1"),
        coinb2=_hex(values[3], "coinb2"),
        branch=tuple([_hex(node, "merkle_branch", 32) for node in branch]),
        version=_number(values[5], "version"),
        nbits=_number(values[6], "nbits"),
        ntime=_number(values[7], "ntime"),
        clean_jobs=len(values) > 8 and values[-1] is True,
        difficulty=terms.difficulty,
        target=terms.target,
        extranonce1=terms.extranonce1,
        extranonce2_size=terms.extranonce2_size,
        version_mask=terms.version_mask,
    )


def read_difficulty(line: bytes) -> DifficultyChanged:
    """The exact value of a whole `mining.set_difficulty` line, which parse_line has passed.

    Read from the line's own text: parse_line's float would round 0.001, and a weight of 2^-32
    has more digits than a float's repr.
    """
    try:
        params = _EXACT_DECODER.decode(line.decode("utf-8")).get("params")
        value = _array("mining.set_difficulty", params, 1)[0]
        if type(value) is str:
            value = _exact_number(value)
    except (ArithmeticError, ValueError) as exc:
        raise UpstreamError(f"difficulty is unreadable: {exc}") from exc
    if type(value) is not int and type(value) is not Decimal:
        raise UpstreamError(f"difficulty is a {type(value).__name__}, expected a number")
    if value <= 0:
        raise UpstreamError(f"difficulty is {value}, expected more than 0")

    difficulty = Fraction(value)
    target = share_target(difficulty)
    if not target:
        raise UpstreamError("difficulty is beyond what any hash can meet")
    return DifficultyChanged(difficulty, target)


def _exact_number(text: str) -> Decimal:
    """A Decimal within a float's range: Fraction(Decimal("1e999999999")) would never end."""
    if len(text) > _MAX_NUMBER_TEXT:
        raise ValueError(f"number of {len(text)} characters")
    magnitude = abs(float(text))
    if not magnitude:
        return Decimal(0)  # so small that a float holds none of it
    if not 1e-300 < magnitude < 1e300:
        raise ValueError(f"number {text} out of range")
    return Decimal(text)


_EXACT_DECODER = json.JSONDecoder(parse_float=_exact_number)


def read_subscription(result: Any) -> tuple[bytes, int, str | None]:
    """extranonce1, extranonce2_size and the session id, None where the pool gives none."""
    values = _array("mining.subscribe", result, 3)
    extranonce1, size = _extranonce(values[1], values[2])
    return extranonce1, size, _session_id(values[0])


def _session_id(subscriptions: Any) -> str | None:
    """The id beside "mining.notify", in a list of pairs or in a single pair; cgminer reads both."""
    if type(subscriptions) is not list:
        return None
    pairs = [subscriptions, *subscriptions]
    for pair in pairs:
        if type(pair) is list and len(pair) >= 2 and pair[0] == "mining.notify":
            found = pair[1]
            return found if type(found) is str and 0 < len(found) <= _MAX_JOB_ID else None
    return None


def read_extranonce(params: Any) -> ExtranonceChanged:
    values = _array("mining.set_extranonce", params, 2)
    return ExtranonceChanged(*_extranonce(values[0], values[1]))


def _extranonce(extranonce1: Any, size: Any) -> tuple[bytes, int]:
    raw = _hex(extranonce1, "extranonce1")
    if len(raw) > _MAX_EXTRANONCE1:
        raise UpstreamError(f"extranonce1 is {len(raw)} bytes, expected {_MAX_EXTRANONCE1}")
    if type(size) is not int or not 1 <= size <= _MAX_EXTRANONCE2:
        raise UpstreamError(f"extranonce2_size must be 1 to {_MAX_EXTRANONCE2}")
    return raw, size


def read_configured_mask(result: Any, wanted: int) -> int:
    """The mask that `mining.configure` granted, 0 where version rolling was declined (BIP 310)."""
    if type(result) is not dict or result.get("version-rolling") is not True:
        return 0
    mask = result.get("version-rolling.mask")
    return wanted if mask is None else _number(mask, "version-rolling.mask") & wanted


def read_mask(params: Any) -> int:
    return _number(_array("mining.set_version_mask", params, 1)[0], "version_mask")


def read_reconnect(params: Any) -> ReconnectAsked:
    """Host, port as a number or a string, seconds to wait; each may be missing."""
    values = [*params, None, None, None] if type(params) is list else [None] * 3
    host = values[0] if type(values[0]) is str and values[0] else None
    port = _small_number(values[1])
    wait_s = _small_number(values[2])
    return ReconnectAsked(host, port if port and port < 65536 else None, wait_s or 0)


def _small_number(value: Any) -> int | None:
    if type(value) is str and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value if type(value) is int and 0 <= value < 10**9 else None


def read_message(params: Any) -> MessageShown:
    values = _array("client.show_message", params, 1)
    return MessageShown(printable(values[0]))


def read_refusal(response: Response) -> tuple[int, str]:
    """Code and text of an error, in any of the shapes that pools send.

    An array `[code, text, …]`, an object, a string, ckpool's `reject-reason`, or a bare `false`.
    """
    error = response.error
    code: Any = None
    text: Any = error if error is not None else response.reject_reason
    if type(error) is list:
        code, text = [*error, None, None][:2]
    elif type(error) is dict:
        code, text = error.get("code"), error.get("message")

    words = printable(text) if type(text) is str else ""
    if type(code) is not int:
        code = _code_of_words(words)
    return code, words or "rejected without a reason"


def _code_of_words(words: str) -> int:
    lower = words.lower()
    return next((code for part, code in _CODE_OF_WORDS if part in lower), ErrorCode.OTHER)


def printable(text: Any) -> str:
    """For a terminal or a log: one line, no control characters, at most 200 characters."""
    return "".join(char if char.isprintable() else " " for char in str(text)[:_MAX_TEXT])


def _array(method: str, params: Any, least: int) -> list[Any]:
    if type(params) is not list or len(params) < least:
        raise UpstreamError(f"{method} needs an array of at least {least}")
    return params


def _text(value: Any, name: str, longest: int) -> str:
    if type(value) is not str or not 0 < len(value) <= longest:
        raise UpstreamError(f"{name} must be a string of 1 to {longest} characters")
    return value


def _hex(value: Any, name: str, size: int | None = None) -> bytes:
    if type(value) is not str or not _HEX.fullmatch(value):
        raise UpstreamError(f"{name} must be hex digits")
    if size is not None and len(value) != 2 * size:
        raise UpstreamError(f"{name} has {len(value)} hex digits, expected {2 * size}")
    return bytes.fromhex(value)


def _number(value: Any, name: str) -> int:
    """Up to eight hex digits: public-pool sends them without their leading zeros."""
    match = _NUMBER.fullmatch(value) if type(value) is str else None
    if not match:
        raise UpstreamError(f"{name} must be at most 8 hex digits")
    return int(match[1], 16)


def is_true(response: Response) -> bool:
    """`result` must be the very `true`, as cgminer demands; an empty error is none."""
    return response.result is True and not response.error
