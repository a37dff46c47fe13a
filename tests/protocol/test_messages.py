"""One line at a time: what is JSON and what only CPython takes for it.

Labels like H038 are those of the reference's hostile inputs (§6.3), "trap" is its §6.2.
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.protocol.framing import MAX_LINE
from stratum.protocol.messages import (
    MAX_DEPTH,
    MAX_ID_BYTES,
    ErrorCode,
    MalformedLine,
    Refusal,
    Request,
    Response,
    encode_error,
    encode_id,
    nesting_depth,
    parse_line,
)


def request(line: str | bytes) -> Request:
    message = parse_line(line if isinstance(line, bytes) else line.encode())
    assert isinstance(message, Request)
    return message


# -- kinds of lines ----------------------------------------------------------------------------


def test_a_request_is_taken_apart() -> None:
    got = request('{"id":4,"method":"mining.submit","params":["u","1"],"jsonrpc":"2.0"}')
    assert got == Request(4, "mining.submit", ["u", "1"], wants_reply=True, too_deep=False)


@pytest.mark.parametrize("line", [b"", b" ", b"\t \r", b"  \r"])
def test_white_space_is_nothing(line: bytes) -> None:
    assert parse_line(line) is None


def test_white_space_around_the_value_is_legal() -> None:
    assert request('  \t{"id":1,"method":"m"} \t \r').method == "m"  # H008


@pytest.mark.parametrize("params", ["", ',"params":null', ',"params":{}', ',"params":[]'])
def test_missing_params_are_an_empty_list(params: str) -> None:
    assert request(f'{{"id":1,"method":"mining.subscribe"{params}}}').params == []  # H040, H041


def test_params_that_are_an_object_stay_one() -> None:
    assert request('{"id":1,"method":"m","params":{"worker":"USER"}}').params == {"worker": "USER"}


@pytest.mark.parametrize("line", ['{"method":"m"}', '{"id":null,"method":"m"}'])
def test_without_an_id_no_reply_is_wanted(line: str) -> None:
    assert not request(line).wants_reply  # H049, H059


@pytest.mark.parametrize("request_id", ["0", "false", '""', "[]", "{}", "-0.0"])
def test_an_id_that_python_calls_false_is_an_id(request_id: str) -> None:
    assert request(f'{{"id":{request_id},"method":"m"}}').wants_reply  # H061


@pytest.mark.parametrize("method", ["5", "null", "true", '["m"]', '""', '"mining.submit\\u0000"'])
def test_a_method_comes_as_it_is(method: str) -> None:
    assert request(f'{{"id":1,"method":{method}}}').method == json.loads(method)  # H044, H047


def test_a_line_without_method_and_result_is_a_request_without_a_method() -> None:
    assert request('{"id":1,"params":[]}').method is None  # H043


@pytest.mark.parametrize(
    ("line", "response"),
    [
        ('{"id":1,"result":true,"error":null}', Response(1, True, None, None)),  # H050
        ('{"id":42,"result":"pong","error":null}', Response(42, "pong", None, None)),  # H052
        ('{"id":1,"error":[20,"x",null]}', Response(1, None, [20, "x", None], None)),
        ('{"id":1,"method":null,"result":[]}', Response(1, [], None, None)),
        (
            '{"id":7,"result":false,"error":null,"reject-reason":"Above target"}',
            Response(7, False, None, "Above target"),
        ),
    ],
)
def test_a_line_with_a_result_or_an_error_is_a_response(line: str, response: Response) -> None:
    assert parse_line(line.encode()) == response


# -- what closes a connection ------------------------------------------------------------------

SUBSCRIBE = '{"id":1,"method":"mining.subscribe","params":[]}'

MALFORMED = {
    "H011 two values": SUBSCRIBE * 2,
    "H031 text": "not json",
    "H032 cut": '{"id":1,"method":"mining.subscribe","params":[]',
    "H034 array": "[]",
    "H035 batch": f"[{SUBSCRIBE},{SUBSCRIBE}]",
    "H038 duplicate id": '{"id":1,"id":2,"method":"mining.subscribe","params":[]}',
    "duplicate key inside": '{"id":1,"method":"m","params":[{"a":1,"a":1}]}',
    "duplicate key by escape": '{"id":1,"\\u0069d":2,"method":"m"}',
    "H055 5000 digits": '{"id":' + "9" * 5000 + ',"method":"m"}',
    "33 digits": '{"id":' + "9" * 33 + ',"method":"m"}',
    "33 digits below zero": '{"id":-' + "9" * 33 + ',"method":"m"}',
    "string": '"x"',
    "number": "5",
    "null": "null",
    "single quotes": "{'id':1}",
    "trailing comma": '{"id":1,}',
    "comment": '{"id":1} // hi',
    "hex number": '{"id":0x10}',
    "leading zero": '{"id":01}',
    "plus": '{"id":+1}',
    "underscore": '{"id":1_0}',
    "bare point": '{"id":1.}',
    "Arabic digit": '{"id":\u0661}',
    "trap: raw NUL": '{"id":"\x00"}',
    "raw tab in a string": '{"id":"\t"}',
    "trap: BOM": "\ufeff" + SUBSCRIBE,
    "no-break space": "\xa0" + SUBSCRIBE,
    "vertical tab": "\x0b" + SUBSCRIBE,
    "half an escape": '{"id":"\\u12"}',
    "nan": '{"id":1,"method":"m","params":[nan]}',
}


@pytest.mark.parametrize("line", MALFORMED.values(), ids=MALFORMED)
def test_what_is_not_one_json_object_is_malformed(line: str) -> None:
    with pytest.raises(MalformedLine):
        parse_line(line.encode())


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":4,"method":"mining.authorize","params":["\xff\xfe","x"]}',  # H029
        b'{"id":"\xc0\x80"}',  # NUL, too long
        b'{"id":"\xed\xa0\x80"}',  # a surrogate in UTF-8
        b'{"id":"\xf4\x90\x80\x80"}',  # past U+10FFFF
        SUBSCRIBE.encode("utf-16"),  # trap: json.loads takes UTF-16 bytes
        SUBSCRIBE.encode("utf-16-le"),
        SUBSCRIBE.encode("utf-32"),
        b"\xef\xbb\xbf" + SUBSCRIBE.encode(),  # trap: and a BOM
    ],
)
def test_what_is_not_strict_utf_8_is_malformed(line: bytes) -> None:
    with pytest.raises(MalformedLine):
        parse_line(line)


def test_integers_of_32_digits_are_exact() -> None:
    digits = "9" * 32
    assert request(f'{{"id":{digits},"method":"m","params":[-{digits}]}}').params == [-int(digits)]


# -- numbers that are not finite ---------------------------------------------------------------


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9.9e999"])
def test_a_number_that_is_not_finite_is_of_no_type_that_a_reader_takes(number: str) -> None:
    (value,) = request(f'{{"id":1,"method":"m","params":[{number}]}}').params  # H053
    assert not isinstance(value, (bool, int, float, str, list, dict, type(None)))
    assert repr(value) == "a number that is not finite"


@pytest.mark.parametrize("request_id", ["NaN", "1e999", "[Infinity]", '{"a":[NaN]}'])
def test_an_id_that_is_not_finite_is_not_echoed(request_id: str) -> None:
    got = request(f'{{"id":{request_id},"method":"m"}}')
    with pytest.raises(Refusal, match="id is not JSON") as caught:
        encode_id(got.id)
    assert caught.value.code == ErrorCode.OTHER


# -- depth -------------------------------------------------------------------------------------


def nested(depth: int) -> str:
    """A request whose brackets nest that deep, the object itself included."""
    return '{"id":1,"method":"m","params":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


@pytest.mark.parametrize("depth", [2, MAX_DEPTH - 1, MAX_DEPTH])
def test_eight_levels_are_not_too_deep(depth: int) -> None:
    assert not request(nested(depth)).too_deep


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 20, 64])
def test_more_are_understood_and_too_deep(depth: int) -> None:
    got = request(nested(depth))  # H037
    assert (got.id, got.too_deep) == (1, True)


@pytest.mark.parametrize("line", [nested(65), "[" * 8000, '{"a":' * 1600])
def test_hundreds_are_malformed_and_not_even_parsed(line: str) -> None:
    with pytest.raises(MalformedLine, match="nesting of"):  # trap: RecursionError
        parse_line(line.encode())


def test_brackets_in_strings_do_not_nest() -> None:
    name = "[" * 100 + '\\"' + "{" * 100 + "\\\\"
    assert not request(f'{{"id":1,"method":"m","params":["{name}",[[]]]}}').too_deep


def test_many_brackets_side_by_side_do_not_nest() -> None:
    assert not request('{"id":1,"method":"m","params":[' + "[],{}," * 500 + "0]}").too_deep


def slow_depth(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(slow_depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(slow_depth, value.values()), default=0)
    return 0


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('[]{}"\\,:é\ud800', max_size=9)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('[{"\\', max_size=3), inner)
    ),
    max_leaves=25,
)


@given(JSON, st.integers(0, 12), st.booleans())
def test_the_depth_of_any_json_is_counted(value: Any, extra: int, ascii_only: bool) -> None:
    for _ in range(extra):
        value = [value]
    line = json.dumps(value, ensure_ascii=ascii_only).encode(errors="replace")
    depth, few = slow_depth(value), line.count(b"[") + line.count(b"{") <= MAX_DEPTH
    assert nesting_depth(line) == (0 if few else depth)
    assert not few or depth <= MAX_DEPTH


@given(st.lists(st.sampled_from(['"', "\\", "[", "]", "{", "}", "a", ":1,"]), max_size=80))
def test_the_depth_of_anything_is_a_number_that_no_string_hides(pieces: list[str]) -> None:
    line = "".join(pieces).encode()
    assert 0 <= nesting_depth(line) <= line.count(b"[") + line.count(b"{")


HOSTILE = {
    "quotes": b'"\\',
    "escaped quotes": b'\\"',
    "unterminated after each": b'"\\"[',
    "backslashes": b"\\",
    "strings": b'""',
    "open brackets": b"[",
    "pairs": b"[]",
    "closed before opened": b"][",
    "letters": b"a",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("start", [b"[" * 9, b"[" * 9 + b'"', b"[" * 9 + b'"\\'])
def test_no_line_of_8_kib_takes_long_to_measure(start: bytes, piece: bytes) -> None:
    """A quadratic scan takes 200 ms here; ten runs make the best of them independent of load."""
    line = (start + piece * MAX_LINE)[:MAX_LINE]
    best = min(_seconds_to_measure(line) for _ in range(10))
    assert best < 0.02


def _seconds_to_measure(line: bytes) -> float:
    began = time.perf_counter()
    nesting_depth(line)
    return time.perf_counter() - began


# -- anything at all ---------------------------------------------------------------------------


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_message_nothing_or_malformed(line: bytes) -> None:
    try:
        message = parse_line(line)
    except MalformedLine:
        return
    assert message is None or isinstance(message, Request | Response)


MEMBERS = st.dictionaries(
    st.sampled_from(["id", "method", "params", "result", "error", "reject-reason", "x"]), JSON
)


@given(MEMBERS)
def test_any_object_is_a_message_whose_id_can_be_answered(value: dict[str, Any]) -> None:
    line = json.dumps(value).encode()
    message = parse_line(line)
    assert isinstance(message, Request | Response)
    assert message.id == value.get("id")
    try:
        encoded_id = encode_id(message.id)
    except Refusal:
        assert len(json.dumps(message.id, separators=(",", ":"))) > MAX_ID_BYTES
        return
    reply = json.loads(encode_error(encoded_id, 20, "x"))
    assert reply == {"id": value.get("id"), "result": None, "error": [20, "x", None]}
