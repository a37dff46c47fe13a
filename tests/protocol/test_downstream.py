"""What rigs ask, in the shapes they are known to send, and what they are told.

Section numbers are those of the reference "Stratum V1 on the wire", labels like H097 those of
its hostile inputs (§6.3): here at the level of params, the session's tests have whole lines.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.protocol import downstream as wire
from stratum.protocol.downstream import Authorize, Configure, Submit, Subscribe
from stratum.protocol.messages import ErrorCode, Refusal
from stratum.units import DIFF1_TARGET
from tests.protocol.lines import JSON, params, refusal

# -- §1.2 mining.subscribe ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_params", "subscribe"),
    [
        ("[]", Subscribe("", "")),
        ('["cgminer/4.11.1"]', Subscribe("cgminer/4.11.1", "")),
        ('["cgminer/4.11.1","1a2b3c4d"]', Subscribe("cgminer/4.11.1", "1a2b3c4d")),
        ('["bitaxe/BM1370/v2.4",null]', Subscribe("bitaxe/BM1370/v2.4", "")),
        ('["bosminer",null,"192.168.1.207:34255",null]', Subscribe("bosminer", "")),  # H088
        ('["NiceHash/1.0.0","1600000000000","' + "ab" * 32 + '"]',
         Subscribe("NiceHash/1.0.0", "1600000000000")),
        ('["x/1","1b9000001"]', Subscribe("x/1", "1b9000001")),  # H085
        ("[null]", Subscribe("", "")),  # H089
        ('[["x"]]', Subscribe("", "")),  # H091
        ("[{}]", Subscribe("", "")),  # H092
        ('[NaN,1e999,"x"]', Subscribe("", "")),
        ('{"user_agent":"x"}', Subscribe("", "")),
        ('"x"', Subscribe("", "")),
        ("5", Subscribe("", "")),
        ('["\\u001b[31mred\\n\\ud800é"]', Subscribe("?[31mred???", "")),
    ],
)  # fmt: skip
def test_subscribe_of_any_shape_is_taken(given_params: str, subscribe: Subscribe) -> None:
    assert wire.read_subscribe(params(given_params)) == subscribe


def test_what_a_rig_says_of_itself_is_cut() -> None:
    subscribe = wire.read_subscribe(["u" * 5000, "s" * 5000])
    assert len(subscribe.user_agent) == len(subscribe.session_id) == wire.MAX_USER_AGENT


def test_the_subscribe_result_is_the_superset_of_what_clients_read() -> None:
    result = wire.subscribe_result("1a2b3c4d", bytes.fromhex("0a2b3c4d"), 8)
    assert result == [
        [["mining.set_difficulty", "1a2b3c4d"], ["mining.notify", "1a2b3c4d"]],
        "0a2b3c4d",
        8,
    ]


# -- §1.3 mining.authorize ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_params", "authorize"),
    [
        ('["user.worker","pass"]', Authorize("user.worker", "user", "worker", "pass")),
        ('["USER"]', Authorize("USER", "USER", "", "")),  # H125
        ('["USER",123]', Authorize("USER", "USER", "", "")),  # H130
        ('["USER",null]', Authorize("USER", "USER", "", "")),  # H131
        ('["USER.w1.w2","x"]', Authorize("USER.w1.w2", "USER", "w1.w2", "x")),  # H139
        ('["USER.","x"]', Authorize("USER.", "USER", "", "x")),
        ('["USER","d=500"]', Authorize("USER", "USER", "", "d=500")),  # H140
        ('["USER","d=-1,md=abc"]', Authorize("USER", "USER", "", "d=-1,md=abc")),  # H142
        ('["u","\\u202e\\n",{"x":1},5]', Authorize("u", "u", "", "\u202e\n")),
        ('["a_~!@#$%^&*()+=","x"]', Authorize("a_~!@#$%^&*()+=", "a_~!@#$%^&*()+=", "", "x")),
    ],
)  # fmt: skip
def test_a_worker_name_is_split_at_its_first_dot(given_params: str, authorize: Authorize) -> None:
    assert wire.read_authorize(params(given_params)) == authorize


@pytest.mark.parametrize(
    "given_params",
    ["[]", "[null,null]", "[5]", "[true]", '[["USER"],"x"]', "[NaN]", '{"user":"x"}', '"USER"'],
)
def test_a_name_that_is_missing_or_no_string_is_20(given_params: str) -> None:
    assert refusal(wire.read_authorize, params(given_params)).code == ErrorCode.OTHER  # H127, H128


@pytest.mark.parametrize(
    "name",
    [
        "", ".w", "_w", "a\nb", "a\n", "\u202e\u0628\u0637", "' OR 1=1 --", "\ud800", "a b", " a",
        "a\x00", "a\x7f", "a/b", "../etc", "/", "é", "ｕser", "a" * 192, "a\tb", "\r",
    ],
)  # fmt: skip
def test_a_name_that_must_not_reach_a_log_or_a_file_is_24(name: str) -> None:
    refused = refusal(wire.read_authorize, params(json.dumps([name, "x"])))
    assert refused.code == ErrorCode.UNAUTHORIZED  # H056, H133 to H137, H143
    assert refused.text.isascii()


def test_the_longest_name_is_taken() -> None:
    assert wire.read_authorize(["a" * wire.MAX_NAME]).account == "a" * 191


# -- §1.4, §1.5 suggestions --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_params", "difficulty"),
    [
        ("[512]", 512),  # H112
        ("[1000,5]", 1000),
        ("[0.0001]", Fraction(0.0001)),  # H113
        ("[1.5]", Fraction(3, 2)),
        ("[0]", 0),  # H115
        ("[0.0]", 0),
        ("[-0.0]", 0),
        ("[99999999999999999999999999]", 99999999999999999999999999),  # H119
        ("[1e308]", Fraction(1e308)),
    ],
)
def test_a_difficulty_is_suggested_as_a_number(given_params: str, difficulty: Any) -> None:
    assert wire.read_suggested_difficulty(params(given_params)) == difficulty


@pytest.mark.parametrize(
    "given_params",
    ["[]", "[-5]", "[-0.1]", "[true]", "[false]", '["512"]', "[null]", "[[512]]", "[NaN]",
     "[Infinity]", "[1e400]", '{"difficulty":512}', "512"],
)  # fmt: skip
def test_anything_else_is_20(given_params: str) -> None:
    refused = refusal(wire.read_suggested_difficulty, params(given_params))
    assert refused.code == ErrorCode.OTHER  # H053, H116, H118


@pytest.mark.parametrize(
    ("target", "difficulty"),
    [
        (f"{DIFF1_TARGET:064x}", 1),
        (f"{DIFF1_TARGET // 2:064X}", 2),
        ("f" * 64, Fraction(DIFF1_TARGET, 2**256 - 1)),  # H124
        ("0" * 63 + "1", DIFF1_TARGET),
    ],
)
def test_a_target_is_suggested_in_64_hex_digits(target: str, difficulty: Any) -> None:
    assert wire.read_suggested_target([target]) == difficulty


@pytest.mark.parametrize(
    "given_params",
    [["0"], ["0" * 64], ["f" * 63], ["f" * 65], ["0x" + "f" * 62], ["f" * 63 + "\n"],
     ["\uff11" * 64], [None], [5], [["f" * 64]], [], {}, "f" * 64],
)  # fmt: skip
def test_any_other_target_is_20(given_params: Any) -> None:
    assert refusal(wire.read_suggested_target, given_params).code == ErrorCode.OTHER  # H121, H122


# -- anything at all ---------------------------------------------------------------------------


@given(JSON)
def test_any_params_are_a_value_or_a_refusal(value: Any) -> None:
    readers: list[Callable[[Any], Any]] = [
        wire.read_configure,
        wire.read_subscribe,
        wire.read_authorize,
        wire.read_suggested_difficulty,
        wire.read_suggested_target,
        lambda params: wire.read_submit(params, 8),
    ]
    for reader in readers:
        try:
            read = reader(value)
        except Refusal as refused:
            assert refused.code in (ErrorCode.OTHER, ErrorCode.UNAUTHORIZED)
            continue
        assert isinstance(read, Configure | Subscribe | Authorize | Submit | Fraction)


# -- what rigs are told ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            wire.set_version_mask(0x00C00000),
            b'{"id":null,"method":"mining.set_version_mask","params":["00c00000"]}\n',
        ),
        (
            wire.set_extranonce(bytes.fromhex("08000002"), 4),
            b'{"id":null,"method":"mining.set_extranonce","params":["08000002",4]}\n',
        ),
        (
            wire.show_message("Grüße\n"),
            b'{"id":null,"method":"client.show_message","params":["Gr??e?"]}\n',
        ),
        (wire.reconnect(), b'{"id":null,"method":"client.reconnect","params":[]}\n'),
        (wire.get_version(), b'{"id":1073741824,"method":"client.get_version","params":[]}\n'),
    ],
)
def test_notifications_are_spelled_as_clients_read_them(line: bytes, expected: bytes) -> None:
    assert line == expected


def test_a_message_is_at_most_200_characters() -> None:
    assert len(json.loads(wire.show_message("x" * 500))["params"][0]) == 200


def test_what_we_grant_is_contiguous_and_bip_320s() -> None:
    assert wire.VERSION_ROLLING_MASK == sum(1 << bit for bit in range(13, 29))


@given(st.text())
def test_printable_text_is_ascii_of_the_same_length(text: str) -> None:
    shown = wire.printable(text)
    assert len(shown) == len(text)
    assert shown.isascii() and (not shown or shown.isprintable())
    assert wire.printable(shown) == shown
