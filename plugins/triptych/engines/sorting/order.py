"""How records are ordered by columns of their batches: compared in vectors, or two single ones in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import total_ordering
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.arrays.aliases import Floats, Mask, Offsets, Words
from triptych.engines.arrays.text_columns import BytesColumn, MaskColumn

Direction = Literal["ascending", "descending"]
KeyColumn: TypeAlias = pa.Array
"""Numbers or large binaries that order records; null where there is no value."""
Value: TypeAlias = int | float | bytes
Key: TypeAlias = tuple[tuple[Any, ...], ...]
"""A part per key column, (0, value) or (-1,) or (1,) for a null, which tuples compare as they are."""

WORD_BYTES = 8
MOST_WORDS = 3
"""Keys up to three words are ordered as numbers: more of them take as long as to compare bytes."""


@total_ordering
class _Descending:
    """Turns the order of what it holds around."""

    def __init__(self, value: Value) -> None:
        self.value: Any = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and bool(self.value == other.value)

    def __lt__(self, other: _Descending) -> bool:
        return bool(other.value < self.value)

    __hash__ = None  # type: ignore[assignment]  # Never a key of a dict.


@dataclass(frozen=True)
class Order:
    """By the first columns of a batch, of numbers or bytes, most important first, each in its direction.

    Nulls are first or last, whatever the direction. Bytes compare as bytes, so UTF-8 by code point.
    """

    directions: Sequence[Direction]
    nulls: Literal["at_start", "at_end"] = "at_end"

    def key(self, batch: pa.RecordBatch, row: int) -> Key:
        """What compares, with `<` and `==`, as the record does: 7, null -> ((0, 7), (1,))."""
        return tuple(
            self._part(batch.column(column)[row].as_py(), direction) for column, direction in enumerate(self.directions)
        )

    def _part(self, value: Value | None, direction: Direction) -> tuple[Any, ...]:
        if value is None:
            return (-1 if self.nulls == "at_start" else 1,)
        return (0, value if direction == "ascending" else _Descending(value))

    def descents(self, batch: pa.RecordBatch) -> Mask:
        """For each record but the last, whether the next ought to come before it.

        Keys [1, 3, 2, 2], ascending -> [False, True, False].
        """
        descents, equal = np.zeros(len(batch) - 1, np.bool_), np.ones(len(batch) - 1, np.bool_)
        for column, direction in enumerate(self.directions):
            after, same = self._compared(batch.column(column), direction)
            descents |= equal & after
            equal &= same
            if not equal.any():
                break
        return descents

    def changes(self, batch: pa.RecordBatch) -> Mask:
        """For each record but the last, whether the next has another key: [1, 1, 3, 2] -> [False, True, True]."""
        equal = np.ones(len(batch) - 1, np.bool_)
        for column, direction in enumerate(self.directions):
            equal &= self._compared(batch.column(column), direction)[1]
        return ~equal

    def _compared(self, column: KeyColumn, direction: Direction) -> tuple[Mask, Mask]:
        """For each value but the last, whether it is to be after the next, and whether they are equal."""
        one, other = column[:-1], column[1:]
        after = _mask((pc.greater if direction == "ascending" else pc.less)(one, other))
        same = _mask(pc.equal(one, other))
        if column.null_count:
            is_null, next_is_null = _mask(one.is_null()), _mask(other.is_null())
            after |= ~is_null & next_is_null if self.nulls == "at_start" else is_null & ~next_is_null
            same |= is_null & next_is_null
        return after, same

    def sort_indices(self, batch: pa.RecordBatch) -> pa.Array | None:
        """The rows in order, equal ones as they are: keys [3, 1, 2] -> [1, 2, 0]. None when they are in order."""
        if len(batch) < 2 or not self.descents(batch).any():
            return None
        differing = [column for column in range(len(self.directions)) if _differs(batch.column(column))]
        vectors = [_ascending_vectors(batch.column(column), self.directions[column]) for column in differing]
        if all(vectors):
            # NumPy's stable sort is faster, the more so when whole stretches are in order. Its last key counts most.
            return pa.array(np.lexsort([vector for each in reversed(vectors) for vector in reversed(each)]))
        keys = pa.table([batch.column(column) for column in differing], names=[str(column) for column in differing])
        sort_keys = [(str(column), self.directions[column], self.nulls) for column in differing]
        return pc.sort_indices(keys, sort_keys=sort_keys)


def _differs(column: KeyColumn) -> bool:
    """Whether some values are not equal: a column that is all one value needs no comparison."""
    ends = pc.min_max(column).as_py()
    return bool(ends["min"] != ends["max"] or 0 < column.null_count < len(column))


def _ascending_vectors(column: KeyColumn, direction: Direction) -> list[Words | Offsets | Floats]:
    """NumPy vectors that ascend, the first before the second, as these values are ordered; none for some values."""
    if column.null_count:
        return []
    if pa.types.is_large_binary(column.type):
        words = _words(column)
        return list(words if direction == "ascending" else [~word for word in words])
    if pa.types.is_floating(column.type):
        floats: Floats = column.to_numpy()
        return [floats if direction == "ascending" else -floats]
    if pa.types.is_integer(column.type):
        # Not the negative, which the least of 64 bits has none of.
        integers: Offsets = column.to_numpy()
        return [integers if direction == "ascending" else ~integers]
    return []


def _words(column: BytesColumn) -> list[npt.NDArray[np.uint64] | Offsets]:
    """Bytes as big-endian numbers of 64 bits, with zeros at the end, then their lengths; none where some are long.

    [b"b", b"ab"] -> uint64 [0x62 << 56, 0x6162 << 48], int64 [1, 2]: without the lengths, b"a" would equal b"a\\0".
    """
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    lengths = np.diff(bounds)
    width = -(-int(lengths.max()) // WORD_BYTES) * WORD_BYTES
    if width > MOST_WORDS * WORD_BYTES:
        return []
    padded = np.zeros((len(column), width), np.uint8)
    padded[np.arange(width) < lengths[:, None]] = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]
    return [*(word.astype(np.uint64) for word in padded.view(">u8").T), lengths]


def _mask(values: MaskColumn) -> Mask:
    mask: Mask = values.fill_null(False).to_numpy(zero_copy_only=False)
    return mask
