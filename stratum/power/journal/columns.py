"""Arrays as few bytes: the narrowest integers, differences or a palette, then Huffman codes.

Two thousand readings a second for a year are what makes a journal large, and they are easy: row
numbers rise, times lie close together, watts stay within a band, difficulties are a handful. So an
array becomes one of three forms, whichever needs the fewest bits by a rule that looks at the values
alone: the values over their lowest, their differences over the lowest of these, or numbers of a
sorted palette. Its bytes are then laid out plane by plane (all low bytes, then all next ones) and
deflated, where that is shorter.

    [form, shape, low, width, data]            PLAIN       value = low + number
    [form, shape, low, width, data, first]     RISING      value = one before + low + number
    [form, shape, palette, width, data]        PALETTE     value = palette[number]
    [form, shape, data]                        FLAGS, REALS

`shape` is a length, or a list of several; `width` is bytes a number, 0 where all are the same.
Arithmetic is modulo 2^64, hence exact for every value.
"""

from __future__ import annotations

import math
import zlib
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]


class Form(IntEnum):
    PLAIN = 0
    RISING = 1
    PALETTE = 2
    FLAGS = 3
    REALS = 4


#: More than this many values are no palette: its numbers would need a second byte.
_MOST_COLOURS = 256

#: Shorter than this nothing is saved by a Huffman table.
_WORTH_DEFLATING = 48

_WRAP = 1 << 64


def pack_array(array: NDArray[Any]) -> list[Any]:
    """What CBOR can carry of a boolean, int64 or float64 array. Raises TypeError for others."""
    shape = list(array.shape) if array.ndim != 1 else len(array)
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.dtype == np.bool_:
        return [Form.FLAGS.value, shape, _deflated(np.packbits(flat).tobytes())]
    if flat.dtype == np.float64:
        return [Form.REALS.value, shape, _deflated(_planes(flat.view(np.uint64), 8))]
    if flat.dtype != np.int64:
        raise TypeError(f"an array of {array.dtype} has no place in a journal")
    return _pack_ints(flat, shape)


def unpack_array(packed: list[Any]) -> NDArray[Any]:
    """Raises ValueError for what pack_array() does not write."""
    try:
        form, shape, *rest = packed
        count = math.prod(shape) if isinstance(shape, list) else shape
        return _unpack(Form(form), count, rest).reshape(shape)
    except (TypeError, IndexError, zlib.error, OverflowError) as exc:
        raise ValueError(f"no array: {exc}") from exc


def _unpack(form: Form, count: int, rest: list[Any]) -> NDArray[Any]:
    if form is Form.FLAGS:
        size = (count + 7) // 8
        bits = np.frombuffer(_inflated(rest[0], size), np.uint8)
        return np.unpackbits(bits, count=count).astype(np.bool_)
    if form is Form.REALS:
        return _numbers(_inflated(rest[0], 8 * count), 8).view(np.float64)

    numbers = _numbers_of(rest[2], rest[1], count if form is not Form.RISING else count - 1)
    if form is Form.PALETTE:
        return unpack_array(rest[0])[numbers.astype(np.intp)]
    numbers += np.uint64(rest[0] % _WRAP)
    if form is Form.RISING:
        first = np.array([rest[3] % _WRAP], np.uint64)
        numbers = np.cumsum(np.concatenate((first, numbers)), dtype=np.uint64)
    return numbers.view(np.int64)


def _pack_ints(values: NDArray[np.int64], shape: int | list[int]) -> list[Any]:
    if not len(values):
        return [Form.PLAIN.value, shape, 0, 0, b""]
    low, span = _range(values)
    if span and len(values) > 2:
        steps = np.diff(values.view(np.uint64)).view(np.int64)
        step_low, step_span = _range(steps)
        if step_span < span:
            width = _width(step_span)
            data = _deflated(_planes(_over(steps, step_low), width))
            return [Form.RISING.value, shape, step_low, width, data, int(values[0])]

    width = _width(span)
    if width > 1:
        palette, numbers = np.unique(values, return_inverse=True)
        if len(palette) <= _MOST_COLOURS and len(palette) * width < len(values) * (width - 1):
            data = _deflated(numbers.astype(np.uint8).tobytes())
            return [Form.PALETTE.value, shape, _pack_ints(palette, len(palette)), 1, data]
    data = _deflated(_planes(_over(values, low), width))
    return [Form.PLAIN.value, shape, low, width, data]


def _range(values: NDArray[np.int64]) -> tuple[int, int]:
    """The lowest, and how far the highest lies above it."""
    low = int(values.min())
    return low, int(values.max()) - low


def _over(values: NDArray[np.int64], low: int) -> Numbers:
    return values.view(np.uint64) - np.uint64(low % _WRAP)


def _width(span: int) -> int:
    """Bytes that hold 0 to `span`."""
    return (span.bit_length() + 7) // 8


def _planes(numbers: Numbers, width: int) -> bytes:
    """The numbers' bytes, all lowest ones first."""
    octets = numbers.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)
    return octets[:, :width].T.tobytes()


def _numbers_of(data: bytes, width: int, count: int) -> Numbers:
    return _numbers(_inflated(data, width * count), width, count)


def _numbers(planes: bytes, width: int, count: int | None = None) -> Numbers:
    count = len(planes) // width if count is None else count
    octets = np.zeros((count, 8), np.uint8)
    octets[:, :width] = np.frombuffer(planes, np.uint8).reshape(width, count).T
    return octets.view("<u8").reshape(-1).astype(np.uint64, copy=False)


def _deflated(data: bytes) -> bytes:
    """Shorter, or as it is; the reader knows the true length and sees which."""
    if len(data) < _WORTH_DEFLATING:
        return data
    # Noise has no repetitions worth looking for: runs and Huffman codes are all there is.
    squeeze = zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
    short = squeeze.compress(data) + squeeze.flush()
    return short if len(short) < len(data) else data


def _inflated(data: bytes, size: int) -> bytes:
    if len(data) == size:
        return data
    swell = zlib.decompressobj(-15)
    # One byte more than promised would show what is too long; a bomb never gets further.
    whole = swell.decompress(data, size + 1)
    if len(whole) != size or not swell.eof:
        raise ValueError(f"column swells to {len(whole)} bytes, expected {size}")
    return whole
