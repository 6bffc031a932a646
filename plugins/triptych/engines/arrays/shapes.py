"""Values of text by their shape, which is what a pattern sees of them: many values have few shapes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from triptych.engines.arrays.aliases import Offsets
from triptych.engines.arrays.text_columns import BytesColumn, TextColumn, joined_bytes

_DIGITS = bytes(ord("1") if ord("0") <= octet <= ord("9") else octet for octet in range(256))
_ZERO, _MINUS = ord("0"), ord("-")


def without_digits(values: TextColumn | BytesColumn) -> BytesColumn:
    """Each value, of which none is null, with a 1 in place of each digit: [b"17 July"] -> [b"11 July"]."""
    bounds = _bounds(values)
    octets = pa.py_buffer(joined_bytes(values).translate(_DIGITS))
    return pa.Array.from_buffers(pa.large_binary(), len(values), [None, pa.py_buffer(bounds), octets])


def _bounds(values: TextColumn | BytesColumn) -> Offsets:
    """Where values begin and the last one ends, from 0 on: ["ab", "c"] -> [0, 2, 3]."""
    if not len(values):
        return np.zeros(1, np.int64)
    bounds = np.frombuffer(values.buffers()[1], np.int64)[values.offset : values.offset + len(values) + 1]
    begun: Offsets = bounds - bounds[0]
    return begun


def shapes(values: TextColumn) -> TextColumn:
    """The different values, with each digit as a 1, but for a zero in front, behind a minus sign or none.

    ["17", "-42", "007", "2.50", "3.99"] -> ["11", "-11", "011", "1.11"]. Values have no nulls. So a pattern that
    tells digits apart only by whether the first one is zero fits a value where it fits the shape.
    """
    bounds = _bounds(values)
    before = np.frombuffer(joined_bytes(values), np.uint8)
    octets = np.frombuffer(bytearray(before.tobytes().translate(_DIGITS)), np.uint8)
    lengths = np.diff(bounds)
    heads, lengths = bounds[:-1][lengths > 0], lengths[lengths > 0]
    is_negative = before[heads] == _MINUS
    if is_negative.any():
        heads = np.concatenate([heads[~is_negative], heads[is_negative & (lengths > 1)] + 1])
    octets[heads[before[heads] == _ZERO]] = _ZERO
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(octets)]
    return pa.Array.from_buffers(pa.large_string(), len(values), buffers).dictionary_encode().dictionary
