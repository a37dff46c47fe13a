"""Params as they reach a reader, and JSON of any shape for the property tests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from stratum.protocol.messages import Refusal, Request, parse_line


def params_of(line: str) -> Any:
    """The params of a whole line, as they reach the readers."""
    message = parse_line(line.encode())
    assert isinstance(message, Request)
    return message.params


def params(text: str) -> Any:
    return params_of(f'{{"id":1,"method":"m","params":{text}}}')


def refusal(reader: Any, *args: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        reader(*args)
    assert str(caught.value) == caught.value.text
    return caught.value


FIELDS = ["USER", "JOB", "e15e106af10b0000", "6a1a5c2f", "964f011a", "053ac000"]
TEXT = st.text(max_size=20) | st.sampled_from(
    [*FIELDS, "version-rolling", "minimum-difficulty", "info", "ffffffff", "f" * 64, "\ud800"]
)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: (
        st.lists(inner, max_size=9)
        | st.dictionaries(
            TEXT
            | st.sampled_from(["version-rolling.mask", "minimum-difficulty.value", "info.hw-id"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)
