"""BIP 310 as rigs send it (reference §1.1): what can't be granted is `false`, never an error.

Labels like H097 are those of the reference's hostile inputs (§6.3).
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.protocol import downstream as wire
from stratum.protocol.downstream import Configure
from stratum.protocol.messages import ErrorCode
from tests.protocol.lines import JSON, TEXT, params, params_of, refusal

FULL = 0x1FFFE000

CONFIGURES = {
    "cgminer": (
        '{"id": 0, "method": "mining.configure", "params": '
        '[["version-rolling"], {"version-rolling.mask": "ffffffff"}]}',
        Configure(("version-rolling",), 0xFFFFFFFF),
    ),
    "Braiins OS": (
        '{"id":0,"method":"mining.configure","params":[["version-rolling"],'
        '{"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":16}]}',
        Configure(("version-rolling",), FULL),
    ),
    "WhatsMiner": (
        '{"id": 196,"method":"mining.configure","params":[["version-rolling"],'
        '{"version-rolling.mask":"1fffe000"}]}',
        Configure(("version-rolling",), FULL),
    ),
    "S9 AsicBoost": (
        '{"id":7,"method":"mining.configure","params":[["version-rolling"],'
        '{"version-rolling.mask":"00c00000","version-rolling.min-bit-count":2}]}',
        Configure(("version-rolling",), 0x00C00000),
    ),
    "datum, extranonce": (
        '{"id": 9966,"method":"mining.configure","params":'
        '[["version-rolling","subscribe-extranonce"],{"version-rolling.mask":"1fffe000"}]}',
        Configure(
            ("version-rolling", "subscribe-extranonce"), FULL, subscribe_extranonce=True
        ),
    ),
    "datum, minimum": (
        '{"id":1,"method":"mining.configure","params":'
        '[["version-rolling","minimum-difficulty","subscribe-extranonce"],'
        '{"version-rolling.mask":"1fffe000","minimum-difficulty.value":2048}]}',
        Configure(
            ("version-rolling", "minimum-difficulty", "subscribe-extranonce"),
            FULL,
            Fraction(2048),
            subscribe_extranonce=True,
        ),
    ),
    "info": (
        '{"id":1,"method":"mining.configure","params":[["info"],'
        '{"info.hw-version":"S21\\u202e","info.sw-version":"1","info.hw-id":5,"x":"y"}]}',
        Configure(("info",), info={"hw-version": "S21?", "sw-version": "1"}),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("line", "configure"), CONFIGURES.values(), ids=CONFIGURES)
def test_configure_is_read_as_rigs_send_it(line: str, configure: Configure) -> None:
    assert wire.read_configure(params_of(line)) == configure


def test_configure_is_answered_with_the_codes_that_were_asked_for() -> None:
    asked = wire.read_configure(params('[["version-rolling"],{"version-rolling.mask":"1fffe000"}]'))
    assert wire.configure_result(asked, FULL) == {
        "version-rolling": True,
        "version-rolling.mask": "1fffe000",
    }


def test_each_known_extension_has_its_answer_and_an_unknown_one_has_false() -> None:
    codes = ["version-rolling", "minimum-difficulty", "subscribe-extranonce", "info", "x-boost"]
    asked = wire.read_configure([codes, {"minimum-difficulty.value": 0.5}])
    assert wire.configure_result(asked, 0x00C00000) == {
        "version-rolling": True,
        "version-rolling.mask": "00c00000",
        "minimum-difficulty": True,
        "subscribe-extranonce": True,
        "info": True,
        "x-boost": False,
    }


def test_a_mask_of_nothing_is_no_version_rolling() -> None:
    asked = wire.read_configure([["version-rolling"], {}])
    assert wire.configure_result(asked, 0) == {"version-rolling": False}


@pytest.mark.parametrize(
    ("given_params", "mask"),
    [
        ('[["version-rolling"],{}]', 0xFFFFFFFF),  # H097
        ('[["version-rolling"]]', 0xFFFFFFFF),
        ('[["version-rolling"],null]', 0xFFFFFFFF),
        ('[["version-rolling"],{"version-rolling.mask":null}]', 0xFFFFFFFF),
        ('[["version-rolling"],{"version-rolling.mask":"0x1fffe000"}]', FULL),  # H098
        ('[["version-rolling"],{"version-rolling.mask":"0X1FFFE000"}]', FULL),
        ('[["version-rolling"],{"version-rolling.mask":"2000"}]', 0x2000),
        ('[["version-rolling"],{"version-rolling.mask":"00000000"}]', 0),  # H100
        ('[["version-rolling"],{"version-rolling.mask":"zz"}]', 0),  # H101
        ('[["version-rolling"],{"version-rolling.mask":""}]', 0),
        ('[["version-rolling"],{"version-rolling.mask":"0x"}]', 0),
        ('[["version-rolling"],{"version-rolling.mask":" 1fffe000"}]', 0),
        ('[["version-rolling"],{"version-rolling.mask":"1fffe000\\n"}]', 0),
        ('[["version-rolling"],{"version-rolling.mask":"11fffe000"}]', 0),
        ('[["version-rolling"],{"version-rolling.mask":"\\u0661"}]', 0),
        ('[["version-rolling"],{"version-rolling.mask":536862720}]', 0),
        ('[["version-rolling"],{"version-rolling.mask":"1fffe000",'
         '"version-rolling.min-bit-count":"10"}]', FULL),  # H103
        ('[["version-rolling"],{"version-rolling.mask":"1fffe000",'
         '"version-rolling.min-bit-count":99}]', FULL),  # H104
    ],
)  # fmt: skip
def test_a_mask_is_read_leniently_and_never_refused(given_params: str, mask: int) -> None:
    assert wire.read_configure(params(given_params)).version_rolling_mask == mask


@pytest.mark.parametrize(
    ("value", "minimum"),
    [
        ("2048", 2048), ("0", 0), ("0.5", Fraction(1, 2)), ("1e3", 1000),
        ("-1", None), ("-0.5", None), ('"2048"', None), ("true", None), ("null", None),
        ("[1]", None), ("NaN", None), ("Infinity", None), ("1e999", None),
    ],
)  # fmt: skip
def test_a_minimum_difficulty_is_a_number_or_not_granted(value: str, minimum: Any) -> None:
    asked = wire.read_configure(
        params(f'[["minimum-difficulty"],{{"minimum-difficulty.value":{value}}}]')
    )  # H106, H107
    assert asked.minimum_difficulty == minimum
    granted = {"minimum-difficulty": minimum is not None}
    assert wire.configure_result(asked, 0) == granted


@pytest.mark.parametrize("given_params", ["[]", "[[]]", "[[],{}]", "[[1,null,{}],{}]", "null"])
def test_a_configure_that_asks_for_nothing_gets_nothing(given_params: str) -> None:
    asked = wire.read_configure(params(given_params))  # H094, H095, H110
    assert asked == Configure(())
    assert wire.configure_result(asked, FULL) == {}


@pytest.mark.parametrize(
    "given_params", ['["version-rolling",{}]', "[null]", "[{}]", '{"a":1}', '"x"', "[5,[]]", "7"]
)
def test_only_a_wrong_shape_of_the_outer_list_is_refused(given_params: str) -> None:
    assert refusal(wire.read_configure, params(given_params)).code == ErrorCode.OTHER


def test_sixteen_extensions_are_answered_and_no_more() -> None:
    names = [f"x{number % 40}" for number in range(400)]
    asked = wire.read_configure([names, {}])
    assert asked.extensions == tuple(f"x{number}" for number in range(wire.MAX_EXTENSIONS))


def test_an_extension_named_like_a_parameter_does_not_overwrite_it() -> None:
    codes = ["version-rolling", "version-rolling.mask"]
    for asked in (codes, codes[::-1]):
        result = wire.configure_result(wire.read_configure([asked, {}]), FULL)
        assert result == {"version-rolling": True, "version-rolling.mask": "1fffe000"}


@given(st.lists(TEXT | JSON, max_size=20), st.dictionaries(TEXT, JSON, max_size=5))
def test_any_configure_is_answered_code_by_code(codes: list[Any], options: dict[str, Any]) -> None:
    asked = wire.read_configure([codes, options])
    result = wire.configure_result(asked, FULL)
    assert set(result) - {"version-rolling.mask"} == set(asked.extensions) - {
        "version-rolling.mask"
    }
    assert all(type(result[code]) is bool for code in asked.extensions if "mask" not in code)
    json.dumps(result, allow_nan=False)
