"""Shares as rigs submit them: every field exactly as wide as it must be.

Labels like H149 are those of the reference's hostile inputs (§6.3).
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum.protocol.downstream import Submit, read_submit
from stratum.protocol.messages import ErrorCode
from tests.protocol.lines import params_of, refusal

GOOD = ["USER", "JOB", "e15e106af10b0000", "6a1a5c2f", "964f011a", "053ac000"]


def test_a_submit_is_read_into_numbers() -> None:
    line = (
        '{"id":4,"method":"mining.submit","params":'
        '["user.w1","1","e15e106af10b0000","6a1a5c2f","964f011a","053ac000"]}'
    )
    assert read_submit(params_of(line), 8) == Submit(
        worker_name="user.w1",
        job_id="1",
        extranonce2=bytes.fromhex("e15e106af10b0000"),
        ntime=0x6A1A5C2F,
        nonce=0x964F011A,
        version_bits=0x053AC000,
    )


def test_digits_count_in_either_case() -> None:
    upper = [GOOD[0], GOOD[1], *(field.upper() for field in GOOD[2:])]
    assert read_submit(upper, 8) == read_submit(GOOD, 8)  # H148, H176


@pytest.mark.parametrize("last", [[], [None], [None, "x"]])
def test_without_a_sixth_parameter_there_are_no_version_bits(last: list[Any]) -> None:
    assert read_submit([*GOOD[:5], *last], 8).version_bits is None  # H179, H181


def test_parameters_past_the_sixth_are_ignored_up_to_eight() -> None:
    assert read_submit([*GOOD, "x", {}], 8) == read_submit(GOOD, 8)
    assert refusal(read_submit, [*GOOD, 7, 8, 9], 8).code == ErrorCode.OTHER


def test_a_job_id_is_any_string() -> None:
    for job_id in ("", "JOB", "job", "a" * 5000, "\ud800", "1\x00"):  # H190, H191, H193
        assert read_submit([GOOD[0], job_id, *GOOD[2:]], 8).job_id == job_id


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (0, None), (0, 5), (1, None), (1, 7), (1, ["JOB"]),
        (2, ""), (2, "00"), (2, "0"), (2, "00 00000000000000"), (2, "0" * 4096), (2, "0" * 15),
        (2, "0" * 17), (2, "zz" * 8), (2, "0x" + "0" * 14), (2, "\uff11" * 16), (2, None), (2, 5),
        (2, "00 11 22 33 44 5"), (2, "0011223344556\n77"), (2, bytes(16)),
        (3, "6a1a5c2"), (3, 1780112431), (3, None), (3, "0x1a5c2f"),
        (4, "0x964f011a"), (4, "1234567"), (4, "-1234567"), (4, "+1234567"), (4, " 1234567"),
        (4, "1234567\n"), (4, "12_34567"), (4, None), (4, ["12345678"]), (4, {"a": 1}),
        (4, "\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668"), (4, True), (4, "964f011a00"),
        (5, 8192), (5, "2000"), (5, ""), (5, True), (5, "0x002000"), (5, "00000000 "), (5, []),
    ],
    ids=repr,
)  # fmt: skip
def test_a_field_of_another_shape_is_20(field: int, value: Any) -> None:
    given_params = [*GOOD[:field], value, *GOOD[field + 1 :]]
    assert refusal(read_submit, given_params, 8).code == ErrorCode.OTHER  # H149 to H178


@pytest.mark.parametrize(
    "given_params",
    [[], GOOD[:4], {"worker": "USER"}, "USER", None, 5, [GOOD], [[[[[[[1]]]]]]]],
    ids=repr,
)
def test_too_few_parameters_are_20(given_params: Any) -> None:
    refused = refusal(read_submit, given_params, 8)  # H182, H184, H185
    assert refused.code == ErrorCode.OTHER
    assert refused.text.startswith("submit takes 5 or 6 parameters, not ")


@given(st.integers(1, 16), st.data())
def test_an_extranonce2_of_the_sessions_size_is_taken(size: int, data: st.DataObject) -> None:
    extranonce2 = data.draw(st.binary(min_size=size, max_size=size))
    given_params = [*GOOD[:2], extranonce2.hex(), *GOOD[3:]]
    assert read_submit(given_params, size).extranonce2 == extranonce2
    refused = refusal(read_submit, given_params, size + 1)
    assert refused.text == f"extranonce2 must be {2 * size + 2} hex digits"
