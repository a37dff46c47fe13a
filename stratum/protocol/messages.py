"""One line of Stratum V1: parsed with suspicion, encoded with care.

CPython's json is lenient where this wire must not be (NaN, duplicate keys, deep nesting, huge
integers, UTF-16 by guess): every guard of the reference's §6.2 is here, once. Ids are echoed as
they came, with their JSON type (rule 1), and never used as a key, since True == 1 == 1.0.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from stratum.errors import ProtocolError

MAX_DEPTH = 8
MAX_INTEGER_DIGITS = 32
MAX_ID_BYTES = 128

#: Past this nobody's mistake: such a line is not parsed at all.
_HOSTILE_DEPTH = 64

_HEX8 = re.compile(r"[0-9a-fA-F]{8}", re.ASCII)

#: A string, closed or not. Possessive, and an unclosed one goes to the end of the line: no byte
#: is looked at twice, whatever a hostile line holds.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)

#: Brackets as steps of depth, +1 and -1 (two's complement); everything else is deleted.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


class ErrorCode:
    """The numbers in the wire's error triple (reference §1.0)."""

    OTHER = 20
    JOB_NOT_FOUND = 21
    DUPLICATE = 22
    LOW_DIFFICULTY = 23
    UNAUTHORIZED = 24
    NOT_SUBSCRIBED = 25
    METHOD_NOT_FOUND = -3


class MalformedLine(ProtocolError):
    """Not a JSON object in strict UTF-8: the connection is closed, with a strike."""


class Refusal(ProtocolError):
    """A request that is answered with an error; the connection stays."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Request:
    """A line with a method. `wants_reply` is False where the id is null or absent (rule 2)."""

    id: Any
    method: Any
    params: Any
    wants_reply: bool
    too_deep: bool


@dataclass(frozen=True, slots=True)
class Response:
    """A line with a result or an error and no method."""

    id: Any
    result: Any
    error: Any
    reject_reason: Any


Message = Request | Response


def parse_line(line: bytes) -> Message | None:
    """Read one line; None if there is nothing but white space in it.

    Raises MalformedLine for anything but one JSON object. A line with neither method nor result
    comes back as a Request without a method, to be counted and ignored.
    """
    if not line.strip(b" \t\r"):
        return None
    depth = nesting_depth(line)
    if depth > _HOSTILE_DEPTH:
        raise MalformedLine(f"nesting of {depth}, expected at most {MAX_DEPTH}")

    try:
        value = _DECODER.decode(line.decode("utf-8", "strict"))
    except (ValueError, RecursionError, OverflowError) as exc:
        raise MalformedLine(f"not a JSON value: {exc}") from exc
    if type(value) is not dict:
        raise MalformedLine(f"top level is {type(value).__name__}, expected an object")

    method = value.get("method")
    if method is None and ("result" in value or "error" in value):
        return Response(
            value.get("id"), value.get("result"), value.get("error"), value.get("reject-reason")
        )
    params = value.get("params")
    if params is None or params == {}:
        params = []
    return Request(value.get("id"), method, params, value.get("id") is not None, depth > MAX_DEPTH)


def nesting_depth(line: bytes) -> int:
    """How deep brackets nest outside strings; cheap where there are few brackets."""
    if line.count(b"[") + line.count(b"{") <= MAX_DEPTH:
        return 0
    steps = _STRING.sub(b"", line).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b"), initial=0))


class _NotFinite:
    """In place of NaN, Infinity and what overflows to it: of no type that any reader takes.

    So the request that holds one is refused with 20 (case H053), and the connection stays.
    """

    def __repr__(self) -> str:
        return "a number that is not finite"


_NOT_FINITE = _NotFinite()


def _replace_constant(name: str) -> _NotFinite:
    return _NOT_FINITE


def _bounded_int(digits: str) -> int:
    count = len(digits.lstrip("-"))
    if count > MAX_INTEGER_DIGITS:
        raise ValueError(f"integer of {count} digits, expected at most {MAX_INTEGER_DIGITS}")
    return int(digits)


def _finite_float(digits: str) -> float | _NotFinite:
    number = float(digits)
    return _NOT_FINITE if math.isinf(number) else number


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate key")
    return value


_DECODER = json.JSONDecoder(
    parse_constant=_replace_constant,
    parse_int=_bounded_int,
    parse_float=_finite_float,
    object_pairs_hook=_unique_keys,
)


#: json.dumps would make an encoder for each call.
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def encode_id(request_id: Any) -> bytes:
    """The id as JSON, ASCII-escaped. Raises Refusal where it can't be echoed or is too long."""
    try:
        text = _encode(request_id)
    except TypeError as exc:  # a number in it is not finite
        raise Refusal(ErrorCode.OTHER, "id is not JSON") from exc
    if len(text) > MAX_ID_BYTES:
        raise Refusal(ErrorCode.OTHER, f"id is longer than {MAX_ID_BYTES} bytes")
    return text.encode("ascii")


def encode_result(encoded_id: bytes, result: Any) -> bytes:
    """A success. `error` is always there: NiceHash fails without it."""
    body = _encode(result).encode("ascii")
    return b'{"id":%b,"result":%b,"error":null}\n' % (encoded_id, body)


def encode_error(encoded_id: bytes, code: int, text: str, result: bytes = b"null") -> bytes:
    """A refusal, in the array form that every client reads (cpuminer reads no other)."""
    body = _encode([code, text, None]).encode("ascii")
    return b'{"id":%b,"result":%b,"error":%b}\n' % (encoded_id, result, body)


def encode_notification(method: str, params: list[Any]) -> bytes:
    """A notification: id null, no result key (rule 6)."""
    body = _encode(params)
    return f'{{"id":null,"method":"{method}","params":{body}}}\n'.encode("ascii")


def encode_request(request_id: int, method: str, params: list[Any]) -> bytes:
    """A request of ours, as a client or as a server that asks for a version."""
    body = _encode(params)
    return f'{{"id":{request_id},"method":"{method}","params":{body}}}\n'.encode("ascii")


def encode_set_difficulty(decimal: str) -> bytes:
    """`decimal` is the exact decimal of a weight (`DifficultyScale.wire`): never a float's repr."""
    return b'{"id":null,"method":"mining.set_difficulty","params":[%b]}\n' % decimal.encode("ascii")


def parse_hex32(value: Any, name: str) -> int:
    """A 32-bit number in exactly eight hex digits, either case. Raises Refusal(20)."""
    if type(value) is not str or not _HEX8.fullmatch(value):
        raise Refusal(ErrorCode.OTHER, f"{name} must be 8 hex digits")
    return int(value, 16)


def parse_hex(value: Any, size: int, name: str) -> bytes:
    """Exactly `size` bytes in hex: `bytes.fromhex` alone would skip blanks. Raises Refusal(20)."""
    if type(value) is not str or len(value) != 2 * size or not _is_hex(value):
        raise Refusal(ErrorCode.OTHER, f"{name} must be {2 * size} hex digits")
    return bytes.fromhex(value)


def _is_hex(text: str) -> bool:
    return text.isascii() and text.isalnum() and not set(text) - _HEX_DIGITS


_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


def swap_words(prevhash: bytes) -> bytes:
    """Reverse the bytes inside each 4-byte word: between a header's prevhash and notify's.

    This order exists nowhere but in `mining.notify`; it is its own inverse.
    """
    return b"".join(prevhash[i : i + 4][::-1] for i in range(0, len(prevhash), 4))
