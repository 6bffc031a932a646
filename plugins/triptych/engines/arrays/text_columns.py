"""Columns of text and bytes (pyarrow): joined, looked through as a whole, and worked on once per different value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

TextColumn: TypeAlias = pa.LargeStringArray
"""Text (UTF-8), a value per row, null where there is none."""
BytesColumn: TypeAlias = pa.LargeBinaryArray
"""The same of bytes."""
MaskColumn: TypeAlias = pa.BooleanArray
"""True where something holds."""


def scalar(text: str) -> pa.LargeStringScalar:
    """One large string, to be joined with columns of them."""
    return pa.scalar(text, pa.large_string())


def joined_bytes(values: TextColumn | BytesColumn) -> bytes:
    """Values without nulls back to back: ["ab", "", "c"] -> b"abc"."""
    if not len(values):
        return b""
    _, offsets, data = values.buffers()
    first, end = np.frombuffer(offsets, np.int64)[[values.offset, values.offset + len(values)]].tolist()
    return bytes(data[first:end].to_pybytes())


def holds(values: TextColumn | BytesColumn, *parts: bytes) -> bool:
    """Whether one of the parts may be in some value: no value by itself is looked at, and nulls are too.

    What begins in one value and ends in the next is found, too; a part of one byte is in a value, then.
    """
    data = joined_bytes(values)
    return any(part in data for part in parts)


def any_true(mask: MaskColumn) -> bool:
    """Whether there is one; nulls are none."""
    return bool(pc.any(mask).as_py())


def by_unique(values: pa.Array, work: Callable[[Any], Any], dtype: pa.DataType | None = None) -> pa.Array:
    """What `work` makes of each value, asked once for equal ones; null stays null. Large strings unless `dtype` says.

    ["a", null, "b", "a"], str.upper -> ["A", null, "B", "A"], of which two were worked out.
    """
    coded = values.dictionary_encode()
    made = [None if value is None else work(value) for value in coded.dictionary.to_pylist()]
    return pa.array(made, dtype or pa.large_string()).take(coded.indices)


def replaced(texts: TextColumn, mask: MaskColumn, work: Callable[[str], str]) -> TextColumn:
    """`texts`, but where the mask is true what `work` makes of them; it is asked once for equal ones.

    ["a", "b", "b"], [false, true, true], str.upper -> ["a", "B", "B"].
    """
    if not any_true(mask):
        return texts
    return pc.replace_with_mask(texts, mask, by_unique(texts.filter(mask), work))
