"""What we send, spelled as clients read it, and hex that is exactly as wide as its field.

Labels like H149 are those of the reference's hostile inputs (§6.3), "trap" is its §6.2.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.protocol.messages import (
    MAX_ID_BYTES,
    ErrorCode,
    Refusal,
    Request,
    encode_error,
    encode_id,
    encode_notification,
    encode_request,
    encode_result,
    encode_set_difficulty,
    parse_hex,
    parse_hex32,
    parse_line,
    swap_words,
)

# -- what we send ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        ("0", "0"),
        ("1", "1"),
        ("-1", "-1"),
        ("1.5", "1.5"),
        ("true", "true"),
        ("false", "false"),
        ("18446744073709551616", "18446744073709551616"),
        ("12345678901234567890", "12345678901234567890"),
        ("1.0", "1.0"),
        ("1e2", "100.0"),
        ('"auth"', '"auth"'),
        ('"txlist1"', '"txlist1"'),
        ('"1"', '"1"'),
        ('"\u2028<>é"', '"\\u2028<>\\u00e9"'),
        ('"\\ud800"', '"\\ud800"'),
        ('"😀"', '"\\ud83d\\ude00"'),
        ("[1]", "[1]"),
        ('{"a": 1}', '{"a":1}'),
        ("null", "null"),
    ],
)
def test_an_id_is_echoed_with_its_type_and_digits(sent: str, echoed: str) -> None:
    message = parse_line(f'{{"id":{sent},"method":"m"}}'.encode())
    assert isinstance(message, Request)
    reply = encode_result(encode_id(message.id), True)
    assert reply == f'{{"id":{echoed},"result":true,"error":null}}\n'.encode()


def test_an_id_as_long_as_the_cap_is_echoed_and_one_byte_more_is_not() -> None:
    assert len(encode_id("x" * (MAX_ID_BYTES - 2))) == MAX_ID_BYTES
    for request_id in ("x" * (MAX_ID_BYTES - 1), "é" * 22, list(range(100))):
        with pytest.raises(Refusal, match="id is longer than 128 bytes"):
            encode_id(request_id)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            encode_result(b"1", {"version-rolling": True, "version-rolling.mask": "1fffe000"}),
            b'{"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}\n',
        ),
        (
            encode_error(b'"auth"', ErrorCode.UNAUTHORIZED, "Unauthorized worker", b"false"),
            b'{"id":"auth","result":false,"error":[24,"Unauthorized worker",null]}\n',
        ),
        (
            encode_error(b"4", ErrorCode.METHOD_NOT_FOUND, "Method not found"),
            b'{"id":4,"result":null,"error":[-3,"Method not found",null]}\n',
        ),
        (
            encode_notification("client.show_message", ["hé\n"]),
            b'{"id":null,"method":"client.show_message","params":["h\\u00e9\\n"]}\n',
        ),
        (
            encode_request(7, "mining.subscribe", ["baseload/0.1"]),
            b'{"id":7,"method":"mining.subscribe","params":["baseload/0.1"]}\n',
        ),
        (
            encode_set_difficulty("0.00000000023283064365386962890625"),
            b'{"id":null,"method":"mining.set_difficulty","params":[0.00000000023283064365386962890625]}\n',
        ),
        (
            encode_set_difficulty("16384"),
            b'{"id":null,"method":"mining.set_difficulty","params":[16384]}\n',
        ),
    ],
)  # fmt: skip
def test_lines_are_spelled_as_clients_read_them(line: bytes, expected: bytes) -> None:
    assert line == expected


def test_nothing_that_is_not_json_is_ever_sent() -> None:
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValueError):
            encode_notification("mining.set_difficulty", [number])
        with pytest.raises(ValueError):
            encode_result(b"1", number)


# -- hex ---------------------------------------------------------------------------------------

NOT_8_DIGITS: list[Any] = [
    "", "1234567", "123456789", "0x123456", "0x12345678", "-1234567", "+1234567", " 1234567",
    "1234567 ", "1234567\n", "12345678\n", "1234_678", "1234 678", "g2345678",
    "\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668", "\uff11" * 8, "12345678\x00",
    None, True, 12345678, 1.5, ["12345678"], {"12345678": 1}, b"12345678",
]  # fmt: skip


@pytest.mark.parametrize("value", NOT_8_DIGITS, ids=repr)
def test_only_eight_hex_digits_are_a_number(value: Any) -> None:
    with pytest.raises(Refusal, match="nonce must be 8 hex digits") as caught:
        parse_hex32(value, "nonce")  # H149 to H158, H172, H173
    assert caught.value.code == ErrorCode.OTHER


@pytest.mark.parametrize("text", ["1fffe000", "1FFFE000", "1FffE000"])
def test_hex_digits_count_in_either_case(text: str) -> None:
    assert parse_hex32(text, "version_bits") == 0x1FFFE000  # H148, H176


@pytest.mark.parametrize("value", NOT_8_DIGITS, ids=repr)
def test_only_as_many_hex_digits_as_the_field_has_are_bytes(value: Any) -> None:
    with pytest.raises(Refusal, match="extranonce2 must be 8 hex digits"):
        parse_hex(value, 4, "extranonce2")


@pytest.mark.parametrize("text", ["00 11\t22\n", "0011 2", "00112 23"])
def test_blanks_in_hex_are_refused_where_fromhex_skips_them(text: str) -> None:
    with pytest.raises(Refusal):  # trap: bytes.fromhex("00 11\t22\n"), H163
        parse_hex(text, len(text) // 2, "extranonce2")


@given(st.binary(min_size=1, max_size=16), st.booleans())
def test_bytes_survive_hex_in_either_case(data: bytes, upper: bool) -> None:
    text = data.hex().upper() if upper else data.hex()
    assert parse_hex(text, len(data), "extranonce2") == data


@given(st.text(max_size=10), st.integers(1, 4))
def test_any_text_is_hex_or_refused(text: str, size: int) -> None:
    try:
        data = parse_hex(text, size, "extranonce2")
    except Refusal:
        return
    assert data.hex() == text.lower()


# -- the notify's prevhash ---------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=32))
def test_swapping_words_twice_changes_nothing(prevhash: bytes) -> None:
    assert swap_words(swap_words(prevhash)) == prevhash


def test_swapped_words_are_what_a_miner_gets() -> None:
    header_prevhash = "324409f3c6f4854ec44ca6b4890235e8ffc9b2a8675c01000000000000000000"
    notified = "f30944324e85f4c6b4a64cc4e8350289a8b2c9ff00015c670000000000000000"
    assert swap_words(bytes.fromhex(header_prevhash)).hex() == notified
