"""Columns: every array comes back as it was, and ordinary ones come back from few bytes."""

from __future__ import annotations

import cbor2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stratum.power.journal.columns import Form, pack_array, unpack_array

SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=20)

INTS = st.one_of(
    arrays.arrays(np.int64, SHAPES),
    arrays.arrays(np.int64, SHAPES, elements=st.integers(-5, 300)),
    arrays.arrays(np.int64, SHAPES, elements=st.sampled_from([-(2**63), 0, 2**63 - 1])),
    arrays.arrays(np.int64, 50, elements=st.integers(0, 2**40)).map(np.sort),
    arrays.arrays(np.int64, st.integers(100, 2000), elements=st.sampled_from([7, 2**33, 2**50])),
)


def there_and_back(array: np.ndarray) -> np.ndarray:
    return unpack_array(cbor2.loads(cbor2.dumps(pack_array(array), canonical=True)))


@given(array=st.one_of(INTS, arrays.arrays(np.bool_, SHAPES), arrays.arrays(np.float64, SHAPES)))
def test_any_array_comes_back(array: np.ndarray) -> None:
    back = there_and_back(array)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()  # a NaN too, with its own bits


@given(array=INTS)
def test_equal_arrays_make_equal_bytes_however_they_lie_in_memory(
    array: np.ndarray,
) -> None:
    strided = np.repeat(array.reshape(-1), 2)[::2].reshape(array.shape)
    assert cbor2.dumps(pack_array(strided)) == cbor2.dumps(pack_array(array))


@pytest.mark.parametrize(
    ("values", "form", "most_bytes"),
    [
        (np.full(10_000, 25), Form.PLAIN, 20),
        (np.arange(0, 10_000, 5), Form.RISING, 30),
        (3_500 + np.arange(2_000) * 7 % 71, Form.PLAIN, 1_900),
        (np.array([2**33, 2**34, 2**35])[np.arange(3_000) * 7 % 11 % 3], Form.PALETTE, 900),
    ],
)
def test_ordinary_columns_are_small(
    values: np.ndarray,
    form: Form,
    most_bytes: int,
) -> None:
    packed = pack_array(values.astype(np.int64))
    assert packed[0] == form
    assert len(cbor2.dumps(packed)) <= most_bytes


def test_a_row_of_flags_costs_a_bit_each_at_most() -> None:
    assert len(cbor2.dumps(pack_array(np.arange(8_000) % 3 == 0))) <= 1_010


def test_other_numbers_are_refused() -> None:
    with pytest.raises(TypeError, match="float32"):
        pack_array(np.zeros(3, np.float32))


@pytest.mark.parametrize(
    "packed",
    [
        [],
        [9, 1, 0, 0, b""],
        [0, 4, 0, 2, b"1234567"],
        [0, 4, 0, 1],
        [0, [2, 2], 0, 1, b"12"],
        [0, -3, 0, 1, b"123"],
        [3, 100, b"1"],
        [0, 2**62, 0, 1, b"123"],
    ],
)
def test_what_is_no_column_is_refused(packed: list[object]) -> None:
    with pytest.raises(ValueError, match="."):
        unpack_array(packed)


def test_a_column_that_swells_beyond_its_promise_is_refused() -> None:
    packed = pack_array(np.arange(5_000) % 11 * 7 % 8)
    packed[1] = 1_000
    with pytest.raises(ValueError, match="swells to 1001"):
        unpack_array(packed)
